import copy
from dataclasses import replace

import pytest
import torch
from torch.func import functional_call

from gan_core.draws import seeded
from gan_core.layers import Head, Spec, flatten_parameters
from gan_core.networks import NETWORKS, MLPDiscriminator

GAMES = {name: network for name, network in NETWORKS.items() if network.adversarial}

Z, WIDTH, DEPTH, BATCH, LEVELS = 5, 8, 2, 6, 4
SHAPES = [(2,), *[(channels, size, size) for size in (8, 12, 28, 32, 64) for channels in (1, 3)]]
CASES = [
    pytest.param(name, shape, id=f"{name}-{'x'.join(map(str, shape))}")
    for name, network in GAMES.items()
    for shape in SHAPES
    if len(shape) == 3 or not network.images_only
]


def _spec(shape=(1, 8, 8), **changes):
    return replace(Spec(1, Z, shape, shape, WIDTH, DEPTH, "generator", LEVELS), **changes)


def _pair(name, spec, seed=0):
    modules = GAMES[name].generator(spec), GAMES[name].discriminator(spec)
    for k, module in enumerate(modules):
        module.initialise([seeded(seed + member, f"init{k}") for member in range(spec.members)])
    return modules


def _normal(*shape, seed=0):
    return torch.randn(shape, generator=seeded(seed, "test"))


def _inputs(generator, batch=BATCH):
    """Latents, and noise where the generator takes it."""
    numbers = getattr(generator, "noise_numbers", 0)
    return _normal(1, batch, Z), _normal(1, batch, numbers, seed=1) if numbers else None


def _left_alone(module, gradients):
    return [name for (name, _), g in zip(module.named_parameters(), gradients, strict=True) if g is None or not g.any()]


@pytest.mark.parametrize(("name", "shape"), CASES)
def test_generator_makes_samples_of_the_datas_shape(name, shape):
    generator, _ = _pair(name, _spec(shape))
    assert generator(*_inputs(generator)).shape == (1, BATCH, *shape)


@pytest.mark.parametrize(("name", "shape"), CASES)
def test_generator_does_without_noise(name, shape):
    generator, _ = _pair(name, _spec(shape))
    assert generator(_normal(1, BATCH, Z)).shape == (1, BATCH, *shape)


@pytest.mark.parametrize(("name", "shape"), CASES)
def test_discriminator_gives_as_many_features_as_it_says(name, shape):
    _, discriminator = _pair(name, _spec(shape))
    assert discriminator(_normal(1, BATCH, *shape)).shape == (1, BATCH, discriminator.features)


@pytest.mark.parametrize("name", GAMES)
def test_discriminator_may_see_more_channels_than_an_image_has(name):
    _, discriminator = _pair(name, _spec((3, 12, 12), seen=(11, 12, 12)))
    assert discriminator(_normal(1, BATCH, 11, 12, 12)).shape == (1, BATCH, discriminator.features)


@pytest.mark.parametrize("batch_norm", ["none", "generator", "both"])
@pytest.mark.parametrize(("name", "shape"), CASES)
def test_gradients_reach_all_parameters(name, shape, batch_norm):
    generator, discriminator = _pair(name, _spec(shape, batch_norm=batch_norm))
    parameters = [list(module.parameters()) for module in (generator, discriminator)]
    loss = discriminator(generator(*_inputs(generator))).square().sum()
    gradients = torch.autograd.grad(loss, sum(parameters, []))
    cut = len(parameters[0])
    assert _left_alone(generator, gradients[:cut]) == []
    assert _left_alone(discriminator, gradients[cut:]) == []


@pytest.mark.parametrize("batch_norm", ["none", "generator"])
@pytest.mark.parametrize(("name", "shape"), CASES)
def test_features_depend_on_their_own_sample_only(name, shape, batch_norm):
    """Otherwise no per-sample gradient penalty would be valid."""
    _, discriminator = _pair(name, _spec(shape, batch_norm=batch_norm))
    x = _normal(1, BATCH, *shape).requires_grad_()
    (gradient,) = torch.autograd.grad(discriminator(x)[0, 2].sum(), x)
    touched = gradient.flatten(2).abs().sum(-1)[0] > 0
    assert touched.tolist() == [k == 2 for k in range(BATCH)]


@pytest.mark.parametrize("name", [name for name, network in GAMES.items() if network.uses_batch_norm])
def test_batch_normalisation_is_where_the_spec_says(name):
    def normed(module):
        return any(isinstance(m, torch.nn.BatchNorm2d) for m in module.modules())

    found = {kind: tuple(map(normed, _pair(name, _spec((1, 32, 32), batch_norm=kind)))) for kind in ("none", "generator", "both")}
    assert found == {"none": (False, False), "generator": (True, False), "both": (True, True)}


@pytest.mark.parametrize("name", GAMES)
def test_batch_normalisation_keeps_its_usual_eps(name):
    """A `BatchNorm2d(c, 0.8)` found elsewhere sets eps to 0.8."""
    modules = [m for part in _pair(name, _spec(batch_norm="both")) for m in part.modules()]
    assert {m.eps for m in modules if isinstance(m, torch.nn.BatchNorm2d)} <= {1e-5}


@pytest.mark.parametrize("name", GAMES)
def test_a_gradient_penalty_can_be_differentiated(name):
    """Against a difference quotient of the penalty along a random direction of the weights."""
    _, discriminator = _pair(name, _spec((1, 12, 12)))
    head = Head(1, discriminator.features)
    head.initialise([seeded(0, "head")])
    discriminator.double(), head.double()
    flat = flatten_parameters(discriminator, 1)
    x = _normal(1, BATCH, 1, 12, 12).double().requires_grad_()

    def penalty():
        (slope,) = torch.autograd.grad(head(discriminator(x)).sum(), x, create_graph=True)
        return slope.square().sum()

    direction = _normal(*flat.shape, seed=2).double() * flat.std()
    gradients = torch.autograd.grad(penalty(), list(discriminator.parameters()), allow_unused=True, materialize_grads=True)
    expected = (torch.cat([g.reshape(1, -1) for g in gradients], 1) * direction).sum().item()
    start, step = flat.clone(), 1e-6
    values = []
    for sign in (1, -1):
        flat.copy_(start + sign * step * direction)
        values.append(penalty().item())
    assert (values[0] - values[1]) / (2 * step) == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("name", GAMES)
def test_the_generators_slope_can_be_differentiated(name):
    """What a regulariser of path lengths needs."""
    generator, _ = _pair(name, _spec((1, 12, 12)))
    z, noise = _inputs(generator)
    z.requires_grad_()
    images = generator(z, noise)
    (slope,) = torch.autograd.grad((images * _normal(*images.shape, seed=2)).sum(), z, create_graph=True)
    gradients = torch.autograd.grad(slope.square().sum(), list(generator.parameters()), allow_unused=True)
    assert any(g is not None and g.any() for g in gradients)
    assert all(g is None or g.isfinite().all() for g in gradients)


@pytest.mark.parametrize("name", GAMES)
def test_images_lie_within_minus_one_and_one(name):
    generator, _ = _pair(name, _spec())
    images = generator(100 * _normal(1, BATCH, Z), _inputs(generator)[1])
    assert images.min() >= -1
    assert images.max() <= 1


@pytest.mark.parametrize("name", [name for name, network in GAMES.items() if not network.images_only])
def test_points_are_not_bounded(name):
    generator, _ = _pair(name, _spec((2,)))
    assert generator(1e4 * _normal(1, BATCH, Z)).abs().max() > 1


@pytest.mark.parametrize("part", [0, 1])
@pytest.mark.parametrize("name", GAMES)
def test_only_the_seed_decides_the_weights(name, part):
    states = []
    with torch.random.fork_rng():
        for global_seed in (1, 2):
            torch.manual_seed(global_seed)
            states.append(_pair(name, _spec((1, 12, 12), batch_norm="both"))[part].state_dict())
    assert [key for key in states[0] if not torch.equal(states[0][key], states[1][key])] == []


@pytest.mark.parametrize("part", [0, 1])
@pytest.mark.parametrize("name", GAMES)
def test_initialising_draws_nothing_from_the_global_generator_and_forgets_what_was_there(name, part):
    module = _pair(name, _spec(batch_norm="both"))[part]
    fresh = copy.deepcopy(module.state_dict())
    for value in module.state_dict().values():
        value.fill_(7)
    before = torch.random.get_rng_state()
    module.initialise([seeded(0, f"init{part}")])
    assert torch.equal(torch.random.get_rng_state(), before)
    assert [key for key, value in module.named_parameters() if not torch.equal(value, fresh[key])] == []


@pytest.mark.parametrize("name", GAMES)
def test_another_seed_gives_other_weights(name):
    one, two = (_pair(name, _spec(), seed)[0] for seed in (0, 1))
    assert not torch.equal(one(*_inputs(one)), two(*_inputs(two)))


@pytest.mark.parametrize("name", GAMES)
def test_forward_is_deterministic_and_moves_running_statistics_only(name):
    generator, discriminator = _pair(name, _spec((1, 12, 12), batch_norm="both"))
    for module, inputs in ((generator, _inputs(generator)), (discriminator, (_normal(1, BATCH, 1, 12, 12),))):
        before = copy.deepcopy(module.state_dict())
        assert torch.equal(module(*inputs), module(*inputs))
        moved = {key for key, value in module.state_dict().items() if not torch.equal(value, before[key])}
        assert {key.rpartition(".")[2] for key in moved} <= {"running_mean", "running_var", "num_batches_tracked", "w_mean"}
        module.eval()
        before = copy.deepcopy(module.state_dict())
        module(*inputs)
        assert all(torch.equal(value, before[key]) for key, value in module.state_dict().items())


@pytest.mark.parametrize("name", GAMES)
def test_networks_work_from_flat_storage_and_from_given_parameters(name):
    generator, discriminator = _pair(name, _spec((1, 12, 12)))
    generator.eval()
    for module, inputs in ((generator, _inputs(generator)), (discriminator, (_normal(1, BATCH, 1, 12, 12),))):
        expected = module(*inputs)
        values = {key: value.detach().clone() for key, value in module.named_parameters()}
        flat = flatten_parameters(module, 1)
        torch.testing.assert_close(module(*inputs), expected)
        flat.mul_(1.5)
        assert not torch.equal(module(*inputs), expected)
        torch.testing.assert_close(functional_call(module, values, inputs), expected)


@pytest.mark.parametrize("name", [name for name, network in GAMES.items() if network.has_members])
@pytest.mark.parametrize("shape", [(2,), (1, 8, 8)])
def test_members_do_not_see_each_others_samples(name, shape):
    _, discriminator = _pair(name, _spec(shape, members=3))
    x = _normal(3, BATCH, *shape).requires_grad_()
    (gradient,) = torch.autograd.grad(discriminator(x)[1].sum(), x)
    assert gradient.flatten(1).any(1).tolist() == [False, True, False]


@pytest.mark.parametrize("name", GAMES)
def test_depth_adds_layers_exactly_where_the_entry_says_so(name):
    counts = [len(list(GAMES[name].discriminator(_spec(depth=depth)).parameters())) for depth in (1, 3)]
    assert (counts[1] > counts[0]) == GAMES[name].uses_depth


@pytest.mark.parametrize("name", GAMES)
def test_batch_norm_changes_the_networks_exactly_where_the_entry_says_so(name):
    counts = {
        sum(p.numel() for p in GAMES[name].generator(_spec(batch_norm=kind)).parameters()) for kind in ("none", "generator")
    }
    assert (len(counts) > 1) == GAMES[name].uses_batch_norm


def test_an_mlp_has_as_many_hidden_layers_as_depth_says():
    assert len(MLPDiscriminator(_spec((2,), depth=3)).stack.layers) == 3


def test_an_mlp_of_depth_one_is_the_textbook_formula():
    discriminator, head = MLPDiscriminator(_spec((2,), depth=1)), Head(1, WIDTH)
    for module in (discriminator, head):
        module.initialise([seeded(0, "x")])
    (first,), last = discriminator.stack.layers, head.logit
    x = _normal(1, BATCH, 2)
    hidden = x[0] @ first.weight[0] + first.bias[0]
    expected = torch.where(hidden > 0, hidden, 0.2 * hidden) @ last.weight[0] + last.bias[0]
    torch.testing.assert_close(head(discriminator(x))[0], expected[:, 0])


def test_dcgan_weights_start_with_deviation_0_02():
    """Radford et al. 2016, section 4."""
    _, discriminator = _pair("dcgan", _spec((1, 32, 32)))
    weights = torch.cat([p.flatten() for p in discriminator.parameters() if p.dim() > 1])
    assert weights.std().item() == pytest.approx(0.02, rel=0.05)


def test_resnet_weights_start_as_in_the_papers_code():
    """Glorot uniform with gain sqrt(2) in the branches, 1 elsewhere: variance gain² * 2 / (fan in + fan out)."""
    generator, _ = _pair("resnet", _spec((1, 32, 32), width=32))
    block = generator.stack[3]
    inputs, outputs = block.shortcut.in_channels, block.shortcut.out_channels
    assert block.first.weight.var().item() == pytest.approx(2 * 2 / (9 * (inputs + outputs)), rel=0.05)
    assert block.shortcut.weight.var().item() == pytest.approx(2 / (inputs + outputs), rel=0.05)
    assert generator.stack[0].weight.var().item() == pytest.approx(2 / (Z + generator.stack[0].out_features), rel=0.05)
    assert not generator.stack[0].bias.any()


@pytest.mark.parametrize(("place", "shape"), [(1, (2, 1, 32, 32)), (2, (2, WIDTH, 16, 16))], ids=["first", "second"])
def test_a_resnets_down_block_is_the_papers_formula(place, shape):
    """No ReLU touches the image itself. A shortcut pools first, which gives what convolving first would."""
    _, discriminator = _pair("resnet", _spec((1, 32, 32)))
    block, x = discriminator.stack[place], _normal(*shape)
    branch = block.second(block.first(x if place == 1 else x.relu()).relu())
    expected = torch.nn.functional.avg_pool2d(branch + block.shortcut(x), 2)
    torch.testing.assert_close(block(x), expected)


def test_no_bias_stands_where_batch_normalisation_would_remove_it():
    generator, _ = _pair("resnet", _spec((1, 32, 32)))
    assert [m.bias for block in generator.stack[3:6] for m in (block.first, block.second, block.shortcut)] == [None] * 9


def test_a_resnets_channels_stop_growing_at_eight_times_the_width():
    generator, discriminator = _pair("resnet", _spec((1, 128, 128), width=2))
    assert generator.stack[1].unflattened_size[0] == 16
    assert discriminator.features == 16


@pytest.mark.parametrize("name", NETWORKS)
def test_entry_has_title_text_source_use_and_cost(name):
    entry = NETWORKS[name]
    assert all([entry.title, entry.text, entry.source, entry.use, entry.cost])
