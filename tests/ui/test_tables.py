"""Answers of the noise plane, the classes and the style mixing, on generators that were not trained."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

from gan_core import GANConfig, RunError, Trainer
from gan_core.directions import Directions
from gan_core.explorer import Explorer
from ui.latent import classes, mixing, noise
from ui.latent.choice import COMMON
from ui.latent.tool import Ask
from ui.latent.tools import FIELDS, TOOLS

POINTS = GANConfig(width=8, batch_size=8, latent_dim=4, steps=1)
DIGITS = GANConfig(dataset="digits", network="dcgan", width=8, latent_dim=6, batch_size=8, steps=1, conditional="projection")
STYLE = GANConfig(dataset="digits", network="style", width=4, latent_dim=6, batch_size=8, steps=1)


def ask(explorer: Explorer, **values) -> Ask:
    defaults = {name: field.default for name, field in FIELDS.items()}
    return Ask(None, "run", 1, explorer, defaults | values)


@pytest.fixture(scope="module")
def points():
    return Explorer(Trainer(POINTS))


@pytest.fixture(scope="module")
def digits():
    return Explorer(Trainer(DIGITS))


@pytest.fixture(scope="module")
def style():
    return Explorer(Trainer(STYLE))


def tiles(png: bytes, size: int) -> np.ndarray:
    """Images (rows, columns, size, size) of a sheet, one pixel apart."""
    sheet = np.asarray(Image.open(io.BytesIO(png)))
    rows, columns = ((n - 1) // (size + 1) for n in sheet.shape)
    cut = sheet[1:, 1:].reshape(rows, size + 1, columns, size + 1)
    return cut.transpose(0, 2, 1, 3)[..., :size, :size]


def shown(images: torch.Tensor) -> np.ndarray:
    """Images (N, 1, H, W) in [-1, 1] as grey values."""
    return ((images[:, 0] + 1) / 2 * 255).clamp(0, 255).round().byte().numpy()


def linear(explorer: Explorer, matrix: list[list[float]]) -> None:
    """Have the generator multiply the first two numbers of the noise by a matrix."""
    m = torch.tensor(matrix)
    explorer._made = lambda z, told, *rest: z[:, :2] @ m.T


@pytest.mark.parametrize(("matrix", "area"), [([[2.0, 0.0], [0.0, 3.0]], 6.0), ([[0.0, 2.0], [3.0, 0.0]], 6.0)])
def test_a_mirrored_sheet_is_the_right_way_up_as_a_whole(matrix, area):
    explorer = Explorer(Trainer(POINTS))
    linear(explorer, matrix)
    header, arrays = noise.answer(ask(explorer, through="numbers"))
    np.testing.assert_allclose(arrays["folding"], area, rtol=1e-5)
    assert header["told"].startswith("Nothing of this slice is turned over")
    np.testing.assert_allclose(arrays["points"], arrays["noise"] @ np.float32(matrix).T, rtol=1e-5)


@pytest.mark.parametrize(
    ("chosen", "expected"), [((0, 1), (0, 1)), ((3, 3), (3, 2)), ((0, 0), (0, 1)), ((99, 1), (3, 1)), ((99, 99), (3, 2))]
)
def test_two_different_numbers_of_the_noise_vary(points, chosen, expected):
    assert noise.numbers(ask(points, across=chosen[0], upwards=chosen[1])) == expected


def test_a_slice_along_directions_shows_more_than_one_of_two_numbers():
    """The points depend on the last two of four numbers only."""
    explorer = Explorer(Trainer(POINTS))
    explorer._made = lambda z, told, *rest: z[:, 2:] @ torch.tensor([[2.0, 0.0], [0.0, 3.0]])
    along = noise.answer(ask(explorer, dirs="features"))[1]
    numbers = noise.answer(ask(explorer, through="numbers"))[1]["points"]
    reach = float(np.abs(along["noise"]).max())
    assert np.ptp(numbers, axis=(0, 1)).max() == 0
    np.testing.assert_allclose(np.ptp(along["points"], axis=(0, 1)), [4 * reach, 6 * reach], rtol=0.1)


def test_of_two_directions_that_are_opposite_one_is_shown(monkeypatch):
    """As those between the means of two classes are."""
    explorer = Explorer(Trainer(POINTS))
    vectors = torch.tensor([[0.6, 0.8, 0.0, 0.0], [-0.6, -0.8, 0.0, 0.0]])
    found = Directions("classes", "z", vectors, torch.ones(2), torch.ones(2), ("mode 0", "mode 1"), "")
    monkeypatch.setattr("ui.latent.directions.found", lambda ask: found)
    header, _ = noise.answer(ask(explorer))
    assert header["names"] == ["Mode 0", "at right angles to it"]


def test_a_generator_that_makes_one_thing_has_its_numbers_shown():
    explorer = Explorer(Trainer(POINTS))
    explorer._made = lambda z, told, *rest: 0 * z[:, :2]
    header, _ = noise.answer(ask(explorer, dirs="features"))
    assert header["names"] == ["Noise 0", "noise 1"]
    assert "All samples are the same" in header["told"]
    assert header["told"].endswith("What the noise is in the 2 other directions stays as in seed 0.")


@pytest.mark.parametrize(
    ("turned", "between", "words"),
    [
        (0.0, None, "Nothing of this slice is turned over"),
        (0.25, None, "25 % of this slice is turned over"),
        (0.001, None, "Less than 1 % of this slice"),
        (0.0, 0.1, "Of this slice 10 % lands outside of the modes."),
    ],
)
def test_the_sentence_about_a_slice(turned, between, words):
    assert words in noise.told(turned, between)


def test_noise_in_islands_has_no_plane():
    with pytest.raises(RunError, match="islands"):
        noise.answer(ask(Explorer(Trainer(POINTS.but(latent="mixture")))))


def test_a_row_is_one_noise_vector_in_all_classes(digits):
    header, arrays = classes.answer(ask(digits, drawn=5))
    expected = digits.images(digits.draw([7]).repeat(10, 1), labels=torch.arange(10))
    assert (header["rows"], header["columns"]) == (8, 10)
    np.testing.assert_array_equal(tiles(arrays["sheet"], 8)[2], shown(expected))
    assert header["words"][23] == "Class 3, seed 7"


def test_one_class_from_many_noise_vectors(digits):
    header, arrays = classes.answer(ask(digits, table="noise", label=4, drawn=10))
    expected = digits.images(digits.draw(range(18, 26)), labels=torch.full((8,), 4))
    np.testing.assert_array_equal(tiles(arrays["sheet"], 8)[1], shown(expected))
    assert header["words"][9] == "Class 4, seed 19"


def test_the_way_between_two_classes_begins_and_ends_with_them(digits):
    header, arrays = classes.answer(ask(digits, table="between", label=2, towards=99))
    whole = tiles(classes.answer(ask(digits))[1]["sheet"], 8)
    way = tiles(arrays["sheet"], 8)
    assert np.abs(way[:, 0].astype(int) - whole[:, 2]).max() <= 1  # weights of 0 and 1 may round otherwise than a label
    assert np.abs(way[:, -1].astype(int) - whole[:, 9]).max() <= 1
    assert header["words"][4] == "50 % of the way from class 2 to class 9, seed 0"


def test_a_mixture_has_layers_of_both_its_sources(style):
    header, arrays = mixing.answer(ask(style, crossover=99, coarse=3, fine=7))
    last = style.layers - 1
    expected = style.images(style.draw([4]), mix=(style.draw([9]), last))
    np.testing.assert_array_equal(tiles(arrays["sheet"], 8)[1, 2], shown(expected)[0])
    np.testing.assert_array_equal(tiles(arrays["left"], 8)[0], shown(style.images(style.draw(range(3, 9)))))
    np.testing.assert_array_equal(tiles(arrays["above"], 8)[0], shown(style.images(style.draw(range(7, 13)))))
    assert header["words"][8] == "Coarse styles of seed 4, fine styles of seed 9"
    assert f"layers 1 to {last} is" in header["caption"]
    assert f"of layer {style.layers} that" in header["caption"]


@pytest.mark.parametrize(
    ("tool", "fits"),
    [("noise", {"points"}), ("classes", {"digits"}), ("mix", {"style"})],
)
def test_a_tool_is_offered_where_it_fits(tool, fits, points, digits, style):
    explorers = {"points": points, "digits": digits, "style": style}
    assert {name for name, explorer in explorers.items() if not TOOLS[tool].lacks(explorer)} == fits


def test_what_a_tool_does_without_is_a_common_field():
    assert {name for tool in TOOLS.values() for name in tool.without} <= COMMON.keys()
