import numpy as np
import pytest
import torch
from PIL import Image

from gan_core import DataError
from gan_core.data import load
from gan_core.source import Source, data_folder, quantised


@pytest.mark.parametrize("size", [12, 28])
def test_resizing_agrees_with_pillow(size):
    native, resized = load("digits").x[:20, 0], load(Source("digits", size)).x[:20, 0]
    expected = [np.asarray(Image.fromarray(x.numpy()).resize((size, size), Image.Resampling.BILINEAR)) for x in native]
    np.testing.assert_allclose(resized.numpy(), np.stack(expected), atol=1e-4)


@pytest.mark.parametrize("size", [12, 20, 32])
def test_resized_images_stay_within_minus_one_and_one(size):
    x = load(Source("digits", size)).x
    assert x.shape == (1797, 1, size, size)
    assert x.min() >= -1
    assert x.max() <= 1


def test_resizing_keeps_the_labels():
    assert torch.equal(load(Source("digits", 12)).labels, load("digits").labels)


def test_resizing_leaves_the_native_images_alone():
    load(Source("digits", 12))
    assert load("digits").shape == (1, 8, 8)


def test_an_image_set_that_would_take_too_much_memory_is_refused():
    with pytest.raises(
        DataError, match=r"1,797 images of 1000 x 1000 with 1 channel would take 7.2 GB.*image_size to 544 or less"
    ):
        load(Source("digits", 1000))


def test_grey_in_colour_is_three_times_the_same():
    x = load(Source("digits", channels=3)).x
    assert torch.equal(x, load("digits").x.expand(-1, 3, -1, -1))


@pytest.mark.parametrize("levels", [2, 3, 5, 17, 256])
def test_quantised_values_are_the_nearest_of_evenly_spaced_ones(levels):
    x = torch.rand(1000, generator=torch.Generator().manual_seed(0)) * 2 - 1
    values = torch.linspace(-1, 1, levels)
    torch.testing.assert_close(quantised(x, levels), values[(x[:, None] - values).abs().argmin(1)])


def test_two_levels_cut_at_zero():
    assert quantised(torch.tensor([-1, -1e-3, 0, 1e-3, 1]), 2).tolist() == [-1, -1, 1, 1, 1]


def test_levels_of_a_source_quantise_its_images():
    assert load(Source("digits", levels=3)).x.unique().tolist() == [-1, 0, 1]


def test_images_are_resized_before_they_are_quantised():
    assert load(Source("digits", 12, levels=2)).x.unique().tolist() == [-1, 1]


def test_256_levels_leave_images_of_bytes_as_they_are():
    x = torch.arange(256) / 127.5 - 1
    torch.testing.assert_close(quantised(x, 256), x)


def test_the_environment_names_the_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("GAN_PLAYGROUND_DATA", str(tmp_path))
    assert data_folder() == tmp_path
