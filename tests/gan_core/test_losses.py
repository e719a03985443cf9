import math

import numpy as np
import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits as bce

from gan_core import LOSSES

REAL = torch.tensor([[0.5, 2.0, -1.0]])
FAKE = torch.tensor([[-2.0, 0.25, 1.0]])


@pytest.mark.parametrize(
    ("name", "expected"),
    [("hinge", 1.916667), ("least_squares", 1.71875), ("wasserstein", -0.75), ("relativistic", 0.788681)],
)
def test_discriminator_loss_on_the_reference_vectors(name, expected):
    assert LOSSES[name].d(REAL, FAKE).mean().item() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("hinge", 0.25), ("least_squares", 1.59375), ("wasserstein", 0.25), ("relativistic", 1.538681)],
)
def test_generator_loss_on_the_reference_vectors(name, expected):
    assert LOSSES[name].g(FAKE, REAL).mean().item() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("name", [name for name, loss in LOSSES.items() if loss.binary])
def test_binary_discriminator_loss_is_cross_entropy(name):
    expected = bce(REAL, torch.ones(1, 3)) + bce(FAKE, torch.zeros(1, 3))
    assert LOSSES[name].d(REAL, FAKE).mean().item() == pytest.approx(expected.item(), abs=1e-6)


def test_nonsaturating_generator_loss_is_cross_entropy_with_the_label_real():
    expected = bce(FAKE, torch.ones(1, 3))
    assert LOSSES["nonsaturating"].g(FAKE, REAL).mean().item() == pytest.approx(expected.item(), abs=1e-6)


def test_minimax_generator_loss_is_log_one_minus_d():
    expected = torch.log(1 - torch.sigmoid(FAKE.double())).mean()
    assert LOSSES["minimax"].g(FAKE, REAL).mean().item() == pytest.approx(expected.item(), abs=1e-6)


def test_an_undecided_discriminator_has_loss_2_ln_2():
    zero = torch.zeros(1, 5)
    assert LOSSES["nonsaturating"].d(zero, zero).mean().item() == pytest.approx(2 * math.log(2), abs=1e-6)


def test_an_undecided_discriminator_gives_the_nonsaturating_generator_ln_2():
    zero = torch.zeros(1, 5)
    assert LOSSES["nonsaturating"].g(zero, zero).mean().item() == pytest.approx(math.log(2), abs=1e-6)


def test_best_logit_between_two_gaussians_reaches_the_known_loss():
    """N(0, 1) against N(1, 1): the best logit is 1/2 - x, and its loss 2 ln 2 - 2 JS = 1.163451."""
    x = np.linspace(-12, 13, 200_001)
    logit = torch.from_numpy(0.5 - x)[None]
    each = LOSSES["nonsaturating"].d(logit, torch.full_like(logit, -60.0))[0].numpy()  # softplus(-60) is 0
    other = LOSSES["nonsaturating"].d(torch.full_like(logit, 60.0), logit)[0].numpy()
    real = np.exp(-(x**2) / 2) / math.sqrt(2 * math.pi)
    fake = np.exp(-((x - 1) ** 2) / 2) / math.sqrt(2 * math.pi)
    assert np.trapezoid(each * real + other * fake, x) == pytest.approx(1.163451, abs=1e-6)


def _both(name, real, fake):
    return LOSSES[name].d(real, fake), LOSSES[name].g(fake, real)


@pytest.mark.parametrize("name", LOSSES)
def test_shape_is_that_of_the_logits(name):
    assert [value.shape for value in _both(name, torch.randn(3, 5), torch.randn(3, 5))] == [(3, 5), (3, 5)]


@pytest.mark.parametrize("name", LOSSES)
def test_finite_on_extreme_logits(name):
    real = torch.tensor([[1e4, 1e4, -1e4, -1e4]])
    fake = torch.tensor([[1e4, -1e4, 1e4, -1e4]])
    assert all(value.isfinite().all() for value in _both(name, real, fake))


@pytest.mark.parametrize("name", LOSSES)
def test_gradient_is_finite_on_extreme_logits(name):
    real = torch.tensor([[1e4, 1e4, -1e4, -1e4, 0.0]], requires_grad=True)
    fake = torch.tensor([[1e4, -1e4, 1e4, -1e4, 0.0]], requires_grad=True)
    sum(value.sum() for value in _both(name, real, fake)).backward()
    assert real.grad is None or real.grad.isfinite().all()
    assert fake.grad.isfinite().all()


@pytest.mark.parametrize("name", LOSSES)
def test_a_sample_changes_only_its_own_term(name):
    torch.manual_seed(0)
    real, fake = torch.randn(2, 6), torch.randn(2, 6)
    before = torch.stack(_both(name, real, fake))
    real[1, 4] += 1
    fake[1, 4] -= 2
    changed = before != torch.stack(_both(name, real, fake))
    changed[:, 1, 4] = False
    assert not changed.any()


@pytest.mark.parametrize("name", LOSSES)
def test_better_fakes_cost_the_generator_less(name):
    real, fake = torch.zeros(1, 1), torch.tensor([[-1.0]])
    assert LOSSES[name].g(fake + 0.5, real) < LOSSES[name].g(fake, real)


@pytest.mark.parametrize("name", LOSSES)
def test_a_right_verdict_costs_the_discriminator_less_than_a_wrong_one(name):
    half = torch.tensor([[0.5]])
    assert LOSSES[name].d(half, -half) < LOSSES[name].d(-half, half)


@pytest.mark.parametrize("name", LOSSES)
def test_only_paired_losses_read_real_logits_in_the_generators_step(name):
    real = torch.zeros(1, 3, requires_grad=True)
    fake = torch.randn(1, 3, requires_grad=True)
    (grad,) = torch.autograd.grad(LOSSES[name].g(fake, real).sum(), real, allow_unused=True)
    assert (grad is not None) == LOSSES[name].paired


@pytest.mark.parametrize("name", LOSSES)
def test_entry_has_title_formula_and_source(name):
    assert all([LOSSES[name].title, LOSSES[name].formula, LOSSES[name].source])


@pytest.mark.parametrize("name", [name for name, loss in LOSSES.items() if loss.undecided and name != "least_squares"])
def test_the_undecided_loss_is_that_of_logits_of_zero(name):
    zero = torch.zeros(1, 1, dtype=torch.float64)
    assert LOSSES[name].d(zero, zero).item() == pytest.approx(LOSSES[name].undecided, rel=1e-12)


def test_the_undecided_loss_of_least_squares_is_that_between_both_labels():
    half = torch.full((1, 1), 0.5, dtype=torch.float64)
    assert LOSSES["least_squares"].d(half, half).item() == pytest.approx(LOSSES["least_squares"].undecided, rel=1e-12)


@pytest.mark.parametrize("name", [name for name, loss in LOSSES.items() if loss.undecided])
def test_no_constant_logit_costs_less_than_the_undecided_loss(name):
    logits = torch.linspace(-5, 5, 1001, dtype=torch.float64)[None]
    assert LOSSES[name].d(logits, logits).min().item() == pytest.approx(LOSSES[name].undecided, abs=1e-4)


def test_only_a_difference_of_means_has_no_undecided_loss():
    assert [name for name, loss in LOSSES.items() if loss.undecided is None] == ["wasserstein"]
