from math import sqrt

import pytest
import torch
from torch.nn.functional import conv2d, leaky_relu

from gan_core.draws import seeded
from gan_core.layers import Spec, constrain
from gan_core.style import ModulatedConv, StyleGenerator, ToImage

B, Z, CHANNELS = 4, 6, 3


def _normal(*shape, seed=0):
    return torch.randn(shape, generator=seeded(seed, "test"))


def _draw(module, seed=0):
    """Random weights, not the initial ones, so that no part is switched off."""
    generator = seeded(seed, "weights")
    with torch.no_grad():
        for p in module.parameters():
            p.normal_(generator=generator)
    return module


def _generator(size=16, width=4):
    generator = StyleGenerator(Spec(1, Z, (CHANNELS, size, size), (CHANNELS, size, size), width, 2))
    generator.initialise([seeded(0, "init")])
    return generator


def _noise(generator, seed=1):
    return _normal(B, generator.noise_numbers, seed=seed)


def test_demodulated_outputs_have_unit_variance():
    """For independent inputs of unit variance, whatever the weights and the style (Karras et al. 2020, section 2.2)."""
    conv = _draw(ModulatedConv(5, 7, 8))
    x, w = _normal(B, 5, 128, 128), 3 * _normal(B, 8, seed=1)
    inner = conv(x, w)[:, :, 1:-1, 1:-1]  # at the border some inputs are padding
    assert inner.var((2, 3)).sub(1).abs().max() < 0.15
    assert inner.var((2, 3)).mean().item() == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("gain", [1.0, sqrt(2)])
def test_scaled_channels_equal_modulated_weights(gain):
    """Equations 1 and 3, with a grouped convolution: one group a sample."""
    conv = _draw(ModulatedConv(5, 7, 8, gain))
    x, w = _normal(B, 5, 9, 9), _normal(B, 8, seed=1)
    weight = conv.conv.weight[None] * conv.style(w)[:, None, :, None, None]  # (B, out, in, 3, 3)
    weight = weight / weight.square().sum((2, 3, 4), keepdim=True).sqrt() * gain
    expected = conv2d(x.reshape(1, B * 5, 9, 9), weight.flatten(0, 1), padding=1, groups=B).reshape(B, 7, 9, 9)
    torch.testing.assert_close(conv(x, w), expected, rtol=1e-5, atol=1e-5)


def test_the_images_convolution_equals_modulated_weights():
    conv = _draw(ToImage(5, 3, 8))
    x, w = _normal(B, 5, 9, 7), _normal(B, 8, seed=1)
    weight = conv.conv.weight[None] * conv.style(w)[:, None, :, None, None]
    expected = conv2d(x.reshape(1, B * 5, 9, 7), weight.flatten(0, 1), groups=B).reshape(B, 3, 9, 7)
    torch.testing.assert_close(conv(x, w), expected, rtol=1e-5, atol=1e-5)


def test_a_demodulated_convolution_does_not_feel_its_spectral_norm():
    conv = _draw(ModulatedConv(5, 7, 8))
    x, w = _normal(B, 5, 9, 9), _normal(B, 8, seed=1)
    before = conv(x, w)
    constrain(conv.conv, [seeded(0, "norm")])
    assert conv.conv.norm is not None
    torch.testing.assert_close(conv(x, w), before, rtol=1e-4, atol=1e-4)


def test_activations_start_at_a_moderate_size():
    generator = _generator(32, 16)
    seen = []
    hooks = [
        layer.register_forward_hook(lambda _, __, output: seen.append(output.square().mean().item())) for layer in generator.convs
    ]
    with torch.no_grad():
        generator.synthesise(generator.map(_normal(64, Z)))
    for hook in hooks:
        hook.remove()
    assert len(seen) == len(generator.convs)
    assert all(0.1 < value < 2 for value in seen)  # bilinear upsampling takes some of the variance


@pytest.mark.parametrize("scale", [0.1, 10])
def test_the_length_of_latents_does_not_count(scale):
    generator = _generator()
    z = _normal(B, Z)
    torch.testing.assert_close(generator.map(scale * z), generator.map(z), rtol=1e-4, atol=1e-5)


def test_mapping_is_normalisation_and_four_layers():
    generator = _draw(_generator())
    z = _normal(B, Z)
    h = z / z.square().mean(1, keepdim=True).sqrt()
    linear = [m for m in generator.mapping if isinstance(m, torch.nn.Linear)]
    assert len(linear) == 4
    for layer in linear:
        h = leaky_relu(h @ layer.weight.T + layer.bias, 0.2)
    torch.testing.assert_close(generator.map(z), h, rtol=1e-4, atol=1e-4)


def test_forward_maps_and_synthesises():
    generator = _generator().eval()
    z, noise = _normal(1, B, Z), _noise(generator)
    assert torch.equal(generator(z, noise[None])[0], generator.synthesise(generator.map(z[0]), noise))


@pytest.mark.parametrize(
    ("size", "layers", "pixels"), [(8, 4, 16 + 2 * 64), (32, 8, 16 + 2 * (64 + 256 + 1024)), (12, 6, 9 + 2 * (36 + 144))]
)
def test_number_of_styles_and_noises(size, layers, pixels):
    generator = _generator(size)
    assert (generator.layers, generator.noise_numbers) == (layers, pixels)


def test_noise_of_strength_zero_has_no_effect():
    generator = _generator()
    w = generator.map(_normal(B, Z))
    assert torch.equal(generator.synthesise(w, _noise(generator)), generator.synthesise(w))


def test_every_number_of_the_noise_counts():
    generator = _generator()
    with torch.no_grad():
        for layer in generator.convs:
            layer.strength.fill_(0.5)
    noise = _noise(generator).requires_grad_()
    image = generator.synthesise(generator.map(_normal(B, Z)), noise)
    (gradient,) = torch.autograd.grad((image * _normal(*image.shape, seed=2)).sum(), noise)
    assert gradient.all()


def test_noise_moves_its_own_sample_only():
    generator = _generator()
    with torch.no_grad():
        for layer in generator.convs:
            layer.strength.fill_(0.5)
    w, noise = generator.map(_normal(B, Z)), _noise(generator)
    other = noise.clone()
    other[2] = _noise(generator, 5)[2]
    change = (generator.synthesise(w, noise) - generator.synthesise(w, other)).flatten(1).abs().amax(1)
    assert (change > 1e-4).tolist() == [k == 2 for k in range(B)]


def test_each_layer_reads_its_own_style():
    generator = _generator()
    w = generator.map(_normal(B, Z)).detach()[:, None].repeat(1, generator.layers, 1).requires_grad_()
    image = generator.synthesise(w)
    (gradient,) = torch.autograd.grad((image * _normal(*image.shape, seed=2)).sum(), w)
    assert gradient.any(2).all()


def test_truncation_by_one_leaves_styles():
    generator = _generator()
    generator.w_mean.normal_(generator=seeded(3, "mean"))
    w = generator.map(_normal(B, Z))
    torch.testing.assert_close(generator.truncate(w, 1), w)


def test_truncation_by_zero_gives_the_mean():
    generator = _generator()
    generator.w_mean.normal_(generator=seeded(3, "mean"))
    w = generator.map(_normal(B, Z))
    assert torch.equal(generator.truncate(w, 0), generator.w_mean.expand_as(w))
    layered = w[:, None].expand(-1, generator.layers, -1)
    assert torch.equal(generator.truncate(layered, 0.5)[:, 0], generator.truncate(w, 0.5))


@pytest.mark.parametrize("from_a", [False, True])
def test_mixing_none_or_all_layers_is_a_single_style(from_a):
    generator = _generator()
    a, b = generator.map(_normal(B, Z)), generator.map(_normal(B, Z, seed=1))
    mixed = generator.mix(a, b, generator.layers if from_a else 0)
    assert mixed.shape == (B, generator.layers, a.shape[1])
    assert torch.equal(generator.synthesise(mixed), generator.synthesise(a if from_a else b))


def test_mixing_takes_coarse_layers_from_the_first():
    generator = _generator()
    a, b = generator.map(_normal(B, Z)), generator.map(_normal(B, Z, seed=1))
    mixed = generator.mix(a, b, 2)
    assert [torch.equal(mixed[:, k], a) for k in range(generator.layers)] == [k < 2 for k in range(generator.layers)]
    assert [torch.equal(mixed[:, k], b) for k in range(generator.layers)] == [k >= 2 for k in range(generator.layers)]


def test_the_mean_style_moves_in_train_mode_only():
    generator = _generator()
    z = _normal(1, B, Z)
    generator.eval()(z)
    assert not generator.w_mean.any()
    generator.train()(z)
    torch.testing.assert_close(generator.w_mean, 0.005 * generator.map(z[0]).mean(0))
    before = generator.w_mean.clone()
    generator.synthesise(generator.map(z[0]))
    assert torch.equal(generator.w_mean, before)


def test_the_mean_style_has_no_gradient():
    generator = _generator()
    generator(_normal(1, B, Z)).sum().backward()
    assert not generator.w_mean.requires_grad
