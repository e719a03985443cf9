import pytest
import torch

from gan_core import OPTIMIZERS
from gan_core.optim import Stepper

BETA1, BETA2 = 0.5, 0.9
REFERENCE = {
    "adam": lambda p, lr: torch.optim.Adam([p], lr, betas=(BETA1, BETA2)),
    "sgd": lambda p, lr: torch.optim.SGD([p], lr, momentum=BETA1),
    "rmsprop": lambda p, lr: torch.optim.RMSprop([p], lr, alpha=BETA2),
}
RATES = [1e-3, 3e-2, 0.2]


def _gradient(flat, step):
    """Of a bumpy function, with entries of very different size, some exactly zero."""
    scale = torch.logspace(-4, 2, flat.shape[-1])
    gradient = scale * torch.sin(3 * flat + step)
    gradient[..., 0] = 0
    return gradient


@pytest.mark.parametrize("member", range(len(RATES)))
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_twenty_steps_agree_with_torch_at_each_members_own_rate(name, member):
    torch.manual_seed(0)
    start = torch.randn(len(RATES), 10)
    stepper = Stepper(name, start.clone())
    alone = start[member].clone().requires_grad_()
    reference = REFERENCE[name](alone, RATES[member])
    for step in range(20):
        stepper.step(_gradient(stepper.flat, step), torch.tensor(RATES)[:, None], BETA1, BETA2)
        alone.grad = _gradient(alone.detach(), step)
        reference.step()
    torch.testing.assert_close(stepper.flat[member], alone.detach(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_rate_zero_moves_nothing(name):
    flat = torch.randn(2, 5)
    before = flat.clone()
    Stepper(name, flat).step(torch.randn(2, 5), torch.zeros(2, 1), BETA1, BETA2)
    assert torch.equal(flat, before)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_zero_gradient_from_the_start_moves_nothing(name):
    flat = torch.randn(2, 5)
    before = flat.clone()
    Stepper(name, flat).step(torch.zeros(2, 5), torch.ones(2, 1), BETA1, BETA2)
    assert torch.equal(flat, before)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_works_in_place(name):
    flat = torch.randn(2, 5)
    stepper = Stepper(name, flat)
    stepper.step(torch.ones(2, 5), torch.ones(2, 1), BETA1, BETA2)
    assert stepper.flat is flat


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_betas_of_zero_are_allowed(name):
    flat = torch.randn(2, 5)
    Stepper(name, flat).step(torch.ones(2, 5), torch.ones(2, 1), 0.0, 0.0)
    assert flat.isfinite().all()


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_remembers_as_many_tensors_as_it_says(name):
    assert len(Stepper(name, torch.zeros(1, 3)).slots) == OPTIMIZERS[name].slots


# Looking ahead


def _started(name, scale, seed=0):
    """A stepper with a step behind it, and a gradient of that size with a zero in it."""
    generator = torch.Generator().manual_seed(seed)
    stepper = Stepper(name, torch.randn(2, 12, generator=generator))
    gradients = [scale * torch.randn(2, 12, generator=generator) for _ in range(2)]
    for gradient in gradients:
        gradient[:, 0] = 0
    stepper.step(gradients[0], torch.full((2, 1), 1e-3), BETA1, BETA2)
    return stepper, gradients[1]


def _ahead(stepper, gradient, lr):
    return OPTIMIZERS[stepper.kind].ahead(stepper.flat, gradient, stepper.slots, stepper.count + 1, lr, BETA1, BETA2)


@pytest.mark.parametrize("scale", [1e-10, 1e-8, 1e-7, 1e-6, 1e-4, 1.0, 1e3])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_ahead_gives_the_weights_of_the_next_update(name, scale):
    stepper, gradient = _started(name, scale)
    lr = torch.tensor([[1e-3], [1e-2]])
    found, _ = _ahead(stepper, gradient, lr)
    stepper.step(gradient, lr, BETA1, BETA2)
    torch.testing.assert_close(found, stepper.flat, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_ahead_remembers_what_the_update_remembers(name):
    stepper, gradient = _started(name, 1.0)
    lr = torch.full((2, 1), 1e-3)
    _, found = _ahead(stepper, gradient, lr)
    stepper.step(gradient, lr, BETA1, BETA2)
    torch.testing.assert_close(found, stepper.slots, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_ahead_changes_nothing_in_place(name):
    stepper, gradient = _started(name, 1.0)
    before = [stepper.flat.clone(), *(slot.clone() for slot in stepper.slots)]
    _ahead(stepper, gradient, torch.full((2, 1), 1e-3))
    assert all(torch.equal(a, b) for a, b in zip(before, [stepper.flat, *stepper.slots], strict=True))


@pytest.mark.parametrize("steps", [1, 3])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_derivative_through_zero_gradients_is_finite(name, steps):
    gradient = torch.zeros(1, 5, requires_grad=True)
    flat, slots = torch.ones(1, 5), [torch.zeros(1, 5) for _ in range(OPTIMIZERS[name].slots)]
    for step in range(1, steps + 1):
        flat, slots = OPTIMIZERS[name].ahead(flat, gradient, slots, step, torch.full((1, 1), 1e-3), BETA1, BETA2)
    (derivative,) = torch.autograd.grad(flat.sum(), gradient)
    assert derivative.isfinite().all()


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_derivative_of_an_update_agrees_with_finite_differences(name):
    generator = torch.Generator().manual_seed(0)
    flat, gradient = (torch.randn(1, 4, dtype=torch.float64, generator=generator) for _ in range(2))
    slots = [torch.rand(1, 4, dtype=torch.float64, generator=generator) for _ in range(OPTIMIZERS[name].slots)]
    lr = torch.full((1, 1), 0.1, dtype=torch.float64)

    def moved(gradient):
        return OPTIMIZERS[name].ahead(flat, gradient, slots, 3, lr, BETA1, BETA2)[0]

    assert torch.autograd.gradcheck(moved, gradient.requires_grad_(), eps=1e-6, atol=1e-8)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_forgotten_weights_start_like_fresh_ones(name):
    """SGD and RMSprop keep nothing but their slots; Adam's bias correction counts each weight's own steps."""
    stepper, gradient = _started(name, 1.0)
    for _ in range(50):
        stepper.step(gradient, torch.full((2, 1), 1e-3), BETA1, BETA2)
    where = torch.zeros(2, 12, dtype=torch.bool)
    where[:, 3] = True
    stepper.forget(where)
    before = stepper.flat.clone()
    stepper.step(gradient, torch.full((2, 1), 1e-3), BETA1, BETA2)
    fresh = Stepper(name, before.clone())
    fresh.step(gradient, torch.full((2, 1), 1e-3), BETA1, BETA2)
    torch.testing.assert_close(stepper.flat[:, 3], fresh.flat[:, 3], rtol=1e-6, atol=1e-6)
