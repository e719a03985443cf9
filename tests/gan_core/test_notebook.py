import io
import math
import re
import signal
from pathlib import Path
from xml.etree import ElementTree

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient
from PIL import Image, ImageColor

from gan_core import Live, RunError, Trainer, watch
from gan_core.frames import live_parts, pack
from gan_core.notebook import (
    FINE,
    HEIGHT,
    INK,
    MARGIN,
    POINTS,
    SIDE,
    TILE,
    WIDTH,
    Curve,
    View,
    chart,
    picture,
    thinned,
    view_of_run,
)

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "first_gan.ipynb"


def curve(values, steps=None, name="D"):
    values = np.array(values, np.float64)
    return Curve(name, "#00805C", np.arange(len(values)) if steps is None else np.array(steps), values)


def ways(svg):
    """What the curves' paths say, each as its strokes of points."""
    paths = [each.get("d") for each in ElementTree.fromstring(svg).iterfind("g/path")]
    return [[[tuple(map(float, point.split())) for point in part.split("L")] for part in path.split("M")[1:]] for path in paths]


# Curves


def test_a_curve_goes_from_its_least_to_its_largest_value():
    (((first, middle, last),),) = ways(chart("Loss", [curve([1.0, 3.0, 2.0], [0, 50, 100])]))
    assert first == (0, MARGIN + HEIGHT)
    assert middle == (WIDTH / 2, MARGIN)
    assert last == (WIDTH, MARGIN + HEIGHT / 2)


def test_curves_of_a_drawing_share_its_axes():
    (((low, _),), ((high, _),)) = ways(chart("Loss", [curve([0.0, 0.0]), curve([4.0, 4.0])]))
    assert (low[1], high[1]) == (MARGIN + HEIGHT, MARGIN)


def test_a_curve_is_broken_where_there_is_no_number():
    ((one, two),) = ways(chart("Loss", [curve([1, 2, math.nan, math.inf, 3, 4])]))
    assert (len(one), len(two)) == (2, 2)


def test_a_constant_stands_in_the_middle():
    assert {y for ((points,),) in [ways(chart("Loss", [curve([2.0, 2.0])]))] for _, y in points} == {MARGIN + HEIGHT / 2}


@pytest.mark.parametrize("values", [[], [math.nan, math.nan]])
def test_without_a_number_nothing_is_drawn(values):
    assert chart("Loss", [curve(values)]) == ""


def test_the_newest_value_and_the_last_step_are_written():
    words = "".join(ElementTree.fromstring(chart("Loss", [curve([1, 0.25, math.nan], [0, 1000, 2000])])).itertext())
    assert "D 0.25" in words
    assert "step 2,000" in words


def test_a_long_curve_is_thinned_by_means():
    steps, values = thinned(np.arange(10 * POINTS), np.arange(10 * POINTS, dtype=np.float64))
    assert len(steps) == POINTS
    assert steps.tolist() == list(range(9, 10 * POINTS, 10))
    assert values.tolist() == [10 * k + 4.5 for k in range(POINTS)]


# Pictures


def test_real_and_generated_points_stand_where_they_are():
    frame = {"kind": "points", "extent": (0.0, 0.0, 1.0), "step": 0}
    png = picture(frame, {"real": np.array([[0.5, 0.5]]), "fake": np.array([[-0.5, -0.5], [math.nan, 0], [9, 9]])})
    image = Image.open(io.BytesIO(png))
    assert image.size == (SIDE * FINE, SIDE * FINE)
    quarter = SIDE * FINE // 4
    assert image.getpixel((3 * quarter, quarter)) == (*ImageColor.getrgb(INK["real"]), 255)
    assert image.getpixel((quarter, 3 * quarter)) == (*ImageColor.getrgb(INK["fake"]), 255)
    pixels = np.asarray(image)
    assert (pixels[..., 3] > 0).sum() == 2 * 16  # nothing else, and nothing behind it


def test_what_the_discriminator_takes_for_real_is_coloured_from_below():
    heat = np.full((48, 48), 128, np.uint8)
    heat[0] = 255  # the lowest row
    nothing = np.zeros((0, 2))
    pixels = np.asarray(
        Image.open(io.BytesIO(picture({"kind": "points", "extent": (0, 0, 1)}, {"real": nothing, "fake": nothing, "heat": heat})))
    )
    assert tuple(pixels[-1, 0, :3]) == ImageColor.getrgb(INK["real"])
    assert pixels[-1, 0, 3] > 50
    assert pixels[0, 0, 3] < 2


def test_each_member_has_a_tile():
    members = np.full((3, 5, 2), 255, np.uint8)  # outside
    members[2] = 127
    pixels = np.asarray(Image.open(io.BytesIO(picture({"kind": "points"}, {"members": members}))))
    size = TILE * FINE
    assert pixels.shape == (size, 3 * size, 4)
    inside = [pixels[1:-1, k * size + 1 : (k + 1) * size - 1, 3].max() for k in range(3)]
    assert inside == [0, 0, 255]


IMAGES = {"dataset": "digits", "network": "mlp"}  # of 8 pixels, one apart


@pytest.mark.parametrize(
    ("changes", "members", "size"), [(IMAGES, 1, (73, 73)), (IMAGES, 2, (9 * 9 + 1, 19)), ({}, 2, (4 * TILE, 2 * TILE))]
)
def test_a_trainer_of_any_kind_has_a_picture(tiny, changes, members, size):
    trainer = Trainer([tiny(**changes).but(seed=seed) for seed in range(members)])
    with Image.open(io.BytesIO(picture(*live_parts(trainer)))) as image:
        assert image.size == size


# What stands in the cell


def test_words_of_others_do_no_harm():
    html = View("<img src=x onerror=alert(1)>", "<b>", b"", {}, "<script>")._repr_html_()
    assert re.findall(r"<(img|script)", html) == []


def test_the_html_is_well_formed(tiny):
    view = Live(Trainer(tiny()).train(20)).view()
    root = ElementTree.fromstring(re.sub(r"<img ([^>]*)>", r"<img \1/>", view._repr_html_()))
    assert [svg.get("aria-label") for svg in root.iter("svg")] == ["Losses", "Modes"]
    assert root.find("img").get("src").startswith("data:image/png;base64,")


def test_the_words_say_how_far_it_is_and_what_is_held(tiny):
    trainer = Trainer(tiny()).train(10)
    held = trainer.evaluate()["held"]
    assert repr(Live(trainer).view()) == f"ring8, nonsaturating · step 10 of 20, {held:.0f} of 8 modes held"


def test_data_without_modes_have_none_to_count(tiny):
    assert "modes" not in repr(Live(Trainer(tiny(dataset="swiss_roll"))).view())


# Watching


def test_watching_trains_as_train_does(tiny, capsys):
    one, two = watch(Trainer(tiny())), Trainer(tiny()).train()
    assert one.step_count == 20
    assert one.sample(8).equal(two.sample(8))
    (line,) = capsys.readouterr().out.splitlines()  # without a notebook: one, when it ends
    assert line.startswith("ring8, nonsaturating · step 20 of 20")


def test_so_many_steps_are_trained_as_were_asked_for(tiny):
    assert watch(Trainer(tiny()).train(5), steps=7).step_count == 12


def test_an_interrupt_ends_it_between_two_steps(tiny, monkeypatch):
    trainer, before = Trainer(tiny()), signal.getsignal(signal.SIGINT)
    monkeypatch.setattr(Live, "update", lambda live, _=None: live.trainer.step_count == 3 and signal.raise_signal(signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        watch(trainer)
    assert trainer.step_count == 4
    assert trainer.sample(8).equal(Trainer(tiny()).train(4).sample(8))
    assert signal.getsignal(signal.SIGINT) is before


def test_a_run_of_the_store_is_watched_to_its_end(store, runner, tiny, capsys):
    row = watch(runner.start(tiny(), "Mine"), store)
    assert (row.status, row.step) == ("finished", 20)
    assert capsys.readouterr().out.startswith("Mine · finished, step 20 of 20, ")


def test_a_run_that_nobody_has_begun_is_shown_too(store, tiny):
    run = store.create([tiny()], "Mine")
    assert repr(view_of_run(store, run)) == "Mine · queued, step 0 of 20"
    assert "<svg" not in view_of_run(store, run)._repr_html_()


def test_a_runs_picture_is_its_latest(store, tiny):
    run, parts = store.create([tiny()]), live_parts(Trainer(tiny()))
    store.report(run, step=0, rate=0, seconds=0, frame=pack(*parts), series={}, status="running", message="")
    assert view_of_run(store, run).png == picture(*parts)


def test_what_cannot_be_watched_is_a_sentence(store, tiny):
    run = store.create([tiny()], spec={}, steps=5)
    store.update(run, kind="map")
    with pytest.raises(RunError, match="is a map"):
        view_of_run(store, run)
    with pytest.raises(RunError, match="no run 123"):
        watch("123", store)


# The example


@pytest.fixture(scope="module")
def example():
    return nbformat.read(EXAMPLE, as_version=4)


def test_the_example_is_kept_without_what_it_printed(example):
    nbformat.validate(example)
    for cell in example.cells:
        if cell.cell_type == "code":
            assert (cell.outputs, cell.execution_count, dict(cell.metadata)) == ([], None, {})


def test_the_example_runs_from_top_to_bottom(example, tmp_path, monkeypatch):
    monkeypatch.setenv("GAN_PLAYGROUND_RUNS", str(tmp_path / "runs"))
    NotebookClient(example, kernel_name="python3", timeout=240, resources={"metadata": {"path": EXAMPLE.parent}}).execute()
    outputs = [output for cell in example.cells for output in cell.get("outputs", [])]
    displays = [output.data for output in outputs if output.output_type == "display_data"]
    assert len(displays) == 5  # one for each that is watched, renewed in place
    for data in displays:
        assert re.search(r"step ([\d,]+) of \1\b", data["text/plain"]), data["text/plain"]  # its end
        assert "<svg" in data["text/html"]
    printed = "".join(output.text for output in outputs if output.output_type == "stream")
    assert re.search(r"\d of 8 modes held, \d+% of the samples are good", printed)
    assert "A slow discriminator: finished at step" in printed
