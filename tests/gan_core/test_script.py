"""Exported scripts beside the engine. Both draw from torch's own generator here, so that a script must make the engine's
very steps: after some of them all weights are equal."""

import contextlib
import io
import json
import math
import os
import subprocess
import sys
import types
import zipfile
from functools import lru_cache

import nbformat
import numpy as np
import pytest
import torch
from PIL import Image
from test_contracts import TABLE, TINY, _name, steady
from torch import nn
from torch.nn.utils.parametrize import ParametrizationList, is_parametrized

from gan_core import (
    DATASETS,
    LOSSES,
    NETWORKS,
    OPTIMIZERS,
    PENALTIES,
    PRESETS,
    ConfigError,
    GANConfig,
    script_data,
    script_parts,
)
from gan_core.__main__ import main
from gan_core.data import Data, load
from gan_core.latents import LATENTS, mixture_centres, mixture_sigma
from gan_core.layers import MemberEmbedding, MemberLinear
from gan_core.members import Members, draw_latents
from gan_core.pixelcnn import Likelihood
from gan_core.points import encode_points
from gan_core.remedies import SCHEDULES
from gan_core.script import WRITTEN, notebook, script
from gan_core.script_networks import tells
from gan_core.source import filled_in, from_bytes, made_to_measure

LAYERS = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d, nn.Embedding, nn.BatchNorm2d, MemberLinear, MemberEmbedding)
STEPS = 4
DRAWING = encode_points(np.array([[-1.0, 0.2], [0.4, 1.0], [0.0, 0.0]]))
LARGER = {"width": 64, "depth": 2, "batch_size": 64, "latent_dim": 4}  # slopes differ from place to place
DIGITS = {"dataset": "digits", "network": "dcgan", "width": 4}

# beside the table of contracts: what meets only in a script's code
MORE = [
    {"unroll_steps": 2, "penalty": "lecam", "loss": "hinge"},
    {"unroll_steps": 2, "penalty": "clip", "penalty_weight": 0.1, "loss": "wasserstein", "grad_clip": 0.05},
    {"unroll_steps": 2, "optimizer": "sgd", "beta1": 0, "lr_g": 0.5, "lr_d": 0.5, "grad_clip": 0.1},
    {"unroll_steps": 2, "reset_every": 2, "conditional": "auxiliary"},
    {"unroll_steps": 1, "pack": 2, "conditional": "embedding", "instance_noise": 0.1},
    {"reset_every": 2, "optimizer": "sgd", "beta1": 0},
    {"reset_every": 2, "optimizer": "rmsprop", "reset_network": "generator"},
    {"dataset": "digits", "augment": "ada", "ada_images": 1000, "unroll_steps": 1},
    {"dataset": "digits", "augment": "ada", "ada_images": 1000, "batch_size": 64, "d_steps": 2, "seed": 1},
    {"dataset": "digits", "image_size": 16, "channels": 3, "conditional": "concat", "pack": 2, "minibatch_discrimination": 2},
    {"network": "resnet", "dataset": "digits", "width": 2, "image_size": 16, "batch_norm": "both", "spectral_norm": "both"},
    {"network": "resnet", "dataset": "digits", "width": 2, "batch_norm": "none", "penalty": "r1"},
    {"network": "style", "dataset": "digits", "width": 2, "image_size": 16, "spectral_norm": "both", "ema_decay": 0.9},
    {
        "network": "gumbel",
        "dataset": "digits",
        "width": 2,
        "levels": 3,
        "channels": 3,
        "mode_seeking": 1,
        "spectral_norm": "both",
    },
    {**DIGITS, "spectral_norm": "both", "ema_decay": 0.9, "loss": "relativistic", "instance_noise": 0.1},
    {"depth_d": 3, "init": "he", "depth": 2},
]
LIKELIHOOD = {"network": "pixelcnn", "dataset": "digits", "levels": 3, "width": 4, "depth": 2, "latent_dim": 16}


def _made_equal(config):
    """The config with what cannot be compared weight for weight taken away.

    A share of weights is drawn in another order, so all are reset.
    """
    changes = {"reset_fraction": 1.0} if config.reset_every else {}
    return steady(config).but(steps=STEPS, device="cpu", **changes)


def _configs():
    made = [preset.config for preset in PRESETS.values()]
    made += [*TABLE, *(GANConfig(**{**TINY, **changes}) for changes in MORE)]
    made += [
        GANConfig(**{**LIKELIHOOD, **more})
        for more in ({}, {"conditional": "embedding", "lr_schedule": "linear", "grad_clip": 1})
    ]
    return list({_made_equal(config): None for config in made})


CONFIGS = _configs()
GAMES = [config for config in CONFIGS if NETWORKS[config.network].adversarial]
each = pytest.mark.parametrize("config", CONFIGS, ids=_name)
each_game = pytest.mark.parametrize("config", GAMES, ids=_name)


@pytest.fixture(autouse=True)
def torchvision(monkeypatch):
    """Stands for torchvision, which takes seconds to import and would download."""
    stub = types.ModuleType("torchvision")
    stub.datasets = types.SimpleNamespace()
    monkeypatch.setitem(sys.modules, "torchvision", stub)
    return stub


class Shared:
    """What the engine draws, from torch's own generator, which a script draws from too."""

    def normal(self, *shape):
        return torch.randn(1, *shape)

    def uniform(self, *shape):
        return torch.rand(1, *shape)

    def integers(self, high, *shape):
        return torch.randint(high, (1, *shape))


def _module(source):
    """A script as a module, of which nothing has run yet but the definitions."""
    module = types.ModuleType("exported")
    exec(compile(source, "exported.py", "exec"), module.__dict__)
    return module


def _theirs(layer):
    """The tensors of an engine's layer, as torch.nn lays them out."""
    norm, bias, weight = getattr(layer, "norm", None), getattr(layer, "bias", None), layer.weight
    if isinstance(layer, (MemberLinear, MemberEmbedding)):
        weight = weight[0].mT if isinstance(layer, MemberLinear) else weight[0]
    return [weight, None if bias is None else bias.flatten(), norm and norm.u[0], norm and norm.v[0]]


def _mine(layer):
    """The same tensors of a script's layer."""
    if not is_parametrized(layer):
        return [layer.weight, getattr(layer, "bias", None), None, None]
    norm = layer.parametrizations.weight
    return [norm.original, layer.bias, norm[0].u, norm[0].v]


def _tensors(network, of_layer):
    """Everything that a network learns, in the order of its parts; None where a layer lacks something."""
    found = []
    for part in network.modules():
        if isinstance(part, LAYERS):
            found += of_layer(part)
        elif not isinstance(part, ParametrizationList):
            found += part.parameters(recurse=False)
    return found


def _pairs(mine, theirs):
    """Tensors of a script's network beside the engine's."""
    for own, other in zip(_tensors(mine, _mine), _tensors(theirs, _theirs), strict=True):
        assert (own is None) == (other is None)
        if own is not None:
            yield own.detach(), other.detach()


def _statistics(mine, theirs):
    """The running statistics of batch normalisation, beside the engine's."""
    layers = [[part for part in network.modules() if isinstance(part, nn.BatchNorm2d)] for network in (mine, theirs)]
    for own, other in zip(*layers, strict=True):
        yield own.running_mean, other.running_mean
        yield own.running_var, other.running_var


def _copied(mine, theirs):
    for own, other in _pairs(mine, theirs):
        assert own.shape == other.shape
        own.copy_(other)
    return mine


@lru_cache
def _data(config):
    """The config's data where they are here at once, else noise of their shape."""
    entry = DATASETS[config.dataset]
    if entry.kind == "points" or config.dataset == "digits":
        return load(config.source)
    generator = torch.Generator().manual_seed(0)
    x = torch.rand((200, *config.shape), generator=generator) * 2 - 1
    return Data(x, torch.randint(entry.classes, (200,), generator=generator))


def _block(config):
    """The engine's GAN or PixelCNN, which draws from torch's own generator."""
    kind = Members if NETWORKS[config.network].adversarial else Likelihood
    block = kind([config], _data(config), torch.device("cpu"))
    block.streams = {name: Shared() for name in block.streams}
    return block


def _exported(config, block):
    """The script's module and its two networks, with the engine's weights and the engine's order of draws."""
    module = _module(script(config))
    generator, discriminator = module.Generator(), module.Discriminator()
    _copied(generator, block.generator), _copied(discriminator, block.discriminator)
    if config.latent == "mixture":
        module.latents = lambda n: draw_latents(config, Shared(), n)[0]
    if config.network == "gumbel":
        module.gumbel = _gumbel
    if config.network == "style":
        module.noise = _noise(block)
    if config.reset_every:
        block._fresh_discriminator, block._fresh_generator = map(_apart, (block._fresh_discriminator, block._fresh_generator))
        module.Discriminator = _fresh(config, module.Discriminator, block._fresh_discriminator, "d")
        module.Generator = _fresh(config, module.Generator, block._fresh_generator, "g")
    return module, generator, discriminator


def _gumbel(shape):
    """Gumbel noise as the engine makes it from normal numbers."""
    noise = torch.randn(shape)
    eps = torch.finfo(noise.dtype).eps
    return -(-torch.special.ndtr(noise).clamp(eps, 1 - eps).log()).log()


def _noise(block):
    """The noise of all layers drawn at once, as the engine does."""
    waiting = []

    def noise(x):
        if not waiting:
            waiting.extend(torch.randn(len(x), block.noise_numbers).split(block.generator.body._noise, 1))
        return waiting.pop(0).reshape(-1, 1, *x.shape[2:])

    return noise


def _apart(build):
    """Builds a network without a trace in torch's own generator, from which torch.nn draws weights that are then replaced."""

    def built(*args):
        with torch.random.fork_rng():
            return build(*args)

    return built


def _fresh(config, make, build, letter):
    """A script's fresh network with the weights of the engine's fresh one."""
    step = 0

    def fresh():
        nonlocal step
        step += config.reset_every
        return _copied(make(), build(f"reset_{letter}:{step}"))

    return _apart(fresh)


def _check_same_way(config, pairs, before):
    """All tensors have gone the same way, but for one percent: where Adam divides by gradients near 0, rounding counts."""
    moved = max((own - was).abs().max() for (own, _), was in zip(pairs, before, strict=True))
    assert moved > 0
    way = min(moved, STEPS * max(config.lr_g, config.lr_d))  # a reset moves weights further than all steps
    for own, other in pairs:
        assert (own - other).square().mean().sqrt() < 0.01 * way


def _train(module, *args):
    with contextlib.redirect_stdout(io.StringIO()):
        return module.train(*args)


def _labelled(config, data):
    return (data.x, data.labels) if config.classes else (data.x,)


# The same networks, losses and steps as the engine's


@each
def test_networks_have_as_many_parameters_as_the_engines(config):
    def count(*networks):
        return [sum(p.numel() for p in network.parameters()) for network in networks]

    block, module = _block(config), _module(script(config))
    if config in GAMES:
        assert count(module.Generator(), module.Discriminator()) == count(block.generator, block.discriminator)
    else:
        assert count(module.PixelCNN()) == count(block.model)


@each_game
def test_training_makes_the_engines_steps(config):
    block = _block(config)
    with torch.no_grad():
        module, generator, discriminator = _exported(config, block)
    before = [w.clone() for w, _ in [*_pairs(generator, block.generator), *_pairs(discriminator, block.discriminator)]]
    torch.manual_seed(7)
    for _ in range(STEPS):
        block.step()
    drawn_next = torch.rand(3)
    torch.manual_seed(7)
    made = _train(module, generator, discriminator, *_labelled(config, block.data), STEPS)
    assert torch.equal(torch.rand(3), drawn_next)  # as many numbers were drawn
    _check_same_way(config, [*_pairs(generator, block.generator), *_pairs(discriminator, block.discriminator)], before)
    shown = block.average or block.generator
    for own, other in [*_pairs(made, shown), *_statistics(made, shown)]:
        assert (own - other).norm() <= 1e-3 * other.norm() + 1e-6 * math.sqrt(own.numel())


@pytest.mark.parametrize("config", [c for c in CONFIGS if c not in GAMES], ids=_name)
def test_training_of_a_likelihood_makes_the_engines_steps(config):
    block = _block(config)
    module = _module(script(config))
    with torch.no_grad():
        model = _copied(module.PixelCNN(), block.model)
    before = [w.clone() for w, _ in _pairs(model, block.model)]
    torch.manual_seed(7)
    for _ in range(STEPS):
        block.step()
    torch.manual_seed(7)
    rows = block.train_rows
    made = _train(module, model, *(x[rows] for x in _labelled(config, block.data)), STEPS)
    _check_same_way(config, [*_pairs(model, block.model)], before)
    for own, other in _pairs(made, block.average or block.model):
        assert (own - other).norm() <= 1e-3 * other.norm()


@each_game
def test_networks_give_the_engines_outputs(config):
    block = _block(config)
    with torch.no_grad():
        module, generator, discriminator = _exported(config, block)
        torch.manual_seed(3)
        real, labels = block._draw_real()
        fake, _ = block._draw_fake("d", labels)
        seen = block._seen(real)
        logits = block.discriminator(seen, block._packed(labels))
        torch.manual_seed(3)
        rows = torch.randint(len(block.data.x), (config.batch_size,))
        told = [block.data.labels[rows]] if config.classes else []
        mine = generator(module.latents(config.batch_size), *told)
        if config.augment == "none" and not config.instance_noise:
            told = [block._packed(labels)[0]] if tells(config) else []
            assert torch.allclose(discriminator(seen[0], *told), logits[0], atol=1e-5)
    assert torch.allclose(mine, fake[0], atol=1e-5)


def _both_losses(config):
    """The objectives of both networks on the same samples: (script's, engine's) for each network, with D's penalty."""
    block = _block(config)
    with torch.no_grad():
        module, _, discriminator = _exported(config, block)
        torch.manual_seed(3)
        real, _ = block._draw_real()
        fake = real + torch.randn_like(real)
    torch.manual_seed(5)
    theirs_d, _, term, (real_logits, fake_logits) = block._d_objective(block.discriminator, real, fake, None)
    loss = LOSSES[config.loss]
    theirs_g = loss.g(fake_logits, real_logits).mean(1)
    torch.manual_seed(5)
    anchors = [None] if PENALTIES[config.penalty].anchored else []
    mine_d = module.discriminator_loss(discriminator, real[0], fake[0], *anchors)
    mine_d = mine_d[0] if isinstance(mine_d, tuple) else mine_d
    mine_g = module.generator_loss(discriminator, fake[0], *([real[0]] if loss.paired else []))
    return (mine_d.item(), theirs_d.item()), (mine_g.item(), theirs_g.item()), term.item()


@pytest.mark.parametrize("loss", LOSSES)
def test_losses_are_the_engines(loss):
    d, g, _ = _both_losses(GANConfig(**LARGER, loss=loss))
    assert d[0] == pytest.approx(d[1], rel=1e-5)
    assert g[0] == pytest.approx(g[1], rel=1e-5)


@pytest.mark.parametrize("penalty", PENALTIES)
def test_penalties_are_the_engines(penalty):
    d, _, term = _both_losses(GANConfig(**LARGER, penalty=penalty, penalty_weight=3.0))
    assert (term > 0) == (penalty not in ("none", "clip"))  # these two add nothing to the loss
    assert d[0] == pytest.approx(d[1], rel=1e-5)


# The same beginnings as the engine's


BEGINNINGS = [
    {"width": 128, "depth": 2},
    {"width": 128, "depth": 2, "init": "he"},
    {**DIGITS, "width": 16, "conditional": "projection", "batch_norm": "both"},
    {**DIGITS, "network": "resnet", "width": 8, "conditional": "embedding"},
    {**DIGITS, "network": "style", "width": 16, "image_size": 16},
    {**DIGITS, "network": "gumbel", "levels": 2, "width": 16},
    {**LIKELIHOOD, "width": 16, "conditional": "embedding"},
]


def _shape_of(x):
    """(root of the mean square, kurtosis) of numbers: the second tells a uniform law, 1.8, from a normal one, 3."""
    square = x.square().mean()
    return square.sqrt().item(), (x**4).mean().item() / max(square.item() ** 2, 1e-30)


@pytest.mark.parametrize("changes", BEGINNINGS, ids=lambda c: "-".join(map(str, c.values())))
def test_first_weights_follow_the_engines_law(changes):
    config = GANConfig(**changes)
    block, module = _block(config), _module(script(config))
    torch.manual_seed(0)
    if config.network == "pixelcnn":
        pairs = [*_pairs(module.PixelCNN(), block.model)]
    else:
        pairs = [*_pairs(module.Generator(), block.generator), *_pairs(module.Discriminator(), block.discriminator)]
    assert pairs
    for own, other in pairs:
        if other.numel() > 1 and other.std(correction=0) == 0:
            assert torch.equal(own, other)
        elif other.numel() >= 64:
            (size, law), (their_size, their_law) = _shape_of(own), _shape_of(other)
            assert size == pytest.approx(their_size, rel=6 / math.sqrt(other.numel()))  # six standard errors, or more
            assert other.numel() < 2000 or law == pytest.approx(their_law, abs=0.7)


def test_mixture_of_noise_has_the_engines_islands():
    config = GANConfig(latent="mixture", latent_modes=5, latent_dim=3)
    torch.manual_seed(0)
    z = _module(script(config)).latents(20_000)
    apart = torch.cdist(z[:, :2], mixture_centres(3, 5)[:, :2])
    share = apart.argmin(1).bincount(minlength=5) / len(z)
    assert torch.allclose(share, torch.full((5,), 0.2), atol=0.02)
    assert apart.min(1).values.square().mean().item() == pytest.approx(2 * mixture_sigma(3, 5) ** 2, rel=0.03)
    assert z[:, 2].std().item() == pytest.approx(1, rel=0.03)


def test_noise_of_one_dimension_has_the_engines_islands():
    config = GANConfig(latent="mixture", latent_modes=4, latent_dim=1)
    z = _module(script(config)).latents(2000)
    apart = torch.cdist(z, mixture_centres(1, 4))
    assert set(apart.argmin(1).tolist()) == {0, 1, 2, 3}
    assert apart.min(1).values.max() < 6 * mixture_sigma(1, 4)


def test_gumbel_noise_has_the_mean_and_variance_of_its_law():
    module = _module(script(GANConfig(**DIGITS).but(network="gumbel", levels=2)))
    noise = module.gumbel((100_000,))
    assert noise.mean().item() == pytest.approx(0.5772, abs=0.02)
    assert noise.var().item() == pytest.approx(math.pi**2 / 6, rel=0.05)


def test_partial_reset_takes_its_share_and_forgets_it():
    config = GANConfig(**TINY).but(width=64, depth=2, reset_every=10, reset_fraction=0.3)
    module = _module(script(config))
    network = module.Discriminator()
    optimizer = module.AgedAdam(network.parameters(), {"lr": 0.001})
    network(torch.randn(8, 2)).sum().backward()
    optimizer.step()
    w = network.body[2].weight
    before = w.detach().clone()
    fresh = module.Discriminator()
    module.reset(network, fresh, optimizer)
    changed = w != before
    assert changed.float().mean().item() == pytest.approx(0.3, abs=0.05)
    assert torch.equal(w[changed], fresh.body[2].weight[changed])
    assert torch.equal(optimizer.state[w]["step"] == 0, changed)


# The same data as the engine's


@pytest.mark.parametrize("name", [name for name, entry in DATASETS.items() if entry.kind == "points"])
def test_points_are_the_engines(name, monkeypatch):
    config = GANConfig(dataset=name, points=DRAWING if name == "drawn" else "")
    if DATASETS[name].classes:
        config = config.but(conditional="concat")
    monkeypatch.setattr("gan_core.points.seeded", lambda seed, purpose: torch.default_generator)
    torch.manual_seed(1)
    theirs = DATASETS[name].load(config.source, None, None)
    torch.manual_seed(1)
    mine = _module(script(config)).load_data()
    if config.classes:
        assert torch.equal(mine[1], theirs.labels)
        mine = mine[0]
    assert torch.allclose(mine, theirs.x, atol=1e-6)


MEASURES = [{}, {"image_size": 16}, {"image_size": 12, "channels": 3, "levels": 3}, {"levels": 2}]


@pytest.mark.parametrize("changes", MEASURES, ids=str)
def test_digits_are_the_engines(changes):
    config = GANConfig(dataset="digits", conditional="concat", **changes)
    x, labels = _module(script(config)).load_data()
    assert torch.allclose(x, load(config.source).x, atol=1e-6)
    assert torch.equal(labels, load(config.source).labels)


@pytest.fixture
def torchvision_sets(torchvision):
    """torchvision's data sets with a few random images each, as they would be after their download."""
    rng = np.random.default_rng(0)
    grey, colour = rng.integers(0, 256, (30, 28, 28), np.uint8), rng.integers(0, 256, (30, 32, 32, 3), np.uint8)
    labels = rng.integers(0, 10, 30)
    one = types.SimpleNamespace(data=torch.from_numpy(grey), targets=torch.from_numpy(labels))
    names = {name: lambda folder, download: one for name in ("MNIST", "FashionMNIST", "KMNIST")}
    names["CIFAR10"] = lambda folder, download: types.SimpleNamespace(data=colour, targets=labels.tolist())
    torchvision.datasets = types.SimpleNamespace(**names)
    return {"grey": grey[:, None], "colour": colour.transpose(0, 3, 1, 2), "labels": torch.from_numpy(labels)}


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", ["mnist", "fashion_mnist", "kmnist", "cifar10"])
def test_downloaded_images_are_made_to_the_engines_measure(name, channels, torchvision_sets):
    config = GANConfig(dataset=name, conditional="concat", image_size=20, channels=channels)
    raw = from_bytes(torchvision_sets["colour" if name == "cifar10" else "grey"])
    source = filled_in(config.source, DATASETS[name].size, DATASETS[name].channels)
    x, labels = _module(script(config)).load_data()
    assert torch.allclose(x, made_to_measure(Data(raw), source, lambda text, share: None).x, atol=1e-6)
    assert torch.equal(labels, torchvision_sets["labels"])


def test_stacked_images_have_one_of_the_digits_in_each_colour(torchvision_sets):
    x = _module(script(GANConfig(dataset="stacked_mnist"))).load_data()
    assert x.shape == (50_000, 3, 28, 28)
    known = from_bytes(torchvision_sets["grey"]).flatten(1)
    assert torch.cdist(x[:5].reshape(15, -1), known).min(1).values.max() < 1e-2


@pytest.fixture
def album(tmp_path):
    """A folder of images of several kinds, a damaged one among them, and the same as a zip file."""
    rng, folder = np.random.default_rng(0), tmp_path / "it's mine"
    (folder / "more").mkdir(parents=True)
    Image.fromarray(rng.integers(0, 256, (40, 60, 3), np.uint8)).save(folder / "wide.png")
    Image.fromarray(rng.integers(0, 256, (50, 20, 4), np.uint8)).save(folder / "more" / "clear.png")
    Image.fromarray(rng.integers(0, 2**16, (24, 24), np.uint16)).save(folder / "deep.png")
    Image.fromarray(rng.integers(0, 256, (9, 9), np.uint8)).save(folder / ".hidden.png")
    (folder / "broken.png").write_bytes(b"no image")
    (folder / "notes.txt").write_text("no image either")
    with zipfile.ZipFile(tmp_path / "album.zip", "w") as archive:
        for path in folder.rglob("*.*"):
            archive.write(path, path.relative_to(folder).as_posix())
    return {"folder": folder, "zip": tmp_path / "album.zip"}


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_images_of_a_folder_are_the_engines(kind, channels, album, capsys):
    config = GANConfig(dataset="folder", path=str(album[kind]), image_size=16, channels=channels)
    x = _module(script(config)).load_data()
    assert "broken.png is left out" in capsys.readouterr().out
    assert x.shape == (3, channels, 16, 16)
    assert torch.allclose(x, load(config.source).x, atol=1e-6)


def test_a_zip_file_is_known_by_what_it_is(album):
    path = album["zip"].rename(album["zip"].with_suffix(".images"))
    assert _module(script(GANConfig(dataset="folder", path=str(path)))).load_data().shape == (3, 3, 32, 32)


def test_the_home_of_nobody_is_no_error_yet():
    assert 'PATH = "~nobody-of-this-name/a"' in script(GANConfig(dataset="folder", path="~nobody-of-this-name/a"))


def test_a_path_is_only_ever_text():
    path = '\\"""\nraise SystemExit(1)\n"""{}%s' + 3 * "'"
    module = _module(script(GANConfig(dataset="folder", path=path)))
    assert path == module.PATH


# The code itself


def test_code_has_no_unused_name_and_is_well_formed(tmp_path):
    changes = [{"dataset": name} for name in DATASETS if name not in ("drawn", "folder")]
    changes += [
        {"dataset": "drawn", "points": DRAWING},
        {"dataset": "folder", "path": "a"},
        {"dataset": "folder", "path": "a.zip"},
    ]
    for k, config in enumerate([*CONFIGS, *(GANConfig(**c) for c in changes)]):
        (tmp_path / f"script_{k}.py").write_text(script(config), encoding="utf-8")
    rules = ["--isolated", "--line-length", "130", str(tmp_path)]
    for command in (["check", "--select", "E,F,W,I,UP,PIE", "--target-version", "py310"], ["format", "--check"]):
        done = subprocess.run([sys.executable, "-m", "ruff", *command, *rules], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


@each
def test_code_names_nothing_of_this_project(config):
    assert "gan_core" not in script(config)


def _code(config):
    """A script without its heading, which names all settings."""
    return script(config).split('"""', 2)[2]


# a config, and a change that its code must show, where none of the configs above does without the setting
CHANGES = [
    ({}, {"seed": 1}),
    ({"dataset": "digits", "network": "dcgan"}, {"device": "cpu"}),
    ({"dataset": "folder", "path": "a"}, {"path": "b"}),
    ({"dataset": "drawn", "points": DRAWING}, {"points": encode_points(np.zeros((1, 2)))}),
    ({"latent": "mixture"}, {"latent_modes": 3}),
    ({"conditional": "auxiliary"}, {"class_weight": 2}),
    ({"dataset": "digits", "augment": "ada"}, {"ada_target": 0.5}),
    ({"lr_schedule": "linear"}, {"lr_end": 0.5}),
    ({"dataset": "digits", "network": "gumbel", "levels": 2}, {"temperature": 2}),
    ({"dataset": "digits", "network": "gumbel", "levels": 2}, {"temperature_end": 0.1}),
]


@pytest.mark.parametrize("name", GANConfig.model_fields)
def test_every_setting_changes_the_code_somewhere(name):
    usual = GANConfig.model_fields[name].default
    pairs = [(GANConfig(**config), change) for config, change in CHANGES if name in change]
    pairs += [(config, {name: usual}) for config in CONFIGS if getattr(config, name) != usual]
    for config, change in pairs:
        with contextlib.suppress(ConfigError):  # the usual value does not fit this config
            if _code(config) != _code(config.but(**change)):
                return
    pytest.fail(f"No exported code depends on {name}.")


REGISTRIES = [
    (DATASETS, script_data.DATA),
    (NETWORKS, WRITTEN),
    (LATENTS, script_parts.LATENTS),
    (LOSSES, script_parts.LOSSES),
    (PENALTIES, script_parts.PENALTIES),
    (OPTIMIZERS, script_parts.OPTIMIZERS),
    (SCHEDULES, script_parts.SCHEDULES),
]


@pytest.mark.parametrize(("engine", "code"), REGISTRIES)
def test_every_entry_of_a_registry_has_code(engine, code):
    assert set(code) == set(engine)


def test_what_has_no_code_is_refused_with_what_would_do(monkeypatch):
    monkeypatch.delitem(script_parts.LOSSES, "hinge")
    for write in (script, notebook):
        with pytest.raises(ConfigError, match="loss = hinge cannot be exported.*nonsaturating"):
            write(GANConfig(loss="hinge"))


# Run for real


def _start(source, folder, *args):
    path = folder / "exported.py"
    path.write_text(source, encoding="utf-8")
    command, env = [sys.executable, path.name, *args], {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _per_mode(folder):
    """How many of 2,500 samples lie within three standard deviations of each mode of the ring."""
    samples = torch.from_numpy(np.load(folder / "samples.npy"))
    assert samples.shape == (2500, 2)
    angles = torch.arange(8) * math.pi / 4
    return (torch.cdist(samples, 2 * torch.stack([angles.cos(), angles.sin()], 1)) < 0.3).sum(0)


def test_sharp_ring_holds_all_modes_from_its_script(tmp_path):
    config = PRESETS["sharp_ring"].config
    assert f"step {config.steps:6d}" in _start(script(config), tmp_path)
    assert _per_mode(tmp_path).min() > 100  # of 312 in each if they were even


@pytest.mark.parametrize(("preset", "size"), [("conditional_digits", (80, 64)), ("pixelcnn", (80, 64))])
def test_images_are_saved_by_their_script(preset, size, tmp_path):
    _start(script(PRESETS[preset].config), tmp_path, "--steps", "2")
    with Image.open(tmp_path / "samples.png") as image:
        assert (image.size, image.mode) == (size, "L")


def test_colour_images_are_saved_by_their_script(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["exported.py"])
    module = _module(script(GANConfig(**{**TINY, **DIGITS, "channels": 3, "steps": 1})))
    with contextlib.redirect_stdout(io.StringIO()):
        module.main()
    with Image.open(tmp_path / "samples.png") as image:
        assert (image.size, image.mode) == ((64, 64), "RGB")


def test_images_stand_beside_and_below_each_other():
    module = _module(script(GANConfig(**DIGITS)))
    images = torch.linspace(-1, 1, 4).reshape(4, 1, 1, 1).expand(4, 1, 2, 3)
    picture = module.picture(images, 2)
    assert picture.shape == (4, 6, 1)
    assert [picture[0, 0, 0], picture[0, 3, 0], picture[2, 0, 0], picture[3, 5, 0]] == [0, 85, 170, 255]


def test_pixels_are_drawn_one_after_the_other_given_those_before():
    module = _module(script(GANConfig(**LIKELIHOOD)))  # of 3 levels

    def model(images):
        """A pixel is surely one level above its left neighbour, and in the first column that of its row."""
        before = torch.cat([torch.arange(8).expand(len(images), 1, 8).mT - 1, (images[:, 0, :, :-1] + 1).long()], 2)
        return 100.0 * nn.functional.one_hot((before + 1) % 3, 3).movedim(-1, 1)

    row, column = torch.arange(8)[:, None], torch.arange(8)
    assert torch.equal(module.sample(model, 2), ((row % 3 + column) % 3 - 1.0).expand(2, 1, 8, 8))


# Notebook


NOTEBOOKS = [{}, {"conditional": "projection"}, DIGITS, {**DIGITS, "channels": 3, "conditional": "auxiliary"}, LIKELIHOOD]


@pytest.mark.parametrize("changes", NOTEBOOKS, ids=lambda c: "-".join(map(str, c.values())) or "ring")
def test_notebook_is_valid_and_shows_samples(changes, monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "agg")
    import matplotlib.pyplot as plt

    drawn = []
    monkeypatch.setattr(plt, "show", lambda: drawn.append(len(plt.gca().collections) + len(plt.gca().images)))
    book = nbformat.reads(notebook(GANConfig(**{**TINY, **changes, "steps": 2})), as_version=4)
    nbformat.validate(book)
    names = {"__name__": "notebook"}
    with contextlib.redirect_stdout(io.StringIO()):
        for cell in book.cells:
            if cell.cell_type == "code":
                exec(compile(cell.source, "cell", "exec"), names)
    plt.close("all")
    assert drawn == [2 if "dataset" not in changes else 1]  # real and generated points, or one picture


# Command line


def test_export_writes_the_script_of_a_preset_with_changes(tmp_path, capsys):
    path = tmp_path / "ring.py"
    assert main(["export", "ring", "--set", "loss=hinge", "--steps", "7", "-o", str(path)]) == 0
    assert path.read_text(encoding="utf-8") == script(PRESETS["ring"].config.but(loss="hinge", steps=7))
    assert str(path) in capsys.readouterr().out


def test_export_prints_the_code_without_a_file(tmp_path, capsys):
    path = tmp_path / "config.json"
    path.write_text('{"dataset": "line"}')
    assert main(["export", str(path)]) == 0
    assert capsys.readouterr().out == script(GANConfig(dataset="line"))


def test_export_as_json_holds_the_notebook(capsys):
    assert main(["export", "ring", "--format", "notebook", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == {"format": "notebook", "code": notebook(PRESETS["ring"].config)}


@pytest.mark.parametrize(
    ("args", "reason"),
    [(["nothing"], "no preset"), (["ring", "--set", "loss=x"], "unknown"), (["ring", "-o", "/no/such/folder/a.py"], "--out")],
)
def test_export_fails_with_a_reason(args, reason, capsys):
    assert main(["export", *args]) == 1
    out, errors = capsys.readouterr()
    assert out == ""
    assert reason in errors
    assert "Traceback" not in errors
