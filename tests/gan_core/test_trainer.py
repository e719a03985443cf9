import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits as bce
from torch.nn.functional import softplus

from gan_core import LOSSES, OPTIMIZERS, PENALTIES, ConfigError, DivergedError, RunError, Trainer, features
from gan_core import trainer as trainer_module
from gan_core.checkpoints import read_checkpoint, write_checkpoint
from gan_core.data import load
from gan_core.draws import Draws
from gan_core.frames import live_frame
from gan_core.members import STATS
from gan_core.metrics import chosen


def _assert_same_state(one, two):
    """To the last bit: networks, averages, optimiser slots, streams, cursors, steps and configs."""
    a, b = one.state_dict(), two.state_dict()
    assert a["tensors"].keys() == b["tensors"].keys()
    assert [name for name in a["tensors"] if not torch.equal(a["tensors"][name], b["tensors"][name])] == []
    assert {k: v for k, v in a.items() if k != "tensors"} == {k: v for k, v in b.items() if k != "tensors"}


def _assert_same_rows(one, two):
    assert [step for step, _ in one] == [step for step, _ in two]
    assert [step for (step, a), (_, b) in zip(one, two, strict=True) if a.tobytes() != b.tobytes()] == []


def _interrupted(config, k, n, path):
    """The same run three times: unbroken for n steps; k steps, written to a file; and from that file to n."""
    whole = Trainer(config).train(n)
    first = Trainer(config).train(k)
    write_checkpoint(path, first.state_dict())
    second = Trainer(config)
    second.load_state_dict(read_checkpoint(path))
    second.train(n - k)
    return whole, first, second


@pytest.fixture
def path(tmp_path):
    return tmp_path / "state.safetensors"


# Repeating


def test_the_same_config_gives_the_same_bits(tiny):
    _assert_same_state(Trainer(tiny()).train(20), Trainer(tiny()).train(20))


def test_the_same_config_gives_the_same_bits_for_convolutions(tiny):
    config = tiny(dataset="digits", network="dcgan", width=4, ema_decay=0.9)
    _assert_same_state(Trainer(config).train(4), Trainer(config).train(4))


def test_another_seed_gives_other_weights(tiny):
    one, two = (Trainer(tiny(seed=seed)).train(5).sample(8) for seed in (0, 1))
    assert not torch.equal(one, two)


def test_torchs_global_seed_has_no_influence(tiny):
    trainers = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        trainers.append(Trainer(tiny(penalty="wgan_gp")).train(5))
    _assert_same_state(*trainers)


def test_training_leaves_torchs_global_generator_alone(tiny):
    before = torch.get_rng_state()
    Trainer(tiny(penalty="wgan_gp")).train(5).sample(8)
    assert torch.equal(torch.get_rng_state(), before)


def test_training_leaves_torchs_number_of_threads_alone(tiny):
    before = torch.get_num_threads()
    Trainer([tiny(seed=k) for k in range(5)]).train(2)
    assert torch.get_num_threads() == before


def test_a_penalty_of_weight_zero_changes_nothing(tiny):
    plain = Trainer(tiny()).train(10)
    weightless = Trainer(tiny(penalty="wgan_gp", penalty_weight=0.0)).train(10)
    torch.testing.assert_close(weightless.sample(8), plain.sample(8), rtol=1e-5, atol=1e-6)


def _look(trainer):
    trainer.sample(7)
    trainer.evaluate(50)
    live_frame(trainer)
    trainer.state_dict()


@pytest.mark.parametrize(
    "changes",
    [{}, {"ema_decay": 0.9}, {"penalty": "wgan_gp"}, {"dataset": "digits", "network": "dcgan", "width": 4}],
    ids=["mlp", "ema", "penalty", "dcgan"],
)
def test_looking_changes_nothing(tiny, changes):
    left = Trainer(tiny(**changes)).train(6)
    looked = Trainer(tiny(**changes)).train(6, on_step=_look)
    _assert_same_state(looked, left)
    _assert_same_rows(looked.history, left.history)


# Resuming


@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("loss", LOSSES)
def test_resumed_equals_unbroken_under_every_objective(tiny, path, loss, penalty):
    whole, _, second = _interrupted(tiny(loss=loss, penalty=penalty), 7, 12, path)
    _assert_same_state(second, whole)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_resumed_equals_unbroken_under_every_optimiser(tiny, path, optimizer):
    whole, _, second = _interrupted(tiny(optimizer=optimizer), 7, 12, path)
    _assert_same_state(second, whole)


@pytest.mark.parametrize(
    "changes",
    [
        {"d_steps": 3, "penalty": "wgan_gp"},
        {"latent": "uniform"},
        {"ema_decay": 0.9},
        {"label_smoothing": 0.1},
        {"dataset": "digits"},
        {"dataset": "digits", "image_size": 12},
    ],
    ids=str,
)
def test_resumed_equals_unbroken_with(tiny, path, changes):
    whole, _, second = _interrupted(tiny(**changes), 7, 12, path)
    _assert_same_state(second, whole)


@pytest.mark.parametrize("penalty", ["none", "wgan_gp"])
def test_resumed_equals_unbroken_for_convolutions_with_an_average(tiny, path, penalty):
    config = tiny(dataset="digits", network="dcgan", width=4, ema_decay=0.9, penalty=penalty)
    whole, _, second = _interrupted(config, 3, 6, path)
    _assert_same_state(second, whole)


def test_resumed_equals_unbroken_for_members_in_several_blocks(tiny, path):
    shared = {"dataset": "digits", "batch_size": 1024, "ema_decay": 0.9, "penalty": "wgan_gp"}
    configs = [tiny(seed=seed, lr_d=1e-3 * (seed + 1), **shared) for seed in range(6)]
    whole, _, second = _interrupted(configs, 3, 6, path)
    assert len(whole.member(0)[0]) < 6
    _assert_same_state(second, whole)


@pytest.mark.parametrize("k", [0, 1, 63, 64, 65, 100, 150])
def test_resumed_equals_unbroken_wherever_a_chunk_of_draws_is_cut(tiny, path, k):
    whole, _, second = _interrupted(tiny(), k, 150, path)
    _assert_same_state(second, whole)


@pytest.mark.parametrize("k", [5, 37, 64, 70, 99])
def test_resumed_history_equals_the_unbroken_one_wherever_a_window_is_cut(tiny, path, k):
    """20,000 planned steps make a row of the history the mean of ten steps."""
    whole, first, second = _interrupted(tiny(steps=20_000), k, 130, path)
    _assert_same_rows(first.history + second.history, whole.history)


def test_resuming_twice_equals_unbroken(tiny, path):
    config = tiny(steps=20_000, penalty="wgan_gp")
    whole = Trainer(config).train(100)
    trainer = Trainer(config)
    for steps in (33, 34, 33):
        trainer.train(steps)
        write_checkpoint(path, trainer.state_dict())
        trainer = Trainer(config)
        trainer.load_state_dict(read_checkpoint(path))
    _assert_same_state(trainer, whole)


def test_a_changed_value_is_resumed(tiny, path):
    whole = Trainer(tiny()).train(5)
    whole.set_value("lr_g", 0.01)
    first = Trainer(tiny()).train(5)
    first.set_value("lr_g", 0.01)
    write_checkpoint(path, first.state_dict())
    second = Trainer(tiny())
    second.load_state_dict(read_checkpoint(path))
    _assert_same_state(second.train(5), whole.train(5))


def test_loading_goes_back_to_an_earlier_step(tiny, path):
    trainer = Trainer(tiny()).train(5)
    state = trainer.state_dict()
    later = trainer.train(5).sample(8)
    trainer.load_state_dict(state)
    assert torch.equal(trainer.train(5).sample(8), later)


def test_a_state_does_not_change_with_further_training(tiny):
    trainer = Trainer(tiny(ema_decay=0.9)).train(3)
    state = trainer.state_dict()
    kept = {name: value.clone() for name, value in state["tensors"].items()}
    trainer.train(3)
    assert [name for name in kept if not torch.equal(kept[name], state["tensors"][name])] == []


@pytest.mark.parametrize(
    ("written", "opened"),
    [
        ({"width": 8}, {"width": 12}),
        ({"depth": 1}, {"depth": 2}),
        ({"optimizer": "sgd"}, {"optimizer": "adam"}),
        ({"optimizer": "adam"}, {"optimizer": "sgd"}),
        ({"dataset": "ring8"}, {"dataset": "grid25"}),
        ({"pack": 1}, {"pack": 2}),
        ({"conditional": "none"}, {"conditional": "concat"}),
    ],
    ids=str,
)
def test_a_state_of_another_config_is_refused(tiny, written, opened):
    state = Trainer(tiny(**written)).state_dict()
    with pytest.raises(RunError, match="does not fit the config"):
        Trainer(tiny(**opened)).load_state_dict(state)


def test_a_state_of_more_members_is_refused(tiny):
    state = Trainer([tiny(seed=0), tiny(seed=1)]).state_dict()
    with pytest.raises(RunError, match="does not fit the config"):
        Trainer(tiny()).load_state_dict(state)


# Against plain PyTorch


def _plain_network(tensors, part):
    """A torch.nn stack with the weights of a trainer's first member."""
    names = [name.removesuffix(".weight") for name in tensors if name.startswith(f"{part}.") and name.endswith(".weight")]
    layers = []
    for name in names:  # in the order of the layers, the discriminator's head last
        weight = tensors[f"{name}.weight"][0]
        linear = nn.Linear(*weight.shape)
        linear.weight.data = weight.T.clone()
        linear.bias.data = tensors[f"{name}.bias"][0, 0].clone()
        layers += [linear, nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers[:-1])


def _plain_loop(config, tensors, steps, d_loss, g_loss, gradient_penalty=0.0):
    """The training loop of the papers with torch.nn and torch.optim, on the random numbers that the trainer draws."""
    x = load(config.dataset).x
    generator, discriminator = _plain_network(tensors, "generator"), _plain_network(tensors, "discriminator")
    betas = (config.beta1, config.beta2)
    opt_g = torch.optim.Adam(generator.parameters(), config.lr_g, betas)
    opt_d = torch.optim.Adam(discriminator.parameters(), config.lr_d, betas)
    rows, z_d, z_g, mix = (Draws([config.seed], name) for name in ("data", "latent_d", "latent_g", "penalty"))
    batch, z_size = config.batch_size, config.latent_dim
    for _ in range(steps):
        for _ in range(config.d_steps):
            real = x[rows.integers(len(x), batch)[0]]
            fake = generator(z_d.normal(batch, z_size)[0]).detach()
            loss = d_loss(discriminator(real), discriminator(fake))
            if gradient_penalty:
                a = mix.uniform(batch)[0][:, None]
                between = (a * real + (1 - a) * fake).requires_grad_()
                (slope,) = torch.autograd.grad(discriminator(between).sum(), between, create_graph=True)
                loss = loss + gradient_penalty * (slope.norm(2, dim=1) - 1).square().mean()
            opt_d.zero_grad()
            loss.backward()
            opt_d.step()
        opt_g.zero_grad()
        g_loss(discriminator(generator(z_g.normal(batch, z_size)[0]))).backward()
        opt_g.step()
    return generator, discriminator


def _bce_d(real_label):
    def loss(real, fake):
        return bce(real, torch.full_like(real, real_label)) + bce(fake, torch.zeros_like(fake))

    return loss


def _bce_g(fake):
    return bce(fake, torch.ones_like(fake))


PLAIN = {
    "nonsaturating": ({}, {"d_loss": _bce_d(1.0), "g_loss": _bce_g}),
    "smoothed": ({"label_smoothing": 0.1}, {"d_loss": _bce_d(0.9), "g_loss": _bce_g}),
    "two_layers": ({"depth": 2, "lr_d": 3e-3}, {"d_loss": _bce_d(1.0), "g_loss": _bce_g}),
    "wgan_gp": (
        {"loss": "wasserstein", "penalty": "wgan_gp", "penalty_weight": 10.0, "d_steps": 5, "beta2": 0.9},
        {"d_loss": lambda real, fake: fake.mean() - real.mean(), "g_loss": lambda f: -f.mean(), "gradient_penalty": 10.0},
    ),
    "minimax": ({"loss": "minimax"}, {"d_loss": _bce_d(1.0), "g_loss": lambda f: -softplus(f).mean()}),
}


@pytest.mark.parametrize("part", ["generator", "discriminator"])
@pytest.mark.parametrize("case", PLAIN)
def test_equals_a_loop_written_with_torch_nn_and_torch_optim(tiny, case, part):
    changes, objective = PLAIN[case]
    config = tiny(seed=5, **changes)
    trainer = Trainer(config)
    plain = _plain_loop(config, trainer.state_dict()["tensors"], 15, **objective)[part == "discriminator"]
    trained = _plain_network(trainer.train(15).state_dict()["tensors"], part)
    found, expected = trained.state_dict(), plain.state_dict()
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=2e-5)


def _first_row(config):
    row = Trainer(config).train(1).history[0][1][:, 0]
    return dict(zip(STATS, row.tolist(), strict=True))


def test_reported_loss_with_label_smoothing_is_cross_entropy_with_that_label(tiny):
    config = tiny(label_smoothing=0.2, d_steps=1)
    tensors = Trainer(config).state_dict()["tensors"]
    generator, discriminator = _plain_network(tensors, "generator"), _plain_network(tensors, "discriminator")
    x = load("ring8").x
    real = discriminator(x[Draws([0], "data").integers(len(x), 8)[0]])
    fake = discriminator(generator(Draws([0], "latent_d").normal(8, 4)[0]))
    expected = bce(real, torch.full_like(real, 0.8)) + bce(fake, torch.zeros_like(fake))
    assert _first_row(config)["loss_d"] == pytest.approx(expected.item(), rel=1e-5)


def test_reported_logits_are_the_mean_logits_before_the_step(tiny):
    tensors = Trainer(tiny()).state_dict()["tensors"]
    x = load("ring8").x
    expected = _plain_network(tensors, "discriminator")(x[Draws([0], "data").integers(len(x), 8)[0]]).mean()
    assert _first_row(tiny())["real_logit"] == pytest.approx(expected.item(), rel=1e-5)


def test_reported_penalty_carries_its_weight(tiny):
    one, ten = (_first_row(tiny(penalty="r1", penalty_weight=w))["penalty"] for w in (1.0, 10.0))
    assert ten == pytest.approx(10 * one, rel=1e-5)


def test_without_the_average_samples_are_those_of_the_weights_at_once(tiny):
    trainer = Trainer(tiny(ema_decay=0.9)).train(5)
    trainer.set_value("ema_decay", 0.0)
    assert torch.equal(trainer.sample(8), trainer.sample(8, average=False))


# Steps, history, values


def test_train_without_a_number_goes_to_the_configs_end(tiny):
    assert Trainer(tiny(steps=13)).train(5).train().step_count == 13


def test_on_step_is_called_after_each_step(tiny):
    seen = []
    Trainer(tiny()).train(4, on_step=lambda trainer: seen.append(trainer.step_count))
    assert seen == [1, 2, 3, 4]


def test_a_short_run_keeps_every_step_in_its_history(tiny):
    assert [step for step, _ in Trainer(tiny()).train(20).history] == list(range(1, 21))


def test_a_row_of_a_long_runs_history_is_the_mean_of_its_steps(tiny):
    single = np.stack([row for _, row in Trainer(tiny(steps=2000)).train(12).history])
    coarse = Trainer(tiny(steps=6000)).train(12).history
    assert [step for step, _ in coarse] == [3, 6, 9, 12]
    np.testing.assert_allclose(np.stack([row for _, row in coarse]), single.reshape(4, 3, *single.shape[1:]).mean(1), rtol=1e-5)


def test_a_changed_value_acts_from_the_next_step(tiny):
    trainer = Trainer(tiny()).train(3)
    trainer.set_value("lr_g", 0.0)
    before = trainer.sample(8)
    assert torch.equal(trainer.train(3).sample(8), before)


def test_a_value_that_is_not_live_cannot_be_set(tiny):
    with pytest.raises(ConfigError, match=r"width cannot be changed.*lr_g"):
        Trainer(tiny()).set_value("width", 9)


def test_a_value_out_of_range_cannot_be_set(tiny):
    with pytest.raises(ConfigError, match="lr_g = -1"):
        Trainer(tiny()).set_value("lr_g", -1)


def test_members_that_differ_in_more_than_they_may_are_refused(tiny):
    with pytest.raises(ConfigError, match="width differs between members"):
        Trainer([tiny(width=8), tiny(width=9)])


def test_no_config_at_all_is_refused():
    with pytest.raises(ConfigError, match="1 to"):
        Trainer([])


def test_two_convolutional_members_are_refused(tiny):
    configs = [tiny(dataset="digits", network="dcgan", seed=seed) for seed in range(2)]
    with pytest.raises(ConfigError, match="one member"):
        Trainer(configs)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_a_device_that_is_not_there_is_refused(tiny):
    with pytest.raises(ConfigError, match=r"cuda is not available.*auto, cpu"):
        Trainer(tiny(device="cuda"))


# Samples


@pytest.mark.parametrize(
    ("changes", "shape"),
    [({}, (2,)), ({"dataset": "digits"}, (1, 8, 8)), ({"dataset": "digits", "network": "dcgan", "image_size": 12}, (1, 12, 12))],
    ids=["points", "images", "resized"],
)
@pytest.mark.parametrize("n", [1, 64, 600])
def test_samples_have_the_datas_shape(tiny, changes, shape, n):
    assert Trainer(tiny(**changes)).sample(n).shape == (n, *shape)


def test_the_same_seed_gives_the_same_samples(tiny):
    trainer = Trainer(tiny())
    assert torch.equal(trainer.sample(8, seed=3), trainer.sample(8, seed=3))


def test_another_seed_gives_other_samples(tiny):
    trainer = Trainer(tiny())
    assert not torch.equal(trainer.sample(8, seed=3), trainer.sample(8, seed=4))


def test_samples_come_from_the_average_where_there_is_one(tiny):
    """An average that takes next to nothing of the new weights still makes the samples of the beginning."""
    trainer = Trainer(tiny(ema_decay=1 - 1e-7, lr_g=0.1))
    before = trainer.sample(8)
    trainer.train(5)
    torch.testing.assert_close(trainer.sample(8), before, rtol=1e-3, atol=1e-3)
    assert (trainer.sample(8, average=False) - before).abs().max() > 0.1


def test_a_sample_does_not_depend_on_how_many_are_asked_for(tiny):
    """In training mode, batch normalisation would make it so."""
    trainer = Trainer(tiny(dataset="digits", network="dcgan", width=4)).train(2)
    latents = torch.randn(6, 4)
    torch.testing.assert_close(trainer.generate(latents)[:2], trainer.generate(latents[:2]))


@pytest.mark.parametrize("member", [-1, 2, 7])
def test_sampling_a_member_that_is_not_there_is_refused_in_a_sentence(tiny, member):
    with pytest.raises(RunError, match=r"no member.*0 to 1"):
        Trainer([tiny(seed=0), tiny(seed=1)]).sample(4, member=member)


def test_evaluate_gives_a_number_each_for_a_single_config(tiny):
    assert all(isinstance(value, float) for value in Trainer(tiny()).evaluate(100).values())


def test_evaluate_gives_a_list_each_for_members(tiny):
    assert [len(v) for v in Trainer([tiny(seed=0), tiny(seed=1)]).evaluate(100).values()] == [2] * len(chosen(load("ring8")))


# Divergence


@pytest.fixture
def doomed(tiny):
    return tiny(loss="least_squares", optimizer="sgd", lr_g=1.0, lr_d=1.0, steps=500)


def _first_bad_step(config):
    trainer = Trainer(config)
    with pytest.raises(DivergedError):
        for _ in range(500):
            trainer.step()
            trainer.flush()
    return trainer.step_count


def test_divergence_names_the_first_step_that_broke(doomed):
    with pytest.raises(DivergedError) as caught:
        Trainer(doomed).train()
    assert caught.value.step == _first_bad_step(doomed)


def test_divergence_names_a_statistic(doomed):
    with pytest.raises(DivergedError) as caught:
        Trainer(doomed).train()
    assert caught.value.term in STATS


def test_divergence_names_the_member(tiny, doomed):
    with pytest.raises(DivergedError) as caught:
        Trainer([doomed.but(lr_g=1e-5, lr_d=1e-5), doomed]).train()
    assert caught.value.member == 1


def test_divergence_says_what_to_try(doomed):
    with pytest.raises(DivergedError, match=r"Try learning rates of 0\.1 and 0\.1"):
        Trainer(doomed).train()


@pytest.mark.parametrize("loss", LOSSES)
def test_a_nan_in_the_weights_is_noticed_under_every_loss(tiny, loss):
    trainer = Trainer(tiny(loss=loss))
    state = trainer.state_dict()
    state["tensors"]["discriminator.body.stack.layers.0.weight"][:] = math.nan
    trainer.load_state_dict(state)
    with pytest.raises(DivergedError):
        trainer.train(2)


def test_history_before_the_divergence_is_kept(doomed):
    trainer = Trainer(doomed)
    with pytest.raises(DivergedError) as caught:
        trainer.train()
    assert [step for step, _ in trainer.history] == list(range(1, caught.value.step))


# Members that diverge while others go on


def _mixed(doomed):
    """Three members, the second of which breaks."""
    return [doomed.but(lr_g=1e-5, lr_d=1e-5), doomed.but(seed=1), doomed.but(lr_g=1e-4, lr_d=1e-5, seed=2)]


@pytest.fixture
def mixed(doomed):
    return Trainer(_mixed(doomed), tolerant=True).train()


def test_a_tolerant_trainer_goes_on_to_the_end(mixed, doomed):
    assert mixed.step_count == doomed.steps


def test_a_tolerant_trainer_notes_who_diverged_and_when(mixed, doomed):
    with pytest.raises(DivergedError) as caught:
        Trainer(_mixed(doomed)).train()
    assert mixed.diverged == {1: caught.value.step}


def test_what_a_member_becomes_does_not_depend_on_one_that_diverges(mixed, doomed):
    configs = _mixed(doomed)
    sane = Trainer([configs[0], configs[0].but(seed=1), configs[2]]).train()
    a, b = mixed.state_dict()["tensors"], sane.state_dict()["tensors"]
    names = [name for name in a if name.split(".")[0] in ("generator", "discriminator")]
    assert len(names) > 4
    assert [name for name in names if not torch.equal(a[name][[0, 2]], b[name][[0, 2]])] == []


def test_the_curves_of_the_others_stay_finite(mixed, doomed):
    assert [step for step, _ in mixed.history] == list(range(1, doomed.steps + 1))
    assert np.isfinite(np.stack([row[:, [0, 2]] for _, row in mixed.history])).all()


def test_measures_of_the_others_stay_finite(mixed):
    found = mixed.measure(names=("diversity", "sliced_wasserstein"))
    for name in ("diversity", "sliced_wasserstein"):
        assert found[name].isfinite().tolist() == [True, False, True]


def test_who_diverged_is_kept_in_a_checkpoint(mixed, doomed, path):
    write_checkpoint(path, mixed.state_dict())
    resumed = Trainer(_mixed(doomed), tolerant=True)
    resumed.load_state_dict(read_checkpoint(path))
    assert resumed.diverged == mixed.diverged
    assert resumed.train(70).diverged == mixed.diverged


def test_a_state_of_an_older_version_has_nobody_diverged(tiny):
    state = Trainer(tiny()).state_dict()
    del state["diverged"]
    trainer = Trainer(tiny())
    trainer.load_state_dict(state)
    assert trainer.diverged == {}


def test_a_tolerant_trainer_ends_when_all_have_diverged(doomed):
    trainer = Trainer([doomed, doomed.but(seed=1)], tolerant=True)
    with pytest.raises(DivergedError):
        trainer.train()
    assert trainer.diverged.keys() == {0, 1}


def test_a_tolerant_trainer_of_one_member_ends_as_any_other(doomed):
    with pytest.raises(DivergedError) as caught:
        Trainer([doomed], tolerant=True).train()
    assert caught.value.step == _first_bad_step(doomed)


# Blocks of members side by side


@pytest.fixture
def in_blocks(monkeypatch):
    """Trainers of blocks of so many members."""

    def make(size, *args, **options):
        with monkeypatch.context() as patch:
            patch.setattr(Trainer, "_block_size", lambda self: size)
            return Trainer(*args, **options)

    return make


def _five(tiny, **changes):
    return [tiny(seed=seed, lr_g=1e-3 * (seed + 1), **changes) for seed in range(5)]


@pytest.mark.parametrize("changes", [{}, {"ema_decay": 0.9, "penalty": "wgan_gp"}, {"dataset": "digits"}], ids=str)
@pytest.mark.parametrize("size", [1, 2, 3])
def test_blocks_equal_one_block(tiny, in_blocks, size, changes):
    configs = _five(tiny, **changes)
    one, many = in_blocks(5, configs).train(10), in_blocks(size, configs).train(10)
    assert (len(one.member(0)[0]), len(many.member(0)[0])) == (5, size)
    for member in range(5):
        torch.testing.assert_close(many.sample(16, member), one.sample(16, member), rtol=1e-4, atol=1e-5)
    rows = [np.stack([row for _, row in trainer.history]) for trainer in (one, many)]
    np.testing.assert_allclose(*rows, rtol=1e-3, atol=1e-5)


def test_members_share_out_over_the_cores(tiny, monkeypatch):
    monkeypatch.setattr(trainer_module, "cores", lambda: 3)
    assert len(Trainer([tiny(seed=seed) for seed in range(7)]).member(0)[0]) == 3


def test_large_layers_make_small_blocks(tiny, monkeypatch):
    monkeypatch.setattr(trainer_module, "cores", lambda: 1)
    configs = [tiny(seed=seed) for seed in range(8)]
    assert len(Trainer(configs).member(0)[0]) == 8
    monkeypatch.setattr(trainer_module, "BLOCK_BYTES", 2 * 4 * 8 * 8)  # two members of batch 8 and width 8
    assert len(Trainer(configs).member(0)[0]) == 2


def test_resumed_equals_unbroken_in_blocks_of_two(tiny, in_blocks, path):
    configs = _five(tiny, ema_decay=0.9)
    whole, first, second = (in_blocks(2, configs) for _ in range(3))
    write_checkpoint(path, first.train(7).state_dict())
    second.load_state_dict(read_checkpoint(path))
    _assert_same_state(second.train(5), whole.train(12))


def test_a_state_goes_from_some_blocks_to_others(tiny, in_blocks):
    """As a run does that is resumed on a machine with more cores."""
    configs = _five(tiny)
    first = in_blocks(2, configs).train(5)
    second = in_blocks(3, configs)
    second.load_state_dict(first.state_dict())
    for member in range(5):
        torch.testing.assert_close(second.sample(8, member), first.sample(8, member), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(second.train(5).sample(8, 4), first.train(5).sample(8, 4), rtol=1e-3, atol=1e-4)


def test_the_same_blocks_give_the_same_bits(tiny, in_blocks):
    _assert_same_state(in_blocks(2, _five(tiny)).train(20), in_blocks(2, _five(tiny)).train(20))


def test_a_value_set_reaches_every_block(tiny, in_blocks):
    trainer = in_blocks(2, _five(tiny)).train(2)
    trainer.set_value("lr_g", 0.0)
    before = trainer.generate_all(torch.ones(4, 4))
    assert torch.equal(trainer.train(2).generate_all(torch.ones(4, 4)), before)


@pytest.mark.parametrize("block", [0, 1, 2])
def test_what_goes_wrong_in_a_block_reaches_the_caller(tiny, in_blocks, block):
    trainer = in_blocks(2, _five(tiny))

    def fail():
        raise ZeroDivisionError("in a block")

    trainer._blocks[block].step = fail
    with pytest.raises(ZeroDivisionError, match="in a block"):
        trainer.step()


def test_a_member_that_diverges_in_another_block_is_known_by_its_number(tiny, in_blocks, doomed):
    sane = doomed.but(lr_g=1e-5, lr_d=1e-5)
    configs = [sane, sane.but(seed=1), sane.but(seed=2), doomed.but(seed=3)]
    assert in_blocks(2, configs, tolerant=True).train().diverged.keys() == {3}


@pytest.mark.parametrize("tolerant", [False, True])
def test_weights_that_are_not_finite_are_known_by_their_members_number(tiny, in_blocks, tolerant):
    trainer = in_blocks(2, _five(tiny), tolerant=tolerant)
    state = trainer.state_dict()
    state["tensors"]["discriminator.head.logit.weight"][3] = math.nan
    trainer.load_state_dict(state)
    if tolerant:
        trainer.check_weights()
        assert trainer.diverged == {3: 0}
    else:
        with pytest.raises(DivergedError) as caught:
            trainer.check_weights()
        assert caught.value.member == 3


# Looking at all members


def test_samples_of_all_members_are_those_of_each(tiny, in_blocks):
    trainer = in_blocks(2, _five(tiny)).train(3)
    latents = torch.randn(7, 4)
    found = trainer.generate_all(latents)
    assert found.shape == (5, 7, 2)
    for member in range(5):
        assert torch.equal(found[member], trainer.generate(latents, member))


def test_a_measure_has_a_number_for_each_member(tiny, in_blocks):
    configs = _five(tiny)
    trainer = in_blocks(2, configs).train(3)
    found = trainer.measure(200)
    assert found["counts"].shape == (5, 8)
    for member in (0, 4):
        alone = Trainer(configs[member]).train(3).measure(200)
        torch.testing.assert_close(found["diversity"][member], alone["diversity"][0], rtol=1e-3, atol=1e-4)


def test_a_measure_is_of_the_names_that_were_asked_for(tiny):
    found = Trainer(tiny()).measure(200, names=("diversity", "kid"))
    assert found.keys() == {"diversity", "counts", "nearest"}


def test_points_need_no_judge(tiny):
    assert Trainer(tiny()).teach(0.0) == 1.0


def test_classes_are_measured_from_when_the_judge_has_learnt(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(features, "LEAST_STEPS", 20)
    trainer = Trainer(tiny(dataset="digits"), data_folder=tmp_path)
    assert trainer.measure(64)["held"].isnan().all()
    assert trainer.teach(float("inf")) == 1.0
    assert trainer.measure(64)["held"].isfinite().all()


def test_teaching_stops_when_its_time_is_up(tiny, tmp_path):
    trainer = Trainer(tiny(dataset="digits"), data_folder=tmp_path)
    assert trainer.teach(0.0) < 1
    assert not trainer.judge.ready
