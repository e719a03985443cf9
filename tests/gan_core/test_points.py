import base64
import math
import re

import numpy as np
import pytest
import torch
from sklearn.datasets import make_moons

from gan_core import DataError
from gan_core.data import Source, load
from gan_core.points import decode_points, encode_points

MIXTURES = ["ring8", "grid25", "two_gaussians", "disjoint3"]


def test_ring8_has_eight_distinct_centres():
    """A ring made with linspace(0, 2 pi, 8) has seven."""
    centres = load("ring8").centres
    assert torch.pdist(centres).min().item() == pytest.approx(2 * 2 * math.sin(math.pi / 8), abs=1e-5)


def test_ring8_lies_on_a_circle_of_radius_2():
    torch.testing.assert_close(load("ring8").centres.norm(dim=1), torch.full((8,), 2.0))


def test_grid25_has_the_centres_of_pacgan():
    axis = (-4, -2, 0, 2, 4)
    assert {tuple(c) for c in load("grid25").centres.tolist()} == {(x, y) for x in axis for y in axis}


@pytest.mark.parametrize(
    ("name", "sigmas"),
    [
        ("ring8", [[0.1, 0.1]] * 8),
        ("grid25", [[0.05, 0.05]] * 25),
        ("two_gaussians", [[0.1, 0.1], [0.05, 0.2]]),
        ("disjoint3", [[0.025, 0.025]] * 3),
    ],
)
def test_sigmas_are_the_published_ones(name, sigmas):
    torch.testing.assert_close(load(name).sigmas, torch.tensor(sigmas))


def test_two_gaussians_has_gan_labs_centres():
    torch.testing.assert_close(load("two_gaussians").centres, torch.tensor([[0.3, 0.7], [0.7, 0.4]]))


def test_disjoint3_has_gan_labs_centres():
    expected = torch.tensor([[0.35, 0.75], [0.75, 0.6], [0.45, 0.35]])
    torch.testing.assert_close(load("disjoint3").centres, expected)


@pytest.mark.parametrize("name", MIXTURES)
def test_each_modes_mean_is_its_centre(name):
    data = load(name)
    for mode, (centre, sigma) in enumerate(zip(data.centres, data.sigmas, strict=True)):
        x = data.x[data.labels == mode]
        assert ((x.mean(0) - centre).abs() < 5 * sigma / len(x) ** 0.5).all(), mode


@pytest.mark.parametrize("name", MIXTURES)
def test_each_modes_deviation_is_its_sigma(name):
    data = load(name)
    for mode, sigma in enumerate(data.sigmas):
        x = data.x[data.labels == mode]
        assert ((x.std(0) - sigma).abs() < 5 * sigma / (2 * len(x)) ** 0.5).all(), mode


@pytest.mark.parametrize("name", MIXTURES)
def test_modes_are_equally_frequent(name):
    data = load(name)
    n, share = len(data.x), 1 / len(data.centres)
    error = 5 * (n * share * (1 - share)) ** 0.5
    assert data.labels.bincount(minlength=len(data.centres)).sub(n * share).abs().max() < error


def test_swiss_roll_lies_on_its_curve():
    t = torch.linspace(1.5 * math.pi, 4.5 * math.pi, 4000)
    curve = torch.stack([t * t.cos(), t * t.sin()], 1) / 7.5
    distance = torch.cdist(load("swiss_roll").x[:5000], curve).min(1).values
    assert distance.max() < 5 * 0.25 / 7.5


def test_swiss_rolls_radius_has_the_mean_of_its_angle():
    """E t = 3 pi for t uniform on 1.5 pi to 4.5 pi; the noise adds its variance over 2 t to the radius."""
    radius = load("swiss_roll").x.norm(dim=1) * 7.5
    expected = 3 * math.pi + 0.25**2 / 2 * math.log(3) / (3 * math.pi)
    assert radius.mean().item() == pytest.approx(expected, abs=5 * 2.75 / 50_000**0.5)


def test_moons_lie_on_scikit_learns_half_circles():
    """No point is further from its half circle than 5 sigma of the noise."""
    curve, moon = make_moons(2000, noise=None, shuffle=False)
    found = load("two_moons")
    for label in (0, 1):
        x = found.x[found.labels == label][:4000]
        assert torch.cdist(x, torch.from_numpy(curve[moon == label]).float()).min(1).values.max() < 5 * 0.1


@pytest.mark.parametrize("label", [0, 1])
def test_moons_have_the_moments_of_scikit_learns(label):
    x, y = make_moons(200_000, noise=0.1, random_state=0)
    expected, found = x[y == label], load("two_moons")
    some = found.x[found.labels == label].double().numpy()
    np.testing.assert_allclose(some.mean(0), expected.mean(0), atol=5 * 0.72 * (1 / 25_000 + 1 / 100_000) ** 0.5)
    np.testing.assert_allclose(np.cov(some.T), np.cov(expected.T), atol=0.02)


def test_line_goes_from_one_end_to_the_other():
    """A uniform place on the line has the mean of the ends and a variance of a twelfth of their distance squared."""
    x = load("line").x.double()
    start, end = torch.tensor([[0.8, 0.6], [0.05, 0.9]]).double()
    along = (x - start) @ (end - start) / (end - start).square().sum()
    assert along.mean().item() == pytest.approx(0.5, abs=5 * 12**-0.5 / 50_000**0.5)
    assert along.var().item() == pytest.approx(1 / 12 + 0.01**2 / (0.75**2 + 0.3**2), rel=0.02)


def test_lines_noise_across_is_0_01():
    x = load("line").x.double() - torch.tensor([0.8, 0.6]).double()
    across = x @ torch.tensor([0.3, 0.75]).double() / (0.3**2 + 0.75**2) ** 0.5
    assert across.mean().item() == pytest.approx(0, abs=5 * 0.01 / 50_000**0.5)
    assert across.std().item() == pytest.approx(0.01, rel=5 / (2 * 50_000) ** 0.5)


def _cells():
    return (load("checkerboard").x / 2 + 2).floor().long()


def test_checkerboard_fills_every_other_cell():
    """FFJORD's: columns floor(x1) of [-2, 2), rows shifted by one in odd columns, all times 2."""
    assert {tuple(c) for c in _cells().unique(dim=0).tolist()} == {(i, j) for i in range(4) for j in range(4) if (i + j) % 2 == 0}


def test_checkerboards_cells_are_equally_frequent():
    counts = _cells().unique(dim=0, return_counts=True)[1]
    assert (counts - 6250).abs().max() < 5 * (50_000 * 7 / 64) ** 0.5


def test_checkerboards_cells_are_filled_evenly():
    place = load("checkerboard").x / 2 % 1
    assert (place.mean(0) - 0.5).abs().max() < 5 * 12**-0.5 / 50_000**0.5
    assert place.var(0).sub(1 / 12).abs().max() < 0.002


def test_pinwheel_turned_back_is_a_gaussian_around_1_0():
    """The turn keeps the radius, but its angle depends on the coordinate along the arm, found here by bisection."""
    found = load("pinwheel")
    x, label = found.x[:5000].double().numpy() / 2, found.labels[:5000].numpy()
    radius, angle = np.hypot(*x.T), np.arctan2(x[:, 1], x[:, 0])
    # before the turn by -(2 pi label / 5 + exp(a) / 4) the point was (a, b): a = radius cos(angle + turn(a)); |b| is small,
    # so that fixed-point steps from a = radius lead to it
    a = radius.copy()
    for _ in range(200):
        a = 0.5 * a + 0.5 * radius * np.cos(angle + 2 * np.pi * label / 5 + 0.25 * np.exp(a))
    b = radius * np.sin(angle + 2 * np.pi * label / 5 + 0.25 * np.exp(a))
    good = radius > 0.4  # near the origin there may be several solutions
    np.testing.assert_allclose([b[good].mean(), b[good].std()], [0, 0.1], atol=0.006)
    np.testing.assert_allclose([a.mean(), a.std()], [1, 0.3], atol=0.02)


def test_pinwheels_arms_are_one_arm_turned():
    """Five arms, each turned by 72 degrees: turned back, their means agree."""
    found = load("pinwheel")
    z = torch.complex(found.x[:, 0], found.x[:, 1])
    means = torch.stack([(z[found.labels == k] * np.exp(2j * np.pi * k / 5)).mean() for k in range(5)])
    assert (means - means.mean()).abs().max() < 5 * 0.65 / 10_000**0.5


# A drawing


def test_a_drawing_comes_back_to_within_half_a_cell():
    points = np.random.default_rng(0).uniform(-1, 1, (4096, 2))
    assert np.abs(decode_points(encode_points(points)).numpy() - points).max() <= 1 / 255 + 1e-6


def test_corners_come_back_exactly():
    corners = torch.tensor([[-1.0, -1], [-1, 1], [1, -1], [1, 1]])
    assert torch.equal(decode_points(encode_points(corners)), corners)


def test_a_drawing_is_base64url_of_pairs_of_bytes():
    text = encode_points(np.array([[-1, 1], [1, 1], [1 / 255, -1 / 255]]))
    assert base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)) == bytes([0, 255, 255, 255, 128, 127])


@pytest.mark.parametrize("n", [1, 2, 3])
def test_a_drawings_text_can_stand_in_a_link(n):
    assert re.fullmatch(r"[A-Za-z0-9_-]+", encode_points(np.ones((n, 2))))


@pytest.mark.parametrize(
    "text",
    ["", "A", "AAA!", "AA", "AAAA", "A A=", "äöü", "A" * 20_000, "====", "AA/+"],
    ids=["empty", "one", "sign", "odd bytes", "three bytes", "space", "no ascii", "long", "padding only", "plain base64"],
)
def test_a_damaged_drawing_is_refused(text):
    with pytest.raises(DataError, match="draw|Draw"):
        decode_points(text)


@pytest.mark.parametrize(
    "points",
    [np.zeros((0, 2)), np.zeros((4097, 2)), np.zeros((3, 3)), np.zeros(2), np.full((1, 2), 1.1), np.full((1, 2), np.nan)],
    ids=["none", "too many", "3-D", "flat", "outside", "nan"],
)
def test_points_that_are_no_drawing_are_refused(points):
    with pytest.raises(DataError, match="Draw it anew"):
        encode_points(points)


def test_a_drawing_is_its_points_with_jitter_of_0_02():
    points = torch.tensor([[-1.0, -1], [1, 1], [1, -1]])
    x = load(Source("drawn", points=encode_points(points))).x
    offset = x - points[torch.cdist(x, points).argmin(1)]
    assert offset.std().item() == pytest.approx(0.02, rel=5 / (2 * 100_000) ** 0.5)


def test_a_drawings_points_are_equally_frequent():
    points = torch.tensor([[-1.0, -1], [1, 1], [1, -1], [-1, 1]])
    x = load(Source("drawn", points=encode_points(points))).x
    assert (torch.cdist(x, points).argmin(1).bincount() - 12_500).abs().max() < 5 * (50_000 * 3 / 16) ** 0.5
