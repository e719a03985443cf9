"""Looking at a trained generator, against the trainer itself, closed forms of linear generators and differences."""

import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from scipy.stats import chi2, norm

from gan_core import NETWORKS, RunError, Trainer
from gan_core.conditions import CONDITIONS
from gan_core.draws import Once, seeded
from gan_core.explorer import LATTICE, STARTS, Explorer
from gan_core.latent import path, plane
from gan_core.latents import LATENTS

ADVERSARIAL = [name for name, network in NETWORKS.items() if network.adversarial]
LIFT = 20.0  # of the inputs of a LeakyReLU that should stay above 0
CONDITIONED = [name for name in CONDITIONS if name != "none"]


@pytest.fixture(scope="module")
def opened(tiny):
    """A trainer of one network, a few steps old, and its explorer; each is made once."""
    made = {}

    def make(network="mlp", **changes):
        key = (network, *sorted(changes.items()))
        if key not in made:
            entry = NETWORKS[network]
            images = {"dataset": "digits", "width": 4} if entry.images_only else {}
            levels = {"levels": 2} if entry.discrete else {}
            trainer = Trainer(tiny(**{"network": network, "ema_decay": 0.9, **images, **levels, **changes})).train(3)
            made[key] = trainer, Explorer(trainer)
        return made[key]

    return make


@pytest.fixture
def linear(tiny):
    """An explorer of z -> z M + (1, 2) with two latents: biases lift all inputs of LeakyReLU far above 0."""

    def make(matrix, **changes):
        trainer = Trainer(tiny(latent_dim=2, **changes))
        first, last = trainer.member(0)[0].generator.body.stack.layers
        with torch.no_grad():
            first.bias.fill_(LIFT)
            last.weight.zero_()
            first.weight[0, :, :2] = torch.eye(2)
            last.weight[0, :2] = torch.tensor(matrix)
            last.bias[0, 0] = torch.tensor([1.0, 2.0]) - LIFT * last.weight[0].sum(0)
        return Explorer(trainer)

    return make


def _noise(trainer, n):
    """The row of noise that stands still."""
    numbers = trainer.noise_numbers
    return torch.randn((1, numbers), generator=seeded(0, "noise")).expand(n, -1) if numbers else None


# Samples


@pytest.mark.parametrize("network", ADVERSARIAL)
def test_samples_are_the_trainers(opened, network):
    trainer, explorer = opened(network)
    z = explorer.draw(range(5))
    torch.testing.assert_close(explorer.images(z), trainer.generate(z, noise=_noise(trainer, 5)))


@pytest.mark.parametrize("ema", [True, False])
def test_the_raw_generator_can_be_chosen(opened, ema):
    trainer, _ = opened()
    explorer = Explorer(trainer, ema=ema)
    z = explorer.draw(range(5))
    torch.testing.assert_close(explorer.images(z), trainer.generate(z, average=ema))


@pytest.mark.parametrize(("decay", "has"), [(0.9, True), (0.0, False)])
def test_it_tells_whether_there_is_an_average(opened, decay, has):
    assert opened(ema_decay=decay)[1].has_ema == has


@pytest.mark.parametrize("member", range(3))
def test_each_member_can_be_looked_at(tiny, member):
    trainer = Trainer([tiny(seed=k, spectral_norm="both") for k in range(3)]).train(2)
    explorer, z = Explorer(trainer, member), torch.randn(5, 4)
    torch.testing.assert_close(explorer.images(z), trainer.generate(z, member))


def test_a_member_that_is_not_there_is_refused(opened):
    with pytest.raises(RunError, match="no member 1"):
        Explorer(opened()[0], 1)


def test_a_network_without_latents_is_refused_with_a_sentence(tiny):
    trainer = Trainer(tiny(dataset="digits", network="pixelcnn", levels=2, width=4, latent_dim=16))
    with pytest.raises(RunError, match="pixelcnn .*no latent space"):
        Explorer(trainer)


def test_a_member_that_diverged_is_refused(tiny):
    trainer = Trainer(tiny())
    next(trainer.member(0)[0].generator.parameters()).data.fill_(math.nan)
    with pytest.raises(RunError, match="diverged.*earlier step"):
        Explorer(trainer)


def test_the_same_seed_draws_the_same_latent(opened):
    _, explorer = opened()
    assert torch.equal(explorer.draw([7, 3])[1], explorer.draw([3])[0])


@pytest.mark.parametrize("network", ADVERSARIAL)
def test_a_sample_does_not_depend_on_those_beside_it(opened, monkeypatch, network):
    _, explorer = opened(network)
    z = explorer.draw(range(7))
    together = explorer.images(z)
    monkeypatch.setattr("gan_core.explorer.AT_ONCE", 3)
    torch.testing.assert_close(explorer.images(z), together)


@pytest.mark.parametrize("network", ADVERSARIAL)
def test_equal_latents_make_equal_samples(opened, network):
    """Also where the network has noise of its own: what stands still must not flicker."""
    _, explorer = opened(network)
    made = explorer.images(explorer.draw([0, 0]))
    torch.testing.assert_close(made[0], made[1])


def test_no_latents_make_no_samples(opened):
    assert opened("dcgan")[1].images(torch.zeros(0, 4)).shape == (0, 1, 8, 8)


def _look_at_everything(explorer):
    z = explorer.draw(range(3))
    for space in explorer.spaces:
        latents = explorer.sample(5, space)
        explorer.images(latents, space, truncation=0.7)
        explorer.activations(latents, space)
        explorer.invert(explorer.images(z)[0], space, starts=2, steps=2)
    explorer.plane(plane(z, 3))
    if not NETWORKS[explorer.config.network].discrete:
        explorer.path_length(pairs=4)
    if len(explorer.shape) == 1:
        explorer.noise_plane(3)


@pytest.mark.parametrize("network", ADVERSARIAL)
def test_looking_changes_nothing_of_the_trainer(opened, network):
    trainer, explorer = opened(network)
    before = trainer.state_dict()
    modes = [module.training for module in trainer.member(0)[0].generator.modules()]
    _look_at_everything(explorer)
    after = trainer.state_dict()
    assert all(torch.equal(after["tensors"][name], value) for name, value in before["tensors"].items())
    assert [module.training for module in trainer.member(0)[0].generator.modules()] == modes


@pytest.mark.parametrize("network", ADVERSARIAL)
def test_looking_draws_from_no_shared_generator(opened, network):
    before = torch.random.get_rng_state()
    _look_at_everything(opened(network)[1])
    assert torch.equal(torch.random.get_rng_state(), before)


def test_training_on_does_not_move_what_is_looked_at(tiny):
    trainer = Trainer(tiny()).train(2)
    explorer = Explorer(trainer)
    z = explorer.draw(range(3))
    before = explorer.images(z)
    trainer.train(2)
    assert torch.equal(explorer.images(z), before)


def test_many_threads_see_what_one_sees(opened):
    _, explorer = opened("dcgan", batch_norm="both")

    def look(seed):
        z = explorer.draw(range(seed, seed + 4))
        samples = explorer.images(z)
        return samples, explorer.score(samples), explorer.activations(z, layer=1)

    expected = [look(seed) for seed in range(8)]
    with ThreadPoolExecutor(4) as pool:
        for found, wanted in zip(pool.map(look, range(8)), expected, strict=True):
            torch.testing.assert_close(found, wanted)


# Classes


@pytest.mark.parametrize("condition", CONDITIONED)
def test_a_whole_weight_is_the_class(opened, condition):
    _, explorer = opened("dcgan", conditional=condition)
    z, labels = explorer.draw(range(4)), torch.tensor([0, 3, 3, 9])
    torch.testing.assert_close(explorer.images(z, labels=torch.eye(10)[labels]), explorer.images(z, labels=labels))


@pytest.mark.parametrize("condition", CONDITIONED)
def test_a_class_is_the_trainers(opened, condition):
    trainer, explorer = opened("dcgan", conditional=condition)
    z, labels = explorer.draw(range(4)), torch.tensor([0, 3, 3, 9])
    torch.testing.assert_close(explorer.images(z, labels=labels), trainer.generate(z, labels=labels))


@pytest.mark.parametrize("condition", CONDITIONED)
def test_a_way_between_classes_begins_and_ends_with_them(opened, condition):
    _, explorer = opened("dcgan", conditional=condition)
    z = explorer.draw([0]).expand(5, -1)
    way = explorer.images(z, labels=explorer.blend(2, 7, 5))
    torch.testing.assert_close(way[[0, -1]], explorer.images(z[:2], labels=torch.tensor([2, 7])))


def test_half_way_between_classes_is_half_of_each(opened):
    weights = opened("dcgan", conditional="embedding")[1].blend(2, 7, 3)[1]
    assert weights.nonzero()[:, 0].tolist() == [2, 7] and weights[[2, 7]].tolist() == [0.5, 0.5]


def test_without_classes_none_can_be_asked_for(opened):
    with pytest.raises(RunError, match="without classes"):
        opened()[1].images(torch.zeros(1, 4), labels=torch.tensor([0]))


def test_without_classes_there_is_no_way_between_them(opened):
    with pytest.raises(RunError, match="without classes"):
        opened()[1].blend(0, 1, 3)


@pytest.mark.parametrize("labels", [torch.tensor([10, 0]), torch.tensor([0, -1])], ids=["too large", "negative"])
def test_a_class_that_is_not_there_is_refused(opened, labels):
    with pytest.raises(RunError, match="classes 0 to 9 only"):
        opened("dcgan", conditional="concat")[1].images(torch.zeros(2, 4), labels=labels)


@pytest.mark.parametrize("labels", [torch.tensor([1]), torch.zeros(2, 3)], ids=["too few", "too narrow"])
def test_labels_that_do_not_fit_are_refused(opened, labels):
    with pytest.raises(RunError, match="do not fit 2 latents"):
        opened("dcgan", conditional="concat")[1].images(torch.zeros(2, 4), labels=labels)


# Styles


@pytest.mark.parametrize("condition", ["none", "concat", "embedding"])
def test_styles_of_latents_make_their_images(opened, condition):
    _, explorer = opened("style", conditional=condition)
    z = explorer.draw(range(4))
    torch.testing.assert_close(explorer.images(explorer.to_w(z), "w"), explorer.images(z))


@pytest.mark.parametrize("network", ADVERSARIAL)
def test_only_style_networks_have_w(opened, network):
    assert opened(network)[1].spaces == (("z", "w") if network == "style" else ("z",))


def test_a_space_that_is_not_there_is_refused(opened):
    with pytest.raises(RunError, match="no latent space w"):
        opened("dcgan")[1].sample(2, "w")


def test_truncation_of_z_shortens_it(opened):
    _, explorer = opened("dcgan")
    z = explorer.draw(range(4))
    torch.testing.assert_close(explorer.images(z, truncation=0.5), explorer.images(0.5 * z))


@pytest.mark.parametrize("space", ["z", "w"])
def test_truncation_of_w_draws_it_towards_its_mean(opened, space):
    trainer, explorer = opened("style")
    mean, w = trainer.member(0)[0].average.body.w_mean, explorer.to_w(explorer.draw(range(4)))
    latents = w if space == "w" else explorer.draw(range(4))
    expected = explorer.images(mean + 0.3 * (w - mean), "w")
    torch.testing.assert_close(explorer.images(latents, space, truncation=0.3), expected)


@pytest.mark.parametrize(("crossover", "whose"), [(0, 1), (4, 0)], ids=["all of the others", "none of them"])
@pytest.mark.parametrize("space", ["z", "w"])
def test_a_crossover_at_an_end_mixes_nothing(opened, crossover, whose, space):
    _, explorer = opened("style")
    one, two = explorer.sample(3, space), explorer.sample(3, space, seed=1)
    mixed = explorer.images(one, space, mix=(two, crossover))
    assert explorer.layers == 4
    torch.testing.assert_close(mixed, explorer.images((one, two)[whose], space))


def test_mixed_styles_take_the_layers_from_both(opened):
    _, explorer = opened("style")
    one, two = explorer.sample(3, "w"), explorer.sample(3, "w", seed=1)
    layers = torch.stack([one, two, two, two], 1)
    torch.testing.assert_close(explorer.images(one, "w", mix=(two, 1)), explorer.images(layers, "w"))


def test_only_style_networks_mix(opened):
    with pytest.raises(RunError, match="no styles to mix"):
        opened("dcgan")[1].images(torch.zeros(1, 4), mix=(torch.zeros(1, 4), 1))


# Scores and classes of samples


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"pack": 2},
        {"minibatch_std": 4},
        {"minibatch_discrimination": 2},
        {"conditional": "projection"},
        {"batch_norm": "both"},
    ],
    ids=str,
)
def test_scores_are_the_discriminators(opened, changes):
    trainer, explorer = opened("dcgan", **changes)
    samples = explorer.images(explorer.draw(range(5)))
    torch.testing.assert_close(explorer.score(samples), trainer.member(0)[0].judge(samples[None])[0])


@pytest.mark.parametrize("member", range(3))
def test_scores_are_those_of_the_member(tiny, member):
    trainer = Trainer([tiny(seed=k, spectral_norm="both", pack=2) for k in range(3)]).train(2)
    (block, place), samples = trainer.member(member), trainer.data.x[:6]
    expected = block.judge(samples.expand(len(block), 6, 2))[place]
    torch.testing.assert_close(Explorer(trainer, member).score(samples), expected)


@pytest.mark.parametrize("condition", CONDITIONED)
def test_scores_of_all_classes_have_the_mean_that_is_shown_without_one(opened, condition):
    _, explorer = opened("dcgan", conditional=condition)
    samples = explorer.images(explorer.draw(range(3)))
    each = torch.stack([explorer.score(samples, torch.full((3,), k)) for k in range(10)])
    torch.testing.assert_close(explorer.score(samples), each.mean(0), atol=1e-5, rtol=1e-4)


def test_the_score_of_a_mixture_is_mixed(opened):
    _, explorer = opened("dcgan", conditional="concat")
    samples = explorer.images(explorer.draw(range(3)))
    one, two = (explorer.score(samples, torch.full((3,), k)) for k in (2, 7))
    weights = explorer.blend(2, 7, 5)[1].expand(3, -1)
    torch.testing.assert_close(explorer.score(samples, weights), 0.75 * one + 0.25 * two)


def test_points_are_classed_by_the_nearest_mode(opened):
    trainer, explorer = opened()
    centres, sigma = trainer.data.centres, trainer.data.sigmas[0]
    found, confidence = explorer.classify(torch.cat([centres, centres + 4 * sigma]))
    assert found.tolist() == [*range(8), *range(8)]
    assert confidence.tolist() == [1] * 8 + [0] * 8


def test_a_classifier_that_is_not_ready_is_not_taught(tiny, tmp_path):
    explorer = Explorer(Trainer(tiny(dataset="digits"), data_folder=tmp_path))
    assert explorer.classify(explorer.data.x[:2]) is None
    assert not explorer.judge.ready


def test_data_without_classes_have_none(opened):
    explorer = opened(dataset="swiss_roll")[1]
    assert explorer.judge is None and explorer.classify(explorer.data.x[:2]) is None


def test_images_are_classed_by_the_taught_classifier(trained_digits):
    data = trained_digits.data
    found, confidence = Explorer(trained_digits).classify(data.x[:500])
    assert (found == data.labels[:500]).float().mean() > 0.9
    assert 0.9 < confidence.mean() <= 1


def test_a_plane_has_samples_scores_and_classes_of_each_point(trained_digits):
    explorer = Explorer(trained_digits)
    lattice = plane(explorer.draw(range(3)), 5)
    found = explorer.plane(lattice)
    samples = explorer.images(lattice[2])
    torch.testing.assert_close(found.samples[2], samples)
    torch.testing.assert_close(found.scores[2], explorer.score(samples))
    assert torch.equal(found.classes[2], explorer.classify(samples)[0])
    assert found.confidence.shape == (5, 5)


def test_a_plane_that_is_too_large_is_refused(opened):
    with pytest.raises(RunError, match="too large"):
        opened()[1].plane(torch.zeros(2, LATTICE + 1, 4))


def test_a_plane_of_large_images_has_fewer_points(opened, monkeypatch):
    monkeypatch.setattr("gan_core.explorer.PLANE_NUMBERS", 10 * 64)  # ten images of 8 x 8
    explorer = opened("dcgan")[1]
    assert explorer.most_cells == 3
    with pytest.raises(RunError, match="at most 3 points"):
        explorer.plane(torch.zeros(2, 4, 4))


# Path length and layers


def test_the_path_length_of_a_linear_generator(linear):
    """By slerp with two latents: see `latent.path_length`."""
    matrix = [[3.0, 0.0], [1.0, 2.0]]
    mean, error = linear(matrix).path_length(pairs=20_000)
    frobenius, mean_norm2 = 14, math.pi / 2
    expected = frobenius * (2 * (2 - mean_norm2) + (4 + mean_norm2) / 3 * math.pi**2 / 3) / 2
    assert mean == pytest.approx(expected, abs=5 * error, rel=0.02)


def test_values_that_jump_have_no_path_length(opened):
    with pytest.raises(RunError, match="jump"):
        opened("gumbel")[1].path_length()


@pytest.mark.parametrize("network", ADVERSARIAL)
def test_every_layer_can_be_looked_at(opened, network):
    _, explorer = opened(network)
    for space in explorer.spaces:
        latents = explorer.sample(3, space)
        shapes = [explorer.activations(latents, space, k).shape for k in range(len(explorer.activated(space)))]
        assert all(len(shape) == 2 and shape[0] == 3 for shape in shapes)


def test_activations_of_the_first_layer_are_a_product(opened):
    trainer, explorer = opened()
    layer = trainer.member(0)[0].average.body.stack.layers[0]
    z = explorer.draw(range(6))
    torch.testing.assert_close(explorer.activations(z), z @ layer.weight[0] + layer.bias[0])


@pytest.mark.parametrize("network", ADVERSARIAL)
def test_the_first_weight_tells_how_the_first_layer_moves(opened, network):
    """A style network's first layer sees the latent at unit length, so there it is told with the mapping's layer alone."""
    _, explorer = opened(network)
    if network == "style":
        assert explorer.weight().shape[1] == explorer.dim("z")
        return
    z, step = explorer.draw(range(3)), torch.randn(4, generator=seeded(1, "step"))
    moved = explorer.activations(z + step) - explorer.activations(z)
    torch.testing.assert_close(moved, (explorer.weight() @ step).expand(3, -1), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("condition", CONDITIONED)
def test_the_first_weight_leaves_out_the_class(opened, condition):
    assert opened("dcgan", conditional=condition)[1].weight().shape[1] == 4


def test_the_weight_of_w_is_that_of_all_convolutions(opened):
    trainer, explorer = opened("style")
    body = trainer.member(0)[0].average.body
    assert explorer.weight("w").shape == (sum(layer.conv.style.out_features for layer in body.convs), len(body.w_mean))


def test_a_layer_that_is_not_there_is_refused(opened):
    with pytest.raises(RunError, match="no layer 9"):
        opened()[1].activations(torch.zeros(1, 4), layer=9)


def test_of_a_large_layer_fewer_samples_are_looked_at(opened, monkeypatch):
    _, explorer = opened()
    monkeypatch.setattr("gan_core.explorer.LAYER_NUMBERS", 5 * 8)
    assert explorer.activations(explorer.sample(30)).shape == (5, 8)


# Points


@pytest.mark.parametrize("matrix", [[[3.0, 0.0], [1.0, 2.0]], [[0.0, 3.0], [2.0, 1.0]]], ids=["turned over: no", "yes"])
@pytest.mark.parametrize("latent", ["normal", "uniform"])
class TestLinear:
    def test_the_determinant_is_the_matrix_s(self, linear, matrix, latent):
        found = linear(matrix, latent=latent).noise_plane(5).determinant
        torch.testing.assert_close(found, torch.full((5, 5), float(np.linalg.det(matrix))))

    def test_the_image_is_linear(self, linear, matrix, latent):
        found = linear(matrix, latent=latent).noise_plane(5)
        expected = found.noise @ torch.tensor(matrix) + torch.tensor([1.0, 2.0])
        torch.testing.assert_close(found.points, expected, atol=1e-3, rtol=1e-3)

    def test_nothing_folds(self, linear, matrix, latent):
        assert linear(matrix, latent=latent).noise_plane(5).turned == 0

    def test_the_density_is_that_of_the_noise_over_the_determinant(self, linear, matrix, latent):
        found = linear(matrix, latent=latent).noise_plane(5)
        each = norm.pdf(found.noise.numpy()) if latent == "normal" else np.full((5, 5, 2), 0.5)
        np.testing.assert_allclose(found.density, each.prod(2) / 6, rtol=1e-4)


def test_the_jacobian_is_that_of_each_sample(opened):
    trainer, explorer = opened(depth=2, width=16)
    generator = trainer.member(0)[0].average
    z, directions = explorer.draw(range(4)), torch.randn(2, 4, generator=seeded(2, "test"))
    each = [torch.func.jacrev(lambda x: generator(x[None, None])[0, 0])(one) @ directions.T for one in z]
    torch.testing.assert_close(explorer.jacobian(z, directions), torch.stack(each).detach())


def test_a_plane_that_is_folded_in_half_is_turned_over_in_one(tiny):
    """x = 0.8 |z1|, as the sum of LeakyReLU(z1) and LeakyReLU(-z1); y = z2."""
    trainer = Trainer(tiny(latent_dim=2))
    first, last = trainer.member(0)[0].generator.body.stack.layers
    with torch.no_grad():
        for tensor in (first.weight, first.bias, last.weight, last.bias):
            tensor.zero_()
        first.weight[0, :, :3] = torch.tensor([[1.0, -1.0, 0.0], [0.0, 0.0, 1.0]])
        first.bias[0, 0, 2] = 100
        last.weight[0, :3] = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    found = Explorer(trainer).noise_plane(6)
    assert found.turned == 0.5
    torch.testing.assert_close(found.determinant, torch.tensor([-0.8] * 3 + [0.8] * 3).expand(6, 6))


def test_cells_of_a_noise_plane_are_equally_likely(opened):
    noise = opened()[1].noise_plane(4).noise
    np.testing.assert_allclose(norm.cdf(noise[0, :, 0]), [0.125, 0.375, 0.625, 0.875], atol=1e-6)


def test_a_noise_plane_leaves_the_other_numbers_as_they_are(opened):
    _, explorer = opened()
    found = explorer.noise_plane(4, axes=(3, 1), seed=5).latents
    torch.testing.assert_close(found[..., [0, 2]], explorer.draw([5])[0, [0, 2]].expand(4, 4, 2))


@pytest.mark.parametrize("axes", [(0, 0), (0, 4), (-1, 0)])
def test_axes_that_make_no_plane_are_refused(opened, axes):
    with pytest.raises(RunError, match="no plane"):
        opened()[1].noise_plane(4, axes)


def test_one_number_has_no_plane(opened):
    with pytest.raises(RunError, match="no plane"):
        opened(latent_dim=1)[1].noise_plane(4)


@pytest.mark.parametrize("latent", ["mixture", "coins"])
def test_islands_have_no_one_slice(opened, latent):
    with pytest.raises(RunError, match="islands"):
        opened(latent=latent, latent_modes=2)[1].noise_plane(4)


def test_images_have_no_plane_to_lie_in(opened):
    with pytest.raises(RunError, match="points"):
        opened("dcgan")[1].noise_plane()


def test_a_noise_plane_along_directions_of_a_linear_generator(linear):
    """Along its two columns' sum and difference: the same determinant, times that of the rotation, which is -1."""
    directions = torch.tensor([[1.0, 1.0], [1.0, -1.0]])
    found = linear([[2.0, 0.0], [0.0, 3.0]]).noise_plane(4, directions)
    torch.testing.assert_close(found.determinant, torch.full((4, 4), -6.0))
    unit = directions / math.sqrt(2)
    torch.testing.assert_close(found.latents, found.noise @ unit)
    torch.testing.assert_close(
        found.points - found.points[0, 0], (found.latents - found.latents[0, 0]) * torch.tensor([2.0, 3.0])
    )


def test_a_noise_plane_along_directions_leaves_what_stands_at_right_angles_as_it_is(opened):
    _, explorer = opened()
    directions = torch.tensor([[1.0, 2.0, 0.0, -1.0], [1.0, 2.0, 3.0, 0.0]])
    held, moved = explorer.draw([5])[0], explorer.noise_plane(4, directions, seed=5).latents.flatten(0, 1)
    for other in torch.linalg.qr(directions.mT, mode="complete").Q.mT[2:]:
        torch.testing.assert_close(moved @ other, (held @ other).expand(16))


def test_directions_that_make_no_plane_are_refused(opened):
    with pytest.raises(RunError, match="no plane"):
        opened()[1].noise_plane(4, torch.tensor([[1.0, 0, 0, 0], [-2.0, 0, 0, 0]]))


def test_noise_that_is_not_round_has_no_plane_along_directions(opened):
    with pytest.raises(RunError, match="its own numbers only"):
        opened(latent="uniform")[1].noise_plane(4, torch.eye(4)[:2])


@pytest.mark.parametrize("name", [name for name, entry in LATENTS.items() if entry.round])
def test_round_noise_varies_alike_along_any_direction(name):
    z = LATENTS[name].draw(Once(seeded(0, "test")), 20_000, 3, 1)
    along = z @ torch.tensor([1.0, -2.0, 2.0]) / 3
    share = torch.linspace(0.1, 0.9, 9).double()
    expected = LATENTS[name].quantile(share)
    assert (along.double().quantile(share) - expected).abs().max() < 0.05


# Inversion

STATED = 0.0025  # mean squared error of pixels in [-1, 1]: a root of 0.05, or 2.5 % of their range


@pytest.mark.parametrize("seed", range(3))
def test_a_sample_is_found_again_from_nine_of_ten_starts(trained_digits, seed):
    explorer = Explorer(trained_digits)
    target = explorer.images(explorer.draw([100 + seed]))[0]
    errors = explorer.invert(target, starts=10, steps=400, seed=seed).errors
    assert (errors < STATED).sum() >= 9


def test_hardly_any_other_sample_is_within_the_stated_error(trained_digits):
    explorer = Explorer(trained_digits)
    samples = explorer.images(explorer.draw(range(200)))
    apart = torch.cdist(samples.flatten(1), samples.flatten(1)).square() / 64
    assert (apart[~torch.eye(200, dtype=bool)] < STATED).float().mean() < 0.01


def test_the_best_of_all_starts_is_given(trained_digits):
    explorer = Explorer(trained_digits)
    target = trained_digits.data.x[0]
    found = explorer.invert(target, starts=4, steps=20)
    assert found.error == pytest.approx(float(found.errors.min()))
    torch.testing.assert_close(found.reconstruction, explorer.images(found.latent[None])[0])
    assert float((found.reconstruction - target).square().mean()) == pytest.approx(found.error, rel=1e-5)


@pytest.mark.parametrize("space", ["z", "w"])
def test_more_steps_come_nearer_in_either_space(opened, space):
    _, explorer = opened("style")
    target = explorer.images(explorer.draw([50]))[0]
    short, long = (explorer.invert(target, space, starts=4, steps=steps).error for steps in (0, 100))
    assert long < short / 4


def test_a_point_is_found_again(opened):
    _, explorer = opened(depth=2, width=16)
    target = explorer.images(explorer.draw([50]))[0]
    assert explorer.invert(target).error < 1e-6


def test_a_search_that_stays_where_noise_lies_finds_noise_of_its_length(opened):
    """The squared length of N(0, I) is chi-squared; the target is out of the generator's reach."""
    _, explorer = opened()
    target = torch.full(explorer.shape, 3.0)
    lengths = [explorer.invert(target, starts=4, steps=50, stay=stay).latent.norm() for stay in (True, False)]
    low, high = chi2(explorer.config.latent_dim).ppf([0.01, 0.99]) ** 0.5
    assert low - 1e-4 <= lengths[0] <= high + 1e-4
    assert lengths[1] > high


@pytest.mark.parametrize("dim", [1, 2, 16])
def test_staying_where_noise_lies_finds_again_what_usual_noise_makes(opened, dim):
    _, explorer = opened(depth=2, width=16, latent_dim=dim)
    z = explorer.sample(20, seed=3)
    low, high = chi2(dim).ppf([0.01, 0.99]) ** 0.5
    target = explorer.images(z[(z.norm(dim=1) > low) & (z.norm(dim=1) < high)])[0]
    assert explorer.invert(target, stay=True).error < 1e-4


def test_without_a_class_the_starts_spread_over_all(opened):
    """Only the start with the right class can begin at the very latent."""
    _, explorer = opened("dcgan", conditional="concat")
    z = explorer.sample(10)
    target = explorer.images(z[6:7], labels=torch.tensor([6]))[0]
    found = explorer.invert(target, starts=10, steps=0)
    assert found.label == 6 and found.error < 1e-10


def test_a_class_can_be_held(opened):
    _, explorer = opened("dcgan", conditional="concat")
    target = explorer.images(explorer.sample(10)[6:7], labels=torch.tensor([6]))[0]
    assert explorer.invert(target, starts=3, steps=2, label=4).label == 4


@pytest.mark.parametrize(
    ("latent", "allowed"),
    [("uniform", lambda z: z.abs().max() <= 1), ("coins", lambda z: (z[:, :2].abs() == 1).all())],
    ids=["uniform", "coins"],
)
def test_what_is_found_can_be_drawn(opened, latent, allowed):
    _, explorer = opened(latent=latent, latent_modes=2)
    found = explorer.invert(torch.tensor([50.0, 50.0]), steps=30)
    assert allowed(found.latents)


def test_the_same_seed_finds_the_same(opened):
    _, explorer = opened()
    one, two = (explorer.invert(torch.tensor([0.5, 0.5]), steps=10, seed=3) for _ in range(2))
    assert torch.equal(one.latents, two.latents)


def test_an_inversion_can_be_stopped(opened):
    told = []
    found = opened()[1].invert(
        torch.tensor([0.5, 0.5]), progress=lambda share, best: told.append(share), stop=lambda: len(told) >= 3
    )
    assert found.steps == len(told) == 3


@pytest.mark.parametrize("target", [torch.zeros(1, 9, 9), torch.zeros(3, 8, 8), torch.zeros(64)], ids=str)
def test_a_target_that_does_not_fit_is_refused(opened, target):
    with pytest.raises(RunError, match="makes 1 x 8 x 8"):
        opened("dcgan")[1].invert(target)


@pytest.mark.parametrize("starts", [0, STARTS + 1])
def test_too_few_or_too_many_starts_are_refused(opened, starts):
    with pytest.raises(RunError, match="starts"):
        opened()[1].invert(torch.zeros(2), starts=starts)


# As the page uses it


def test_a_round_trip_in_w_passes_its_anchors(opened):
    _, explorer = opened("style")
    anchors = explorer.to_w(explorer.draw(range(3)))
    frames = explorer.images(path(anchors, 4, "lerp"), "w")
    torch.testing.assert_close(frames[::4], explorer.images(explorer.draw(range(3))))
