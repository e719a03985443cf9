import pytest
import torch

from gan_core import NETWORKS
from gan_core.draws import seeded
from gan_core.networks import conv_blocks

Z, WIDTH, DEPTH, BATCH = 5, 8, 2, 6
SHAPES = [(2,), *[(channels, size, size) for size in (8, 12, 20, 28, 32, 36) for channels in (1, 3)]]
CASES = [
    pytest.param(name, shape, id=f"{name}-{'x'.join(map(str, shape))}")
    for name, network in NETWORKS.items()
    for shape in SHAPES
    if len(shape) == 3 or not network.images_only
]


def _pair(name, shape, members=1, seed=0):
    generator = NETWORKS[name].generator(members, Z, shape, WIDTH, DEPTH)
    discriminator = NETWORKS[name].discriminator(members, shape, WIDTH, DEPTH)
    for k, module in enumerate((generator, discriminator)):
        module.initialise([seeded(seed + member, f"init{k}") for member in range(members)])
    return generator, discriminator


@pytest.mark.parametrize(("name", "shape"), CASES)
def test_generator_makes_samples_of_the_datas_shape(name, shape):
    generator, _ = _pair(name, shape)
    assert generator(torch.randn(1, BATCH, Z)).shape == (1, BATCH, *shape)


@pytest.mark.parametrize(("name", "shape"), CASES)
def test_discriminator_gives_one_logit_a_sample(name, shape):
    _, discriminator = _pair(name, shape)
    assert discriminator(torch.randn(1, BATCH, *shape)).shape == (1, BATCH)


@pytest.mark.parametrize(("name", "shape"), CASES)
def test_the_generators_gradient_reaches_all_its_parameters(name, shape):
    generator, discriminator = _pair(name, shape)
    discriminator(generator(torch.randn(1, 32, Z))).square().sum().backward()
    assert [n for n, p in generator.named_parameters() if p.grad is None or not p.grad.any()] == []


@pytest.mark.parametrize(("name", "shape"), CASES)
def test_the_discriminators_gradient_reaches_all_its_parameters(name, shape):
    _, discriminator = _pair(name, shape)
    discriminator(torch.randn(1, 32, *shape)).sum().backward()
    assert [n for n, p in discriminator.named_parameters() if p.grad is None or not p.grad.any()] == []


@pytest.mark.parametrize(("name", "shape"), CASES)
def test_a_logit_depends_on_its_own_sample_only(name, shape):
    """Otherwise no per-sample gradient penalty would be valid."""
    _, discriminator = _pair(name, shape)
    x = torch.randn(1, BATCH, *shape, requires_grad=True)
    (gradient,) = torch.autograd.grad(discriminator(x)[0, 2], x)
    touched = gradient.flatten(2).abs().sum(-1)[0] > 0
    assert touched.tolist() == [k == 2 for k in range(BATCH)]


@pytest.mark.parametrize("name", NETWORKS)
def test_images_lie_within_minus_one_and_one(name):
    generator, _ = _pair(name, (1, 8, 8))
    images = generator(100 * torch.randn(1, BATCH, Z))
    assert images.min() >= -1
    assert images.max() <= 1


@pytest.mark.parametrize("name", [name for name, network in NETWORKS.items() if not network.images_only])
def test_points_are_not_bounded(name):
    generator, _ = _pair(name, (2,))
    assert generator(1e4 * torch.randn(1, BATCH, Z)).abs().max() > 1


@pytest.mark.parametrize("name", NETWORKS)
def test_the_same_seed_gives_the_same_weights(name):
    one, two = (_pair(name, (1, 8, 8))[0].state_dict() for _ in range(2))
    assert all(torch.equal(one[key], two[key]) for key in one)


@pytest.mark.parametrize("name", NETWORKS)
def test_another_seed_gives_other_weights(name):
    one, two = (_pair(name, (1, 8, 8), seed=seed)[0](torch.ones(1, BATCH, Z)) for seed in (0, 1))
    assert not torch.equal(one, two)


@pytest.mark.parametrize("name", [name for name, network in NETWORKS.items() if network.has_members])
@pytest.mark.parametrize("shape", [(2,), (1, 8, 8)])
def test_members_do_not_see_each_others_samples(name, shape):
    _, discriminator = _pair(name, shape, members=3)
    x = torch.randn(3, BATCH, *shape, requires_grad=True)
    (gradient,) = torch.autograd.grad(discriminator(x)[1].sum(), x)
    assert gradient.flatten(1).any(1).tolist() == [False, True, False]


@pytest.mark.parametrize("name", NETWORKS)
def test_depth_adds_layers_exactly_where_the_entry_says_so(name):
    counts = [len(list(NETWORKS[name].discriminator(1, (1, 8, 8), WIDTH, depth).parameters())) for depth in (1, 3)]
    assert (counts[1] > counts[0]) == NETWORKS[name].uses_depth


def test_an_mlp_has_as_many_hidden_layers_as_depth_says():
    assert len(NETWORKS["mlp"].discriminator(1, (2,), WIDTH, 3).layers) == 3 + 1


def test_an_mlp_of_depth_one_is_the_textbook_formula():
    _, discriminator = _pair("mlp", (2,))
    shallow = NETWORKS["mlp"].discriminator(1, (2,), WIDTH, 1)
    shallow.initialise([seeded(0, "x")])
    first, last = shallow.layers
    x = torch.randn(1, BATCH, 2)
    hidden = x[0] @ first.weight[0] + first.bias[0]
    expected = torch.where(hidden > 0, hidden, 0.2 * hidden) @ last.weight[0] + last.bias[0]
    torch.testing.assert_close(shallow(x)[0], expected[:, 0])


def test_dcgan_weights_start_with_deviation_0_02():
    """Radford et al. 2016, section 4."""
    _, discriminator = _pair("dcgan", (1, 32, 32))
    weights = torch.cat([p.flatten() for p in discriminator.parameters() if p.dim() > 1])
    assert weights.std().item() == pytest.approx(0.02, rel=0.05)


def test_dcgan_batch_normalisation_keeps_its_usual_eps():
    """A `BatchNorm2d(c, 0.8)` found elsewhere sets eps to 0.8."""
    generator, _ = _pair("dcgan", (1, 8, 8))
    assert {m.eps for m in generator.modules() if isinstance(m, torch.nn.BatchNorm2d)} == {1e-5}


def test_dcgan_discriminator_has_no_batch_normalisation():
    _, discriminator = _pair("dcgan", (1, 8, 8))
    assert not [m for m in discriminator.modules() if isinstance(m, torch.nn.BatchNorm2d)]


@pytest.mark.parametrize("size", range(8, 129, 4))
def test_blocks_double_the_start_back_to_the_size(size):
    start, blocks = conv_blocks(size)
    assert start * 2**blocks == size


@pytest.mark.parametrize("name", NETWORKS)
def test_entry_has_title_text_and_source(name):
    assert all([NETWORKS[name].title, NETWORKS[name].text, NETWORKS[name].source])
