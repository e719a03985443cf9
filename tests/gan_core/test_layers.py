import math

import pytest
import torch
from torch import nn

from gan_core.draws import seeded
from gan_core.layers import MemberLinear, flat_gradient, flatten_parameters


def _layer(members=3, inputs=4, outputs=5):
    layer = MemberLinear(members, inputs, outputs)
    layer.initialise([seeded(k, "init") for k in range(members)])
    return layer


@pytest.mark.parametrize("member", range(3))
def test_each_member_is_a_linear_layer_of_its_own(member):
    layer, x = _layer(), torch.randn(3, 7, 4)
    alone = nn.Linear(4, 5)
    alone.weight.data = layer.weight[member].T
    alone.bias.data = layer.bias[member, 0]
    torch.testing.assert_close(layer(x)[member], alone(x[member]))


@pytest.mark.parametrize("part", ["weight", "bias"])
def test_initial_values_are_uniform_within_one_over_root_inputs(part):
    values = getattr(_layer(1, 100, 5000), part).detach()
    bound = 0.1
    error = 5 * bound / math.sqrt(values.numel())
    assert values.abs().max() <= bound
    assert values.mean().item() == pytest.approx(0, abs=error)
    assert values.std().item() == pytest.approx(bound / math.sqrt(3), abs=error)


def test_a_members_initial_weights_do_not_depend_on_its_company():
    both, alone = MemberLinear(2, 3, 3), MemberLinear(1, 3, 3)
    both.initialise([seeded(5, "x"), seeded(6, "x")])
    alone.initialise([seeded(6, "x")])
    assert torch.equal(both.weight[1], alone.weight[0])


def test_flat_storage_holds_the_values_that_were_there():
    layer = _layer()
    before = torch.cat([p.detach().reshape(3, -1).clone() for p in layer.parameters()], 1)
    assert torch.equal(flatten_parameters(layer, 3), before)


def test_writing_to_the_flat_storage_changes_the_layer():
    layer = _layer()
    flatten_parameters(layer, 3).zero_()
    assert not layer(torch.randn(3, 2, 4)).any()


def test_parameters_without_a_member_axis_can_be_flattened_for_one_member():
    stack = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
    assert flatten_parameters(stack, 1).shape == (1, sum(p.numel() for p in stack.parameters()))


def test_flat_gradient_stands_in_the_order_of_the_flat_storage():
    layer = _layer()
    flat = flatten_parameters(layer, 3)
    loss = sum((p**2).sum() for p in layer.parameters())
    torch.testing.assert_close(flat_gradient(loss, list(layer.parameters()), 3), 2 * flat)


def test_members_gradients_do_not_mix():
    layer = _layer()
    each = layer(torch.randn(3, 7, 4)).square().mean((1, 2))
    gradient = flat_gradient(each[1], list(layer.parameters()), 3)
    assert not gradient[[0, 2]].any()
