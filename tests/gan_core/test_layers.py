import copy
import math

import pytest
import torch
from torch import nn

from gan_core.draws import seeded
from gan_core.layers import (
    KERNEL_SIZE,
    Conv2d,
    ConvTranspose2d,
    Head,
    Linear,
    MemberLinear,
    MinibatchDiscrimination,
    constrain,
    constrained,
    conv_blocks,
    flat_gradient,
    flatten_parameters,
    minibatch_deviation,
)


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


@pytest.mark.parametrize("size", range(8, 129, 4))
def test_blocks_double_the_start_back_to_the_size(size):
    start, blocks = conv_blocks(size)
    assert start * 2**blocks == size
    assert blocks >= 1


NORMED = {
    "member_linear": (lambda: MemberLinear(3, 6, 4), (3, 7, 6)),
    "linear": (lambda: Linear(6, 4), (7, 6)),
    "conv": (lambda: Conv2d(3, 5, 3, padding=1), (7, 3, 8, 8)),
    "transposed": (lambda: ConvTranspose2d(3, 5, 4, 2, 1), (7, 3, 8, 8)),
}


def _matrix(weight):
    """(E, out, in) of a weight, as the papers count it."""
    if weight.dim() == 3:
        return weight.mT
    return (weight.transpose(0, 1) if weight.shape == (3, 5, 4, 4) else weight).flatten(1)[None]


def _normed(name):
    make, shape = NORMED[name]
    layer, generator = make(), seeded(0, "weights")
    with torch.no_grad():
        for p in layer.parameters():
            p.normal_(generator=generator)
    return layer, torch.randn(shape, generator=generator)


def _members(layer):
    return [seeded(k, "norm") for k in range(len(layer.matrix()))]


@pytest.mark.parametrize("name", NORMED)
def test_spectral_normalisation_makes_the_largest_singular_value_one(name):
    layer, _ = _normed(name)
    weight = layer.weight
    before = torch.linalg.svdvals(_matrix(weight))[:, 0]
    constrain(layer, _members(layer))
    for _ in range(200):
        layer.norm.refresh(layer.matrix().detach())
    torch.testing.assert_close(layer.norm(layer.matrix()), before, rtol=1e-3, atol=0)
    largest = torch.linalg.svdvals(_matrix(layer.used_weight()))[:, 0]
    torch.testing.assert_close(largest, torch.ones_like(largest), rtol=1e-3, atol=0)


@pytest.mark.parametrize("name", NORMED)
def test_the_first_iterations_already_come_close(name):
    layer, _ = _normed(name)
    constrain(layer, _members(layer))
    torch.testing.assert_close(layer.norm(layer.matrix()), torch.linalg.svdvals(layer.matrix())[:, 0], rtol=0.05, atol=0)


@pytest.mark.parametrize("name", NORMED)
def test_a_constrained_layer_computes_with_the_divided_weight(name):
    layer, x = _normed(name)
    nothing = copy.deepcopy(layer)
    nothing.weight.data.zero_()
    constrain(layer, _members(layer))
    sigma = layer.norm(layer.matrix()).detach().reshape(-1, *[1] * (x.dim() - 1))  # one, or one a member
    free = copy.deepcopy(layer)
    free.norm = None
    bias = nothing(x)
    torch.testing.assert_close(layer(x), (free(x) - bias) / sigma + bias, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", NORMED)
def test_the_derivative_of_a_constrained_layer_sees_the_division(name):
    """Sigma = uᵀ W v with u and v constant: the gradient along W of a function of W / sigma is 0."""
    layer, x = _normed(name)
    constrain(layer, _members(layer))
    layer.bias.data.zero_()
    (gradient,) = torch.autograd.grad(layer(x).square().sum(), layer.weight)
    assert (gradient * layer.weight).sum().abs() < 1e-4 * (gradient * gradient).sum().sqrt() * layer.weight.norm()


@pytest.mark.parametrize("name", NORMED)
def test_using_a_constrained_layer_moves_nothing(name):
    layer, x = _normed(name)
    constrain(layer, _members(layer))
    before = copy.deepcopy(layer.state_dict())
    assert torch.equal(layer(x), layer(x))
    assert all(torch.equal(value, before[key]) for key, value in layer.state_dict().items())


def test_every_layer_of_a_network_is_constrained():
    stack = nn.Sequential(Conv2d(1, 2, 3), nn.BatchNorm2d(2), ConvTranspose2d(2, 1, 4), nn.Flatten(), Linear(1, 3))
    assert constrained(stack) == []
    constrain(stack, [seeded(0, "norm")])
    assert constrained(stack) == [stack[0], stack[2], stack[4]]


def test_a_members_singular_vectors_do_not_depend_on_its_company():
    both = _layer(2)
    alone = MemberLinear(1, 4, 5)
    alone.weight.data = both.weight.data[1:].clone()
    both.constrain([seeded(5, "x"), seeded(6, "x")])
    alone.constrain([seeded(6, "x")])
    torch.testing.assert_close(both.norm.u[1], alone.norm.u[0])


def test_constrained_weights_follow_the_flat_storage():
    layer = _layer()
    constrain(layer, _members(layer))
    flat, x = flatten_parameters(layer, 3), torch.ones(3, 2, 4)
    layer.bias.data.zero_()
    before = layer(x)
    flat.mul_(2)
    torch.testing.assert_close(layer(x), before)


MEMBERS, BATCH, FEATURES, GROUP = 2, 8, 5, 4


def _features(seed=0, count=BATCH):
    return torch.randn((MEMBERS, count, FEATURES), generator=seeded(seed, "features"))


def _deviation(samples):
    """Of a list of feature vectors, averaged over the features."""
    return torch.stack(samples).var(0, correction=0).add(1e-8).sqrt().mean().item()


def test_minibatch_deviation_is_that_of_each_group():
    h = _features()
    expected = [
        [_deviation(list(h[e, b // GROUP * GROUP : b // GROUP * GROUP + GROUP])) for b in range(BATCH)] for e in range(MEMBERS)
    ]
    torch.testing.assert_close(minibatch_deviation(h, GROUP)[..., 0], torch.tensor(expected))


def test_minibatch_deviation_with_a_context_is_that_of_the_sample_among_it():
    h, context = _features(), _features(1, 6)
    expected = [[_deviation([h[e, b], *context[e, : GROUP - 1]]) for b in range(BATCH)] for e in range(MEMBERS)]
    torch.testing.assert_close(minibatch_deviation(h, GROUP, context)[..., 0], torch.tensor(expected))


def test_minibatch_deviation_of_equal_samples_has_a_finite_gradient():
    h = torch.ones(MEMBERS, BATCH, FEATURES, requires_grad=True)
    (gradient,) = torch.autograd.grad(minibatch_deviation(h, GROUP).sum(), h)
    assert gradient.isfinite().all()


def _discrimination(kernels=3):
    module = MinibatchDiscrimination(MEMBERS, FEATURES, kernels)
    module.tensor.initialise([seeded(k, "kernels") for k in range(MEMBERS)])
    return module


def _closeness(module, e, sample, others):
    """Salimans et al. 2016, section 3.2, term by term."""

    def matrix(x):
        return (x @ module.tensor.weight[e] + module.tensor.bias[e, 0]).reshape(module.kernels, KERNEL_SIZE)

    return sum(torch.exp(-(matrix(sample) - matrix(other)).abs().sum(1)) for other in others)


def test_minibatch_discrimination_is_the_papers_sum():
    module, h = _discrimination(), _features()
    expected = torch.stack([torch.stack([_closeness(module, e, h[e, b], h[e]) for b in range(BATCH)]) for e in range(MEMBERS)])
    torch.testing.assert_close(module(h), expected)


def test_minibatch_discrimination_with_a_context_sums_over_it_and_the_sample():
    module, h, context = _discrimination(), _features(), _features(1, 6)
    expected = torch.stack(
        [torch.stack([_closeness(module, e, h[e, b], [h[e, b], *context[e]]) for b in range(BATCH)]) for e in range(MEMBERS)]
    )
    torch.testing.assert_close(module(h, context), expected)


CLASSES = 4


def _head(**options):
    head = Head(MEMBERS, FEATURES, CLASSES, **options)
    head.initialise([seeded(k, "head") for k in range(MEMBERS)])
    return head


def test_a_plain_head_is_linear():
    head, h = _head(), _features()
    expected = torch.stack([h[e] @ head.logit.weight[e, :, 0] + head.logit.bias[e, 0, 0] for e in range(MEMBERS)])
    torch.testing.assert_close(head(h), expected)


def test_projection_adds_the_product_with_the_labels_vector():
    """f(x, y) = vᵧᵀ phi(x) + psi(phi(x)) (Miyato and Koyama 2018, equation 3), and its derivative."""
    head, h = _head(projection=True), _features().requires_grad_()
    labels = torch.randint(CLASSES, (MEMBERS, BATCH), generator=seeded(0, "labels"))
    vectors = torch.stack([head.projection.weight[e, labels[e]] for e in range(MEMBERS)])  # (E, B, F)
    logits = head(h, labels)
    torch.testing.assert_close(logits, (vectors * h).sum(2) + head.logit(h)[..., 0])
    (gradient,) = torch.autograd.grad(logits.sum(), h)
    torch.testing.assert_close(gradient, vectors + head.logit.weight.mT)


def test_the_auxiliary_classifier_is_linear():
    head, h = _head(auxiliary=True), _features()
    expected = torch.stack([h[e] @ head.classifier.weight[e] + head.classifier.bias[e] for e in range(MEMBERS)])
    torch.testing.assert_close(head.classify(h), expected)


@pytest.mark.parametrize("context", [None, _features(1, 6)], ids=["batch", "context"])
def test_a_head_appends_what_it_sees_of_the_batch(context):
    head, h = _head(group=GROUP, kernels=3), _features()
    parts = torch.cat([h, minibatch_deviation(h, GROUP, context), head.similarity(h, context)], 2)
    torch.testing.assert_close(head(h, context=context), head.logit(parts)[..., 0])


def test_with_a_context_a_logit_depends_on_its_own_sample_only():
    head, h = _head(group=GROUP, kernels=3), _features().requires_grad_()
    (gradient,) = torch.autograd.grad(head(h, context=_features(1, 6))[:, 2].sum(), h)
    assert gradient.any(2).tolist() == [[b == 2 for b in range(BATCH)]] * MEMBERS


def test_a_heads_gradient_reaches_all_its_parameters():
    head, h = _head(projection=True, auxiliary=True, group=GROUP, kernels=3), _features()
    labels = torch.arange(BATCH).remainder(CLASSES).expand(MEMBERS, -1)
    loss = head(h, labels).square().sum() + head.classify(h).square().sum()
    gradients = torch.autograd.grad(loss, list(head.parameters()), allow_unused=True)
    untouched = [name for (name, _), g in zip(head.named_parameters(), gradients, strict=True) if g is None or not g.any()]
    assert untouched == []
