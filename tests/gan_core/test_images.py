import gzip
import hashlib
import io
import os
import pickle
import socket
import struct
import tarfile
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_digits

from gan_core import DataError, images, vision
from gan_core.data import Source, is_here, load

REAL_DATA = Path(os.environ.get("GAN_PLAYGROUND_DATA", "/nowhere"))
IMAGES, LABELS = "train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"
TEST_IMAGES, TEST_LABELS = "t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"
needs_mnist = pytest.mark.skipif(not (REAL_DATA / "MNIST" / "raw" / IMAGES).is_file(), reason="GAN_PLAYGROUND_DATA has no MNIST")
needs_fashion = pytest.mark.skipif(
    not (REAL_DATA / "FashionMNIST" / "raw" / IMAGES).is_file(), reason="GAN_PLAYGROUND_DATA has no Fashion-MNIST"
)


def test_digits_are_those_of_scikit_learn():
    torch.testing.assert_close((load("digits").x[:, 0] + 1) * 8, torch.from_numpy(load_digits().images).float())


def test_digits_labels_are_those_of_scikit_learn():
    assert load("digits").labels.tolist() == load_digits().target.tolist()


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


@needs_mnist
def test_stacked_mnists_labels_are_those_of_its_channels():
    """Each channel is an image of MNIST, whose label is a digit of the triple's."""
    digits, stacked = load("mnist"), load("stacked_mnist")
    labels = {image.numpy().tobytes(): label for image, label in zip(digits.x[:, 0], digits.labels.tolist(), strict=True)}
    found = [int("".join(str(labels[c.numpy().tobytes()]) for c in image)) for image in stacked.x[:500]]
    assert found == stacked.labels[:500].tolist()


@needs_mnist
def test_stacked_mnist_has_50_000_images_of_1_000_modes():
    labels = load("stacked_mnist").labels
    assert (len(labels), len(labels.unique())) == (50_000, 1000)


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


def test_a_label_that_is_no_digit_is_refused(raw, small_set):
    (raw / IMAGES).write_bytes(small_set[2][IMAGES])
    (raw / LABELS).write_bytes(gzip.compress(_idx(np.full(20, 10, np.uint8))))
    with pytest.raises(DataError, match="label 10, expected 0 to 9"):
        load("mnist", folder=raw.parents[1])


def test_kmnists_files_are_read(tmp_path, small_set):
    folder = tmp_path / "KMNIST" / "raw"
    folder.mkdir(parents=True)
    for name, content in small_set[2].items():
        (folder / name).write_bytes(content)
    assert load("kmnist", folder=tmp_path).labels.tolist() == small_set[1].tolist()


def test_stacked_mnist_is_made_of_the_files_of_mnist(raw, small_set):
    for name, content in small_set[2].items():
        (raw / name).write_bytes(content)
    assert is_here("stacked_mnist", raw.parents[1])
    assert load("stacked_mnist", folder=raw.parents[1]).shape == (3, 28, 28)


def test_a_set_is_here_when_both_its_files_are(raw, small_set):
    assert not is_here("mnist", raw.parents[1])
    (raw / IMAGES).write_bytes(small_set[2][IMAGES])
    assert not is_here("mnist", raw.parents[1])
    (raw / LABELS).write_bytes(small_set[2][LABELS])
    assert is_here("mnist", raw.parents[1])


# The official test sets


needs_mnists_test_set = pytest.mark.skipif(
    not (REAL_DATA / "MNIST" / "raw" / TEST_IMAGES).is_file(), reason="GAN_PLAYGROUND_DATA has no test set of MNIST"
)


@pytest.fixture
def both_splits(raw, small_set):
    """The small set as MNIST's training set, its first five images as the test set. Yields the data folder."""
    few = gzip.compress(_idx(small_set[0][:5])), gzip.compress(_idx(small_set[1][:5]))
    for name, content in {**small_set[2], TEST_IMAGES: few[0], TEST_LABELS: few[1]}.items():
        (raw / name).write_bytes(content)
    return raw.parents[1]


@needs_mnists_test_set
def test_the_real_test_set_has_10_000_images_of_28_by_28():
    assert images.test_split(Source("mnist")).x.shape == (10_000, 1, 28, 28)


@needs_mnists_test_set
def test_the_real_test_sets_first_labels_are_the_known_ones():
    assert images.test_split(Source("mnist")).labels[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]


@pytest.mark.parametrize(("name", "subfolder"), [("mnist", "MNIST"), ("fashion_mnist", "FashionMNIST"), ("kmnist", "KMNIST")])
def test_a_test_set_is_read_from_its_own_two_files(both_splits, small_set, name, subfolder):
    (both_splits / "MNIST").rename(both_splits / subfolder)
    found = images.test_split(Source(name), both_splits)
    torch.testing.assert_close(found.x[:, 0], torch.from_numpy(small_set[0][:5].astype(np.float32)) / 127.5 - 1)
    assert found.labels.tolist() == small_set[1][:5].tolist()


def test_unpacked_files_of_a_test_set_are_read_too(raw, small_set):
    (raw / "t10k-images-idx3-ubyte").write_bytes(_idx(small_set[0]))
    (raw / "t10k-labels-idx1-ubyte").write_bytes(_idx(small_set[1]))
    assert images.test_split(Source("mnist"), raw.parents[1]).labels.tolist() == small_set[1].tolist()


@pytest.mark.parametrize(
    "source",
    [Source("mnist", 12), Source("mnist", channels=3), Source("mnist", levels=3), Source("mnist", 8, 3, 2)],
    ids=["size", "channels", "levels", "all"],
)
def test_a_test_set_gets_the_measure_of_the_training_set(both_splits, source):
    assert torch.equal(images.test_split(source, both_splits).x, load(source, both_splits).x[:5])


def test_without_another_folder_a_test_set_is_sought_in_the_data_folder(both_splits, monkeypatch):
    monkeypatch.setenv("GAN_PLAYGROUND_DATA", str(both_splits))
    assert len(images.test_split(Source("mnist")).x) == 5


@pytest.mark.parametrize("missing", [TEST_IMAGES, TEST_LABELS])
def test_half_a_test_set_is_none(both_splits, raw, missing):
    (raw / missing).unlink()
    assert images.test_split(Source("mnist"), both_splits) is None


def test_a_test_set_is_never_downloaded(mirror, tmp_path, small_set, monkeypatch):
    """Not even from a mirror that has it and whose checksums are right."""
    sums = list(vision.MNIST.resources)
    for name, content in zip((TEST_IMAGES, TEST_LABELS), small_set[2].values(), strict=True):
        (mirror / name).write_bytes(content)
        sums.append((name, hashlib.md5(content).hexdigest()))
    monkeypatch.setattr(vision.MNIST, "resources", sums)
    assert images.test_split(Source("mnist"), tmp_path / "data") is None
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("name", ["stacked_mnist", "digits", "cifar10", "folder", "ring8"])
def test_other_data_sets_have_no_test_set(both_splits, name):
    assert images.test_split(Source(name), both_splits) is None


@pytest.mark.parametrize("name", [TEST_IMAGES, TEST_LABELS])
def test_a_damaged_file_of_a_test_set_gives_a_data_error_that_names_it(both_splits, raw, name):
    (raw / name).write_bytes(DAMAGE["cut"]((raw / name).read_bytes()))
    with pytest.raises(DataError, match=f"{name} is damaged"):
        images.test_split(Source("mnist"), both_splits)


def test_a_test_set_for_a_source_that_makes_no_sense_is_refused(both_splits):
    with pytest.raises(DataError, match="channels = 2"):
        images.test_split(Source("mnist", channels=2), both_splits)


# CIFAR-10


BIN, PY = "cifar-10-batches-bin", "cifar-10-batches-py"


class _Python2Pickler(pickle._Pickler):
    """Writes as Python 2 did: words and bytes alike as byte strings."""

    dispatch = dict(pickle._Pickler.dispatch)

    def save_string(self, value):
        value = value.encode() if isinstance(value, str) else value
        self.write(pickle.BINSTRING + struct.pack("<i", len(value)) + value)
        self.memoize(object())

    dispatch[bytes] = dispatch[str] = save_string


def _python2(value):
    file = io.BytesIO()
    _Python2Pickler(file, 2).dump(value)
    return file.getvalue().replace(b"numpy._core", b"numpy.core")  # as numpy was called then


@pytest.fixture(scope="module")
def cifar():
    """Two random images in each of five batches: images, labels, and the files of both versions."""
    rng = np.random.default_rng(1)
    images, labels = rng.integers(0, 256, (10, 3, 32, 32), np.uint8), rng.permutation(10).astype(np.uint8)
    files = {}
    for k in range(5):
        rows, some = images[2 * k : 2 * k + 2].reshape(2, 3072), labels[2 * k : 2 * k + 2]
        files[f"{BIN}/data_batch_{k + 1}.bin"] = b"".join(bytes([y]) + x.tobytes() for x, y in zip(rows, some, strict=True))
        files[f"{PY}/data_batch_{k + 1}"] = _python2({"data": rows, "labels": some.tolist(), "batch_label": f"batch {k + 1}"})
    return images, labels, files


def _write(folder, files, start):
    for name, content in files.items():
        if name.startswith(start):
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_bytes(content)


def _tar(files, start, more=()):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as tar:
        for member, content in [*more, *((tarfile.TarInfo(n), c) for n, c in files.items() if n.startswith(start))]:
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return file.getvalue()


@pytest.mark.parametrize("version", [BIN, PY])
def test_cifars_images_come_back(cifar, tmp_path, version):
    _write(tmp_path, cifar[2], version)
    torch.testing.assert_close(load("cifar10", tmp_path).x, torch.from_numpy(cifar[0].astype(np.float32)) / 127.5 - 1)


@pytest.mark.parametrize("version", [BIN, PY])
def test_cifars_labels_come_back(cifar, tmp_path, version):
    _write(tmp_path, cifar[2], version)
    assert load("cifar10", tmp_path).labels.tolist() == cifar[1].tolist()


@pytest.mark.parametrize(("version", "archive"), [(BIN, "cifar-10-binary.tar.gz"), (PY, "cifar-10-python.tar.gz")])
def test_an_archive_of_cifar_is_enough(cifar, tmp_path, version, archive):
    (tmp_path / archive).write_bytes(_tar(cifar[2], version))
    assert is_here("cifar10", tmp_path)
    assert load("cifar10", tmp_path).labels.tolist() == cifar[1].tolist()


def test_a_pickle_of_todays_numpy_is_read(cifar, tmp_path):
    _write(tmp_path, cifar[2], PY)
    rows = np.asfortranarray(cifar[0][:2].reshape(2, 3072))
    (tmp_path / PY / "data_batch_1").write_bytes(pickle.dumps({"data": rows, "labels": cifar[1][:2].tolist()}, 4))
    torch.testing.assert_close(load("cifar10", tmp_path).x[:2], torch.from_numpy(cifar[0][:2].astype(np.float32)) / 127.5 - 1)


class _Malice:
    def __init__(self, call, *args):
        self.how = call, args

    def __reduce__(self):
        return self.how


@pytest.mark.parametrize(
    ("call", "asked"),
    [(os.mkdir, f"{os.name}.mkdir"), (eval, "eval"), (np.save, "numpy.save"), (np.load, "numpy.load")],
    ids=["mkdir", "eval", "np.save", "np.load"],
)
def test_a_pickle_that_calls_anything_is_refused(cifar, tmp_path, call, asked):
    _write(tmp_path, cifar[2], PY)
    (tmp_path / PY / "data_batch_3").write_bytes(pickle.dumps(_Malice(call, str(tmp_path / "mark"))))
    with pytest.raises(DataError, match=rf"data_batch_3 is damaged.*it asks for .*{asked.split('.')[-1]}"):
        load("cifar10", tmp_path)


def test_a_pickle_that_calls_something_calls_nothing(cifar, tmp_path):
    _write(tmp_path, cifar[2], PY)
    (tmp_path / PY / "data_batch_3").write_bytes(pickle.dumps(_Malice(os.mkdir, str(tmp_path / "mark"))))
    with pytest.raises(DataError):
        load("cifar10", tmp_path)
    assert not (tmp_path / "mark").exists()


def test_a_pickles_array_is_not_made_at_the_size_that_it_claims(cifar, tmp_path):
    """numpy would take a terabyte for it, and the process would be killed."""
    _write(tmp_path, cifar[2], PY)
    (tmp_path / PY / "data_batch_1").write_bytes(pickle.dumps({"data": _Malice(np.ndarray, (10**12,)), "labels": [0]}))
    with pytest.raises(DataError, match="data_batch_1 is damaged"):
        load("cifar10", tmp_path)


CIFAR_DAMAGE = {
    "cut": (BIN, "data_batch_2.bin", lambda content: content[:-1]),
    "empty": (BIN, "data_batch_2.bin", lambda content: b""),
    "label": (BIN, "data_batch_2.bin", lambda content: b"\x0a" + content[1:]),
    "pickle cut": (PY, "data_batch_2", lambda content: content[: len(content) // 2]),
    "pickle empty": (PY, "data_batch_2", lambda content: b""),
    "pickle label": (PY, "data_batch_2", lambda content: _python2({"data": np.zeros((1, 3072), np.uint8), "labels": [10]})),
    "pickle rows": (PY, "data_batch_2", lambda content: _python2({"data": np.zeros((1, 3072), np.uint8), "labels": [1, 2]})),
    "pickle dtype": (PY, "data_batch_2", lambda content: _python2({"data": np.zeros((1, 3072), np.int8), "labels": [1]})),
    "pickle list": (PY, "data_batch_2", lambda content: _python2([1, 2])),
}


@pytest.mark.parametrize("damage", CIFAR_DAMAGE)
def test_a_damaged_batch_gives_a_data_error_that_names_it(cifar, tmp_path, damage):
    version, name, change = CIFAR_DAMAGE[damage]
    _write(tmp_path, cifar[2], version)
    path = tmp_path / version / name
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(DataError, match=rf"{name} is damaged"):
        load("cifar10", tmp_path)


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "no gzip"])
def test_a_damaged_archive_of_cifar_gives_a_data_error_that_names_it(cifar, tmp_path, damage):
    (tmp_path / "cifar-10-binary.tar.gz").write_bytes(DAMAGE[damage](_tar(cifar[2], BIN)))
    with pytest.raises(DataError, match=r"cifar-10-binary.tar.gz is damaged"):
        load("cifar10", tmp_path)


def test_an_archive_writes_nothing_but_the_five_batches(cifar, tmp_path):
    """Other names, ways out of the folder and links stay where they are."""
    link = tarfile.TarInfo(f"{BIN}/link")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    more = [(tarfile.TarInfo(n), b"x") for n in ("../out", "/tmp/out-of-the-archive", f"{BIN}/../../out")] + [(link, b"")]
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "cifar-10-binary.tar.gz").write_bytes(_tar(cifar[2], BIN, more))
    load("cifar10", folder)
    written = {p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*") if not p.is_dir()}
    assert written == {"data/cifar-10-binary.tar.gz", *(f"data/{n}" for n in cifar[2] if n.startswith(BIN))}


def test_a_link_in_the_place_of_a_batch_is_refused(cifar, tmp_path):
    link = tarfile.TarInfo(f"{BIN}/data_batch_1.bin")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    (tmp_path / "cifar-10-binary.tar.gz").write_bytes(_tar(cifar[2], BIN, [(link, b"")]))
    with pytest.raises(DataError, match="is not a file of the size"):
        load("cifar10", tmp_path)


@pytest.fixture
def cifar_mirror(mirror, cifar, monkeypatch):
    content = _tar(cifar[2], BIN)
    (mirror / "cifar-10-binary.tar.gz").write_bytes(content)
    monkeypatch.setattr(images, "CIFAR_URL", vision.MNIST.mirrors[0] + "cifar-10-binary.tar.gz")
    monkeypatch.setattr(images, "CIFAR_MD5", hashlib.md5(content).hexdigest())


def test_cifar_is_downloaded(cifar_mirror, cifar, tmp_path):
    assert load("cifar10", tmp_path / "data").labels.tolist() == cifar[1].tolist()


def test_of_cifars_download_only_the_batches_are_kept(cifar_mirror, cifar, tmp_path):
    load("cifar10", tmp_path / "data")
    kept = {p.relative_to(tmp_path / "data").as_posix() for p in (tmp_path / "data").rglob("*") if p.is_file()}
    assert kept == {name for name in cifar[2] if name.startswith(BIN)}


def test_cifar_with_another_checksum_is_refused(cifar_mirror, tmp_path, monkeypatch):
    monkeypatch.setattr(images, "CIFAR_MD5", "0" * 32)
    with pytest.raises(DataError, match="the download was damaged"):
        load("cifar10", tmp_path / "data")


def test_cifar_is_not_here_with_four_batches(cifar, tmp_path):
    _write(tmp_path, cifar[2], BIN)
    (tmp_path / BIN / "data_batch_5.bin").unlink()
    assert not is_here("cifar10", tmp_path)


def test_colour_in_grey_is_pillows_luma(cifar, tmp_path):
    _write(tmp_path, cifar[2], BIN)
    x = load(Source("cifar10", channels=1), tmp_path).x
    expected = np.stack([np.asarray(Image.fromarray(i.transpose(1, 2, 0)).convert("L")) for i in cifar[0]])
    np.testing.assert_allclose((x[:, 0].numpy() + 1) * 127.5, expected, atol=0.51)  # Pillow rounds
