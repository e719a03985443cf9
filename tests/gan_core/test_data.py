import gzip
import hashlib
import math
import os
import socket
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_digits

from gan_core import DATASETS, DataError, vision
from gan_core.data import data_folder, is_here, load

REAL_DATA = Path(os.environ.get("GAN_PLAYGROUND_DATA", "/nowhere"))
MIXTURES = ["ring8", "grid25", "two_gaussians", "disjoint3"]
IMAGES, LABELS = "train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"


def _have(name):
    if not is_here(name):
        pytest.skip(f"{name} is not in {data_folder()}")
    return load(name)


# Contract


@pytest.mark.parametrize("name", DATASETS)
def test_entry_has_title_text_and_source(name):
    assert all([DATASETS[name].title, DATASETS[name].text, DATASETS[name].source])


@pytest.mark.parametrize("name", DATASETS)
def test_samples_have_the_shape_that_the_entry_announces(name):
    entry = DATASETS[name]
    expected = (entry.channels, entry.size, entry.size) if entry.kind == "images" else (2,)
    assert _have(name).shape == expected


@pytest.mark.parametrize("name", DATASETS)
def test_samples_are_finite_float32(name):
    x = _have(name).x
    assert x.dtype == torch.float32
    assert x.isfinite().all()


@pytest.mark.parametrize("name", [name for name, entry in DATASETS.items() if entry.kind == "images"])
def test_images_fill_minus_one_to_one(name):
    x = _have(name).x
    assert (x.min().item(), x.max().item()) == (-1, 1)


@pytest.mark.parametrize("name", DATASETS)
def test_there_is_one_label_a_sample(name):
    data = _have(name)
    assert data.labels is None or (data.labels.shape == (len(data.x),) and data.labels.dtype == torch.int64)


@pytest.mark.parametrize("name", [name for name, entry in DATASETS.items() if entry.kind == "points"])
def test_points_are_the_same_every_time(name):
    one, two = (DATASETS[name].load(Path(), lambda text, share: None).x for _ in range(2))
    assert torch.equal(one, two)


@pytest.mark.parametrize("name", DATASETS)
def test_a_second_load_takes_no_second_copy(name):
    assert _have(name).x.data_ptr() == load(name).x.data_ptr()


# Points


def test_ring8_has_eight_distinct_centres():
    """A ring made with linspace(0, 2 pi, 8) has seven."""
    centres = load("ring8").centres
    assert torch.pdist(centres).min().item() == pytest.approx(2 * 2 * math.sin(math.pi / 8), abs=1e-5)


def test_ring8_lies_on_a_circle_of_radius_2():
    torch.testing.assert_close(load("ring8").centres.norm(dim=1), torch.full((8,), 2.0))


def test_grid25_has_the_centres_of_pacgan():
    axis = (-4, -2, 0, 2, 4)
    assert {tuple(c) for c in load("grid25").centres.tolist()} == {(x, y) for x in axis for y in axis}


@pytest.mark.parametrize(
    ("name", "sigmas"),
    [
        ("ring8", [[0.1, 0.1]] * 8),
        ("grid25", [[0.05, 0.05]] * 25),
        ("two_gaussians", [[0.1, 0.1], [0.05, 0.2]]),
        ("disjoint3", [[0.025, 0.025]] * 3),
    ],
)
def test_sigmas_are_the_published_ones(name, sigmas):
    torch.testing.assert_close(load(name).sigmas, torch.tensor(sigmas))


def test_two_gaussians_has_gan_labs_centres():
    torch.testing.assert_close(load("two_gaussians").centres, torch.tensor([[0.3, 0.7], [0.7, 0.4]]))


def test_disjoint3_has_gan_labs_centres():
    expected = torch.tensor([[0.35, 0.75], [0.75, 0.6], [0.45, 0.35]])
    torch.testing.assert_close(load("disjoint3").centres, expected)


@pytest.mark.parametrize("name", MIXTURES)
def test_each_modes_mean_is_its_centre(name):
    data = load(name)
    for mode, (centre, sigma) in enumerate(zip(data.centres, data.sigmas, strict=True)):
        x = data.x[data.labels == mode]
        assert ((x.mean(0) - centre).abs() < 5 * sigma / len(x) ** 0.5).all(), mode


@pytest.mark.parametrize("name", MIXTURES)
def test_each_modes_deviation_is_its_sigma(name):
    data = load(name)
    for mode, sigma in enumerate(data.sigmas):
        x = data.x[data.labels == mode]
        assert ((x.std(0) - sigma).abs() < 5 * sigma / (2 * len(x)) ** 0.5).all(), mode


@pytest.mark.parametrize("name", MIXTURES)
def test_modes_are_equally_frequent(name):
    data = load(name)
    n, share = len(data.x), 1 / len(data.centres)
    error = 5 * (n * share * (1 - share)) ** 0.5
    assert data.labels.bincount(minlength=len(data.centres)).sub(n * share).abs().max() < error


def test_swiss_roll_lies_on_its_curve():
    t = torch.linspace(1.5 * math.pi, 4.5 * math.pi, 4000)
    curve = torch.stack([t * t.cos(), t * t.sin()], 1) / 7.5
    distance = torch.cdist(load("swiss_roll").x[:5000], curve).min(1).values
    assert distance.max() < 5 * 0.25 / 7.5


def test_swiss_rolls_radius_has_the_mean_of_its_angle():
    """E t = 3 pi for t uniform on 1.5 pi to 4.5 pi; the noise adds its variance over 2 t to the radius."""
    radius = load("swiss_roll").x.norm(dim=1) * 7.5
    expected = 3 * math.pi + 0.25**2 / 2 * math.log(3) / (3 * math.pi)
    assert radius.mean().item() == pytest.approx(expected, abs=5 * 2.75 / 50_000**0.5)


# Images


def test_digits_are_those_of_scikit_learn():
    torch.testing.assert_close((load("digits").x[:, 0] + 1) * 8, torch.from_numpy(load_digits().images).float())


def test_digits_labels_are_those_of_scikit_learn():
    assert load("digits").labels.tolist() == load_digits().target.tolist()


@pytest.mark.parametrize("size", [12, 28])
def test_resizing_agrees_with_pillow(size):
    native, resized = load("digits").x[:20, 0], load("digits", size).x[:20, 0]
    expected = [np.asarray(Image.fromarray(x.numpy()).resize((size, size), Image.Resampling.BILINEAR)) for x in native]
    np.testing.assert_allclose(resized.numpy(), np.stack(expected), atol=1e-4)


@pytest.mark.parametrize("size", [12, 20, 32])
def test_resized_images_stay_within_minus_one_and_one(size):
    x = load("digits", size).x
    assert x.shape == (1797, 1, size, size)
    assert x.min() >= -1
    assert x.max() <= 1


def test_resizing_keeps_the_labels():
    assert torch.equal(load("digits", 12).labels, load("digits").labels)


def test_resizing_leaves_the_native_images_alone():
    load("digits", 12)
    assert load("digits").shape == (1, 8, 8)


needs_mnist = pytest.mark.skipif(not (REAL_DATA / "MNIST" / "raw" / IMAGES).is_file(), reason="GAN_PLAYGROUND_DATA has no MNIST")
needs_fashion = pytest.mark.skipif(
    not (REAL_DATA / "FashionMNIST" / "raw" / IMAGES).is_file(), reason="GAN_PLAYGROUND_DATA has no Fashion-MNIST"
)


@pytest.mark.parametrize(
    ("name", "mean", "std"),
    [
        pytest.param("mnist", 0.130660, 0.308108, marks=needs_mnist),
        pytest.param("fashion_mnist", 0.286041, 0.353024, marks=needs_fashion),
    ],
)
def test_mean_and_deviation_of_the_real_training_set(name, mean, std):
    pixels = (load(name).x.double() + 1) / 2
    assert pixels.mean().item() == pytest.approx(mean, abs=1e-6)
    assert pixels.std().item() == pytest.approx(std, abs=1e-6)


@needs_mnist
def test_mnists_first_labels_are_the_known_ones():
    assert load("mnist").labels[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]


# Files that are missing or damaged


def _idx(array):
    return bytes([0, 0, 8, array.ndim]) + b"".join(int(n).to_bytes(4, "big") for n in array.shape) + array.tobytes()


@pytest.fixture(scope="module")
def small_set():
    """Twenty random images and labels as the two files of MNIST's home page."""
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (20, 28, 28), np.uint8), rng.integers(0, 10, 20, np.uint8)
    return images, labels, {IMAGES: gzip.compress(_idx(images)), LABELS: gzip.compress(_idx(labels))}


@pytest.fixture
def raw(tmp_path):
    folder = tmp_path / "data" / "MNIST" / "raw"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def offline(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(vision.MNIST, "mirrors", ["http://127.0.0.1:9/"])


@pytest.fixture
def mirror(tmp_path, monkeypatch, small_set):
    """A mirror on loopback that serves the small set, with its checksums in place of MNIST's. Yields its folder."""
    folder = tmp_path / "mirror"
    folder.mkdir()
    for name, content in small_set[2].items():
        (folder / name).write_bytes(content)

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder))
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(vision.MNIST, "mirrors", [f"http://127.0.0.1:{server.server_port}/"])
    sums = [(name, hashlib.md5(content).hexdigest()) for name, content in small_set[2].items()]
    monkeypatch.setattr(vision.MNIST, "resources", sums)
    yield folder
    server.shutdown()
    server.server_close()
    thread.join()


def test_offline_the_error_names_the_folder_and_offers_digits(offline, tmp_path):
    with pytest.raises(DataError) as caught:
        load("mnist", folder=tmp_path)
    assert str(tmp_path / "MNIST" / "raw") in str(caught.value)
    assert "digits" in str(caught.value)


def test_offline_no_half_file_is_left(offline, tmp_path):
    with pytest.raises(DataError):
        load("mnist", folder=tmp_path)
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == []


def test_download_gives_the_images(mirror, tmp_path, small_set):
    x = load("mnist", folder=tmp_path / "data").x
    expected = torch.from_numpy(small_set[0].astype(np.float32)) / 127.5 - 1
    torch.testing.assert_close(x[:, 0], expected)


def test_download_gives_the_labels(mirror, tmp_path, small_set):
    assert load("mnist", folder=tmp_path / "data").labels.tolist() == small_set[1].tolist()


def test_download_tells_its_progress_up_to_the_whole(mirror, tmp_path):
    told = []
    load("mnist", folder=tmp_path / "data", progress=lambda text, share: told.append((text, share)))
    assert {f"Downloading mnist: {name}" for name, share in [(IMAGES, 1.0), (LABELS, 1.0)]} <= {t for t, s in told if s == 1.0}


def test_downloaded_files_are_used_without_the_mirror(mirror, tmp_path, small_set):
    load("mnist", folder=tmp_path / "data")
    for file in mirror.iterdir():
        file.unlink()
    copy = tmp_path / "copy"
    (tmp_path / "data").rename(copy)
    assert len(load("mnist", folder=copy).x) == 20


def test_a_second_mirror_is_tried(mirror, tmp_path, monkeypatch):
    monkeypatch.setattr(vision.MNIST, "mirrors", ["http://127.0.0.1:9/", *vision.MNIST.mirrors])
    assert len(load("mnist", folder=tmp_path / "data").x) == 20


def test_a_download_with_another_checksum_is_refused(mirror, tmp_path):
    (mirror / IMAGES).write_bytes(gzip.compress(b"something else"))
    with pytest.raises(DataError, match="the download was damaged"):
        load("mnist", folder=tmp_path / "data")


def test_of_a_download_with_another_checksum_no_file_is_left(mirror, tmp_path):
    (mirror / IMAGES).write_bytes(gzip.compress(b"something else"))
    with pytest.raises(DataError):
        load("mnist", folder=tmp_path / "data")
    assert [p for p in (tmp_path / "data").rglob("*") if p.is_file()] == []


def test_a_file_that_the_mirror_does_not_have_is_said_so(mirror, tmp_path):
    (mirror / LABELS).unlink()
    with pytest.raises(DataError, match=rf"could not be downloaded.*{LABELS}"):
        load("mnist", folder=tmp_path / "data")


def test_a_server_that_does_not_speak_http_gives_a_data_error(tmp_path, monkeypatch):
    """As a captive portal or a wrong proxy does."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer():
            connection, _ = server.accept()
            connection.recv(1000)
            connection.sendall(b"garbage\r\n\r\n")
            connection.close()

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        monkeypatch.setenv("no_proxy", "*")
        monkeypatch.setattr(vision.MNIST, "mirrors", [f"http://127.0.0.1:{server.getsockname()[1]}/"])
        with pytest.raises(DataError, match="could not be downloaded"):
            load("mnist", folder=tmp_path)
        thread.join()


def test_a_data_folder_that_is_a_file_gives_a_data_error(mirror, tmp_path):
    (tmp_path / "data").write_text("")
    with pytest.raises(DataError, match="GAN_PLAYGROUND_DATA"):
        load("mnist", folder=tmp_path / "data")


def _flip_in_the_middle(content):
    middle = len(content) // 2
    return content[:middle] + bytes(b ^ 0xFF for b in content[middle : middle + 50]) + content[middle + 50 :]


DAMAGE = {
    "cut": lambda content: content[: len(content) // 2],
    "flipped": _flip_in_the_middle,
    "no deflate stream": lambda content: content[:10] + b"\xff" * 50 + content[60:],
    "empty": lambda content: b"",
    "no gzip": lambda content: b"<html>Not found</html>",
    "no idx": lambda content: gzip.compress(b"P5 28 28 255"),
    "header only": lambda content: gzip.compress(b"\0\0\x08"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_gz_gives_a_data_error_that_names_it(raw, small_set, damage):
    (raw / IMAGES).write_bytes(DAMAGE[damage](small_set[2][IMAGES]))
    (raw / LABELS).write_bytes(small_set[2][LABELS])
    with pytest.raises(DataError, match=rf"{IMAGES} is damaged.*digits"):
        load("mnist", folder=raw.parents[1])


def test_unpacked_files_are_read_too(raw, small_set):
    (raw / "train-images-idx3-ubyte").write_bytes(_idx(small_set[0]))
    (raw / "train-labels-idx1-ubyte").write_bytes(_idx(small_set[1]))
    assert len(load("mnist", folder=raw.parents[1]).x) == 20


def test_a_truncated_unpacked_file_gives_a_data_error(raw, small_set):
    (raw / "train-images-idx3-ubyte").write_bytes(_idx(small_set[0])[:-5])
    (raw / "train-labels-idx1-ubyte").write_bytes(_idx(small_set[1]))
    with pytest.raises(DataError, match="is damaged"):
        load("mnist", folder=raw.parents[1])


@pytest.mark.parametrize(
    "images",
    [np.zeros((20, 8, 8), np.uint8), np.zeros((19, 28, 28), np.uint8), np.zeros(20, np.uint8)],
    ids=["size", "count", "dims"],
)
def test_images_that_do_not_fit_are_refused(raw, small_set, images):
    (raw / IMAGES).write_bytes(gzip.compress(_idx(images)))
    (raw / LABELS).write_bytes(small_set[2][LABELS])
    with pytest.raises(DataError, match="expected"):
        load("mnist", folder=raw.parents[1])


def test_a_set_is_here_when_both_its_files_are(raw, small_set):
    assert not is_here("mnist", raw.parents[1])
    (raw / IMAGES).write_bytes(small_set[2][IMAGES])
    assert not is_here("mnist", raw.parents[1])
    (raw / LABELS).write_bytes(small_set[2][LABELS])
    assert is_here("mnist", raw.parents[1])


@pytest.mark.parametrize("name", [name for name in DATASETS if "mnist" not in name])
def test_a_set_without_files_is_always_here(name, tmp_path):
    assert is_here(name, tmp_path)


def test_the_environment_names_the_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("GAN_PLAYGROUND_DATA", str(tmp_path))
    assert data_folder() == tmp_path
