import math

import pytest
import torch

from gan_core.latent import PATHS, lerp, path, slerp

T = torch.linspace(0, 1, 11)


def _two(dims=100):
    generator = torch.Generator().manual_seed(0)
    return torch.randn((2, dims), generator=generator)


def test_mean_norm_in_100_dimensions_is_9_975():
    z = torch.randn((20_000, 100), generator=torch.Generator().manual_seed(0))
    assert z.norm(dim=1).mean().item() == pytest.approx(9.975, abs=5 * 0.7071 / math.sqrt(20_000))


def test_slerp_keeps_the_norm():
    a, b = _two()
    b = b * (a.norm() / b.norm())
    torch.testing.assert_close(slerp(a, b, T).norm(dim=1), a.norm().expand(len(T)))


def test_slerp_between_unequal_norms_goes_evenly_from_one_to_the_other():
    a, b = torch.tensor([1.0, 0.0]), torch.tensor([0.0, 3.0])
    torch.testing.assert_close(slerp(a, b, T).norm(dim=1), 1 + 2 * T)


def test_slerp_turns_at_an_even_rate():
    a, b = torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])
    expected = torch.stack([torch.cos(T * math.pi / 2), torch.sin(T * math.pi / 2)], 1)
    torch.testing.assert_close(slerp(a, b, T), expected)


def test_lerp_midpoint_of_independent_latents_has_norm_0_707():
    generator = torch.Generator().manual_seed(0)
    pairs = torch.randn((2000, 2, 100), generator=generator)
    middle = torch.stack([lerp(a, b, torch.tensor([0.5]))[0] for a, b in pairs])
    assert (middle.norm(dim=1) / pairs[:, 0].norm(dim=1)).mean().item() == pytest.approx(math.sqrt(0.5), abs=0.01)


@pytest.mark.parametrize("kind", PATHS)
def test_ends_are_met(kind):
    a, b = _two()
    torch.testing.assert_close(PATHS[kind](a, b, torch.tensor([0.0, 1.0])), torch.stack([a, b]))


@pytest.mark.parametrize(
    ("a", "b"),
    [((1.0, 2.0), (1.0, 2.0)), ((1.0, 2.0), (2.0, 4.0)), ((1.0, 2.0), (-1.0, -2.0)), ((0.0, 0.0), (1.0, 2.0))],
    ids=["equal", "parallel", "opposite", "zero"],
)
def test_slerp_of_collinear_ends_is_lerp(a, b):
    a, b = torch.tensor(a), torch.tensor(b)
    torch.testing.assert_close(slerp(a, b, T), lerp(a, b, T))


@pytest.mark.parametrize("angle", [1e-3, 1e-4, 1e-5, 1e-7])
def test_slerp_of_nearly_parallel_ends_stays_between_them(angle):
    a, b = torch.tensor([1.0, 0.0]), torch.tensor([math.cos(angle), math.sin(angle)])
    torch.testing.assert_close(slerp(a, b, T), lerp(a, b, T), rtol=0, atol=1e-5)


@pytest.mark.parametrize("kind", PATHS)
def test_an_open_path_ends_at_its_last_anchor(kind):
    anchors = _two()
    torch.testing.assert_close(path(anchors, 5, kind)[[0, -1]], anchors)


@pytest.mark.parametrize(("anchors", "length"), [(2, 5 + 1), (3, 3 * 5), (4, 4 * 5)])
def test_a_path_has_so_many_points_a_leg(anchors, length):
    assert path(torch.randn(anchors, 8), 5).shape == (length, 8)


@pytest.mark.parametrize("kind", PATHS)
def test_a_closed_path_passes_every_anchor(kind):
    anchors = torch.randn(4, 8)
    torch.testing.assert_close(path(anchors, 5, kind)[::5], anchors)


def test_a_closed_path_comes_back_to_its_start():
    anchors = torch.randn(3, 8)
    points = path(anchors, 200)
    steps = (points - points.roll(1, 0)).norm(dim=1)
    assert steps[0] < 2 * steps[1:].max()
