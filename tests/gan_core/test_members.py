import numpy as np
import pytest
import torch

from gan_core import LOSSES, OPTIMIZERS, PENALTIES, Trainer
from gan_core.data import load
from gan_core.draws import seeded
from gan_core.members import STATS, Members, sample_latents

NETS = ("generator.", "discriminator.", "average.")


def _weights(trainer, member=0):
    tensors = trainer.state_dict()["tensors"]
    return {name: value[member] for name, value in tensors.items() if name.startswith(NETS)}


def _assert_members_equal_singles(configs, steps, atol=2e-5):
    together = Trainer(configs).train(steps)
    for member, config in enumerate(configs):
        alone = _weights(Trainer(config).train(steps))
        torch.testing.assert_close(_weights(together, member), alone, rtol=1e-4, atol=atol, msg=lambda m, k=member: f"{k}: {m}")


def test_32_members_with_seeds_of_their_own_equal_32_single_runs(tiny):
    _assert_members_equal_singles([tiny(seed=seed) for seed in range(32)], 20)


def test_members_with_learning_rates_of_their_own_equal_single_runs(tiny):
    rates = [(1e-4, 1e-2), (1e-3, 1e-3), (1e-2, 1e-4), (0.0, 1e-3)]
    _assert_members_equal_singles([tiny(lr_g=g, lr_d=d) for g, d in rates], 20)


def test_members_with_penalty_weights_of_their_own_equal_single_runs(tiny):
    _assert_members_equal_singles([tiny(penalty="r1", penalty_weight=w) for w in (0.0, 0.1, 5.0)], 20)


def test_members_with_label_smoothing_of_their_own_equal_single_runs(tiny):
    _assert_members_equal_singles([tiny(label_smoothing=s) for s in (0.0, 0.1, 0.3)], 20)


@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("loss", LOSSES)
def test_members_equal_single_runs_under_every_objective(tiny, loss, penalty):
    configs = [tiny(loss=loss, penalty=penalty, seed=seed, lr_d=lr) for seed, lr in enumerate([1e-3, 1e-4])]
    _assert_members_equal_singles(configs, 10)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_members_equal_single_runs_under_every_optimiser(tiny, optimizer):
    configs = [tiny(optimizer=optimizer, seed=seed, lr_g=lr) for seed, lr in enumerate([1e-3, 1e-4, 3e-3])]
    _assert_members_equal_singles(configs, 10)


@pytest.mark.parametrize(
    "changes",
    [{"latent": "uniform"}, {"d_steps": 3}, {"ema_decay": 0.9}, {"dataset": "digits"}],
    ids=lambda changes: next(iter(changes)),
)
def test_members_equal_single_runs_with(tiny, changes):
    _assert_members_equal_singles([tiny(seed=seed, **changes) for seed in range(3)], 10)


@pytest.fixture(scope="module")
def wide(tiny):
    """Six configs whose activations do not fit one block of members."""
    return [tiny(seed=seed, width=16, batch_size=4096, lr_g=10 ** (-2 - seed / 3), ema_decay=0.9) for seed in range(6)]


def test_many_wide_members_are_split_into_blocks(wide):
    assert len({id(Trainer(wide).member(k)[0]) for k in range(6)}) > 1


def test_several_blocks_equal_single_runs(wide):
    _assert_members_equal_singles(wide, 5)


def test_history_of_several_blocks_is_that_of_single_runs_side_by_side(wide):
    together = Trainer(wide).train(3)
    alone = [Trainer(config).train(3) for config in wide]
    for row, (step, values) in enumerate(together.history):
        expected = np.concatenate([trainer.history[row][1] for trainer in alone], 1)
        np.testing.assert_allclose(values, expected, rtol=1e-3, atol=1e-5, err_msg=f"step {step}")


def test_evaluate_of_several_blocks_lists_members_in_order(wide):
    together = Trainer(wide).evaluate(500)["sliced_wasserstein"]
    assert together == pytest.approx([Trainer(c).evaluate(500)["sliced_wasserstein"] for c in wide], rel=1e-4)


@pytest.mark.parametrize("member", [0, 3, 4, 5])
def test_sample_of_several_blocks_is_that_of_the_member(wide, member):
    torch.testing.assert_close(Trainer(wide).sample(9, member=member), Trainer(wide[member]).sample(9))


def test_a_members_fate_does_not_depend_on_its_company(tiny):
    calm = Trainer([tiny(seed=k) for k in (3, 1, 2)]).train(20)
    wild = Trainer([tiny(seed=3), tiny(seed=8, lr_g=0.5, lr_d=0.9), tiny(seed=9, lr_d=0.0)]).train(20)
    one, two = _weights(calm), _weights(wild)
    assert all(torch.equal(one[name], two[name]) for name in one)


@pytest.mark.parametrize("penalty", PENALTIES)
def test_a_broken_member_breaks_no_other(tiny, penalty):
    configs = [tiny(seed=seed, penalty=penalty) for seed in range(2)]
    whole, broken = Trainer(configs), Trainer(configs)
    state = broken.state_dict()
    for name, value in state["tensors"].items():
        if name.startswith(NETS):
            value[1] = torch.nan
    broken.load_state_dict(state)
    for trainer in (whole, broken):
        for _ in range(5):
            trainer.step()
    latents = torch.randn(16, 4)
    assert torch.equal(broken.generate(latents, 0), whole.generate(latents, 0))


def test_step_reports_each_statistic_of_each_member(tiny):
    configs = [tiny(seed=seed) for seed in range(3)]
    members = Members(configs, load("ring8"), torch.device("cpu"))
    assert members.step().shape == (len(STATS), 3)


def test_members_start_from_different_weights(tiny):
    trainer = Trainer([tiny(seed=0), tiny(seed=1)])
    latents = torch.randn(4, 4)
    assert not torch.equal(trainer.generate(latents, 0), trainer.generate(latents, 1))


def test_generator_and_discriminator_do_not_share_a_seed(tiny):
    tensors = Trainer(tiny(latent_dim=2, depth=2)).state_dict()["tensors"]
    assert not torch.equal(tensors["generator.body.stack.layers.1.weight"], tensors["discriminator.body.stack.layers.1.weight"])


@pytest.mark.parametrize(("kind", "low", "high"), [("uniform", -1.0, 1.0), ("normal", -float("inf"), float("inf"))])
def test_latents_lie_in_the_range_of_their_distribution(tiny, kind, low, high):
    z = sample_latents(tiny(latent=kind), 5000, seeded(0, "x"))
    assert low <= z.min() < -0.99
    assert 0.99 < z.max() <= high


def test_average_of_a_unit_step_after_1000_steps_is_0_632305(tiny):
    """1 - 0.999^1000, with a generator that stands still at 1 and an average that starts at 0."""
    trainer = Trainer(tiny(ema_decay=0.999, lr_g=0.0, lr_d=0.0, width=2, batch_size=2))
    state = trainer.state_dict()
    for name, value in state["tensors"].items():
        if name.startswith(("generator.", "average.")):
            value.fill_(float(name.startswith("generator.")))
    trainer.load_state_dict(state)
    trainer.train(1000)
    averages = [v for k, v in trainer.state_dict()["tensors"].items() if k.startswith("average.")]
    assert torch.cat([a.flatten() for a in averages]).numpy() == pytest.approx(0.632305, abs=1e-4)


def test_average_starts_as_the_generator(tiny):
    tensors = Trainer(tiny(ema_decay=0.99)).state_dict()["tensors"]
    assert torch.equal(tensors["average.body.stack.layers.0.weight"], tensors["generator.body.stack.layers.0.weight"])


def test_average_is_an_average_of_the_visited_weights(tiny):
    trainer = Trainer(tiny(ema_decay=0.9))
    expected = trainer.state_dict()["tensors"]["generator.body.stack.layers.0.weight"].double()
    for _ in range(10):
        trainer.step()
        expected = 0.9 * expected + 0.1 * trainer.state_dict()["tensors"]["generator.body.stack.layers.0.weight"].double()
    found = trainer.state_dict()["tensors"]["average.body.stack.layers.0.weight"].double()
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-7)


def test_average_follows_batch_normalisations_running_statistics(tiny):
    trainer = Trainer(tiny(dataset="digits", network="dcgan", width=4, ema_decay=0.9))
    key = "body.stack.3.running_mean"
    expected = trainer.state_dict()["tensors"][f"generator.{key}"].double()
    for _ in range(5):
        trainer.step()
        expected = 0.9 * expected + 0.1 * trainer.state_dict()["tensors"][f"generator.{key}"].double()
    found = trainer.state_dict()["tensors"][f"average.{key}"].double()
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)
