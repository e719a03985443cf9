"""A step in slow motion."""

import numpy as np
import pytest
import torch

from gan_core import RunError, Trainer
from gan_core.frames import pack, unpack
from gan_core.trace import SHOWN, traced_step

SETTINGS = [
    {},
    {"d_steps": 3},
    {"loss": "relativistic", "penalty": "r1_r2"},
    {"pack": 2},
    {"conditional": "projection"},
    {"unroll_steps": 2},
    {"ema_decay": 0.9},
    {"dataset": "digits", "network": "dcgan"},
    {"dataset": "digits", "network": "style"},
]


@pytest.mark.parametrize("changes", SETTINGS, ids=str)
def test_a_traced_step_is_the_same_as_any_other(tiny, changes):
    traced, plain = Trainer(tiny(**changes)).train(2), Trainer(tiny(**changes)).train(3)
    traced_step(traced)
    one, two = traced.train(2).state_dict(), plain.train(2).state_dict()
    assert one["step"] == two["step"] == 5
    assert all(torch.equal(one["tensors"][name], two["tensors"][name]) for name in two["tensors"])


@pytest.mark.parametrize("changes", SETTINGS, ids=str)
def test_a_trace_can_be_packed_and_read(tiny, changes):
    header, arrays = unpack(pack(*traced_step(Trainer(tiny(**changes)))))
    assert header["trace"]["step"] == 1
    for name in ("real", "fake", "made", "remade", "z_d", "z_g"):
        assert len(arrays[f"trace_{name}"])


def test_what_the_discriminator_saw_is_what_it_is_judged_by(tiny):
    """Before the first step: the map of a fresh network, and the loss by its formula."""
    trainer, fresh = Trainer(tiny(batch_size=SHOWN)), Trainer(tiny(batch_size=SHOWN))
    header, arrays = traced_step(trainer)
    judge = fresh.member(0)[0].judge
    p_real, p_fake = (torch.sigmoid(judge(torch.from_numpy(arrays[f"trace_{n}"])[None])[0]).numpy() for n in ("real", "fake"))
    assert (header["trace"]["p_real"], header["trace"]["p_fake"]) == pytest.approx((p_real.mean(), p_fake.mean()), abs=1e-6)
    assert header["trace"]["loss_d"] == pytest.approx(float(-np.log(p_real).mean() - np.log(1 - p_fake).mean()), rel=1e-4)
    assert (arrays["trace_real"][:, None] == fresh.data.x.numpy()[None]).all(-1).any(1).all()  # rows of the data


def test_the_generator_is_judged_by_the_updated_discriminator(tiny):
    trainer = Trainer(tiny(batch_size=SHOWN, lr_g=0))
    header, arrays = traced_step(trainer)
    logits = trainer.member(0)[0].judge(torch.from_numpy(arrays["trace_made"])[None])[0]
    assert header["trace"]["loss_g"] == pytest.approx(float(torch.nn.functional.softplus(-logits).mean()), rel=1e-4)
    assert np.array_equal(arrays["trace_made"], arrays["trace_remade"])  # it did not move


def test_the_same_noise_is_made_once_more_after_the_update(tiny):
    trainer = Trainer(tiny(latent_dim=2, batch_size=SHOWN))
    _, arrays = traced_step(trainer)
    z = torch.from_numpy(arrays["trace_z_g"])
    assert np.array_equal(arrays["trace_remade"], trainer.generate(z).numpy())
    assert not np.array_equal(arrays["trace_made"], arrays["trace_remade"])


def test_an_update_of_the_discriminator_moves_its_opinion_the_right_way(tiny):
    header, _ = traced_step(Trainer(tiny(batch_size=SHOWN, lr_d=0.01)))
    told = header["trace"]
    assert told["q_real"] - told["q_fake"] > told["p_real"] - told["p_fake"]


@pytest.mark.parametrize("changes", [*SETTINGS, {"loss": "wasserstein", "penalty": "none"}], ids=str)
def test_an_opinion_stays_where_nothing_is_learnt(tiny, changes):
    told = traced_step(Trainer(tiny(**changes, lr_d=0)))[0]["trace"]
    assert told["q_real"] == pytest.approx(told["p_real"], abs=1e-6)
    assert told["q_fake"] == pytest.approx(told["p_fake"], abs=1e-6)


def test_several_members_have_no_slow_motion(tiny):
    with pytest.raises(RunError, match="one GAN at a time"):
        traced_step(Trainer([tiny(seed=0), tiny(seed=1)]))


def test_a_model_that_is_no_game_has_no_slow_motion(tiny):
    with pytest.raises(RunError, match="two networks"):
        traced_step(Trainer(tiny(dataset="digits", network="pixelcnn", levels=2, latent_dim=16)))
