import io

import numpy as np
import pytest
import torch
from PIL import Image

from gan_core import RunError, Trainer
from gan_core.data import load
from gan_core.frames import HEAT, IMAGES, POINTS, extent, live_frame, pack, png_grid, real_frame, unpack

ARRAYS = {
    "bytes": b"seven b",
    "odd": np.arange(5, dtype=np.uint8),
    "floats": np.linspace(0, 1, 6, dtype=np.float32).reshape(3, 2),
    "whole": np.array([[1, -2]], np.int64),
    "empty": np.zeros((0, 2), np.float32),
}


def _image(png):
    return Image.open(io.BytesIO(bytes(png)))


# The format


def test_header_comes_back():
    assert unpack(pack({"kind": "points", "text": "§ ü", "step": 3}, ARRAYS))[0] == {"kind": "points", "text": "§ ü", "step": 3}


@pytest.mark.parametrize("name", [name for name in ARRAYS if name != "bytes"])
def test_array_comes_back(name):
    found = unpack(pack({}, ARRAYS))[1][name]
    assert found.dtype == ARRAYS[name].dtype
    np.testing.assert_array_equal(found, ARRAYS[name])


def test_bytes_come_back():
    assert unpack(pack({}, ARRAYS))[1]["bytes"].tobytes() == b"seven b"


@pytest.mark.parametrize("text", ["", "a", "ab", "abc"])
def test_arrays_start_at_multiples_of_four(text):
    """A typed array in the browser must."""
    block = pack({"text": text}, ARRAYS)
    start = 4 + int.from_bytes(block[:4], "little")
    assert start % 4 == 0
    assert len(block) % 4 == 0


@pytest.mark.parametrize("keep", [0, 3, 10, 60, -1, -50])
def test_a_block_cut_short_is_refused(keep):
    block = pack({}, {"a": np.arange(50.0)})
    with pytest.raises(RunError, match="damaged"):
        unpack(block[:keep])


@pytest.mark.parametrize("block", [b"\xff" * 100, b"\x02\0\0\0[]\0\0"])
def test_something_else_is_refused(block):
    with pytest.raises(RunError, match="damaged"):
        unpack(block)


# Pictures


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (3, "RGB")])
def test_grid_has_one_pixel_between_images(channels, mode):
    picture = _image(png_grid(torch.zeros(6, channels, 5, 5), 3))
    assert (picture.mode, picture.size) == (mode, (3 * 6 + 1, 2 * 6 + 1))


def test_grid_shows_minus_one_black_and_one_white():
    images = torch.tensor([-1.0, 1.0]).reshape(2, 1, 1, 1).expand(2, 1, 4, 4)
    pixels = np.asarray(_image(png_grid(images, 2)))
    assert (pixels[1:5, 1:5] == 0).all()
    assert (pixels[1:5, 6:10] == 255).all()


def test_grid_keeps_images_in_reading_order():
    images = torch.linspace(-1, 1, 6).reshape(6, 1, 1, 1).expand(6, 1, 4, 4)
    pixels = np.asarray(_image(png_grid(images, 3)))
    assert pixels[1::5, 1::5].flatten().tolist() == [0, 51, 102, 153, 204, 255]


@pytest.mark.parametrize("name", ["ring8", "grid25", "two_gaussians", "swiss_roll"])
def test_extent_holds_all_data_with_a_margin(name):
    data = load(name)
    x, y, half = extent(data)
    reach = (data.x - torch.tensor([x, y])).abs().max().item()
    assert reach < half < 1.5 * reach


# Frames


@pytest.mark.parametrize("maker", ["real", "live"])
def test_points_frame_holds_points(tiny, maker):
    config = tiny()
    frame = real_frame(load("ring8")) if maker == "real" else live_frame(Trainer(config))
    header, arrays = unpack(frame)
    assert header["kind"] == "points"
    assert arrays["real"].shape == (POINTS, 2)


def test_live_points_frame_shows_the_generators_samples(tiny):
    trainer = Trainer(tiny())
    fake = torch.from_numpy(unpack(live_frame(trainer))[1]["fake"].copy())
    many = trainer.sample(20_000)
    torch.testing.assert_close(fake.mean(0), many.mean(0), rtol=0, atol=0.1)


def test_live_frame_carries_its_step(tiny):
    assert unpack(live_frame(Trainer(tiny()).train(3)))[0]["step"] == 3


def test_noise_of_a_live_frame_is_fixed(tiny):
    trainer = Trainer(tiny())
    assert live_frame(trainer) == live_frame(trainer)


def test_live_frame_of_a_member_is_that_of_its_single_run(tiny):
    configs = [tiny(seed=0), tiny(seed=1)]
    one = unpack(live_frame(Trainer(configs), 1))[1]["fake"]
    np.testing.assert_allclose(one, unpack(live_frame(Trainer(configs[1])))[1]["fake"], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("member", [-1, 2])
def test_live_frame_of_a_member_that_is_not_there_is_refused(tiny, member):
    with pytest.raises(RunError, match="no member"):
        live_frame(Trainer([tiny(seed=0), tiny(seed=1)]), member)


def _judge_by_x(trainer):
    """Weights that make the logit 10 x, x the first coordinate."""
    state = trainer.state_dict()
    for name, value in state["tensors"].items():
        if name.startswith("discriminator."):
            value.zero_()
    state["tensors"]["discriminator.body.stack.layers.0.weight"][0, 0, 0] = 1
    state["tensors"]["discriminator.body.stack.layers.0.weight"][0, 0, 1] = -1
    state["tensors"]["discriminator.head.logit.weight"][0, 0, 0] = 10 / 1.2  # leaky(x) - leaky(-x) = 1.2 x
    state["tensors"]["discriminator.head.logit.weight"][0, 1, 0] = -10 / 1.2
    trainer.load_state_dict(state)
    return trainer


def test_map_shows_the_discriminators_probability(tiny):
    header, arrays = unpack(live_frame(_judge_by_x(Trainer(tiny()))))
    x, _, half = header["extent"]
    cells = x + half * ((np.arange(HEAT) + 0.5) / HEAT * 2 - 1)
    expected = 255 / (1 + np.exp(-10 * cells))
    np.testing.assert_allclose(arrays["heat"], np.tile(expected, (HEAT, 1)), atol=0.6)


def test_map_of_a_loss_without_probabilities_keeps_the_order(tiny):
    _, arrays = unpack(live_frame(_judge_by_x(Trainer(tiny(loss="wasserstein")))))
    row = arrays["heat"][0].astype(int)
    assert (np.diff(row) >= 0).all()
    assert row[0] < 128 < row[-1]


def test_map_of_a_constant_discriminator_is_undecided(tiny):
    trainer = _judge_by_x(Trainer(tiny(loss="hinge")))
    state = trainer.state_dict()
    state["tensors"]["discriminator.head.logit.weight"].zero_()
    trainer.load_state_dict(state)
    assert set(unpack(live_frame(trainer))[1]["heat"].flatten().tolist()) == {128}


@pytest.mark.parametrize("shown", ["real", "fake"])
def test_images_frame_is_a_grid_of_eight_by_eight(tiny, shown):
    config = tiny(dataset="digits")
    frame = real_frame(load("digits")) if shown == "real" else live_frame(Trainer(config))
    header, arrays = unpack(frame)
    assert header["shown"] == shown
    assert _image(arrays["png"]).size == (8 * 9 + 1, IMAGES // 8 * 9 + 1)
