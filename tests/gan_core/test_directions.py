"""Directions of trained generators, against independent solvers and generators whose directions are known."""

import math

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

from gan_core import NETWORKS, ConfigError, RunError, Trainer
from gan_core.directions import DIRECTIONS, MANY, SAMPLES, find
from gan_core.explorer import Explorer
from gan_core.latent import pca, upright
from gan_core.layers import Normed

SPACES = [(name, space) for name, n in NETWORKS.items() if n.adversarial for space in ("z", *(["w"] if name == "style" else []))]
CASES = [  # the classifier of discrete images is one of its own, which nobody has taught
    (name, space, kind) for name, space in SPACES for kind in DIRECTIONS if not (kind == "classes" and NETWORKS[name].discrete)
]
each = pytest.mark.parametrize(("network", "space", "kind"), CASES, ids=[" ".join(case) for case in CASES])
each_kind = pytest.mark.parametrize("kind", DIRECTIONS)
each_space = pytest.mark.parametrize(("network", "space"), SPACES, ids=[f"{n} {s}" for n, s in SPACES])


@pytest.fixture(scope="module")
def explored(tiny, digits_judge):
    """The explorer of a network a few steps old, with the taught judge; each is made once. Their first weights are enlarged, so
    that such young networks listen to the latent."""
    made = {}

    def make(network="dcgan", **changes):
        key = (network, *sorted(changes.items()))
        if key not in made:
            levels = {"levels": 2} if NETWORKS[network].discrete else {}
            config = tiny(**{"dataset": "digits", "network": network, "width": 4, **levels, **changes})
            trainer = Trainer(config, data_folder=digits_judge.folder).train(3)
            first = next(m for m in trainer.member(0)[0].generator.body.modules() if isinstance(m, Normed))
            first.weight.data.mul_(20)
            made[key] = Explorer(trainer)
        return made[key]

    return make


@each
def test_directions_have_length_1(explored, network, space, kind):
    vectors = find(explored(network), kind, space, count=3).vectors
    torch.testing.assert_close(vectors.norm(dim=1), torch.ones(len(vectors)))


@each
def test_each_direction_has_its_numbers_and_its_own_name(explored, network, space, kind):
    found = find(explored(network), kind, space, count=3)
    assert 1 <= len(found.vectors) <= 3
    assert found.vectors.shape[1] == explored(network).dim(space)
    assert len(found.deviations) == len(found.shares) == len(set(found.names)) == len(found.vectors)


@each
def test_the_same_question_gets_the_same_answer(explored, network, space, kind):
    one, two = (find(explored(network), kind, space, count=3) for _ in range(2))
    assert torch.equal(one.vectors, two.vectors)


@each
def test_the_deviation_is_that_of_latents_along_it(explored, network, space, kind):
    """Of others than those that were looked at: within five standard errors of a deviation, 1 / sqrt(2 N) each."""
    explorer = explored(network)
    found = find(explorer, kind, space, count=3)
    others = explorer.sample(20 * SAMPLES, space, seed=99).double().numpy() @ found.vectors.double().numpy().T
    np.testing.assert_allclose(found.deviations, others.std(0, ddof=1), rtol=5 * 1.2 / math.sqrt(2 * SAMPLES))


@pytest.mark.parametrize("kind", [kind for kind, entry in DIRECTIONS.items() if entry.orthonormal])
@each_space
def test_what_promises_right_angles_keeps_them(explored, network, space, kind):
    vectors = find(explored(network), kind, space, count=100).vectors
    torch.testing.assert_close(vectors @ vectors.T, torch.eye(len(vectors)), atol=1e-5, rtol=0)


@pytest.mark.parametrize("kind", ["activations", "features", "sefa"])
@each_space
def test_the_first_has_the_largest_share(explored, network, space, kind):
    shares = find(explored(network), kind, space).shares
    assert (shares.diff() <= 1e-6).all() and 0 < shares.sum() <= 1 + 1e-5


@pytest.mark.parametrize("kind", [kind for kind, entry in DIRECTIONS.items() if entry.layered])
@pytest.mark.parametrize("network", sorted({name for name, _ in SPACES}))
def test_every_layer_has_directions(explored, network, kind):
    explorer = explored(network)
    for layer in range(len(explorer.activated())):
        assert len(find(explorer, kind, count=2, layer=layer).vectors)


@each_kind
def test_an_entry_says_what_it_is(kind):
    entry = DIRECTIONS[kind]
    assert all([entry.title, entry.formula, entry.source, entry.text.endswith("."), entry.use.endswith("."), entry.cost])


# Each kind


def test_components_of_activations_agree_with_scikit_learn_and_least_squares(explored):
    explorer = explored("mlp", depth=2)
    z = explorer.sample(MANY)
    x = explorer.activations(z, layer=1).double().numpy()
    coordinates = PCA(3, svd_solver="full").fit_transform(x)
    changes = np.linalg.lstsq(coordinates, (z - z.mean(0)).double().numpy(), rcond=None)[0]
    expected = upright(torch.from_numpy(changes / np.linalg.norm(changes, axis=1, keepdims=True)))
    np.testing.assert_allclose(find(explorer, "activations", count=3, layer=1).vectors, expected, atol=1e-4)


def test_of_a_wide_layer_fewer_samples_are_looked_at(explored, monkeypatch):
    """An eigenproblem of thousands of samples would take minutes."""
    looked_at = []
    monkeypatch.setattr("gan_core.directions.SMALL", 64)
    monkeypatch.setattr("gan_core.directions.pca", lambda x, k: looked_at.append(x.shape) or pca(x, k))
    find(explored("mlp", width=80), "activations", count=3)
    find(explored("mlp", width=60), "activations", count=3)
    assert looked_at == [(SAMPLES, 80), (MANY, 60)]


def test_components_of_w_agree_with_scikit_learn(explored):
    explorer = explored("style")
    other = PCA(3, svd_solver="full").fit(explorer.sample(MANY, "w").double().numpy())
    found = find(explorer, "activations", "w", count=3)
    np.testing.assert_allclose(found.vectors, upright(torch.from_numpy(other.components_)), atol=1e-4)
    np.testing.assert_allclose(found.shares, other.explained_variance_ratio_, rtol=1e-4)
    np.testing.assert_allclose(found.deviations, np.sqrt(other.explained_variance_), rtol=1e-4)


def test_sefa_gives_the_right_singular_vectors_of_the_first_weight(explored):
    explorer = explored("dcgan")
    _, values, right = np.linalg.svd(explorer.weight().double().numpy())
    found = find(explorer, "sefa", count=4)
    np.testing.assert_allclose(found.vectors, upright(torch.from_numpy(right)), atol=1e-5)
    np.testing.assert_allclose(found.shares, values**2 / (values**2).sum(), rtol=1e-4)


def _rounded(tiny, scales, dataset="ring8"):
    """An explorer of z -> (s1 z1, s2 z2, nothing of z3): biases lift all inputs of LeakyReLU above 0."""
    trainer = Trainer(tiny(dataset=dataset, latent_dim=3))
    first, last = trainer.member(0)[0].generator.body.stack.layers
    with torch.no_grad():
        for tensor in (first.weight, last.weight, last.bias):
            tensor.zero_()
        first.bias.fill_(20)
        first.weight[0, :2, :2] = torch.eye(2)
        last.weight[0, :2] = torch.diag(torch.tensor(scales))
        last.bias[0, 0] = -20 * torch.tensor(scales)
    return Explorer(trainer)


@pytest.mark.parametrize("kind", ["features", "sefa", "activations"])
def test_what_moves_nothing_is_no_direction(tiny, kind):
    """The third number of the noise reaches no sample."""
    found = find(_rounded(tiny, [2.0, 1.0]), kind, count=2)
    assert found.vectors[:, 2].abs().max() < 0.1


def test_components_of_samples_find_what_moves_them(tiny):
    found = find(_rounded(tiny, [1.0, 3.0]), "features")
    torch.testing.assert_close(found.vectors, torch.eye(3)[[1, 0]], atol=0.1, rtol=0)
    torch.testing.assert_close(found.shares, torch.tensor([0.9, 0.1]), atol=0.02, rtol=0)
    assert found.looks_at == "coordinates"


def test_class_means_point_to_the_modes(tiny):
    """Where the generator is the identity, noise lands at the mode that lies in its direction."""
    explorer = _rounded(tiny, [1.0, 1.0])
    found = find(explorer, "classes", count=8)
    centres = explorer.data.centres / explorer.data.centres.norm(dim=1, keepdim=True)
    modes = [int(name.split()[1]) for name in found.names]
    assert sorted(modes) == list(range(8))
    assert ((found.vectors[:, :2] * centres[modes]).sum(1) > 0.95).all()


def test_class_means_of_images_come_from_the_classifier(trained_digits):
    found = find(Explorer(trained_digits), "classes", count=10)
    assert found.looks_at == "the classifier's classes" and all(name.startswith("class ") for name in found.names)


def test_class_means_hardly_depend_on_which_noise_was_looked_at(trained_digits):
    """Two independent samples of 8,000: their directions are about the same, for every class that the generator makes at all."""
    explorer = Explorer(trained_digits)
    made = explorer.classify(explorer.images(explorer.sample(8000, seed=2)))[0].bincount(minlength=10)
    one, two = (find(explorer, "classes", count=10, seed=seed) for seed in (0, 1))
    own, other = (dict(zip(found.names, found.vectors, strict=True)) for found in (one, two))
    frequent = [f"class {k}" for k in range(10) if made[k] >= 200]
    assert len(frequent) > 1
    assert min(float(own[name] @ other[name]) for name in frequent) > 0.5


def test_a_share_of_z_is_not_given_for_class_means(trained_digits):
    assert find(Explorer(trained_digits), "classes").shares.isnan().all()


def test_a_step_towards_a_class_makes_more_of_it(trained_digits):
    explorer = Explorer(trained_digits)
    found, z = find(explorer, "classes", count=10), explorer.sample(500, seed=7)
    first, name = found.vectors[0], int(found.names[0].split()[1])
    before, after = ((explorer.classify(explorer.images(z + far * first))[0] == name).sum() for far in (0, 2))
    assert after > before


def test_other_seeds_give_other_random_directions(explored):
    one, two = (find(explored(), "random", seed=seed).vectors for seed in (0, 1))
    assert (one - two).abs().max() > 0.1


@pytest.mark.parametrize(("taught", "looks_at"), [(True, "the classifier's features"), (False, "pixels")])
def test_samples_are_looked_at_by_the_classifier_once_it_is_taught(tiny, explored, tmp_path, taught, looks_at):
    config = tiny(dataset="digits", network="dcgan", width=4)
    explorer = explored() if taught else Explorer(Trainer(config, data_folder=tmp_path))
    assert find(explorer, "features").looks_at == looks_at


def test_the_class_beside_z_is_no_component(explored):
    """The first layer of a conditional generator, with what differs between classes taken out, is moved by z alone."""
    explorer = explored("dcgan", conditional="concat")
    plain = explorer.activations(explorer.sample(MANY), labels=torch.zeros(MANY, dtype=torch.int64))
    other = PCA(3, svd_solver="full").fit(plain.double().numpy())
    found = find(explorer, "activations", count=3)
    np.testing.assert_allclose(found.shares, other.explained_variance_ratio_, rtol=0.05)


# What cannot be


def test_a_kind_that_is_not_there_is_refused_with_those_that_are(explored):
    with pytest.raises(ConfigError, match=", ".join(DIRECTIONS)):
        find(explored(), "tea leaves")


@each_kind
def test_a_space_that_is_not_there_is_refused(explored, kind):
    with pytest.raises(RunError, match="no latent space w"):
        find(explored(), kind, "w")


def test_a_layer_that_is_not_there_is_refused(explored):
    with pytest.raises(RunError, match="no layer 99"):
        find(explored(), "activations", layer=99)


def test_classes_need_a_classifier_that_was_taught(tiny, tmp_path):
    explorer = Explorer(Trainer(tiny(dataset="digits"), data_folder=tmp_path))
    with pytest.raises(RunError, match="not been taught"):
        find(explorer, "classes")


def test_classes_need_data_with_classes(tiny):
    with pytest.raises(RunError, match="no classes"):
        find(Explorer(Trainer(tiny(dataset="swiss_roll"))), "classes")


def test_a_generator_that_is_told_the_class_has_none_in_z(explored):
    with pytest.raises(RunError, match="Interpolate between classes"):
        find(explored("dcgan", conditional="concat"), "classes")


def test_a_generator_that_is_told_the_class_has_them_in_w(explored):
    found = find(explored("style", conditional="concat"), "classes", "w", count=10)
    assert sorted(found.names) == [f"class {k}" for k in range(10)]


@pytest.mark.parametrize("kind", ["features", "classes"])
def test_a_collapsed_generator_has_no_directions(tiny, kind):
    with pytest.raises(RunError, match="All samples are the same"):
        find(_rounded(tiny, [0.0, 0.0]), kind)
