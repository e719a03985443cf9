"""What metrics of images look at: a small classifier that is trained here, once for each data set, and kept beside the data.

Published Fréchet distances stand on Inception's features, whose weights would have to be downloaded. A classifier of the
data set itself is small, knows what matters in these images, and tells which class a generated image belongs to. Its
numbers compare with numbers of the same classifier only; so they are never called FID.
"""

from __future__ import annotations

import json
import pickle
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor
from torch.nn.functional import conv2d, cross_entropy, interpolate, linear, max_pool2d, relu

from .data import DATASETS, key_of, load
from .draws import seeded
from .errors import DataError
from .images import test_split
from .source import Data, Source, data_folder

CHANNELS = (16, 32)
FEATURES = 64
BATCH = 64
EPOCHS, LEAST_STEPS = 3, 1000
RATE = 2e-3  # of Adam, falling linearly to 0
HELD_OUT = 6  # one image of so many is kept for the test, where a data set has no test images of its own
CONFIDENT = 0.9  # probability from which on an image counts as one of its class
VERSION = 2  # of what is kept in files
AT_ONCE = 1000  # images
INCEPTION = "inception_v3_google-0cc3c7bd.pth"  # as torchvision names the file
INCEPTION_AT_ONCE = 50


class Judge:
    """A classifier of a data set's images, and what it sees in them. It learns a slice at a time, so that it can learn
    between the steps of a run.

    Args:
        source: what it learns, with nothing left at 0 that has a value of its own.
        stacked: it looks at each of three channels alone, and reads the three digits as one of 1,000 classes.

    Attributes:
        classes: how many it tells apart.
        accuracy, sure: share of `tested` images, which it had not learnt from, that it names correctly, and of which it is
            sure; NaN until it is ready.
    """

    def __init__(self, source: Source, folder: Path, stacked: bool = False):
        self.source, self.folder, self.stacked = source, folder, stacked
        self.accuracy, self.sure, self.tested = float("nan"), float("nan"), 0
        self.classes = DATASETS[source.name].classes ** (3 if stacked else 1)
        self._weights: list[Tensor] | None = None
        self._lesson: _Lesson | None = None
        self._lock = threading.Lock()
        self.read()

    @property
    def ready(self) -> bool:
        return self._weights is not None

    @property
    def share(self) -> float:
        """How much it has learnt, from 0 to 1, when it is ready."""
        lesson = self._lesson  # which another thread may end at any moment
        return 1.0 if self.ready else lesson.done if lesson else 0.0

    @property
    def path(self) -> Path:
        s = self.source
        return self.folder / "judges" / f"{s.name}-{s.image_size}-{s.channels}-{s.levels}.safetensors"

    def advance(self, seconds: float) -> float:
        """Learn for about so many seconds; returns the share done, 1 when it is ready. One thread at a time does it."""
        if self.ready or not self._lock.acquire(blocking=False):
            return self.share
        try:
            if self.ready:
                return 1.0  # another thread has just ended
            self._lesson = self._lesson or self._begun()
            until = time.perf_counter() + seconds
            while not self._lesson.over and time.perf_counter() < until:
                self._lesson.step()
            if not self._lesson.over:
                return self._lesson.done
            self.accuracy, self.sure, self.tested = self._lesson.test()
            self._weights, self._lesson = [w.detach() for w in self._lesson.weights], None
            self._write()
            return 1.0
        finally:
            self._lock.release()

    def _begun(self) -> _Lesson:
        return _Lesson(load(self.source, self.folder), test_split(self.source, self.folder), self._fresh())

    def learn(self, progress: Callable[[str, float], None] = lambda text, share: None) -> Judge:
        """Learn until it is ready."""
        while not self.ready:
            progress("Learning to tell the classes apart", self.advance(0.2))
            if not self.ready and self._lock.locked():
                time.sleep(0.05)  # another thread teaches it
        return self

    @torch.no_grad()
    def look(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Features (N, F) and logits (N, K) of images (N, C, H, W) in [-1, 1]; F is 64, or three times that if stacked."""
        each = images.flatten(0, 1)[:, None] if self.stacked else images
        parts = [_network(self._weights, part) for part in each.cpu().split(AT_ONCE)]
        features, logits = torch.cat([p[0] for p in parts]), torch.cat([p[1] for p in parts])
        if not self.stacked:
            return features, logits
        a, b, c = logits.log_softmax(1).reshape(len(images), 3, -1).unbind(1)
        together = a[:, :, None, None] + b[:, None, :, None] + c[:, None, None, :]  # log-probability of three digits
        return features.reshape(len(images), -1), together.flatten(1)

    def read(self) -> None:
        """Take over what is kept in the file, if it is whole and of these networks."""
        try:
            with safe_open(self.path, "pt") as file:
                about = json.loads(file.metadata()["judge"])
                weights = [file.get_tensor(str(k)) for k in range(2 * (len(CHANNELS) + 2))]
            known, marks = about["version"] == VERSION, (about["accuracy"], about["sure"], about["tested"])
        except (OSError, SafetensorError, KeyError, TypeError, ValueError):
            return  # none yet, or damaged: it learns anew
        if known and [w.shape for w in weights] == [w.shape for w in self._fresh()]:
            (self.accuracy, self.sure, self.tested), self._weights = marks, weights

    def _fresh(self) -> list[Tensor]:
        """Weights of the networks, before anything has been learnt."""
        s = self.source
        return _fresh((s.channels, s.image_size, s.image_size), DATASETS[s.name].classes)

    def _write(self) -> None:
        part = self.path.with_suffix(f".{uuid.uuid4().hex[:6]}.part")
        about = {"version": VERSION, "accuracy": self.accuracy, "sure": self.sure, "tested": self.tested}
        tensors = {str(k): w.contiguous() for k, w in enumerate(self._weights)}
        with suppress(OSError, SafetensorError):  # a folder that cannot be written: it is kept in memory only
            part.parent.mkdir(parents=True, exist_ok=True)
            try:
                save_file(tensors, part, metadata={"judge": json.dumps(about)})
                part.replace(self.path)
            finally:
                part.unlink(missing_ok=True)


class _Lesson:
    """A judge's training: Adam on cross-entropy, from seeded generators, so that it is the same each time."""

    def __init__(self, data: Data, test: Data | None, weights: list[Tensor]):
        order = torch.randperm(len(data.x), generator=seeded(0, "judge:split"))
        held = 0 if test is not None else max(1, len(order) // HELD_OUT)
        self.x, self.y, self.learnt = data.x, data.labels, order[held:]
        exam = test or Data(data.x[order[:held]], data.labels[order[:held]])
        self.test_x, self.test_y = exam.x, exam.labels
        self.weights = weights
        self.optimizer = torch.optim.Adam(self.weights, lr=RATE)
        self.generator = seeded(0, "judge:batches")
        self.steps, self.count = max(LEAST_STEPS, EPOCHS * len(self.learnt) // BATCH), 0

    @property
    def done(self) -> float:
        return self.count / self.steps

    @property
    def over(self) -> bool:
        return self.count >= self.steps

    def step(self) -> None:
        self.optimizer.param_groups[0]["lr"] = RATE * (1 - self.done)
        rows = self.learnt[torch.randint(len(self.learnt), (BATCH,), generator=self.generator)]
        loss = cross_entropy(_network(self.weights, self.x[rows])[1], self.y[rows])
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.count += 1

    @torch.no_grad()
    def test(self) -> tuple[float, float, int]:
        """Share of the test images named correctly, share of which it is sure, and how many there are."""
        logits = torch.cat([_network(self.weights, x)[1] for x in self.test_x.split(AT_ONCE)])
        sure = logits.softmax(1).max(1).values >= CONFIDENT
        return float((logits.argmax(1) == self.test_y).float().mean()), float(sure.float().mean()), len(logits)


def _fresh(shape: tuple[int, ...], classes: int) -> list[Tensor]:
    """Weights and biases by He's rule (2015) for images (C, H, W)."""
    generator = seeded(0, "judge:weights")
    a, b = CHANNELS
    flat = b * (shape[1] // 4) * (shape[2] // 4)
    weights = []
    for size in ((a, shape[0], 3, 3), (b, a, 3, 3), (FEATURES, flat), (classes, FEATURES)):
        inputs = torch.Size(size[1:]).numel()
        weights.append((torch.randn(size, generator=generator) * (2 / inputs) ** 0.5).requires_grad_())
        weights.append(torch.zeros(size[0], requires_grad=True))
    return weights


def _network(weights: list[Tensor], x: Tensor) -> tuple[Tensor, Tensor]:
    """Two convolutions and two layers: images (N, C, H, W) -> features (N, 64), logits (N, K)."""
    w1, b1, w2, b2, w3, b3, w4, b4 = weights
    x = max_pool2d(relu(conv2d(x, w1, b1, padding=1)), 2)
    x = max_pool2d(relu(conv2d(x, w2, b2, padding=1)), 2)
    features = relu(linear(x.flatten(1), w3, b3))
    return features, linear(features, w4, b4)


_judges: dict[tuple[Source, Path], Judge] = {}
_lock = threading.Lock()


def judge_of(source: Source, folder: Path | None = None) -> Judge | None:
    """The judge of a data set of labelled images, which may still have to learn; None where there are no classes to tell.

    One for each source and folder in this process, so that what one run has taught it serves all.
    """
    folder = Path(folder) if folder is not None else data_folder()
    source = key_of(source)
    stacked = source.name == "stacked_mnist" and source.channels == 3
    if DATASETS[source.name].kind != "images" or not (stacked or DATASETS[source.name].classes):
        return None
    with _lock:
        if (source, folder) not in _judges:
            learnt = replace(source, name="mnist", channels=1) if stacked else source
            _judges[source, folder] = Judge(learnt, folder, stacked)
        judge = _judges[source, folder]
    if not judge.ready and judge.path.is_file():
        judge.read()  # another process has taught it
    return judge


class Inception:
    """torchvision's Inception v3, whose weights the user has put into the data folder: features (N, 2048) of any images.

    They are not the TensorFlow weights of published FIDs, so neither are the distances.

    Raises:
        DataError: the file is no state of that network.
    """

    def __init__(self, path: Path):
        from .vision import inception  # slow to import

        self.network = inception()
        try:
            self.network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
        except (OSError, RuntimeError, KeyError, ValueError, TypeError, AttributeError, pickle.UnpicklingError) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise DataError(
                f"{path} does not hold the weights of Inception v3 ({reason}). Fetch it anew or remove it."
            ) from error
        self.network.fc = torch.nn.Identity()
        self.network.eval()

    @torch.no_grad()
    def features(self, images: Tensor) -> Tensor:
        """(N, 2048) of images (N, C, H, W) in [-1, 1]; grey ones are repeated, all are enlarged to 299 x 299."""
        parts = []
        for part in images.cpu().split(INCEPTION_AT_ONCE):
            part = part.expand(-1, 3, -1, -1)
            parts.append(self.network(interpolate(part, size=(299, 299), mode="bilinear", align_corners=False, antialias=True)))
        return torch.cat(parts)


def inception_of(folder: Path | None = None) -> Inception | None:
    """Inception v3, if its weights lie in the data folder; nothing is ever downloaded."""
    path = (Path(folder) if folder is not None else data_folder()) / INCEPTION
    return Inception(path) if path.is_file() else None
