"""Answers of the latent page's tools, against the engine's own functions."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

from gan_core import GANConfig, RunError, RunStore, Trainer
from gan_core.directions import find
from gan_core.frames import png_grid, unpack
from ui.latent import directions, plane, sums
from ui.latent.tools import asked, message

POINTS = GANConfig(width=8, batch_size=8, latent_dim=4, steps=1)
DIGITS = GANConfig(dataset="digits", network="mlp", width=8, batch_size=8, latent_dim=4, steps=1)

STYLE = DIGITS.but(network="style")


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return RunStore(tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="module")
def runs(store):
    """Runs with a checkpoint: of points, and of images with and without a class."""
    made = {}
    for name, config in {"points": POINTS, "digits": DIGITS, "classes": DIGITS.but(conditional="concat"), "style": STYLE}.items():
        made[name] = store.get(store.create([config]))
        store.save_checkpoint(made[name].id, Trainer(config).train().state_dict())
    return made


@pytest.fixture
def ask(store, runs):
    return lambda run="points", **query: asked(store, runs[run], {name: str(value) for name, value in query.items()})


def answer(tool, ask):
    return unpack(message(ask, tool))


def tile(png, k):
    """The k-th image of a sheet of 16 columns of 8 x 8 pixels."""
    row, column = divmod(k, 16)
    return np.asarray(Image.open(io.BytesIO(bytes(png))))[1 + 9 * row : 9 + 9 * row, 1 + 9 * column : 9 + 9 * column]


# Moves


@pytest.mark.parametrize(
    ("text", "read"), [("", ""), ("0,0", ""), ("1.5,0,-2,0", "1.5,0,-2"), ("-0,1", "0,1"), ("3", "3"), ("1e-1", "0.1")]
)
def test_moves_are_read_and_shortened(text, read):
    assert directions.moves(text) == read


@pytest.mark.parametrize("text", ["x", "1,", "4", "-3.1", "nan", "inf", ",".join("1" * 26)])
def test_what_are_no_moves_is_refused(text):
    with pytest.raises(ValueError, match=r"combination|could not convert"):
        directions.moves(text)


@pytest.mark.parametrize("kind", ["activations", "features", "sefa", "classes", "random"])
def test_without_moves_the_sample_is_the_base(ask, kind):
    question = ask(a=5, dirs=kind)
    header, arrays = answer("directions", question)
    expected = question.explorer.images(question.explorer.draw([5]))[0].numpy()
    np.testing.assert_allclose(arrays["base"], expected, atol=1e-6)
    np.testing.assert_allclose(arrays["moved"], expected, atol=1e-6)
    assert header["moves"] == [0] * len(header["rows"])


def test_styles_move_too(ask):
    question = ask("style", space="w", a=3, dlayer=99)
    header, arrays = answer("directions", question)
    expected = png_grid(question.explorer.images(question.explorer.draw([3, 3])), 16)
    for place in (0, 1):
        np.testing.assert_array_equal(tile(arrays["sheet"], place), tile(expected, 0))
    assert header["rows"][0]["name"] == "component 1"


def test_a_move_is_so_many_standard_deviations_along_the_direction(ask):
    question = ask(a=5, dirs="random", dseed=3, moves="0,-1.5")
    found, explorer = find(question.explorer, "random", count=8, seed=3), question.explorer
    latent = explorer.draw([5])[0] - 1.5 * found.deviations[1] * found.vectors[1]
    _, arrays = answer("directions", question)
    np.testing.assert_allclose(arrays["moved"], explorer.images(latent[None])[0].numpy(), atol=1e-5)


def test_the_ways_go_through_the_moved_sample(ask):
    header, arrays = answer("directions", ask(dirs="random", moves="1.5,-3"))
    ways = arrays["ways"].reshape(len(header["rows"]), directions.FINE, 2)
    for k, by in enumerate((1.5, -3, 0)):
        place = round((by + 3) / 6 * (directions.FINE - 1))
        np.testing.assert_allclose(ways[k, place], arrays["moved"], atol=1e-5)


def test_directions_are_found_once(ask, monkeypatch):
    calls = []
    monkeypatch.setattr(directions, "find", lambda *args: calls.append(args) or find(*args))
    for by in ("", "1", "2"):
        message(ask("digits", dirs="sefa", moves=by), "directions")
    assert len(calls) == 1


def test_a_kind_that_a_run_lacks_is_said_and_another_is_shown(ask):
    question = ask("classes", dirs="classes")
    assert "told the class" in directions.lacks(question, "classes")
    assert directions.kind_of(question) == "activations"


# Kept ones


def test_a_combination_is_kept_as_the_normalised_sum_with_its_deviation(ask, store, runs):
    question = ask(dirs="sefa", moves="1,-2")
    found, run = find(question.explorer, "sefa"), runs["points"].id
    total = found.deviations[0] * found.vectors[0] - 2 * found.deviations[1] * found.vectors[1]
    expected = (total / total.norm()).numpy()
    directions.keep(None, question, {"name": "  bent  over ", "moves": "1,-2"})
    (kept,) = store.directions(run)
    assert (kept.name, kept.space) == ("bent over", "z")
    np.testing.assert_allclose(kept.vector, expected, atol=1e-6)
    latents = question.explorer.sample(1000).numpy().astype(np.float64)
    assert kept.deviation == pytest.approx((latents @ expected).std(ddof=1), rel=1e-4)
    header, _ = answer("directions", ask(dirs="kept"))
    assert header["rows"] == [{"name": "bent over", "share": None}]
    directions.drop(None, question, "bent over")
    assert store.directions(run) == []
    assert directions.kind_of(ask(dirs="kept")) == "activations"


def test_nothing_is_kept_where_no_slider_was_moved(ask):
    with pytest.raises(RunError, match="All sliders stand at 0"):
        directions.keep(None, ask(), {"name": "nothing", "moves": ""})


def test_kept_directions_of_another_space_are_not_shown(ask, store, runs):
    store.put_direction(runs["points"].id, "elsewhere", "w", np.ones(4), 1)
    store.put_direction(runs["points"].id, "longer", "z", np.ones(5), 1)
    assert directions.lacks(ask(dirs="kept"), "kept")


# Sums


@pytest.mark.parametrize(
    ("text", "a", "b", "c"), [("", [], [], []), ("1,2-3,4+5", [1, 2], [3, 4], [5]), ("-4+7", [], [4], [7]), ("8", [8], [], [])]
)
def test_a_sum_is_three_sets(text, a, b, c):
    assert sums.sets(text) == {"a": a, "b": b, "c": c}
    assert sums.total(text) == text


@pytest.mark.parametrize("text", ["x", "1+2-3", "1-2-3", "1+2+3", "~AAAA", "1,", "2147483648", ",".join("1" * 65)])
def test_what_is_no_sum_is_refused(text):
    with pytest.raises(ValueError, match=r"A − B \+ C|spot|seed"):
        sums.sets(text)


def test_the_sheet_holds_samples_means_and_their_sum(ask):
    question = ask("digits", sum="1,2-3,4+5,6,7", first=10)
    explorer = question.explorer
    z = explorer.draw(range(8))
    means = [z[[1, 2]].mean(0), z[[3, 4]].mean(0), z[[5, 6, 7]].mean(0)]
    latents = torch.stack([explorer.draw([10])[0], explorer.draw([57])[0], *means, means[0] - means[1] + means[2]])
    expected = png_grid(explorer.images(latents), 16)
    header, arrays = answer("sums", question)
    for k, place in enumerate((0, 47, 48, 49, 50, 51)):
        np.testing.assert_array_equal(tile(arrays["sheet"], place), tile(expected, k))
    assert header["chosen"] == {"a": [1, 2], "b": [3, 4], "c": [5, 6, 7]}


def test_an_empty_set_adds_nothing(ask):
    _, arrays = answer("sums", ask("digits", sum="1", first=1))
    np.testing.assert_array_equal(tile(arrays["sheet"], 51), tile(arrays["sheet"], 0))


def test_sums_are_for_images(ask):
    with pytest.raises(RunError, match="for images"):
        message(ask(), "sums")


# The plane


def test_a_plane_along_two_directions_goes_so_many_standard_deviations_to_either_side(ask):
    asked = ask("digits", tool="plane", span="directions", dirs="sefa", a=3, right=1, down=2, reach=2, cells=8)
    found = find(asked.explorer, "sefa", count=8)
    lattice, words = plane.lattice_of(asked)
    middle = asked.explorer.draw([3])[0]
    one, two = (2 * found.deviations[k] * found.vectors[k] for k in (1, 2))
    torch.testing.assert_close(lattice[0, 0], middle - one - two)
    torch.testing.assert_close(lattice[-1, -1], middle + one + two)
    torch.testing.assert_close(lattice[0, -1], middle + one - two)
    assert "From left to right direction 2, from top to bottom direction 3, 2 standard" in words
