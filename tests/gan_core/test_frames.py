import io
import math

import numpy as np
import pytest
import torch
from PIL import Image

from gan_core import RunError, Trainer
from gan_core.data import load
from gan_core.draws import seeded
from gan_core.frames import (
    HEAT,
    IMAGES,
    POINTS,
    TILE_IMAGES,
    TILE_POINTS,
    extent,
    live_frame,
    members_view,
    pack,
    png_grid,
    quantised_points,
    real_frame,
    unpack,
)
from gan_core.members import sample_latents

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


def test_grid_fills_its_last_row_with_grey():
    pixels = np.asarray(_image(png_grid(torch.ones(3, 1, 4, 4), 2)))
    assert (pixels[6:10, 6:10] == 128).all()


def test_one_image_has_its_rim_too():
    assert _image(png_grid(torch.ones(1, 1, 4, 4), 3)).size == (6, 6)


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


# All members, small


@pytest.mark.parametrize(
    "square", [(0.0, 0.0, 1.0), (3.0, -5.0, 0.5), extent(load("ring8")), extent(load("swiss_roll"))], ids=str
)
def test_the_corners_of_a_square_are_0_and_254(square):
    x, y, half = square
    corners = torch.tensor([[x - half, y - half], [x + half, y - half], [x - half, y + half], [x + half, y + half]])
    assert quantised_points(corners, square).tolist() == [[0, 0], [254, 0], [0, 254], [254, 254]]


def test_the_middle_of_a_square_is_127():
    assert quantised_points(torch.tensor([[3.0, -5.0]]), (3.0, -5.0, 2.0)).tolist() == [[127, 127]]


@pytest.mark.parametrize(
    "point",
    [(1.01, 0.0), (-1.01, 0.0), (0.0, 1.01), (0.0, -1.01), (math.nan, 0.0), (0.0, math.inf)],
)
def test_a_point_outside_of_the_square_is_255_in_both_places(point):
    assert quantised_points(torch.tensor([point]), (0.0, 0.0, 1.0)).tolist() == [[255, 255]]


def test_a_point_outside_leaves_the_others_in_their_places():
    points = torch.tensor([[[0.0, 0.0], [5.0, 0.0]], [[math.nan, 0.0], [1.0, -1.0]]])
    found = quantised_points(points, (0.0, 0.0, 1.0))
    assert found.tolist() == [[[127, 127], [255, 255]], [[255, 255], [254, 0]]]


@pytest.mark.parametrize("members", [2, 3])
def test_the_view_of_members_has_points_of_each(tiny, members):
    found = members_view(Trainer([tiny(seed=seed) for seed in range(members)]))
    assert {name: (a.shape, a.dtype) for name, a in found.items()} == {"members": ((members, TILE_POINTS, 2), np.uint8)}


def test_the_view_of_members_has_images_of_each(tiny):
    found = members_view(Trainer([tiny(dataset="digits", seed=seed) for seed in range(2)]))
    assert {name: (a.shape, a.dtype) for name, a in found.items()} == {"member_images": ((2, TILE_IMAGES, 1, 8, 8), np.uint8)}


def test_a_single_member_has_no_view_unless_it_is_wanted(tiny):
    trainer = Trainer(tiny())
    assert members_view(trainer) == {}
    assert members_view(trainer, always=True)["members"].shape == (1, TILE_POINTS, 2)


def test_all_members_are_seen_from_the_same_noise(tiny):
    found = members_view(Trainer([tiny(seed=0), tiny(seed=1), tiny(seed=0)]))["members"]
    assert np.abs(found[0].astype(int) - found[2]).max() <= 1
    assert (found[0] != found[1]).any()


def test_the_shades_of_members_images_are_those_of_their_samples(tiny):
    trainer = Trainer([tiny(dataset="digits", seed=seed) for seed in range(2)])
    samples = trainer.generate_all(sample_latents(trainer.configs[0], TILE_IMAGES, seeded(0, "members"))).numpy()
    np.testing.assert_allclose(members_view(trainer)["member_images"] / 127.5 - 1, samples, atol=1 / 255 + 1e-5)


def _broken_member(trainer, member):
    state = trainer.state_dict()
    for name, value in state["tensors"].items():
        if name.startswith("generator."):
            value[member] = math.nan
    trainer.load_state_dict(state)
    return trainer


def test_points_of_a_member_that_has_diverged_are_nowhere(tiny):
    found = members_view(_broken_member(Trainer([tiny(seed=0), tiny(seed=1)]), 1))["members"]
    assert (found[1] == 255).all()
    assert (found[0] < 255).any()


def test_images_of_a_member_that_has_diverged_are_grey(tiny):
    trainer = Trainer([tiny(dataset="digits", seed=seed) for seed in range(2)])
    assert set(members_view(_broken_member(trainer, 1))["member_images"][1].flatten().tolist()) == {128}


@pytest.mark.parametrize("members", [1, 2])
def test_a_frame_shows_members_only_where_there_are_several(tiny, members):
    arrays = unpack(live_frame(Trainer([tiny(seed=seed) for seed in range(members)])))[1]
    assert ("members" in arrays) == (members > 1)
