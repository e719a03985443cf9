"""Looks inside the networks, against closed forms and derivatives by differences."""

import numpy as np
import pytest
import torch
from scipy.stats import norm

from gan_core import LOSSES, Trainer
from gan_core.draws import seeded
from gan_core.frames import live_parts
from gan_core.inside import CELLS, layers, plane, pull
from gan_core.latents import LATENTS
from gan_core.layers import Normed, parameter_views
from gan_core.members import sample_latents


@pytest.mark.parametrize("loss", LOSSES)
def test_the_pull_is_minus_the_gradient_of_the_generators_loss(tiny, loss):
    trainer = Trainer(tiny(loss=loss, penalty="none")).train(5)
    samples = trainer.sample(6).double()
    found = pull(trainer, samples.float())
    block, _ = trainer.member(0)
    real = block.judge(trainer.data.x[None, :6])

    def value(x):
        return LOSSES[loss].g(block.judge(x.float()[None]), real).sum().double()

    step = 1e-2
    for sample in range(6):
        for axis in range(2):
            shift = torch.zeros_like(samples)
            shift[sample, axis] = step
            slope = (value(samples + shift) - value(samples - shift)) / (2 * step)
            assert float(found[sample, axis]) == pytest.approx(-float(slope), abs=2e-3, rel=5e-2)


@pytest.mark.parametrize("changes", [{"pack": 2}, {"minibatch_std": 4}, {"conditional": "projection"}, {"dataset": "digits"}])
def test_a_pull_has_the_shape_of_the_samples(tiny, changes):
    trainer = Trainer(tiny(**changes)).train(2)
    samples = trainer.sample(4)
    assert pull(trainer, samples).shape == samples.shape


def test_looking_inside_changes_nothing(tiny):
    looked, other = Trainer(tiny()).train(3), Trainer(tiny()).train(3)
    live_parts(looked)
    one, two = looked.train(3).state_dict()["tensors"], other.train(3).state_dict()["tensors"]
    assert all(torch.equal(one[name], two[name]) for name in two)


@pytest.mark.parametrize("constrained", ["none", "both"])
@pytest.mark.parametrize("dataset", ["ring8", "digits"])
def test_the_largest_stretch_is_that_of_the_singular_values(tiny, dataset, constrained):
    network = "dcgan" if dataset == "digits" else "mlp"
    trainer = Trainer(tiny(dataset=dataset, network=network, spectral_norm=constrained)).train(3)
    block, _ = trainer.member(0)
    for layer, module in zip(layers(trainer), _weighted(block), strict=True):
        scale = 1.0 if module.norm is None else float(module.norm(module.matrix().detach()))
        largest = np.linalg.svd(module.matrix()[0].detach().double().numpy(), compute_uv=False)[0] / scale
        assert layer.sigma == pytest.approx(largest, rel=1e-4)


def _weighted(block):

    return [m for network in (block.generator, block.discriminator) for m in network.modules() if isinstance(m, Normed)]


def test_gradients_are_known_from_the_first_step_on(tiny):
    trainer = Trainer(tiny())
    assert all(np.isnan(layer.gradient) for layer in layers(trainer))
    trainer.train(1)
    assert all(layer.gradient > 0 for layer in layers(trainer))


def test_gradients_of_layers_make_up_the_norm_of_the_whole(tiny):
    trainer = Trainer(tiny()).train(1)
    block, _ = trainer.member(0)
    for network, letter in (("generator", "g"), ("discriminator", "d")):
        biases = sum(
            float(view.square().sum())
            for (name, _), view in zip(getattr(block, network).named_parameters(), _views(block, network, letter), strict=True)
            if name.endswith("bias")
        )
        weights = sum(layer.gradient**2 for layer in layers(trainer) if layer.network == network)
        assert weights + biases == pytest.approx(float(block.gradients[letter].square().sum()), rel=1e-4)


def _views(block, network, letter):

    return parameter_views(block.gradients[letter], list(getattr(block, network).parameters()))


def test_a_model_that_is_no_game_has_no_inside(tiny):
    trainer = Trainer(tiny(dataset="digits", network="pixelcnn", levels=2, latent_dim=16))
    assert layers(trainer) == []
    assert pull(trainer, trainer.sample(2)) is None


def test_cells_of_the_slice_are_equally_likely(tiny):
    places = plane(tiny(latent_dim=2))[: CELLS + 1, 0].double().numpy()
    assert np.diff(norm.cdf(places)) == pytest.approx(1 / (CELLS + 1), abs=1e-6)


def test_the_slice_moves_two_numbers_and_leaves_the_others(tiny):
    z = plane(tiny(latent_dim=5))
    assert z.shape == ((CELLS + 1) ** 2, 5)
    assert (z[:, 2:] == z[0, 2:]).all()
    assert len(z[:, :2].unique(dim=0)) == (CELLS + 1) ** 2


def test_noise_of_one_number_is_a_line(tiny):
    assert plane(tiny(latent_dim=1, latent="uniform"))[:, 0].tolist() == pytest.approx(
        [2 * (k + 0.5) / (CELLS + 1) - 1 for k in range(CELLS + 1)], abs=1e-6
    )


@pytest.mark.parametrize("latent", LATENTS)
def test_noise_with_islands_has_no_slice(tiny, latent):
    assert (plane(tiny(latent=latent, latent_modes=2)) is None) == LATENTS[latent].islands


@pytest.mark.parametrize("latent", [name for name, entry in LATENTS.items() if entry.quantile])
def test_quantiles_are_those_of_the_draws(tiny, latent):

    drawn = sample_latents(tiny(latent=latent, latent_dim=1), 20_000, seeded(0, "test"))[:, 0]
    for share in (0.1, 0.5, 0.8):
        assert float((drawn < LATENTS[latent].quantile(torch.tensor(share))).float().mean()) == pytest.approx(share, abs=0.012)


def test_histograms_count_every_sample(tiny):
    header, arrays = live_parts(Trainer(tiny()).train(3))
    assert arrays["logits_real"].sum() == arrays["logits_fake"].sum() == 600
    assert header["logits"][0] < header["logits"][1]


def test_several_members_are_only_shown_from_outside(tiny):
    header, arrays = live_parts(Trainer([tiny(seed=0), tiny(seed=1)]).train(1))
    assert "layers" not in header
    assert "arrows" not in arrays
