import base64
import hashlib
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from gan_core import GANConfig, RunError, Runner, RunStore
from gan_core.colours import COLOURS
from gan_core.members import STATS
from gan_core.report import RUNS, export, html

EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\"'&<!--"
VOID = {"meta", "input", "img", "br", "link"}


class Page(HTMLParser):
    """Elements, what they say, and whether every one that is opened is closed."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.open, self.texts = [], [], {}
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.setdefault(self.open[-1] if self.open else "", []).append(data)

    def of(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]

    @property
    def charts(self):
        found = next(t for t in self.texts["script"] if t.startswith("["))
        return {chart["title"]: chart["lines"] for chart in json.loads(found)}

    def said(self, *tags):
        return " ".join(" ".join(self.texts.get(tag, [])) for tag in tags)


@pytest.fixture(scope="module")
def trained(tmp_path_factory, tiny):
    """A store with finished runs: points with a name that means harm, images, members, PixelCNN: (store, ids)."""
    store = RunStore(tmp_path_factory.mktemp("report") / "runs")
    runner = Runner(store)
    configs = {
        "points": tiny(steps=40, lr_g=0.0123),
        "images": tiny(dataset="digits", network="dcgan", width=4, steps=3),
        "members": [tiny(seed=3), tiny(seed=5), tiny(seed=6)],
        "pixelcnn": GANConfig(dataset="digits", network="pixelcnn", width=8, depth=1, batch_size=8, levels=2, steps=3),
    }
    runs = {name: runner.start(config, EVIL if name == "points" else f"my {name}") for name, config in configs.items()}
    assert all(runner.wait(run, 60) for run in runs.values())
    runner.shutdown()
    store.add_event(runs["points"], 7, "set", name="lr_d", before=0.001, value=0.0077)
    store.add_event(runs["points"], 8, "refused", message=EVIL)
    return store, runs


@pytest.fixture(scope="module")
def page(trained):
    """The report of some of the runs, parsed."""
    store, runs = trained
    return lambda *names: Page(html(store, [runs[name] for name in names]))


EVERY = [("points",), ("images",), ("members",), ("pixelcnn",), ("points", "images", "members", "pixelcnn")]


@pytest.mark.parametrize("names", EVERY)
def test_every_element_is_closed(page, names):
    assert page(*names).open == []


@pytest.mark.parametrize("names", EVERY)
def test_nothing_is_fetched(trained, page, names):
    store, runs = trained
    text = html(store, [runs[name] for name in names])
    assert not re.search(r"https?:|//[a-z]|@import|url\(", re.sub(r"(?m)^\s*//.*$|base64,[^\"]*", "", text))
    for _, attributes in page(*names).tags:
        for name in ("src", "href", "srcset", "action", "data", "poster"):
            assert attributes.get(name, "data:").startswith("data:")


def test_no_element_comes_from_a_name_or_a_message(page):
    found = page("points", "images")
    assert (len(found.of("script")), len(found.of("style")), len(found.of("img"))) == (2, 1, 1)
    assert not any(name.startswith("on") for _, attributes in found.tags for name in attributes)


@pytest.mark.parametrize("tag", ["title", "h1", "h3", "td"])
def test_a_name_stays_text(page, tag):
    """A part between entities is a piece of its own."""
    assert "alert(1)" in page("points").said(tag)


def test_a_name_stays_text_in_the_data(page):
    assert f"{EVIL}: discriminator" in [line["name"] for line in page("points", "images").charts["Loss"]]


def test_only_the_pages_own_script_may_run(page):
    found = page("points")
    (policy,) = [a["content"] for a in found.of("meta") if a.get("http-equiv") == "Content-Security-Policy"]
    script = next(text for text in found.texts["script"] if not text.startswith("["))
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'")


@pytest.mark.parametrize(
    ("stat", "title", "place"), [("loss_d", "Loss", 0), ("loss_g", "Loss", 1), ("fake_logit", "Mean logit", 1)]
)
def test_a_curve_is_that_of_the_store(trained, page, stat, title, place):
    store, runs = trained
    steps, values = store.series(runs["points"], "train")
    line = page("points").charts[title][place]
    assert line["steps"] == steps.tolist()
    np.testing.assert_allclose(line["values"], values[:, STATS.index(stat), 0], rtol=1e-4)


def test_a_curve_of_members_is_their_median(trained, page):
    store, runs = trained
    _, values = store.series(runs["members"], "train", members=3)
    line = page("members").charts["Loss"][0]
    np.testing.assert_allclose(line["values"], np.median(values[:, STATS.index("loss_d")], 1), rtol=1e-4)


def test_what_is_no_number_is_null(store, tiny):
    run = store.create([tiny()])
    rows = [(k, np.full((len(STATS), 1), value)) for k, value in enumerate([1.0, np.nan, np.inf], 1)]
    store.report(run, step=3, rate=0, seconds=1, series={"train": rows})
    assert Page(html(store, [run])).charts["Loss"][0]["values"] == [1.0, None, None]


def test_a_long_curve_is_thinned_and_keeps_its_end(store, tiny):
    run = store.create([tiny(steps=5000)])
    store.report(run, step=5000, rate=0, seconds=1, series={"train": [(k, np.ones((len(STATS), 1))) for k in range(1, 5001)]})
    steps = Page(html(store, [run])).charts["Loss"][0]["steps"]
    assert (len(steps), steps[-1]) == (1000, 5000)


def test_curves_of_one_run_have_the_colours_of_what_they_mean(page):
    assert [line["colour"] for line in page("points").charts["Mean logit"]] == ["var(--real)", "var(--fake)"]


@pytest.mark.parametrize("theme", COLOURS)
def test_both_themes_have_the_projects_colours(page, theme):
    style = page("points").said("style")
    assert all(f"--{name}: {colour};" in style for name, colour in COLOURS[theme].items())


def test_points_are_drawn(page):
    drawn = [a["d"].count("M") for a in page("points").of("path")]
    assert len(drawn) == 2
    assert drawn[0] == 600  # the data lie in the square; of what is generated only a part may


def test_images_are_in_the_page(trained, page):
    (image,) = page("images").of("img")
    assert base64.b64decode(image["src"].removeprefix("data:image/png;base64,")).startswith(b"\x89PNG")


def test_the_verdict_stands_with_its_evidence(page):
    said = page("points").said("p", "td", "th")
    assert "Still learning" in said
    assert "Evidence" in said


def test_of_members_it_says_how_often_each_verdict_is_given(page):
    assert re.search(r": \d of 3", page("members").said("p"))


def test_one_network_alone_has_no_verdict(page):
    assert "Evidence" not in page("pixelcnn").said("th")


def test_missing_data_are_said(store, tmp_path, tiny):
    run = store.create([tiny(dataset="folder", path=str(tmp_path / "gone"), network="dcgan", image_size=8, channels=1)])
    assert "There is no verdict." in Page(html(store, [run])).said("p")


def test_events_are_told(page):
    said = page("points").said("td")
    assert "Discriminator's learning rate: 0.001 → 0.0077" in said.replace("' ", "'").replace(" '", "'")
    assert "alert(1)" in said


def test_a_setting_that_was_changed_stands_there(page):
    assert "0.0123" in page("points").texts["td"]


def test_what_differs_is_marked(page):
    assert sum(a.get("class") == "differs" for a in page("points", "images").of("tr")) >= 5


def test_of_one_run_nothing_differs(page):
    assert all(a.get("class") != "differs" for a in page("points").of("tr"))


def test_no_folder_of_this_machine_is_named(store, tmp_path, tiny):
    run = store.create([tiny(dataset="folder", path=str(tmp_path / "gone"), network="dcgan", image_size=8, channels=1)])
    store.update(run, status="failed", message=f"Details are in {store.folder}/x")
    assert str(tmp_path) not in html(store, [run])


def test_it_is_one_file(trained, tmp_path):
    store, runs = trained
    path = export(store, [runs["points"]], tmp_path / "report.html")
    assert (path.read_text(encoding="utf-8"), list(tmp_path.iterdir())) == (html(store, [runs["points"]]), [path])


@pytest.mark.parametrize("count", [0, RUNS + 1])
def test_another_number_of_runs_is_refused(store, count):
    with pytest.raises(RunError, match=f"1 to {RUNS} runs, not {count}"):
        html(store, ["x"] * count)


def test_a_map_is_refused(store):
    with pytest.raises(RunError, match="is a map"):
        html(store, [store.create([GANConfig()], spec={})])


def test_a_file_that_cannot_be_written_is_refused(trained, tmp_path):
    store, runs = trained
    with pytest.raises(RunError, match="cannot be written"):
        export(store, [runs["points"]], tmp_path / "nowhere" / "x.html")
