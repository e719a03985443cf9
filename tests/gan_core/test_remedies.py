import math

import numpy as np
import pytest
import torch
from torch import nn

from gan_core import LOSSES, OPTIMIZERS, Trainer
from gan_core.draws import Draws, seeded
from gan_core.layers import MemberLinear, flat_gradient, flatten_parameters
from gan_core.members import STATS
from gan_core.optim import Stepper
from gan_core.remedies import (
    ADA_EVERY,
    AUGMENTATIONS,
    POOL_BATCHES,
    SCHEDULES,
    Controller,
    Replay,
    augment,
    clip_gradient,
    falling,
    mode_seeking,
    pack,
    reset,
    unroll,
)

DIGITS = {"dataset": "digits", "network": "dcgan", "width": 4}
OPERATIONS = {operation.__name__.strip("_"): operation for operation in AUGMENTATIONS}


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def _weights(trainer):
    tensors = trainer.state_dict()["tensors"]
    return {name: t for name, t in tensors.items() if name.startswith(("generator.", "discriminator."))}


def _assert_same_training(one, two):
    a, b = one.state_dict()["tensors"], two.state_dict()["tensors"]
    assert a.keys() == b.keys()
    assert [name for name in a if not torch.equal(a[name], b[name])] == []


def _stat(trainer, name, row=-1):
    return float(trainer.history[row][1][STATS.index(name), 0])


# Packing


@pytest.mark.parametrize("shape", [(2,), (1, 4, 4), (3, 4, 4)])
@pytest.mark.parametrize("m", [2, 3])
def test_a_pack_holds_neighbours_along_channels(m, shape):
    x = torch.randn(2, 6, *shape)
    packed = pack(x, m)
    for k in range(6 // m):
        expected = torch.cat([x[:, k * m + j] for j in range(m)], 1)
        assert torch.equal(packed[:, k], expected)


def test_a_pack_of_one_is_the_sample():
    x = torch.randn(2, 6, 3, 4, 4)
    assert torch.equal(pack(x, 1), x)


def test_training_with_packs_of_one_is_training_without(tiny):
    _assert_same_training(Trainer(tiny(pack=1)).train(5), Trainer(tiny()).train(5))


def test_packs_change_the_training(tiny):
    assert _stat(Trainer(tiny(pack=2)).train(1), "loss_d") != _stat(Trainer(tiny()).train(1), "loss_d")


def test_the_discriminator_of_packs_sees_all_samples_of_a_pack(tiny):
    discriminator = Trainer(tiny(pack=4)).member(0)[0].discriminator
    x = torch.randn(1, 5, 8, requires_grad=True)
    (gradient,) = torch.autograd.grad(discriminator(x).sum(), x)
    assert (gradient != 0).all()


# Mode seeking


@pytest.mark.parametrize("shape", [(2,), (1, 4, 4)])
@pytest.mark.parametrize("batch", [1, 6])
def test_mode_seeking_is_the_formula_of_the_paper_member_by_member(batch, shape):
    x1, x2, z1, z2 = (torch.randn(3, batch, *s) for s in (shape, shape, (5,), (5,)))
    expected = []
    for e in range(3):
        dx = np.mean([np.abs(x1[e, i].numpy() - x2[e, i].numpy()).mean() for i in range(batch)])
        dz = np.mean([np.abs(z1[e, i].numpy() - z2[e, i].numpy()).mean() for i in range(batch)])
        expected.append(1 / (dx / dz + 1e-5))
    np.testing.assert_allclose(mode_seeking(x1, x2, z1, z2).numpy(), expected, rtol=1e-5)


def test_mode_seeking_of_a_collapsed_generator_is_finite_and_large():
    x, z = torch.zeros(1, 4, 2), torch.randn(2, 1, 4, 3)
    value = mode_seeking(x, x, *z)
    assert value.item() == pytest.approx(1e5)


def test_mode_seeking_asks_samples_to_move_apart():
    low, high = torch.tensor([[[0.0]]], requires_grad=True), torch.tensor([[[1.0]]], requires_grad=True)
    down, up = torch.autograd.grad(mode_seeking(low, high, *torch.randn(2, 1, 1, 3)).sum(), (low, high))
    assert down.item() > 0 > up.item()


# Clipping of gradients


def test_a_long_gradient_is_cut_to_the_bound():
    clipped = clip_gradient(10 * torch.randn(3, 50), torch.full((3, 1), 0.5))
    torch.testing.assert_close(clipped.norm(dim=1), torch.full((3,), 0.5))


def test_a_long_gradient_keeps_its_direction():
    gradient = 10 * torch.randn(3, 50)
    clipped = clip_gradient(gradient, torch.full((3, 1), 0.5))
    torch.testing.assert_close(torch.cosine_similarity(clipped, gradient), torch.ones(3))


def test_a_gradient_below_the_bound_stays_to_the_bit():
    gradient = torch.randn(3, 50)
    assert torch.equal(clip_gradient(gradient, torch.full((3, 1), 1e3)), gradient)


def test_bound_zero_clips_nothing():
    gradient = 1e6 * torch.randn(3, 50)
    assert torch.equal(clip_gradient(gradient, torch.zeros(3, 1)), gradient)


def test_a_zero_gradient_stays_zero():
    assert torch.equal(clip_gradient(torch.zeros(1, 5), torch.ones(1, 1)), torch.zeros(1, 5))


def test_the_derivative_at_a_zero_gradient_is_finite():
    """Unrolling differentiates through it; a discriminator beyond the hinge loss's margin has no gradient."""
    gradient = torch.zeros(1, 5, requires_grad=True)
    (derivative,) = torch.autograd.grad(clip_gradient(gradient, torch.ones(1, 1)).sum(), gradient)
    assert torch.equal(derivative, torch.ones(1, 5))


def test_each_member_has_a_bound_of_its_own():
    gradient = torch.full((3, 4), 10.0)  # of norm 20
    norms = clip_gradient(gradient, torch.tensor([[0.0], [5.0], [50.0]])).norm(dim=1)
    torch.testing.assert_close(norms, torch.tensor([20.0, 5.0, 20.0]))


def test_clipped_plain_gradient_descent_moves_by_rate_times_bound(tiny):
    trainer = Trainer(tiny(optimizer="sgd", beta1=0.0, lr_d=0.1, grad_clip=1e-3))
    flat = trainer.member(0)[0].opt_d.flat
    before = flat.clone()
    trainer.step()
    assert (flat - before).norm().item() == pytest.approx(1e-4, rel=1e-2)


# What falls with time


@pytest.mark.parametrize(("step", "left"), [(0, 1.0), (25, 0.75), (50, 0.5), (100, 0.0), (500, 0.0)])
def test_falls_linearly_to_zero(step, left):
    torch.testing.assert_close(falling(torch.tensor([2.0, 4.0]), step, 100), left * torch.tensor([2.0, 4.0]))


def test_falls_never_without_an_end():
    assert falling(torch.tensor(3.0), 10**6, 0) == 3


def test_instance_noise_that_has_fallen_is_no_noise(tiny):
    noisy, plain = Trainer(tiny(instance_noise=2.0, instance_noise_steps=1)), Trainer(tiny())
    start = plain.state_dict()
    for trainer in (noisy, plain):
        state = {**start, "configs": trainer.state_dict()["configs"]}
        state["cursors"] = {**start["cursors"], "count": 1}
        trainer.load_state_dict(state)
        trainer.train(2)
    assert _weights(noisy).keys() == _weights(plain).keys()
    assert all(torch.equal(_weights(noisy)[k], _weights(plain)[k]) for k in _weights(plain))


def test_instance_noise_changes_what_the_discriminator_sees(tiny):
    assert _stat(Trainer(tiny(instance_noise=2.0)).train(1), "real_logit") != _stat(Trainer(tiny()).train(1), "real_logit")


CLOSED = {  # factor at 0, a half and 1, for an end of 0.2
    "constant": (1.0, 1.0, 1.0),
    "linear": (1.0, 0.6, 0.2),
    "exponential": (1.0, math.sqrt(0.2), 0.2),
    "cosine": (1.0, 0.6, 0.2),
}


@pytest.mark.parametrize(("t", "place"), [(0.0, 0), (0.5, 1), (1.0, 2)])
@pytest.mark.parametrize("name", SCHEDULES)
def test_schedule_at(name, t, place):
    assert SCHEDULES[name].factor(t, 0.2) == pytest.approx(CLOSED[name][place])


def test_cosine_at_a_quarter_is_the_formula():
    assert SCHEDULES["cosine"].factor(0.25, 0.0) == pytest.approx((1 + math.sqrt(0.5)) / 2)


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedule_never_rises(name):
    values = [SCHEDULES[name].factor(t, 0.1) for t in np.linspace(0, 1, 101)]
    assert all(b <= a + 1e-12 for a, b in zip(values, values[1:], strict=False))


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedule_stays_at_its_end_beyond_the_planned_length(name):
    assert SCHEDULES[name].factor(1.7, 0.1) == pytest.approx(SCHEDULES[name].factor(1.0, 0.1))


@pytest.mark.parametrize("part", ["generator", "discriminator"])
def test_a_rate_that_falls_to_nothing_stops_the_training_at_the_planned_length(tiny, part):
    trainer = Trainer(tiny(steps=4, lr_schedule="linear", lr_end=0.0)).train(4)
    before = _weights(trainer)
    after = _weights(trainer.train(2))
    assert all(torch.equal(before[k], after[k]) for k in before if k.startswith(part))


@pytest.mark.parametrize("name", SCHEDULES)
def test_the_second_of_five_steps_moves_by_the_factor_at_a_quarter(tiny, name):
    """With plain gradient descent, clipped to a norm that is always reached, a step is as long as its rate."""
    trainer = Trainer(tiny(steps=5, optimizer="sgd", beta1=0.0, lr_g=0.5, grad_clip=1e-3, lr_schedule=name, lr_end=0.2))
    trainer.step()
    flat = trainer.member(0)[0].opt_g.flat
    before = flat.clone().double()
    trainer.step()
    moved = (flat.double() - before).norm().item()
    assert moved == pytest.approx(0.5e-3 * SCHEDULES[name].factor(0.25, 0.2), rel=1e-2)


# Unrolling


class _Tiny(nn.Module):
    """A smooth discriminator of numbers (E, B, 1)."""

    def __init__(self, members=1, hidden=3):
        super().__init__()
        self.one, self.two = MemberLinear(members, 1, hidden), MemberLinear(members, hidden, 1)
        for layer in (self.one, self.two):
            layer.initialise([seeded(k, "tiny") for k in range(members)])

    def forward(self, x):
        return self.two(self.one(x).tanh())[..., 0]


def _prepared(kind, members=1, warm=2):
    """A discriminator in float64 with an optimiser that has taken some steps: (discriminator, stepper, parameters)."""
    discriminator = _Tiny(members).double()
    stepper = Stepper(kind, flatten_parameters(discriminator, members))
    parameters = list(discriminator.parameters())
    for k in range(warm):
        loss = discriminator(torch.full((members, 4, 1), 0.3 * k + 0.1).double()).square().mean(1)
        stepper.step(flat_gradient(loss.sum(), parameters, members), _rate(members), 0.5, 0.9)
    return discriminator, stepper, parameters


def _rate(members=1):
    return torch.linspace(0.05, 0.1, members, dtype=torch.float64)[:, None]


def _objective(real, fake):
    return lambda judge: LOSSES["nonsaturating"].d(judge(real), judge(fake)).mean(1)


def _numbers(members=1, n=6):
    return torch.randn(members, n, 1, dtype=torch.float64)


@pytest.mark.parametrize("steps", [1, 2, 5])
@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_unrolled_is_the_discriminator_after_that_many_real_updates(kind, steps):
    discriminator, stepper, parameters = _prepared(kind, members=2)
    real, fake, probe = _numbers(2), _numbers(2), _numbers(2, 9)
    ahead = unroll(discriminator, stepper, parameters, _objective(real, fake), steps, _rate(2), 0.5, 0.9)(probe)
    for _ in range(steps):
        gradient = flat_gradient(_objective(real, fake)(discriminator).sum(), parameters, 2)
        stepper.step(gradient, _rate(2), 0.5, 0.9)
    torch.testing.assert_close(ahead, discriminator(probe), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_unrolled_by_no_steps_is_the_discriminator(kind):
    discriminator, stepper, parameters = _prepared(kind)
    probe = _numbers()
    ahead = unroll(discriminator, stepper, parameters, _objective(_numbers(), _numbers()), 0, _rate(), 0.5, 0.9)
    assert torch.equal(ahead(probe), discriminator(probe))


@pytest.mark.parametrize("what", ["weights", "slots", "count"])
@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_unrolling_leaves_the_discriminator_and_its_optimiser_as_they_are(kind, what):
    discriminator, stepper, parameters = _prepared(kind)

    def state():
        return {
            "weights": [p.detach().clone() for p in discriminator.parameters()],
            "slots": [s.clone() for s in stepper.slots],
            "count": [torch.tensor(stepper.count)],
        }[what]

    before, fake = state(), _numbers().requires_grad_()
    ahead = unroll(discriminator, stepper, parameters, _objective(_numbers(), fake), 3, _rate(), 0.5, 0.9)
    ahead(fake).sum().backward()
    assert all(torch.equal(a, b) for a, b in zip(before, state(), strict=True))


@pytest.mark.parametrize("steps", [1, 3])
@pytest.mark.parametrize("warm", [0, 2])
@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_the_gradient_through_the_updates_agrees_with_finite_differences(kind, warm, steps):
    discriminator, stepper, parameters = _prepared(kind, warm=warm)
    real, z = _numbers(), _numbers()

    def loss(theta):
        fake = theta[0] * z + theta[1]
        ahead = unroll(discriminator, stepper, parameters, _objective(real, fake), steps, _rate(), 0.5, 0.9)
        return LOSSES["nonsaturating"].g(ahead(fake), None).mean()

    theta = torch.tensor([0.7, -0.4], dtype=torch.float64, requires_grad=True)
    (found,) = torch.autograd.grad(loss(theta), theta)
    h = 1e-5
    expected = [(loss(theta + h * e) - loss(theta - h * e)).item() / (2 * h) for e in torch.eye(2, dtype=torch.float64)]
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-5, atol=1e-8)


class _Dirac(nn.Module):
    """D(x) = psi x."""

    def __init__(self, psi):
        super().__init__()
        self.psi = nn.Parameter(torch.tensor([[psi]], dtype=torch.float64))

    def forward(self, x):
        return self.psi * x[..., 0]


@pytest.mark.parametrize("steps", [0, 1, 4])
def test_dirac_gan_unrolled_has_the_gradient_that_follows_by_hand(steps):
    """Wasserstein, plain descent at rate a: psi falls by a theta in each step, so L_G = -psi theta + k a theta²."""
    psi, theta, a = 0.3, 0.7, 0.05
    discriminator = _Dirac(psi)
    stepper = Stepper("sgd", flatten_parameters(discriminator, 1))
    fake = torch.tensor([[[theta]]], dtype=torch.float64, requires_grad=True)
    real = torch.zeros_like(fake)

    def objective(judge):
        return (judge(fake) - judge(real)).mean(1)

    rate = torch.tensor([[a]], dtype=torch.float64)
    ahead = unroll(discriminator, stepper, list(discriminator.parameters()), objective, steps, rate, 0.0, 0.0)
    (gradient,) = torch.autograd.grad(-ahead(fake).sum(), fake)
    assert gradient.item() == pytest.approx(-psi + 2 * steps * a * theta)


def test_members_are_unrolled_apart():
    """Another member's samples change nothing."""
    results = []
    for other in (0.0, 5.0):
        discriminator, stepper, parameters = _prepared("adam", members=2)
        generator = torch.Generator().manual_seed(1)
        real = torch.randn(2, 6, 1, dtype=torch.float64, generator=generator)
        fake = torch.randn(2, 6, 1, dtype=torch.float64, generator=generator)
        fake[1] += other
        ahead = unroll(discriminator, stepper, parameters, _objective(real, fake), 3, _rate(2), 0.5, 0.9)
        results.append(ahead(real)[0])
    assert torch.equal(*results)


def test_training_unrolled_by_no_steps_is_plain_training(tiny):
    _assert_same_training(Trainer(tiny(unroll_steps=0)).train(5), Trainer(tiny()).train(5))


def test_unrolling_by_updates_of_rate_zero_is_plain_training(tiny):
    plain, ahead = (Trainer(tiny(lr_d=0.0, unroll_steps=k)).train(5) for k in (0, 2))
    torch.testing.assert_close(_weights(ahead), _weights(plain), rtol=1e-4, atol=1e-6)


def test_the_reported_generators_loss_is_that_under_the_unrolled_discriminator(tiny):
    """With a still generator and plain descent, looking one update ahead at G's batch lowers D's objective there."""
    here, ahead = (Trainer(tiny(optimizer="sgd", lr_d=0.5, lr_g=0.0, unroll_steps=k)).train(1) for k in (0, 3))
    assert _stat(ahead, "loss_g") > _stat(here, "loss_g")


@pytest.mark.parametrize("network", ["mlp", "dcgan"])
@pytest.mark.parametrize("spectral_norm", ["none", "both"])
def test_an_unrolled_generator_step_leaves_the_discriminator_alone(tiny, network, spectral_norm):
    changes = {"dataset": "digits", "network": network, "width": 4, "spectral_norm": spectral_norm}
    plain, ahead = (Trainer(tiny(**changes, unroll_steps=k)).train(1).state_dict()["tensors"] for k in (0, 2))
    names = [name for name in plain if name.startswith(("discriminator.", "opt_d."))]
    assert [name for name in names if not torch.equal(plain[name], ahead[name])] == []


def test_an_unrolled_discriminators_batches_leave_no_trace_in_its_normalisation(tiny):
    """A look ahead is no step: what normalises has seen as many batches as without it."""
    config = tiny(**DIGITS, image_size=16, batch_norm="both")
    plain, ahead = (Trainer(config.but(unroll_steps=k)).train(1).state_dict()["tensors"] for k in (0, 2))
    name = next(name for name in plain if name.startswith("discriminator.") and name.endswith("num_batches_tracked"))
    assert int(ahead[name]) <= int(plain[name])


def test_unrolled_updates_are_clipped_as_real_ones_are(tiny):
    """Gradients of no length to speak of move nothing, so the generator sees the discriminator as it is."""
    changes = {"optimizer": "sgd", "lr_d": 1.0, "grad_clip": 1e-9}
    here, ahead = (Trainer(tiny(**changes, unroll_steps=k)).train(1) for k in (0, 3))
    assert _stat(ahead, "loss_g") == pytest.approx(_stat(here, "loss_g"), abs=1e-6)


def test_unrolled_weights_are_kept_in_their_box_as_real_ones_are(tiny):
    """In a box of 1e-6 no weight can make a logit that differs from 0, so the generator's loss is ln 2."""
    trainer = Trainer(tiny(penalty="clip", penalty_weight=1e-6, lr_d=0.1, unroll_steps=2)).train(1)
    assert _stat(trainer, "loss_g") == pytest.approx(math.log(2), abs=1e-5)


# Replay


def _share(value, members=2):
    return torch.full((members, 1), float(value))


def _filled(members=2, batch=6, shape=(3,)):
    """A pool that has seen some batches, and the stream it draws from."""
    replay, draws = Replay(), Draws(range(members), "replay")
    for _ in range(30):
        replay.mix(torch.randn(members, batch, *shape), _share(0.5, members), draws)
    return replay, draws


@pytest.mark.parametrize("what", ["returned", "kept"])
def test_a_share_of_zero_returns_the_new_samples_and_keeps_the_pool(what):
    replay, draws = _filled()
    pool, fake = replay.pool.clone(), torch.randn(2, 6, 3)
    mixed = replay.mix(fake, _share(0), draws)
    assert torch.equal(mixed, fake) if what == "returned" else torch.equal(replay.pool, pool)


def _rows(x):
    return {tuple(row) for row in x.flatten(1).tolist()}


@pytest.mark.parametrize("member", [0, 1])
def test_a_share_of_one_returns_only_samples_of_the_members_pool(member):
    replay, draws = _filled()
    pool = replay.pool.clone()
    mixed = replay.mix(torch.randn(2, 6, 3), _share(1), draws)
    assert _rows(mixed[member]) <= _rows(pool[member])


def test_a_share_of_one_keeps_all_new_samples():
    replay, draws = _filled()
    fake = torch.randn(2, 6, 3)
    replay.mix(fake, _share(1), draws)
    assert _rows(fake[0]) <= _rows(replay.pool[0])


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_nothing_is_lost_and_nothing_doubled(share):
    replay, draws = _filled()
    fake = torch.randn(2, 6, 3)
    before = torch.cat([replay.pool, fake], 1)
    after = torch.cat([replay.mix(fake, _share(share), draws), replay.pool], 1)
    for member in range(2):
        assert sorted(before[member].tolist()) == sorted(after[member].tolist())


def test_the_first_batch_comes_back_whatever_the_share():
    fake = torch.randn(2, 6, 3)
    mixed = Replay().mix(fake, _share(0.7), Draws([0, 1], "replay"))
    assert _rows(mixed[1]) <= _rows(fake[1])


def test_the_pool_holds_as_many_batches_as_the_field_says():
    assert _filled()[0].pool.shape == (2, POOL_BATCHES * 6, 3)


@pytest.mark.parametrize("share", [0.2, 0.5])
def test_the_right_share_is_swapped_on_average(share):
    (replay, draws), swapped, n = _filled(1, 16, (1,)), 0, 200
    for _ in range(n):
        fake = torch.randn(1, 16, 1)
        swapped += (replay.mix(fake, _share(share, 1), draws) != fake).sum().item()
    assert swapped / (16 * n) == pytest.approx(share, abs=4 * math.sqrt(share * (1 - share) / (16 * n)))


def test_each_member_has_a_share_of_its_own():
    replay, draws = _filled()
    fake = torch.randn(2, 6, 3)
    mixed = replay.mix(fake, torch.tensor([[0.0], [1.0]]), draws)
    assert [torch.equal(mixed[0], fake[0]), bool((mixed[1] == fake[1]).any())] == [True, False]


def test_old_samples_stay_some_time_and_leave():
    """A swap hits a slot with probability share / 8 in each step, so a sample stays 8 / share steps on average."""
    replay, draws = Replay(), Draws([0], "replay")
    replay.mix(torch.zeros(1, 32, 1), _share(1, 1), draws)
    left = []
    for _ in range(40):
        replay.mix(torch.ones(1, 32, 1), _share(0.5, 1), draws)
        left.append((replay.pool == 0).float().mean().item())
    expected = (1 - 0.5 / POOL_BATCHES) ** np.arange(1, 41)
    np.testing.assert_allclose(left, expected, atol=0.12)


def test_training_from_a_state_does_not_change_that_state(tiny):
    config = tiny(replay=0.5)
    state = Trainer(config).train(3).state_dict()
    kept = {name: t.clone() for name, t in state["tensors"].items()}
    trainer = Trainer(config)
    trainer.load_state_dict(state)
    trainer.train(3)
    assert [name for name in kept if not torch.equal(kept[name], state["tensors"][name])] == []


# Augmentation


def _images(members=1, batch=16, channels=3, size=8):
    return torch.rand(members, batch, channels, size, size) * 2 - 1


def test_the_same_seed_changes_images_in_the_same_way():
    x = _images(2)
    assert torch.equal(augment(x, Draws([3, 4], "augment")), augment(x, Draws([3, 4], "augment")))


def test_another_draw_changes_them_in_another_way():
    x, draws = _images(), Draws([3], "augment")
    assert not torch.equal(augment(x, draws), augment(x, draws))


def test_members_are_augmented_by_streams_of_their_own():
    x = _images(2)
    together = augment(x, Draws([3, 4], "augment"))
    alone = augment(x[1:], Draws([4], "augment"))
    torch.testing.assert_close(together[1:], alone)


@pytest.mark.parametrize("name", OPERATIONS)
def test_the_gradient_flows_through(name):
    x = _images()[0].requires_grad_()
    (gradient,) = torch.autograd.grad(OPERATIONS[name](x, torch.rand(16, 3)).square().sum(), x)
    assert [bool(gradient.isfinite().all()), bool((gradient.flatten(1) != 0).any(1).all())] == [True, True]


def test_the_gradient_flows_through_all_of_them_to_each_image():
    x = _images().requires_grad_()
    (gradient,) = torch.autograd.grad(augment(x, Draws([0], "augment")).square().sum(), x)
    assert (gradient[0].flatten(1) != 0).any(1).all()


def _by_hand(name, image, u):
    """DiffAugment's operations on one image (C, H, W), after the authors' code, with numbers in [0, 1)."""
    size = image.shape[-1]
    if name == "brightness":
        return image + (u[0] - 0.5)
    if name == "saturation":
        grey = image.mean(0, keepdims=True)
        return grey + (image - grey) * (2 * u[0])
    if name == "contrast":
        return image.mean() + (image - image.mean()) * (u[0] + 0.5)
    out = image.copy()
    if name == "shift":
        most = int(size * 0.125 + 0.5)
        down, right = (int(n * (2 * most + 1)) - most for n in u[:2])
        out[:] = -1
        for i in range(size):
            for j in range(size):
                if 0 <= i + down < size and 0 <= j + right < size:
                    out[:, i, j] = image[:, i + down, j + right]
        return out
    cut = int(size * 0.5 + 0.5)
    top, left = (int(n * (size + 1 - cut % 2)) - cut // 2 for n in u[:2])
    out[:, max(0, top) : max(0, top + cut), max(0, left) : max(0, left + cut)] = 0
    return out


@pytest.mark.parametrize("size", [8, 12, 28])
@pytest.mark.parametrize("name", OPERATIONS)
def test_operation_agrees_with_a_loop(name, size):
    x, u = _images(batch=40, size=size)[0], torch.rand(40, 3)
    expected = np.stack([_by_hand(name, image.numpy(), numbers.tolist()) for image, numbers in zip(x, u, strict=True)])
    np.testing.assert_allclose(OPERATIONS[name](x, u).numpy(), expected, atol=2e-6)


def test_shift_uses_every_place_evenly():
    x = torch.zeros(9000, 1, 8, 8)
    x[:, :, 4, 4] = 1
    moved = OPERATIONS["shift"](x, torch.rand(9000, 3))
    places = moved[:, 0].mean(0)[3:6, 3:6]  # an eighth of 8 is 1 pixel
    torch.testing.assert_close(places, torch.full((3, 3), 1 / 9), atol=4 * math.sqrt(1 / 9 * 8 / 9 / 9000), rtol=0)


def test_cutout_covers_both_ends_of_an_image_equally():
    grid = (torch.arange(64 * 9) + 0.5) / (64 * 9)  # all places evenly
    numbers = torch.stack([grid, torch.full_like(grid, 0.5), grid], 1)
    covered = 1 - OPERATIONS["cutout"](torch.ones(len(grid), 1, 8, 8), numbers).mean((0, 1))
    torch.testing.assert_close(covered, covered.flip(0), atol=1e-6, rtol=0)


def test_with_probability_zero_images_stay():
    x = _images(2)
    assert torch.equal(augment(x, Draws([0, 1], "augment"), torch.zeros(2)), x)


def test_with_probability_one_all_is_done():
    x = _images(2)
    sure, always = (augment(x, Draws([0, 1], "augment"), p) for p in (torch.ones(2), None))
    assert torch.equal(sure, always)


def test_each_member_has_a_probability_of_its_own():
    x = _images(2)
    changed = augment(x, Draws([0, 1], "augment"), torch.tensor([0.0, 1.0])) != x
    assert [bool(changed[0].any()), bool(changed[1].flatten(1).any(1).all())] == [False, True]


def test_brightness_comes_with_the_probability_that_is_asked_for():
    """Of the operations only brightness changes all pixels of a flat image."""
    n, p = 4000, 0.3
    changed = augment(torch.full((1, n, 1, 8, 8), 0.25), Draws([0], "augment"), torch.tensor([p]))
    share = 1 - (changed == 0.25).flatten(2).any(-1).float().mean().item()
    assert share == pytest.approx(p, abs=4 * math.sqrt(p * (1 - p) / n))


# ADA


def _controlled(logits, target=0.6, times=1, images=1000, batch=10, members=1):
    controller = Controller(members, torch.device("cpu"))
    for _ in range(times * ADA_EVERY):
        controller.see(logits, target, images, batch)
    return controller.p


def test_strength_rises_while_the_discriminator_is_too_sure():
    assert _controlled(torch.ones(1, 10)).item() == pytest.approx(ADA_EVERY * 10 / 1000)


def test_strength_falls_while_it_is_not_sure():
    controller = Controller(1, torch.device("cpu"))
    controller.p += 0.5
    for _ in range(ADA_EVERY):
        controller.see(-torch.ones(1, 10), 0.6, 1000, 10)
    assert controller.p.item() == pytest.approx(0.5 - ADA_EVERY * 10 / 1000)


@pytest.mark.parametrize(("positive", "rises"), [(9, True), (7, False)])
def test_what_counts_is_the_mean_sign(positive, rises):
    """9 of 10 positive signs have a mean of 0.8, 7 of 10 of 0.4; the target is 0.6."""
    logits = torch.tensor([[0.01] * positive + [-100.0] * (10 - positive)])
    assert bool(_controlled(logits) > 0) is rises


@pytest.mark.parametrize(("sign", "end"), [(1, 1.0), (-1, 0.0)])
def test_strength_stays_between_zero_and_one(sign, end):
    assert _controlled(sign * torch.ones(1, 10), times=100, images=100).item() == end


def test_strength_goes_from_zero_to_one_in_that_many_images():
    batch, images = 10, 1000
    before, at = (_controlled(torch.ones(1, batch), times=t, images=images, batch=batch).item() for t in (24, 25))
    assert before < 1
    assert at == pytest.approx(1, abs=1e-5)


def test_strength_moves_only_every_few_steps():
    controller = Controller(1, torch.device("cpu"))
    seen = []
    for _ in range(2 * ADA_EVERY):
        controller.see(torch.ones(1, 10), 0.6, 1000, 10)
        seen.append(controller.p.item())
    assert len(set(seen)) == 3


def test_each_member_has_a_strength_of_its_own():
    p = _controlled(torch.stack([torch.ones(10), -torch.ones(10)]), members=2)
    assert p.tolist() == pytest.approx([0.04, 0.0])


def test_ada_of_strength_zero_is_no_augmentation(tiny):
    """The first four steps of a run."""
    ada, plain = (Trainer(tiny(**DIGITS, augment=a)).train(4) for a in ("ada", "none"))
    assert all(torch.equal(_weights(ada)[k], _weights(plain)[k]) for k in _weights(plain))


def test_ada_rises_in_a_run_whose_target_is_below_any_sign(tiny):
    trainer = Trainer(tiny(**DIGITS, augment="ada", ada_target=0.0, ada_images=1000, lr_g=0.0, lr_d=1e-2)).train(16)
    assert trainer.member(0)[0].controller.p.item() > 0


# Partial reset


def _reset_case(share, members=2, weights=4000):
    flat, fresh = torch.zeros(members, weights), torch.ones(members, weights)
    stepper = Stepper("adam", flat)
    for slot in stepper.slots:
        slot.fill_(7)
    reset(flat, fresh, stepper, torch.tensor(share)[:, None], Draws(range(members), "reset_d"))
    return flat, stepper


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 1.0])
def test_the_right_share_of_the_weights_is_reset(share):
    flat, _ = _reset_case([share, share])
    error = math.sqrt(share * (1 - share) / 4000)
    assert flat.mean(1).tolist() == pytest.approx([share, share], abs=4 * error)


def test_each_member_resets_a_share_of_its_own():
    flat, _ = _reset_case([0.0, 1.0])
    assert flat.mean(1).tolist() == [0.0, 1.0]


def test_members_reset_different_weights():
    flat, _ = _reset_case([0.5, 0.5])
    assert not torch.equal(flat[0], flat[1])


@pytest.mark.parametrize("slot", [0, 1])
def test_the_optimiser_forgets_the_reset_weights_and_only_those(slot):
    flat, stepper = _reset_case([0.3, 0.3])
    assert torch.equal(stepper.slots[slot], torch.where(flat == 1, 0.0, 7.0))


def _reset_run(tiny, part, **changes):
    """The same run to step 2 with and without a reset at that step, of half the weights: two states."""
    changes = {"lr_g": 1e-4, "lr_d": 1e-4, **changes}
    without = Trainer(tiny(**changes)).train(2)
    having = Trainer(tiny(**changes, reset_every=2, reset_fraction=0.5, reset_network=part)).train(2)
    return without.member(0)[0], having.member(0)[0]


LETTERS = {"generator": "g", "discriminator": "d"}


@pytest.mark.parametrize("part", LETTERS)
def test_a_reset_leaves_the_other_network_alone(tiny, part):
    without, having = _reset_run(tiny, part)
    other = {"generator": "opt_d", "discriminator": "opt_g"}[part]
    assert torch.equal(getattr(without, other).flat, getattr(having, other).flat)


@pytest.mark.parametrize("part", LETTERS)
def test_a_reset_of_both_resets(tiny, part):
    without, having = _reset_run(tiny, "both")
    opt = f"opt_{LETTERS[part]}"
    assert not torch.equal(getattr(without, opt).flat, getattr(having, opt).flat)


@pytest.mark.parametrize("part", LETTERS)
def test_reset_weights_lie_in_the_range_of_fresh_ones(tiny, part):
    """A weight of an MLP starts between ±1/sqrt(inputs); weights of 100 before the reset show which are fresh."""
    trainer = Trainer(tiny(lr_g=0.0, lr_d=0.0, reset_every=1, reset_fraction=0.5, reset_network=part))
    stepper = getattr(trainer.member(0)[0], f"opt_{LETTERS[part]}")
    stepper.flat.fill_(100)
    trainer.step()
    fresh = stepper.flat[stepper.flat != 100]
    assert [0.3 < len(fresh) / stepper.flat.numel() < 0.7, bool(fresh.abs().max() <= 1)] == [True, True]


def test_two_resets_do_not_bring_the_same_weights(tiny):
    trainer = Trainer(tiny(lr_g=0.0, lr_d=0.0, reset_every=1, reset_fraction=1.0))
    flat = trainer.member(0)[0].opt_d.flat
    trainer.step()
    first = flat.clone()
    trainer.step()
    assert not (first == flat).any()


@pytest.mark.parametrize("every", [1, 2, 3])
def test_resets_come_at_their_period(tiny, every):
    trainer = Trainer(tiny(lr_g=0.0, lr_d=0.0, reset_every=every, reset_fraction=1.0))
    flat = trainer.member(0)[0].opt_d.flat
    changed = []
    for step in range(1, 8):
        before = flat.clone()
        trainer.step()
        if not torch.equal(before, flat):
            changed.append(step)
    assert changed == list(range(every, 8, every))


def test_after_a_reset_a_normed_layers_largest_singular_value_is_one(tiny):
    trainer = Trainer(tiny(spectral_norm="both", reset_every=1, reset_fraction=1.0, reset_network="both")).train(1)
    for part in LETTERS:
        for layer in getattr(trainer.member(0)[0], f"_constrained_{LETTERS[part]}"):
            largest = torch.linalg.matrix_norm(layer.used_weight()[0], 2).item()
            assert largest == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("part", LETTERS)
def test_the_first_step_after_a_reset_moves_a_weight_no_further_than_the_first_of_a_run(tiny, part):
    """Adam without bias correction would begin with (1 - β1) / sqrt(1 - β2) times the rate."""
    trainer = Trainer(tiny(reset_every=20, reset_fraction=1.0, reset_network=part)).train(20)
    stepper = getattr(trainer.member(0)[0], f"opt_{LETTERS[part]}")
    before = stepper.flat.clone()
    trainer.step()
    assert (stepper.flat - before).abs().max().item() <= 1e-3 * 1.05
