"""Image data sets that come from elsewhere: scikit-learn's digits, MNIST and its likes, CIFAR-10.

What is downloaded is checked before it gets its name; nothing that a file says is run.
"""

from __future__ import annotations

import gzip
import hashlib
import http.client
import io
import pickle
import tarfile
import tempfile
import urllib.request
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
import torch

from .draws import seeded
from .errors import DataError
from .source import Data, Progress, Source, data_folder, filled_in, from_bytes, made_to_measure

BATCH_LIMIT = 2**26  # bytes of one of CIFAR-10's batches; the real ones have 31 MB
IDX = {"mnist": "MNIST", "fashion_mnist": "FashionMNIST", "kmnist": "KMNIST"}  # where torchvision keeps their files
CIFAR_URL = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
CIFAR_MD5 = "c32a1d4ab5d03f1284b67883e8d87530"


def digits(source: Source, folder: Path, progress: Progress) -> Data:
    from sklearn.datasets import load_digits  # slow to import, and only this needs it

    found = load_digits()
    x = torch.from_numpy(found.images).float()[:, None] / 8 - 1  # 0..16 -> [-1, 1]
    return Data(x, torch.from_numpy(found.target).long())


def _read_idx(path: Path) -> np.ndarray:
    """An array in the idx format of MNIST's home page, plain or gzipped."""
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rb") as file:
        start = file.read(4)  # two zeros, the type (8: bytes), the number of dimensions
        if len(start) < 4 or start[:3] != b"\0\0\x08":
            raise ValueError("not an idx file of bytes")
        shape = [int.from_bytes(file.read(4), "big") for _ in range(start[3])]
        return np.frombuffer(file.read(), np.uint8).reshape(shape)


@contextmanager
def _whole_file(target: Path) -> Iterator[IO[bytes]]:
    """A file to write that gets its name only once it is whole."""
    with tempfile.NamedTemporaryFile(dir=target.parent, suffix=".part", delete=False) as part:
        try:
            yield part
            part.close()
            Path(part.name).replace(target)
        finally:
            part.close()
            Path(part.name).unlink(missing_ok=True)


def _download(name: str, target: Path, urls: list[str], md5: str, progress: Progress) -> None:
    """Fetch a file from the first mirror that has it, check it, and only then give it its name."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(
            f"{name} cannot be kept in {target.parent} ({error}). Set GAN_PLAYGROUND_DATA to a folder that can be "
            f"written, or choose the data set digits, which needs no download."
        ) from error
    problem = "no address is known for it"
    for url in urls:
        try:
            with urllib.request.urlopen(url, timeout=20) as answer, _whole_file(target) as part:
                total, done, digest = int(answer.headers.get("Content-Length") or 0), 0, hashlib.md5()
                while block := answer.read(1 << 16):
                    part.write(block)
                    digest.update(block)
                    done += len(block)
                    progress(f"Downloading {name}: {target.name}", done / total if total else 0.0)
                if digest.hexdigest() != md5:
                    raise OSError("the download was damaged")
            return
        except (OSError, http.client.HTTPException) as error:
            problem = str(getattr(error, "reason", error))
    raise DataError(
        f"{name} is not in {target.parent} and could not be downloaded ({problem}). Put {target.name} there, or set "
        f"GAN_PLAYGROUND_DATA to a folder that has it, or choose the data set digits, which needs no download."
    )


def _damaged(path: Path, error: Exception) -> DataError:
    return DataError(
        f"{path} is damaged or cannot be read ({error}). Delete it and start again to download it anew, or "
        f"choose the data set digits, which needs no download."
    )


def _stems(split: str) -> tuple[str, str]:
    """Names of a split's files of images and of labels, without the ending that packed ones have."""
    return f"{split}-images-idx3-ubyte", f"{split}-labels-idx1-ubyte"


def _idx_file(name: str, stem: str, folder: Path) -> Path | None:
    """The file, plain or packed, where it is here."""
    raw = folder / IDX[name] / "raw"
    return next((path for path in (raw / stem, raw / f"{stem}.gz") if path.is_file()), None)


def _fetched(name: str, stem: str, folder: Path, progress: Progress) -> Path:
    from . import vision  # slow to import, and only its table of addresses and checksums is wanted

    table = getattr(vision, IDX[name])
    target = folder / IDX[name] / "raw" / f"{stem}.gz"
    md5 = dict(table.resources)[target.name]
    _download(name, target, [mirror + target.name for mirror in table.mirrors], md5, progress)
    return target


def _read_pair(name: str, folder: Path, paths: Iterable[Path], progress: Progress) -> Data:
    """A file of images and one of labels; the second path is asked for once the first file has been read."""
    arrays = []
    for path in paths:
        progress(f"Reading {name}", 0.5 * len(arrays))
        try:
            arrays.append(_read_idx(path))
        except (OSError, EOFError, ValueError, zlib.error) as error:
            raise _damaged(path, error) from error
    images, labels = arrays
    if images.ndim != 3 or images.shape[1:] != (28, 28) or labels.shape != images.shape[:1] or not len(images):
        raise DataError(
            f"{folder / IDX[name]} holds {images.shape} images and {labels.shape} labels, "
            f"expected (N, 28, 28) and (N,). Delete that folder and start again."
        )
    if labels.max() > 9:
        raise DataError(
            f"{folder / IDX[name]} holds the label {labels.max()}, expected 0 to 9. Delete that folder and start again."
        )
    return Data(from_bytes(images[:, None]), torch.from_numpy(labels.astype(np.int64)))


def mnist_like(name: str) -> Callable[[Source, Path, Progress], Data]:
    def load_files(source: Source, folder: Path, progress: Progress) -> Data:
        stems = _stems("train")
        paths = (_idx_file(name, stem, folder) or _fetched(name, stem, folder, progress) for stem in stems)
        return _read_pair(name, folder, paths, progress)

    return load_files


def idx_here(name: str) -> Callable[[Path], bool]:
    return lambda folder: all(_idx_file(name, stem, folder) for stem in _stems("train"))


def _silent(text: str, share: float) -> None:
    """Progress that nobody is told of."""


def test_split(source: Source, folder: Path | None = None) -> Data | None:
    """The official test set of mnist, fashion_mnist or kmnist at the source's size, channels and levels.

    None for another data set, and where its two files are not on this machine: nothing is downloaded.

    Args:
        folder: where downloaded files lie; `data_folder()` if None.

    Raises:
        DataError: the source makes no sense, or the files are damaged or too large.
    """
    if source.name not in IDX:
        return None
    folder = Path(folder) if folder is not None else data_folder()
    paths = [path for stem in _stems("t10k") if (path := _idx_file(source.name, stem, folder))]
    if len(paths) < 2:
        return None
    source = filled_in(source, 28, 1)
    return made_to_measure(_read_pair(source.name, folder, paths, _silent), source, _silent)


def stacked_mnist(source: Source, folder: Path, progress: Progress) -> Data:
    """50,000 random triples of MNIST's digits a, b, c as red, green and blue; the label is 100 a + 10 b + c, in grey none."""
    single = mnist_like("mnist")(source, folder, progress)
    rows = torch.randint(len(single.x), (50_000, 3), generator=seeded(0, "data:stacked_mnist"))
    labels = single.labels[rows] @ torch.tensor([100, 10, 1]) if source.channels == 3 else None
    return Data(single.x[rows, 0], labels)


# CIFAR-10


def _binary_batch(content: bytes) -> tuple[np.ndarray, np.ndarray]:
    """Labels (N,) and images (N, 3, 32, 32) of the binary version: a label's byte and 3072 of pixels, again and again."""
    if not content or len(content) % 3073:
        raise ValueError(f"{len(content):,} bytes, expected a multiple of 3073")
    rows = np.frombuffer(content, np.uint8).reshape(-1, 3073)
    return rows[:, 0], rows[:, 1:].reshape(-1, 3, 32, 32)


class _Pickled:
    """Stands for numpy's array, type and maker of arrays in a pickle: keeps what it is given and does nothing."""

    def __init__(self, *args: object):
        self.args = args

    def __setstate__(self, state: object) -> None:
        self.state = state


class _Unpickler(pickle.Unpickler):
    """Reads numbers, words, lists and numpy's arrays, and calls nothing: a pickle from elsewhere could call anything."""

    def find_class(self, module: str, name: str) -> type:
        if f"{module}.{name}" in (
            "numpy.core.multiarray._reconstruct",
            "numpy._core.multiarray._reconstruct",  # since numpy 2
            "numpy.ndarray",
            "numpy.dtype",
        ):
            return _Pickled
        raise pickle.UnpicklingError(f"it asks for {module}.{name}, which a data set does not need")


def _pickled_batch(content: bytes) -> tuple[np.ndarray, np.ndarray]:
    """Labels (N,) and images (N, 3, 32, 32) of the Python version, a pickled dict from Python 2."""
    words = _Unpickler(io.BytesIO(content), encoding="bytes").load()
    entry = {key.decode() if isinstance(key, bytes) else key: value for key, value in words.items()}
    _, shape, dtype, fortran, pixels = entry["data"].state
    if dtype.args[0] not in ("u1", b"u1") or shape != (len(entry["labels"]), 3072):
        raise ValueError("it does not hold a row of 3072 bytes for each label")
    images = np.frombuffer(pixels, np.uint8).reshape(shape, order="F" if fortran else "C")
    return np.array(entry["labels"], np.uint8), images.reshape(-1, 3, 32, 32)


@dataclass(frozen=True)
class _Cifar:
    """A version in which CIFAR-10 is given away: its folder, file ending, archive and reader of a file's content."""

    subfolder: str
    ending: str
    archive: str
    read: Callable[[bytes], tuple[np.ndarray, np.ndarray]]

    def files(self, folder: Path) -> list[Path]:
        return [folder / self.subfolder / f"data_batch_{k}{self.ending}" for k in range(1, 6)]

    def is_in(self, folder: Path) -> bool:
        return all(path.is_file() for path in self.files(folder))


CIFAR = (
    _Cifar("cifar-10-batches-bin", ".bin", "cifar-10-binary.tar.gz", _binary_batch),
    _Cifar("cifar-10-batches-py", "", "cifar-10-python.tar.gz", _pickled_batch),
)


def cifar_here(folder: Path) -> bool:
    return any(version.is_in(folder) or (folder / version.archive).is_file() for version in CIFAR)


def _unpack(version: _Cifar, folder: Path, progress: Progress) -> None:
    """Write the archive's five batches, and nothing else that it may hold, to where they belong."""
    wanted = {f"{version.subfolder}/{path.name}": path for path in version.files(folder)}
    archive = folder / version.archive
    try:
        with gzip.open(archive) as content:
            while content.read(1 << 20):  # to the checksum at the end, which tarfile would not reach, before a file is written
                pass
        (folder / version.subfolder).mkdir(exist_ok=True)
        with tarfile.open(archive) as tar:
            for member in tar:
                if (target := wanted.get(member.name)) is None:
                    continue
                if not member.isreg() or member.size > BATCH_LIMIT:
                    raise ValueError(f"{member.name} is not a file of the size of CIFAR-10's")
                progress("Unpacking cifar10", 1 - len(wanted) / 5)
                with _whole_file(target) as file:
                    file.write(tar.extractfile(member).read())
                del wanted[member.name]
        if wanted:
            raise ValueError(f"it does not hold {', '.join(wanted)}")
    except (OSError, EOFError, ValueError, zlib.error, tarfile.TarError) as error:
        raise _damaged(archive, error) from error


def cifar10(source: Source, folder: Path, progress: Progress) -> Data:
    version = next((v for v in CIFAR if v.is_in(folder)), None)
    if version is None:
        version = next((v for v in CIFAR if (folder / v.archive).is_file()), None)
        fetched = version is None
        if fetched:
            version = CIFAR[0]
            _download("cifar10", folder / version.archive, [CIFAR_URL], CIFAR_MD5, progress)
        _unpack(version, folder, progress)
        if fetched:
            (folder / version.archive).unlink(missing_ok=True)
    labels, images = [], []
    for k, path in enumerate(version.files(folder)):
        progress("Reading cifar10", k / 5)
        try:
            if path.stat().st_size > BATCH_LIMIT:
                raise ValueError("it is larger than any file of CIFAR-10")
            some, pixels = version.read(path.read_bytes())
            if some.max() > 9:
                raise ValueError(f"it holds the label {some.max()}, expected 0 to 9")
        except Exception as error:  # a damaged pickle can raise anything
            raise _damaged(path, error) from error
        labels.append(some)
        images.append(pixels)
    return Data(from_bytes(np.concatenate(images)), torch.from_numpy(np.concatenate(labels).astype(np.int64)))
