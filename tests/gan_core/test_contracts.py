"""What every setting must leave true: resuming, members, looking, changing values. One table for all of them."""

from functools import lru_cache

import numpy as np
import pytest
import torch

from gan_core import DATASETS, LOSSES, NETWORKS, OPTIMIZERS, PENALTIES, GANConfig, RunError, Trainer
from gan_core.conditions import CONDITIONS
from gan_core.config import METAS
from gan_core.frames import live_frame
from gan_core.latents import LATENTS
from gan_core.remedies import SCHEDULES

TINY = {"latent_dim": 4, "width": 8, "depth": 1, "batch_size": 8, "steps": 20}
IMAGES = {"dataset": "digits"}
DCGAN = {"dataset": "digits", "network": "dcgan", "width": 4}
ADVERSARIAL = [name for name, network in NETWORKS.items() if network.adversarial]


def _network(name):
    """Settings that a network works with."""
    entry = NETWORKS[name]
    images = {**IMAGES, "width": 4} if entry.images_only or entry.discrete else {}
    latents = {} if entry.adversarial else {"latent_dim": GANConfig.model_fields["latent_dim"].default}
    return {"network": name, **images, **latents, **({"levels": 2} if entry.discrete else {})}


FEATURES = [
    *({"dataset": name} for name, d in DATASETS.items() if d.kind == "points" and name != "drawn"),
    *(_network(name) for name in NETWORKS),
    *({"penalty": name, "penalty_weight": 0.1} for name in PENALTIES),
    *({"loss": name} for name in LOSSES),
    *({"latent": name, "latent_modes": 3} if name == "coins" else {"latent": name} for name in LATENTS),
    *({"optimizer": name, "unroll_steps": 1} for name in OPTIMIZERS),
    *({"lr_schedule": name, "grad_clip": 0.1} for name in SCHEDULES),
    *({"conditional": name} for name in CONDITIONS),
    *({**DCGAN, "conditional": name} for name in CONDITIONS),
    {"unroll_steps": 2, "loss": "relativistic", "penalty": "r1"},
    {"mode_seeking": 1.0},
    {"mode_seeking": 1.0, "conditional": "projection", "loss": "relativistic", "unroll_steps": 1},
    {"instance_noise": 0.5, "instance_noise_steps": 10},
    {"replay": 0.5},
    {"reset_every": 2, "reset_network": "both", "reset_fraction": 0.4},
    {"reset_every": 2, "reset_network": "both", "spectral_norm": "both"},
    {"spectral_norm": "discriminator", "loss": "hinge"},
    {"spectral_norm": "both", "ema_decay": 0.9},
    {"minibatch_std": 4},
    {"minibatch_discrimination": 3},
    {"pack": 2},
    {"pack": 4, "minibatch_std": 2, "penalty": "r1"},
    {"pack": 2, "conditional": "concat"},
    {"pack": 2, "conditional": "embedding"},
    {"label_smoothing": 0.1, "d_steps": 2, "optimizer": "rmsprop"},
    {**IMAGES, "augment": "ada", "ada_images": 1000, "penalty": "lecam", "loss": "hinge"},
    {**DCGAN, "augment": "diffaugment"},
    {**DCGAN, "augment": "ada", "ada_images": 1000},
    {**DCGAN, "batch_norm": "both"},
    {**DCGAN, "batch_norm": "none", "spectral_norm": "both"},
    {**DCGAN, "pack": 2, "minibatch_std": 2, "conditional": "embedding"},
    {**DCGAN, "unroll_steps": 1, "penalty": "r1", "batch_norm": "generator"},
    {**DCGAN, "channels": 3, "image_size": 12, "levels": 4, "ema_decay": 0.9},
    {**DCGAN, "batch_norm": "both", "unroll_steps": 1},
    {**DCGAN, "reset_every": 2, "reset_network": "both", "replay": 0.5, "instance_noise": 0.1, "ema_decay": 0.9},
]
TABLE = list({GANConfig(**{**TINY, **changes}): None for changes in FEATURES})  # each once


def _name(value):
    return "-".join(f"{k}={v}" for k, v in value.changed().items() if TINY.get(k) != v) or "plain"


each = pytest.mark.parametrize("config", TABLE, ids=_name)


def steady(config):
    """The config with plain descent where some weight's gradient is 0 but for rounding, which Adam would magnify to full steps.

    A relativistic loss knows only differences of logits, and minibatch discrimination only differences of its features, so that
    neither depends on the bias.
    """
    return config.but(optimizer="sgd") if config.loss == "relativistic" or config.minibatch_discrimination else config


@lru_cache(maxsize=256)
def _one_step(config):
    """To look at, not to train."""
    return Trainer(config).train(1)


@lru_cache(maxsize=256)
def _after(config, steps):
    """Trained without a break: (state, history)."""
    trainer = Trainer(config).train(steps)
    return trainer.state_dict(), trainer.history


def _differences(state, other):
    """Names of what is not the same to the bit."""
    a, b = state["tensors"], other["tensors"]
    names = sorted(a.keys() ^ b.keys())
    names += [name for name in a.keys() & b.keys() if not torch.equal(a[name].nan_to_num(7), b[name].nan_to_num(7))]
    return names + [key for key in ("step", "configs", "cursors") if state[key] != other[key]]


def _resumed(config, first, more):
    trainer = Trainer(config)
    trainer.load_state_dict(Trainer(config).train(first).state_dict())
    return trainer.train(more).state_dict()


@each
def test_resumed_equals_unbroken(config):
    assert _differences(_resumed(config, 3, 2), _after(config, 5)[0]) == []


@pytest.mark.parametrize("config", [c for c in TABLE if NETWORKS[c.network].has_members and c.d_steps == 1], ids=_name)
def test_resumed_equals_unbroken_with_two_discriminator_steps(config):
    config = config.but(d_steps=2)
    assert _differences(_resumed(config, 1, 2), _after(config, 3)[0]) == []


@each
def test_a_state_can_be_loaded_twice(config):
    """A trainer that goes on from a state leaves it as it is."""
    state = _one_step(config).state_dict()
    kept = {name: t.clone() for name, t in state["tensors"].items()}
    trainer = Trainer(config)
    trainer.load_state_dict(state)
    trainer.train(2)
    assert [name for name in kept if not torch.equal(kept[name], state["tensors"][name])] == []


@each
def test_statistics_are_finite(config):
    assert all(np.isfinite(row).all() for _, row in _after(config, 5)[1])


@each
def test_a_config_survives_json(config):
    assert GANConfig.model_validate_json(config.model_dump_json()) == config


def _look(trainer):
    block = trainer.member(0)[0]
    trainer.sample(2)
    trainer.evaluate(10)
    live_frame(trainer)
    if NETWORKS[trainer.configs[0].network].adversarial:
        block.judge(trainer.data.x[None, :5])
    trainer.state_dict()


@each
def test_looking_changes_nothing(config):
    trainer = Trainer(config)
    trainer.train(1)
    _look(trainer)
    trainer.train(2)
    assert _differences(trainer.state_dict(), _after(config, 3)[0]) == []


@pytest.mark.parametrize("config", [c for c in TABLE if NETWORKS[c.network].adversarial], ids=_name)
def test_judging_gives_a_finite_logit_for_each_sample(config):
    trainer = _one_step(config)
    logits = trainer.member(0)[0].judge(trainer.data.x[None, :5])
    assert [logits.shape, bool(logits.isfinite().all())] == [(1, 5), True]


@pytest.mark.parametrize("config", [c for c in TABLE if NETWORKS[c.network].adversarial], ids=_name)
def test_a_sample_is_judged_by_itself(config):
    trainer = _one_step(config)
    block, x = trainer.member(0)[0], trainer.data.x[None, :5]
    torch.testing.assert_close(block.judge(x[:, :1])[0, 0], block.judge(x)[0, 0], rtol=1e-4, atol=1e-5)


# Members

WITH_MEMBERS = [c for c in TABLE if NETWORKS[c.network].has_members]


def _assert_members_equal_singles(configs, steps=4):
    together = Trainer(configs).train(steps)
    for k, config in enumerate(configs):
        block, place = together.member(k)
        alone = Trainer(config).train(steps).member(0)[0]
        for stepper, other in ((block.opt_g, alone.opt_g), (block.opt_d, alone.opt_d)):
            torch.testing.assert_close(stepper.flat[place], other.flat[0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("config", WITH_MEMBERS, ids=_name)
def test_members_equal_single_runs(config):
    _assert_members_equal_singles([steady(config).but(seed=k) for k in range(3)])


VALUES = {  # three values of each field that may differ between members
    "class_weight": (0.0, 1.0, 5.0),
    "penalty_weight": (0.0, 0.1, 1.0),
    "lr_g": (0.0, 1e-4, 1e-3),
    "lr_d": (0.0, 1e-4, 1e-3),
    "grad_clip": (0.0, 0.01, 100.0),
    "label_smoothing": (0.0, 0.1, 0.2),
    "mode_seeking": (0.0, 0.1, 1.0),
    "instance_noise": (0.0, 0.1, 1.0),
    "replay": (0.0, 0.5, 1.0),
    "reset_fraction": (0.0, 0.5, 1.0),
    "seed": (5, 6, 7),
}
BESIDE = {  # settings under which the field acts
    "class_weight": {"conditional": "auxiliary"},
    "penalty_weight": {"penalty": "r1"},
    "reset_fraction": {"reset_every": 2},
}


@pytest.mark.parametrize("name", [name for name, meta in METAS.items() if meta.member])
def test_members_with_values_of_their_own_equal_single_runs(name):
    base = {**TINY, **BESIDE.get(name, {})}
    _assert_members_equal_singles([GANConfig(**{**base, name: value}) for value in VALUES[name]])


@pytest.mark.parametrize("name", [name for name, meta in METAS.items() if meta.member and name not in ("replay", "class_weight")])
def test_conditional_members_with_values_of_their_own_equal_single_runs(name):
    base = {**TINY, "conditional": "concat", **BESIDE.get(name, {})}
    _assert_members_equal_singles([GANConfig(**{**base, name: value}) for value in VALUES[name]])


@pytest.mark.parametrize("bound", [0.02, 0.1])
def test_a_weight_box_of_ones_own_equals_a_single_run(bound):
    base = {**TINY, "penalty": "clip", "loss": "wasserstein", "optimizer": "rmsprop"}
    _assert_members_equal_singles([GANConfig(**base, penalty_weight=w) for w in (bound, 0.01)])


# Changing values in a run


def _changes():
    """(settings, name, other value) for every field that can be changed in a run, and every word it may take."""
    numbers = {
        "class_weight": 3.0,
        "temperature": 2.0,
        "temperature_end": 0.1,
        "penalty_weight": 0.3,
        "lr_g": 3e-4,
        "lr_d": 3e-4,
        "d_steps": 3,
        "lr_end": 0.5,
        "grad_clip": 0.05,
        "label_smoothing": 0.2,
        "unroll_steps": 1,
        "mode_seeking": 0.5,
        "instance_noise": 0.3,
        "instance_noise_steps": 4,
        "ada_target": 0.2,
        "ada_images": 2000,
        "replay": 0.5,
        "reset_every": 2,
        "reset_fraction": 0.5,
        "ema_decay": 0.9,
    }
    beside = {
        "class_weight": {"conditional": "auxiliary"},
        "penalty_weight": {"penalty": "r1"},
        "lr_end": {"lr_schedule": "linear"},
        "instance_noise_steps": {"instance_noise": 1.0},
        "ada_target": {**IMAGES, "augment": "ada"},
        "ada_images": {**IMAGES, "augment": "ada"},
        "augment": IMAGES,
        "reset_fraction": {"reset_every": 2},
        "reset_network": {"reset_every": 2},
    }
    for name, meta in METAS.items():
        if meta.live:
            usual = GANConfig.model_fields[name].default
            others = [numbers[name]] if meta.choices is None else [value for value in meta.choices if value != usual]
            for value in others:
                yield pytest.param(beside.get(name, {}), name, value, id=f"{name}={value}")


changed = pytest.mark.parametrize(("settings", "name", "value"), list(_changes()))


@changed
def test_a_run_goes_on_after_a_change(settings, name, value):
    trainer = Trainer(GANConfig(**{**TINY, **settings})).train(2)
    trainer.set_value(name, value)
    trainer.train(3)
    assert all(np.isfinite(row).all() for _, row in trainer.history)


@pytest.mark.parametrize("later", [0, 1])
@changed
def test_resumed_after_a_change_equals_unbroken(settings, name, value, later):
    config = GANConfig(**{**TINY, **settings})
    whole = Trainer(config).train(2)
    whole.set_value(name, value)
    state = whole.train(later).state_dict()
    resumed = Trainer(config)
    resumed.load_state_dict(state)
    assert _differences(resumed.train(3).state_dict(), whole.train(3).state_dict()) == []


@changed
def test_a_value_changed_back_and_forth_is_resumed(settings, name, value):
    """What was switched on and off again may have left something behind: a pool, an average, running means."""
    config = GANConfig(**{**TINY, **settings})
    whole = Trainer(config).train(1)
    whole.set_value(name, value)
    whole.train(2)
    whole.set_value(name, getattr(config, name))
    state = whole.train(1).state_dict()
    resumed = Trainer(config)
    resumed.load_state_dict(state)
    assert _differences(resumed.train(2).state_dict(), whole.train(2).state_dict()) == []


@changed
def test_a_change_before_the_first_step_is_a_config_with_that_value(settings, name, value):
    config = GANConfig(**{**TINY, **settings})
    trainer = Trainer(config)
    trainer.set_value(name, value)
    assert _differences(trainer.train(3).state_dict(), _after(config.but(**{name: value}), 3)[0]) == []


@pytest.mark.parametrize("name", ADVERSARIAL)
def test_a_state_of_another_network_is_refused(name):
    other = next(n for n in ADVERSARIAL if n != name)
    levels = {"levels": 2} if NETWORKS[name].discrete or NETWORKS[other].discrete else {}
    state = Trainer(GANConfig(**{**TINY, **IMAGES, **levels, "network": name})).state_dict()
    with pytest.raises(RunError, match="network"):
        Trainer(GANConfig(**{**TINY, **IMAGES, **levels, "network": other})).load_state_dict(state)
