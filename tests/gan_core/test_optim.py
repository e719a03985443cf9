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
