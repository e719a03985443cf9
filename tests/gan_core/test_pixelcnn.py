import itertools
import math

import pytest
import torch

from gan_core.data import load
from gan_core.draws import seeded
from gan_core.pixelcnn import Likelihood, PixelCNN, level_of, value_of

CPU = torch.device("cpu")


def _model(size=6, levels=2, width=8, depth=3, classes=0, seed=0):
    model = PixelCNN(size, levels, width, depth, classes)
    model.initialise([seeded(seed, "init")])
    return model


def _images(size, levels, n, seed=0):
    return value_of(torch.randint(levels, (n, 1, size, size), generator=seeded(seed, "images")), levels)


def _noise(n, size, seed=0):
    return torch.randn(n, size * size, generator=seeded(seed, "noise"))


def _every_image(size, levels):
    """All images there are, (levels ** size ** 2, 1, size, size)."""
    levels_of_each = torch.tensor(list(itertools.product(range(levels), repeat=size * size)))
    return value_of(levels_of_each, levels).view(-1, 1, size, size)


def _probabilities(model, labels=None):
    images = _every_image(model.size, model.levels)
    with torch.no_grad():
        return (-model.bits_per_dim(images, labels) * model.size**2).double().exp2()


# Levels


@pytest.mark.parametrize("levels", [2, 3, 17, 256])
def test_levels_and_their_values_are_inverse(levels):
    every = torch.arange(levels)
    assert level_of(value_of(every, levels), levels).equal(every)


def test_values_reach_from_minus_one_to_one():
    assert value_of(torch.arange(3), 3).tolist() == [-1, 0, 1]


def test_a_pixel_takes_the_nearest_level_and_between_two_the_higher():
    assert level_of(torch.tensor([-1, -0.1, 0, 0.1, 1]), 2).tolist() == [0, 0, 1, 1, 1]


# What a pixel sees


@pytest.fixture(scope="module")
def seen():
    """(36, 36): whether the logits of pixel k of a 6 x 6 image depend on pixel l."""
    model = _model().double()
    x = _images(6, 2, 4).double().requires_grad_()
    logits = model(x).flatten(2).sum((0, 1))
    rows = [torch.autograd.grad(logits[k], x, retain_graph=True)[0] for k in range(36)]
    return torch.stack([row.abs().sum((0, 1)).flatten() > 0 for row in rows])


@pytest.mark.parametrize("pixel", range(36))
def test_a_pixel_sees_neither_itself_nor_the_future(seen, pixel):
    assert not seen[pixel, pixel:].any()


@pytest.mark.parametrize("pixel", range(36))
def test_a_pixel_sees_all_the_past(seen, pixel):
    """The masked convolutions of 2016a have a blind spot to the right: 2016b, figure 1."""
    assert seen[pixel, :pixel].all()


# Likelihood


@pytest.mark.parametrize(("size", "levels"), [(3, 2), (2, 4)])
def test_likelihoods_of_all_images_sum_to_one(size, levels):
    assert _probabilities(_model(size, levels)).sum().item() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("label", range(3))
def test_likelihoods_of_all_images_sum_to_one_under_each_label(label):
    labels = torch.full((2**4,), label)
    assert _probabilities(_model(2, classes=3), labels).sum().item() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("levels", [2, 5, 256])
def test_bits_of_a_model_that_knows_nothing_are_log2_of_the_levels(levels):
    model = _model(levels=levels)
    torch.nn.init.zeros_(model.head[-1].weight)
    bits = model.bits_per_dim(_images(6, levels, 4))
    torch.testing.assert_close(bits, torch.full((4,), math.log2(levels)))


def test_bits_are_those_of_the_logits():
    model, x = _model(3, 5), _images(3, 5, 1)
    log2 = model(x)[0].log_softmax(0) / math.log(2)
    level = level_of(x[0, 0], 5)
    expected = -sum(log2[level[i, j], i, j] for i in range(3) for j in range(3)) / 9
    torch.testing.assert_close(model.bits_per_dim(x)[0], expected)


# Samples


def _chi_square(counts, probabilities):
    expected = probabilities * counts.sum()
    return ((counts - expected) ** 2 / expected).sum().item()


@pytest.mark.parametrize("label", [0, 1])
def test_samples_have_the_models_probabilities(label):
    n, bound = 20_000, 37.7  # chi-square with 15 degrees of freedom: 0.1 %
    model = _model(2, classes=2)
    samples = model.sample(_noise(n, 2), torch.full((n,), label))
    place = level_of(samples, 2).flatten(1) @ torch.tensor([8, 4, 2, 1])
    counts = place.bincount(minlength=16).double()
    assert _chi_square(counts, _probabilities(model, torch.full((16,), label))) < bound
    assert _chi_square(counts, torch.full((16,), 1 / 16)) > 10 * bound  # the test could have told


@pytest.mark.parametrize(("levels", "depth", "classes"), [(2, 1, 0), (4, 4, 0), (3, 2, 5)])
def test_each_pixel_of_a_sample_is_where_the_cumulated_logits_pass_the_noise(levels, depth, classes):
    """That is, what sampling keeps of earlier pixels is what a whole pass computes."""
    model, noise = _model(9, levels, depth=depth, classes=classes), _noise(16, 9)
    labels = torch.arange(16) % classes if classes else None
    samples = model.sample(noise, labels)
    below = model(samples, labels).softmax(1).cumsum(1)[:, :-1]
    expected = (below < torch.special.ndtr(noise).view(16, 1, 9, 9)).sum(1)
    assert level_of(samples[:, 0], levels).equal(expected)


def test_a_sample_is_a_function_of_its_noise():
    model, noise = _model(), _noise(8, 6)
    samples = model.sample(noise)
    assert samples.equal(model.sample(noise))
    assert samples[3:4].equal(model.sample(noise[3:4]))
    assert not samples.equal(model.sample(_noise(8, 6, seed=1)))


def test_sampling_leaves_torchs_own_generator_alone():
    model, before = _model(), torch.get_rng_state()
    model.sample(_noise(2, 6))
    assert torch.get_rng_state().equal(before)


@pytest.mark.parametrize("sign", [-1, 1])
def test_extreme_noise_gives_the_extreme_levels(sign):
    assert _model(levels=5).sample(torch.full((1, 36), 50.0 * sign)).unique().tolist() == [sign]


# Weights and labels


def test_the_gradient_reaches_all_parameters():
    model = _model(classes=3)
    model.bits_per_dim(_images(6, 2, 32), torch.arange(32) % 3).sum().backward()
    assert [n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()] == []


def test_the_same_seed_gives_the_same_weights_and_another_seed_others():
    one, two, three = (_model(classes=3, seed=seed).state_dict() for seed in (0, 0, 1))
    assert all(one[name].equal(two[name]) for name in one)
    assert not any(one[name].equal(three[name]) for name in one if name.endswith("weight"))


def test_labels_change_the_logits_of_every_pixel():
    model, x = _model(classes=2), _images(6, 2, 1).expand(2, -1, -1, -1)
    one, two = model(x, torch.tensor([0, 1]))
    assert (one != two).any(0).all()


# Training


@pytest.fixture(scope="module")
def make(tiny):
    def build(steps=0, data=None, **changes):
        config = tiny(dataset="digits").model_copy(update={"levels": 2, "conditional": "none", "beta1": 0.9, **changes})
        likelihood = Likelihood([config], data or load("digits"), CPU)
        return likelihood, [likelihood.step() for _ in range(steps)]

    return build


def _weights(likelihood):
    return [part.clone() for part in (likelihood.opt.flat, likelihood.average_flat) if part is not None]


def test_step_reports_each_statistic(make):
    likelihood, (stats,) = make(1)
    assert stats.shape == (len(likelihood.STATS), len(likelihood))
    assert (stats > 0).all()


def test_a_tenth_is_held_out_and_the_same_for_every_seed(make):
    one, two = make()[0], make(seed=1)[0]
    assert torch.cat([one.train_rows, one.held_rows]).sort().values.equal(torch.arange(1797))
    assert len(one.held_rows) == 179
    assert one.held_rows.equal(two.held_rows)


def test_held_out_images_have_no_influence(make):
    data, held = load("digits"), make()[0].held_rows
    other = data.x.clone()
    other[held] = 1
    one, two = make(20)[0], make(20, type(data)(other, data.labels))[0]
    assert one.opt.flat.equal(two.opt.flat)
    assert not one.scores()["bits_per_dim"].equal(two.scores()["bits_per_dim"])


def test_the_same_config_trains_the_same_weights_and_another_seed_others(make):
    one, two, three = (make(3, seed=seed)[0].opt.flat for seed in (0, 0, 1))
    assert one.equal(two)
    assert not one.equal(three)


@pytest.mark.parametrize("optimizer", ["adam", "sgd", "rmsprop"])
@pytest.mark.parametrize("changes", [{}, {"ema_decay": 0.9, "conditional": "labels"}], ids=["plain", "ema-labels"])
def test_resuming_is_bit_exact(make, optimizer, changes):
    whole, _ = make(10, optimizer=optimizer, **changes)
    first, _ = make(4, optimizer=optimizer, **changes)
    tensors, cursors = first.state()
    second, _ = make(optimizer=optimizer, **changes)
    second.load({name: value.clone() for name, value in tensors.items()}, cursors)
    for _ in range(6):
        second.step()
    assert all(a.equal(b) for a, b in zip(_weights(whole), _weights(second), strict=True))
    assert whole.scores()["bits_per_dim"].equal(second.scores()["bits_per_dim"])


def test_average_forgets_the_first_weights_soon_and_then_by_its_decay(make):
    likelihood, _ = make(ema_decay=0.5)
    expected = likelihood.opt.flat.double()
    for step in range(1, 13):
        likelihood.step()
        kept = min(0.5, step / (9 + step))
        expected = kept * expected + (1 - kept) * likelihood.opt.flat.double()
    torch.testing.assert_close(likelihood.average_flat.double(), expected, rtol=1e-5, atol=1e-7)


def test_scores_and_samples_are_of_the_average_where_there_is_one(make):
    likelihood, _ = make(3, ema_decay=0.9)
    noise = _noise(4, 8)[None]
    likelihood.opt.flat.zero_()  # the weights as they are know nothing now
    assert likelihood.scores()["bits_per_dim"].item() != 1
    assert not likelihood.generate(noise).equal(likelihood.generate(noise, average=False))
    assert likelihood.generate(noise, average=False)[0].equal(noise.sign().view(4, 1, 8, 8))


def test_generate_takes_labels(make):
    likelihood, _ = make(5, conditional="labels")
    noise = _noise(1, 8).expand(1, 10, -1)
    samples = likelihood.generate(noise, labels=torch.arange(10)[None])
    assert samples.shape == (1, 10, 1, 8, 8)
    assert len(samples[0].unique(dim=0)) > 1


def test_a_learning_rate_of_nought_stands_still(make):
    likelihood, _ = make(1)
    likelihood.set_configs([likelihood.configs[0].model_copy(update={"lr_g": 0.0})])
    before = likelihood.opt.flat.clone()
    likelihood.step()
    assert likelihood.opt.flat.equal(before)


def test_steppers_name_a_statistic_each(make):
    likelihood, _ = make()
    assert [(stepper.flat is likelihood.opt.flat, name) for stepper, name in likelihood.steppers()] == [(True, "grad")]
    assert "grad" in likelihood.STATS


def test_more_than_one_config_is_refused(make):
    likelihood, _ = make()
    with pytest.raises(ValueError, match="too many"):
        Likelihood(likelihood.configs * 2, likelihood.data, CPU)


def test_training_beats_pixels_that_know_nothing_of_each_other(make):
    """The best such model is closed: each pixel white as often as in the training data."""
    likelihood, _ = make(300, width=16, depth=3, batch_size=32, ema_decay=0.95)
    x = likelihood.data.x
    white = ((x[likelihood.train_rows] > 0).double().mean(0)).clamp(1e-3, 1 - 1e-3)
    baseline = -torch.where(x[likelihood.held_rows] > 0, white, 1 - white).log2().mean().item()
    assert baseline == pytest.approx(0.551, abs=0.005)
    assert likelihood.scores()["bits_per_dim"].item() < 0.8 * baseline
