from math import exp, log, sqrt

import pytest
import torch

from gan_core.discrete import GumbelGenerator, gumbel_softmax
from gan_core.draws import seeded
from gan_core.layers import Spec

B, Z = 5, 6


def _normal(*shape, seed=0):
    return torch.randn(shape, generator=seeded(seed, "test"))


def _generator(levels=4, shape=(3, 12, 12)):
    generator = GumbelGenerator(Spec(1, Z, shape, shape, 8, 2, "generator", levels))
    generator.initialise([seeded(0, "init")])
    return generator


def _gumbel(noise):
    return -(-torch.special.ndtr(noise).log()).log()


def test_samples_have_the_softmaxs_frequencies():
    """Chi-square: mean K - 1, variance 2 (K - 1)."""
    logits, n = torch.tensor([0.0, 1.5, -1.0, 0.3, -3.0]), 200_000
    counts = gumbel_softmax(logits.expand(n, -1), _normal(n, 5), 1.0, 1).sum(0)
    expected = n * logits.softmax(0)
    statistic, freedom = ((counts - expected).square() / expected).sum().item(), len(logits) - 1
    assert statistic < freedom + 5 * sqrt(2 * freedom)


def test_the_noise_becomes_gumbels():
    """The first of two categories wins if g_1 > g_2 + shift: the difference of Gumbels is logistic, chance sigmoid(-shift)."""
    n, shift = 100_000, 2.0
    sample = gumbel_softmax(torch.tensor([0.0, shift]).expand(n, -1), _normal(n, 2), 1.0, 1)
    chance = 1 / (1 + exp(shift))
    assert sample[:, 0].mean().item() == pytest.approx(chance, abs=5 * sqrt(chance * (1 - chance) / n))


@pytest.mark.parametrize("size", [6.0, 40.0])
def test_extreme_noise_stays_finite(size):
    logits = torch.zeros(1, 3, requires_grad=True)
    sample = gumbel_softmax(logits, torch.tensor([[size, -size, 0.0]]), 0.1, 1)
    assert sample.tolist() == [[1, 0, 0]]
    (gradient,) = torch.autograd.grad(sample[0, 0], logits)
    assert gradient.isfinite().all()


@pytest.mark.parametrize("dim", [0, 1, 2])
def test_samples_are_exactly_one_hot(dim):
    sample = gumbel_softmax(_normal(30, 30, 30), _normal(30, 30, 30, seed=1), 0.7, dim)
    assert set(sample.unique().tolist()) == {0, 1}
    assert (sample.sum(dim) == 1).all()


def test_samples_do_not_depend_on_the_temperature():
    logits, noise = _normal(50, 6), _normal(50, 6, seed=1)
    one, *others = (gumbel_softmax(logits, noise, tau, 1) for tau in (1.0, 0.01, 20.0))
    assert all(torch.equal(one, other) for other in others)


@pytest.mark.parametrize("tau", [0.3, 1.0, 3.0])
def test_the_gradient_is_that_of_the_soft_sample(tau):
    logits, noise, value = _normal(50, 6).requires_grad_(), _normal(50, 6, seed=1), _normal(50, 6, seed=2)
    (straight,) = torch.autograd.grad((gumbel_softmax(logits, noise, tau, 1) * value).sum(), logits)
    soft = ((logits + _gumbel(noise)) / tau).softmax(1)
    (expected,) = torch.autograd.grad((soft * value).sum(), logits)
    torch.testing.assert_close(straight, expected)


def test_at_a_low_temperature_the_soft_sample_becomes_the_sample():
    """So the straight-through gradient loses its bias, and vanishes almost everywhere."""
    logits, noise = _normal(500, 6).double(), _normal(500, 6, seed=1).double()
    hard = gumbel_softmax(logits, noise, 1.0, 1)
    distance = [(((logits + _gumbel(noise)) / tau).softmax(1) - hard).abs().mean().item() for tau in (1.0, 0.1, 0.01, 0.001)]
    assert distance == sorted(distance, reverse=True)
    assert distance[-1] < 1e-3


def test_without_noise_the_likeliest_category_is_taken():
    assert gumbel_softmax(torch.tensor([[0.1, 0.3, 0.2]]), None, 1.0, 1).tolist() == [[0, 1, 0]]


@pytest.mark.parametrize("levels", [2, 3, 4, 16])
def test_pixels_are_exactly_one_of_the_levels(levels):
    generator = _generator(levels)
    pixels = generator(_normal(1, B, Z), _normal(1, B, generator.noise_numbers, seed=1))
    assert set(pixels.unique().tolist()) <= set(torch.linspace(-1, 1, levels).tolist())
    assert len(pixels.unique()) == levels  # at the start all values are about equally likely


def test_two_levels_are_minus_one_and_one():
    assert _generator(2).values.tolist() == [-1, 1]


def test_logits_belong_to_the_pixels_of_the_image():
    generator = _generator().eval()
    z = _normal(1, B, Z)
    logits = generator.logits(z[0])
    assert logits.shape == (B, 4, 3, 12, 12)
    assert torch.equal(generator(z)[0], generator.values[logits.argmax(1)])


def test_noise_is_laid_out_as_the_logits():
    """A number that wins for one value of one pixel puts that value there."""
    generator = _generator().eval()
    noise = torch.zeros(1, B, 4, 3, 12, 12)
    noise[0, 1, 2, 0, 5, 7] = 5
    z = _normal(1, B, Z)
    pixels = generator(z, noise.flatten(2))
    assert pixels[0, 1, 0, 5, 7] == generator.values[2]


def test_a_pixels_frequencies_follow_its_logits():
    generator = _generator(3, (1, 8, 8)).eval()
    with torch.no_grad():
        for p in generator.stack.parameters():
            p.mul_(3)
        z = _normal(1, 1, Z)
        chances = generator.logits(z[0]).softmax(1)[0]  # (levels, 1, 8, 8)
        n = 4000
        pixels = generator(z.expand(1, n, Z), _normal(1, n, generator.noise_numbers))[0]
    frequencies = torch.stack([(pixels == value).float().mean(0) for value in generator.values])
    error = (chances * (1 - chances) / n).sqrt()
    assert ((frequencies - chances).abs() < 5 * error).all()


def test_the_temperature_moves_gradients_only():
    generator = _generator().eval()
    z, noise = _normal(1, B, Z), _normal(1, B, generator.noise_numbers, seed=1)
    results = []
    for tau in (1.0, 0.2):
        generator.temperature = tau
        images = generator(z, noise)
        results.append(
            (images, torch.autograd.grad((images * _normal(*images.shape, seed=2)).sum(), generator.stack[0].weight)[0])
        )
    assert torch.equal(results[0][0], results[1][0])
    assert not torch.allclose(results[0][1], results[1][1])


def test_one_of_equal_logits_is_taken():
    assert gumbel_softmax(torch.zeros(3, 4), None, 1.0, 1).sum(1).tolist() == [1, 1, 1]


def test_uniform_logits_have_entropy_log_levels():
    generator = _generator(4)
    chances = generator.logits(_normal(B, Z)).softmax(1)
    entropy = -(chances * chances.log()).sum(1)
    assert entropy.mean().item() == pytest.approx(log(4), rel=0.05)
