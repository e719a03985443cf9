"""The latent page's tools Find and Neighbours: what they show and refuse. What moves is tested in tests/browser."""

import io
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from gan_core import GANConfig
from gan_core.data import load
from ui.latent.find import FIELDS, answer, drawn, target
from ui.latent.near import verdict
from ui.latent.searches import SEARCHES
from ui.latent.spots import written
from ui.latent.tool import Ask
from ui.latent.tools import FIELDS as ALL
from ui.latent.tools import ask_of

IMAGES = GANConfig(dataset="digits", network="mlp", width=8, batch_size=8, steps=2)
POINTS = GANConfig(dataset="ring8", width=8, batch_size=8, steps=2)


@pytest.fixture
def asked(runner):
    """What values ask about a short run."""

    def ask(config: GANConfig = IMAGES, **values) -> Ask:
        run = runner.start(config)
        runner.wait(run, 60)
        known = {name: field.default for name, field in ALL.items()}
        return ask_of(runner.store, runner.store.get(run), {**known, "tool": "find", **values})

    return ask


def png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def test_an_image_of_the_data_is_looked_for(asked):
    assert torch.equal(target(asked(item=17)), load(IMAGES.source).x[17])


def test_a_number_beyond_the_data_is_the_last_image(asked):
    assert torch.equal(target(asked(item=10**9)), load(IMAGES.source).x[-1])


def test_a_place_is_looked_for(asked):
    assert target(asked(POINTS, target="place", px=0.5, py=-2.0)).tolist() == [0.5, -2.0]


@pytest.mark.parametrize(("config", "source"), [(POINTS, "drawing"), (POINTS, "image"), (IMAGES, "place")])
def test_a_source_that_does_not_fit_the_run_is_the_data(asked, config, source):
    assert torch.equal(target(asked(config, target=source, item=3)), load(config.source).x[3])


def _handed_in(ask: Ask, source: str, pixels) -> Ask:
    """The same question, with a picture (C, H, W) that has been handed in."""
    key = ask.store.put_picture(ask.run, np.asarray(pixels))
    return replace(ask, values={**ask.values, "target": source, source: key})


@pytest.mark.parametrize("source", ["drawing", "image"])
def test_what_was_handed_in_is_looked_for_by_whoever_has_the_address(asked, source):
    ask = _handed_in(asked(), source, np.arange(64).reshape(1, 8, 8) * 4)
    torch.testing.assert_close(target(ask).flatten(), torch.arange(64) * 4 / 127.5 - 1)


def test_a_drawing_is_made_to_the_generators_measure(asked):
    drawing = np.zeros((16, 16), np.uint8)
    drawing[:, 8:] = 255  # drawn for another run
    found = drawn(asked(), drawing.tobytes())
    assert found.shape == (1, 8, 8)
    assert float(found[0, :, :3].max()) == -1
    assert float(found[0, :, 5:].min()) == 1


@pytest.mark.parametrize("source", ["drawing", "image"])
@pytest.mark.parametrize("key", ["", "0" * 16], ids=["nothing", "not kept"])
def test_without_a_target_there_is_nothing_to_look_for_yet(asked, source, key):
    ask = asked(target=source, **{source: key})
    assert target(ask) is None
    header, arrays = answer(ask)
    assert header["label"] == "Nothing to look for yet"
    assert "target" not in arrays


def test_an_empty_drawing_is_none(asked):
    assert target(_handed_in(asked(), "drawing", np.zeros((1, 8, 8)))) is None


def test_a_picture_of_another_measure_is_none(asked):
    assert target(_handed_in(asked(), "image", np.ones((3, 16, 16)))) is None


def test_an_upload_is_fitted_to_each_run_anew(opened, runner):
    first, larger = (runner.start(config) for config in (IMAGES, IMAGES.but(image_size=16, channels=3)))
    runner.wait(larger, 60)
    test = opened("pages/latent.py", arrived={"tool": "find", "target": "image"}, focus=first)
    test.file_uploader[0].upload("white.png", png(Image.new("RGBA", (30, 20), "white")), "image/png").run()
    for run, length in ((first, 64), (larger, 3 * 256)):
        test.session_state["focus"] = run
        test.run()
        assert not test.exception
        assert runner.store.picture(run, test.session_state["latent"]["image"]).tolist() == [255] * length


def test_a_link_to_what_was_found_searches_by_itself(opened, runner):
    runner.wait(runner.start(IMAGES), 60)
    link = {"tool": "find", "starts": "1", "descent": "100", "item": "3"}
    test = opened("pages/latent.py", arrived=link)
    assert SEARCHES.get(test.session_state["latent"]["finding"].tab, "") is None
    test.button(key="find_start").click().run()
    sought = test.session_state["latent"]["sought"]
    other = opened("pages/latent.py", arrived={**link, "sought": sought})
    search = SEARCHES.get(other.session_state["latent"]["finding"].tab, sought)
    assert search is not None
    search.stop()


def test_a_link_that_asks_something_else_than_was_found_waits(opened, runner):
    runner.wait(runner.start(IMAGES), 60)
    other = opened("pages/latent.py", arrived={"tool": "find", "item": "4", "sought": "0123456789abcdef"})
    assert not other.button(key="find_start").disabled


@pytest.mark.parametrize("name", ["item", "px", "starts", "descent", "target", "any", "image", "drawing", "sought"])
@pytest.mark.parametrize("text", ["", "nan", "-1e9", "x" * 5000, "<b>"])
def test_a_link_with_nonsense_is_refused_field_by_field(name, text):
    with pytest.raises(ValueError):
        FIELDS[name].read(text)


@pytest.mark.parametrize("config", [IMAGES, POINTS, IMAGES.but(channels=3), IMAGES.but(conditional="concat")])
@pytest.mark.parametrize("tool", ["find", "near"])
def test_the_tools_open_on_any_run(opened, runner, config, tool):
    runner.wait(runner.start(config), 60)
    test = opened("pages/latent.py", arrived={"tool": tool, "item": "99999999", "target": "drawing"})
    assert not test.exception
    assert not test.error


def test_what_was_found_becomes_a_place_with_its_class(opened, runner):
    runner.wait(runner.start(IMAGES.but(conditional="concat")), 60)
    test = opened("pages/latent.py", arrived={"tool": "find", "starts": "4", "descent": "100", "any": "yes", "psi": "0.5"})
    assert test.button(key="find_use_b").disabled
    test.button(key="find_start").click().run()
    for _ in range(200):
        test.run()
        if not test.button(key="find_use_b").disabled:
            break
    test.button(key="find_use_b").click().run()
    values = test.session_state["latent"]
    assert not test.exception
    assert values["b"].startswith("~")
    assert values["psi"] == 1.0
    assert 0 <= values["label"] <= 9


def test_a_found_latent_makes_what_was_found(asked):
    """To the digits with which it stands in the address."""
    ask = asked()
    found = ask.explorer.invert(target(ask), starts=2, steps=20)
    ask.values["a"] = written(found.latent)
    torch.testing.assert_close(ask.images(ask.latents("a"))[0], found.reconstruction, atol=0.02, rtol=0)


@pytest.mark.parametrize(("distance", "words"), [(0.1, "A copy"), (0.7, "Not a copy, but nearer"), (1.4, "no nearer")])
def test_what_a_distance_to_a_neighbour_says(distance, words):
    assert words in verdict(distance, 5)
