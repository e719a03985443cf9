import math

import numpy as np
import pytest
import torch
from scipy.linalg import eigh
from scipy.special import gammaln
from sklearn.decomposition import PCA

from gan_core.latent import (
    PATHS,
    along,
    arithmetic,
    class_means,
    determinant,
    jacobian,
    lerp,
    orthonormal,
    path,
    path_length,
    pca,
    plane,
    regressed,
    sefa,
    slerp,
    slice_along,
    step_lengths,
    upright,
)

T = torch.linspace(0, 1, 11)


def _two(dims=100):
    generator = torch.Generator().manual_seed(0)
    return torch.randn((2, dims), generator=generator)


def _normal(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


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


@pytest.mark.parametrize("kind", PATHS)
def test_many_ways_at_once_are_each_their_own(kind):
    a, b, t = _normal(5, 8), _normal(5, 8, seed=1), torch.rand(5, dtype=torch.float64)
    a[1], b[2] = b[1], 0  # a collinear and a zero one among them
    expected = torch.cat([PATHS[kind](a[k], b[k], t[k : k + 1]) for k in range(5)])
    torch.testing.assert_close(PATHS[kind](a, b, t), expected)


# Lengths


def test_step_lengths_are_distances():
    samples = torch.tensor([[0.0, 0.0], [3.0, 4.0], [3.0, 4.0]])
    assert step_lengths(samples).tolist() == [5, 0]


def test_step_lengths_of_images_are_over_all_pixels():
    assert step_lengths(torch.stack([torch.zeros(1, 2, 2), torch.ones(1, 2, 2)])).tolist() == [2]


A = _normal(5, 3, seed=9)  # of a linear generator of three latents
PAIRS = 200_000


def _mean_path_length(matrix, kind):
    """Over many pairs, with the standard error: (mean, error)."""
    dim = matrix.shape[1]
    t = torch.rand(PAIRS, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    lengths = path_length(lambda z: z @ matrix.T + 1, _normal(PAIRS, dim, seed=1), _normal(PAIRS, dim, seed=2), t, kind)
    return float(lengths.mean()), float(lengths.std()) / math.sqrt(PAIRS)


def test_path_length_of_a_linear_generator_by_lerp_is_twice_the_squared_frobenius_norm():
    mean, error = _mean_path_length(A, "lerp")
    assert mean == pytest.approx(2 * float(A.square().sum()), abs=5 * error)


@pytest.mark.parametrize(("dim", "angle"), [(2, math.pi**2 / 3), (3, (math.pi**2 - 4) / 2)])
def test_path_length_of_a_linear_generator_by_slerp(dim, angle):
    """`angle`: the mean square of the angle between two directions, evenly from 0 to pi in the plane, as the sine in space."""
    matrix = A[:, :dim]
    mean_norm = math.sqrt(2) * math.exp(gammaln((dim + 1) / 2) - gammaln(dim / 2))
    length = (2 * dim + mean_norm**2) / 3
    expected = float(matrix.square().sum()) * (2 * (dim - mean_norm**2) + length * angle) / dim
    mean, error = _mean_path_length(matrix, "slerp")
    assert mean == pytest.approx(expected, abs=5 * error)


def test_path_length_of_a_pair_is_the_squared_speed():
    a, b, t = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]]), torch.tensor([0.3])
    speed = path_length(lambda z: z, a.double(), b.double(), t.double())  # a quarter of the unit circle
    assert float(speed) == pytest.approx((math.pi / 2) ** 2, rel=1e-6)


# Planes


@pytest.mark.parametrize("kind", PATHS)
def test_a_plane_has_its_anchors_in_its_corners(kind):
    anchors = _normal(4, 6)
    lattice = plane(anchors, 5, kind)
    torch.testing.assert_close(torch.stack([lattice[0, 0], lattice[0, -1], lattice[-1, 0], lattice[-1, -1]]), anchors)


def test_a_straight_plane_through_three_anchors_is_affine():
    a, b, c = anchors = _normal(3, 6)
    torch.testing.assert_close(plane(anchors, 5, "lerp")[1, 3], a + 0.75 * (b - a) + 0.25 * (c - a))


def test_a_round_plane_keeps_the_norm():
    anchors = _normal(3, 6)
    lattice = plane(anchors / anchors.norm(dim=1, keepdim=True) * 2.5, 7, "slerp")
    torch.testing.assert_close(lattice.norm(dim=2), torch.full((7, 7), 2.5, dtype=torch.float64))


def test_a_plane_through_three_equal_anchors_is_one_point():
    anchors = _normal(1, 6).expand(3, 6)
    torch.testing.assert_close(plane(anchors, 4), anchors[:1].expand(4, 4, 6))


def test_a_slice_reaches_so_many_lengths_to_either_side():
    centre, directions = _normal(6), _normal(2, 6, seed=1)
    lattice = slice_along(centre, directions, torch.tensor([2.0, 3.0]), 5)
    torch.testing.assert_close(lattice[0, -1], centre + 2 * directions[0] - 3 * directions[1])
    torch.testing.assert_close(lattice[2, 2], centre)


def test_the_jacobian_of_a_linear_map_is_its_matrix():
    matrix, directions = _normal(2, 6), _normal(3, 6, seed=1)
    found = jacobian(lambda z: z @ matrix.T, _normal(4, 6, seed=2), directions)
    torch.testing.assert_close(found, (matrix @ directions.T).expand(4, 2, 3))


def test_the_jacobian_is_that_of_each_latent():
    """Of the complex square, whose derivative is 2z: its area grows by 4 |z|²."""
    z = _normal(5, 2)
    found = jacobian(lambda x: torch.stack([x[:, 0] ** 2 - x[:, 1] ** 2, 2 * x[:, 0] * x[:, 1]], 1), z, torch.eye(2).double())
    torch.testing.assert_close(determinant(found), 4 * z.square().sum(1))


def test_the_determinant_of_a_reflection_is_negative():
    assert determinant(torch.tensor([[[0.0, 1.0], [1.0, 0.0]]])).tolist() == [-1]


def test_determinants_agree_with_numpy():
    matrices = _normal(7, 2, 2)
    np.testing.assert_allclose(determinant(matrices), np.linalg.det(matrices.numpy()))


# Arithmetic


def test_arithmetic_is_of_the_means():
    a, b, c = _normal(3, 6), _normal(4, 6, seed=1), _normal(1, 6, seed=2)
    expected = a.numpy().mean(0) - b.numpy().mean(0) + c.numpy().mean(0)
    np.testing.assert_allclose(arithmetic(a, b, c), expected)


def test_taking_away_what_is_added_leaves_the_rest():
    a, c = _normal(3, 6), _normal(2, 6, seed=1)
    torch.testing.assert_close(arithmetic(a, a, c), c.mean(0))


# Directions


@pytest.mark.parametrize(("n", "d"), [(50, 6), (6, 50), (7, 7)], ids=["tall", "wide", "square"])
class TestPCA:
    def _both(self, n, d):
        x = _normal(n, d) * torch.linspace(3, 1, d, dtype=torch.float64) + 5
        return pca(x, 4), PCA(4, svd_solver="full").fit(x.numpy())

    def test_vectors_agree_with_scikit_learn(self, n, d):
        (vectors, _, _), other = self._both(n, d)
        np.testing.assert_allclose(vectors, upright(torch.from_numpy(other.components_)), atol=1e-9)

    def test_deviations_agree_with_scikit_learn(self, n, d):
        (_, deviations, _), other = self._both(n, d)
        np.testing.assert_allclose(deviations, np.sqrt(other.explained_variance_))

    def test_shares_agree_with_scikit_learn(self, n, d):
        (_, _, shares), other = self._both(n, d)
        np.testing.assert_allclose(shares, other.explained_variance_ratio_)

    def test_vectors_are_orthonormal(self, n, d):
        vectors, _, _ = pca(_normal(n, d).float(), min(n - 1, d))
        torch.testing.assert_close(vectors @ vectors.T, torch.eye(len(vectors)), atol=1e-5, rtol=0)

    def test_shares_fall(self, n, d):
        shares = pca(_normal(n, d), d)[2]
        assert (shares.diff() <= 0).all()

    def test_of_equal_rows_the_vectors_are_still_orthonormal(self, n, d):
        vectors, deviations, shares = pca(torch.ones(n, d), 3)
        torch.testing.assert_close(vectors @ vectors.T, torch.eye(3), atol=1e-5, rtol=0)
        assert deviations.tolist() == shares.tolist() == [0, 0, 0]

    def test_no_more_are_found_than_there_are(self, n, d):
        assert len(pca(_normal(n, d), 100)[0]) == min(n - 1, d)

    def test_the_sign_does_not_depend_on_that_of_the_data(self, n, d):
        x = _normal(n, d)
        torch.testing.assert_close(pca(x, 3)[0], pca(-x, 3)[0])


def test_upright_vectors_have_a_positive_largest_number():
    found = upright(torch.tensor([[1.0, -3.0], [2.0, 1.0], [0.0, 0.0]]))
    assert found.tolist() == [[-1, 3], [2, 1], [0, 0]]


@pytest.mark.parametrize("outputs", [3, 40], ids=["fewer outputs than latents", "more"])
class TestSeFa:
    def test_vectors_agree_with_scipy(self, outputs):
        weight = _normal(outputs, 8)
        _, vectors = eigh(weight.numpy().T @ weight.numpy())
        expected = upright(torch.from_numpy(vectors[:, ::-1].T[:3].copy()))
        torch.testing.assert_close(sefa(weight, 3)[0], expected, atol=1e-8, rtol=0)

    def test_shares_are_squared_singular_values(self, outputs):
        weight = _normal(outputs, 8)
        squares = np.linalg.svd(weight.numpy(), compute_uv=False) ** 2
        np.testing.assert_allclose(sefa(weight, 3)[1], (squares / squares.sum())[:3])

    def test_vectors_are_orthonormal(self, outputs):
        vectors = sefa(_normal(outputs, 8).float(), 8)[0]
        torch.testing.assert_close(vectors @ vectors.T, torch.eye(8), atol=1e-5, rtol=0)

    def test_the_first_changes_the_output_most(self, outputs):
        weight, others = _normal(outputs, 8), _normal(1000, 8, seed=1)
        others = others / others.norm(dim=1, keepdim=True)
        first = sefa(weight, 1)[0]
        assert (weight @ first.T).norm() > (weight @ others.T).norm(dim=0).max()


def test_sefa_of_a_layer_of_zeros_has_no_shares():
    assert sefa(torch.zeros(4, 3), 2)[1].tolist() == [0, 0]


def test_regression_agrees_with_least_squares():
    x, z = _normal(50, 3), _normal(50, 6, seed=1)
    design = np.hstack([x.numpy(), np.ones((50, 1))])
    expected = np.linalg.lstsq(design, z.numpy(), rcond=None)[0][:3]
    np.testing.assert_allclose(regressed(x, z), expected, atol=1e-12)


def test_components_of_a_rotation_lead_back_to_the_latents():
    """x = s R z with unequal scales s: the component k of x goes with the row k of R, over its scale."""
    rotation, z = torch.linalg.qr(_normal(4, 4))[0], _normal(100_000, 4, seed=1)
    scales = torch.tensor([4.0, 3.0, 2.0, 1.0], dtype=torch.float64)
    x = (z @ rotation.T) * scales
    changes = regressed((x - x.mean(0)) @ pca(x, 4)[0].T, z)
    torch.testing.assert_close((changes * scales[:, None] * rotation).sum(1).abs(), torch.ones(4).double(), atol=0.01, rtol=0)


def test_what_does_not_vary_goes_with_no_latent():
    assert regressed(torch.ones(9, 1), _normal(9, 3)).abs().max() == 0


def test_orthonormal_vectors_are_those_of_gram_and_schmidt():
    vectors = _normal(4, 6)
    q, r = np.linalg.qr(vectors.numpy().T)
    np.testing.assert_allclose(orthonormal(vectors), (q * np.sign(np.diag(r))).T, atol=1e-12)


def test_orthonormal_vectors_stay_so_of_nearly_parallel_ones():
    vectors = torch.ones(3, 6) + 1e-4 * _normal(3, 6).float()
    found = orthonormal(vectors)
    torch.testing.assert_close(found @ found.T, torch.eye(3), atol=1e-6, rtol=0)


def test_dependent_vectors_are_left_out():
    a, b = _normal(2, 6)
    assert orthonormal(torch.stack([a, 2 * a, torch.zeros(6), b, a + b])).shape == (2, 6)


def test_class_means_are_from_the_others_to_their_own():
    x, labels = torch.tensor([[0.0], [2.0], [10.0], [7.0]]), torch.tensor([0, 0, 1, 2])
    differences, classes = class_means(x, labels)
    assert dict(zip(classes.tolist(), differences[:, 0].tolist(), strict=True)) == {0: -7.5, 1: 7.0, 2: 3.0}


def test_class_means_come_in_the_order_of_the_classes():
    _, classes = class_means(_normal(60, 4), torch.arange(60).flip(0) % 5)
    assert classes.tolist() == [0, 1, 2, 3, 4]


def test_one_class_has_nothing_to_differ_from():
    assert class_means(_normal(9, 4), torch.zeros(9))[0].shape == (0, 4)


def test_deviations_and_shares_along_directions():
    x = _normal(1000, 3)
    vectors = torch.eye(3, dtype=torch.float64)
    deviations, shares = along(x, vectors)
    np.testing.assert_allclose(deviations, x.numpy().std(0, ddof=1))
    assert float(shares.sum()) == pytest.approx(1)
