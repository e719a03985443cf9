import gzip
import math
import os
import threading
from dataclasses import replace
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from gan_core import DataError, features, vision
from gan_core.data import DATASETS, Data, Source, key_of, load
from gan_core.draws import seeded
from gan_core.features import VERSION, Judge, judge_of
from gan_core.images import test_split as official_test_set
from gan_core.metrics import measure

REAL_DATA = Path(os.environ.get("GAN_PLAYGROUND_DATA", "/nowhere"))
SPLITS = [REAL_DATA / "MNIST" / "raw" / f"{split}-images-idx3-ubyte.gz" for split in ("train", "t10k")]
needs_mnist = pytest.mark.skipif(
    not all(path.is_file() for path in SPLITS), reason="GAN_PLAYGROUND_DATA has not both splits of MNIST"
)
DIGITS = key_of("digits")
FILE = "digits-8-1-0.safetensors"


@pytest.fixture
def quick(monkeypatch):
    """Lessons of 70 steps, for what does not depend on how well they are learnt."""
    monkeypatch.setattr(features, "LEAST_STEPS", 20)


@pytest.fixture(scope="module")
def learnt(tmp_path_factory):
    """A judge after such a lesson, with its file."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(features, "LEAST_STEPS", 20)
        return Judge(DIGITS, tmp_path_factory.mktemp("learnt")).learn()


@pytest.fixture
def count_steps(monkeypatch):
    """From the call on, the clock of lessons counts how often it is asked, so that `advance(n)` takes n - 1 steps."""
    return lambda: monkeypatch.setattr(features, "time", SimpleNamespace(perf_counter=count().__next__))


def _same(judge, other):
    """Whether two judges see the same, to the bit."""
    images = load("digits").x[:100]
    return all(torch.equal(a, b) for a, b in zip(judge.look(images), other.look(images), strict=True))


# What it learns


def test_the_judge_of_the_digits_is_right_on_95_of_100_images(digits_judge):
    assert digits_judge.accuracy > 0.95


def test_it_is_tested_on_a_sixth_of_the_images_where_there_is_no_test_set(digits_judge):
    assert digits_judge.tested == 1797 // 6


def test_its_accuracy_is_the_share_of_those_that_it_names_correctly(digits_judge):
    data, held = load("digits"), torch.randperm(1797, generator=seeded(0, "judge:split"))[:299]
    right = digits_judge.look(data.x[held])[1].argmax(1) == data.labels[held]
    assert digits_judge.accuracy == pytest.approx(right.double().mean().item())


@pytest.fixture
def lots(monkeypatch):
    """Images whose labels are drawn by lot, in place of the digits: they can be learnt by heart, but not guessed."""
    monkeypatch.setattr(features, "LEAST_STEPS", 300)
    generator = torch.Generator().manual_seed(0)
    made = Data(torch.rand((120, 1, 8, 8), generator=generator), torch.randint(10, (120,), generator=generator))
    monkeypatch.setattr(features, "load", lambda source, folder: made)
    return made


def test_it_has_not_learnt_what_it_is_tested_on(lots, tmp_path):
    """Of 20 labels it guesses one in ten, and half of them hardly ever."""
    assert Judge(DIGITS, tmp_path).learn().accuracy < 0.5


def test_where_there_is_a_test_set_it_learns_all_others(lots, monkeypatch, tmp_path):
    monkeypatch.setattr(features, "test_split", lambda source, folder: lots)
    assert Judge(DIGITS, tmp_path).learn().accuracy == 1


def test_until_it_is_ready_nobody_knows_how_good_it_is(tmp_path):
    assert math.isnan(Judge(DIGITS, tmp_path).accuracy)


def test_it_learns_the_same_each_time(quick, learnt, tmp_path):
    assert _same(learnt, Judge(DIGITS, tmp_path).learn())


def test_in_slices_it_learns_the_same(quick, learnt, count_steps, tmp_path):
    sliced = Judge(DIGITS, tmp_path)
    count_steps()
    while sliced.advance(10) < 1:
        pass
    assert _same(learnt, sliced)


def test_slices_tell_how_much_is_done(quick, count_steps, tmp_path):
    count_steps()
    judge = Judge(DIGITS, tmp_path)
    assert [round(70 * judge.advance(21)) for _ in range(5)] == [20, 40, 60, 70, 70]


def test_it_is_not_ready_before_the_last_slice(quick, count_steps, tmp_path):
    count_steps()
    judge = Judge(DIGITS, tmp_path)
    judge.advance(60)
    assert not judge.ready


def test_whoever_looks_sees_how_much_is_learnt(quick, count_steps, tmp_path):
    count_steps()
    judge, seen = Judge(DIGITS, tmp_path), []
    for _ in range(4):
        seen.append(round(70 * judge.share))
        judge.advance(21)
    assert seen == [0, 20, 40, 60]


def test_learning_tells_its_progress_up_to_the_whole(quick, tmp_path):
    told = []
    Judge(DIGITS, tmp_path).learn(lambda text, share: told.append(share))
    assert told[-1] == 1


def test_two_threads_that_want_it_learn_it_once(quick, learnt, tmp_path):
    judge = Judge(DIGITS, tmp_path)
    threads = [threading.Thread(target=judge.learn) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert _same(learnt, judge)


def test_it_may_become_ready_while_another_thread_asks_how_far_it_is(quick, tmp_path):
    """The lesson is gone between two looks at it."""
    judge = Judge(DIGITS, tmp_path)

    class Ends:
        done = 0.5

        def __bool__(self):
            judge._lesson = None
            return True

    judge._lesson = Ends()
    with judge._lock:
        assert judge.advance(0) == 0.5


def test_it_does_not_begin_anew_when_another_thread_has_just_ended(quick, tmp_path):
    """Between its question whether it is ready and its turn."""
    judge = Judge(DIGITS, tmp_path)
    Judge(DIGITS, tmp_path).learn()
    judge._lock = SimpleNamespace(acquire=lambda blocking: judge.read() is None, release=lambda: None)
    assert judge.advance(0) == 1


def test_learning_and_looking_leave_the_global_generator_alone(quick, tmp_path):
    before = torch.get_rng_state()
    Judge(DIGITS, tmp_path).learn().look(load("digits").x[:10])
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("source", "shape"),
    [
        (Source("digits", image_size=12), (1, 12, 12)),
        (Source("digits", channels=3), (3, 8, 8)),
        (Source("digits", levels=2), (1, 8, 8)),
    ],
    ids=["size", "colour", "levels"],
)
def test_it_learns_images_at_the_measure_of_the_run(quick, tmp_path, source, shape):
    assert judge_of(source, tmp_path).learn().look(torch.zeros(5, *shape))[1].shape == (5, 10)


def test_features_are_64_numbers_an_image(digits_judge):
    assert digits_judge.look(load("digits").x[:5])[0].shape == (5, 64)


def test_more_images_than_fit_at_once_are_looked_at_in_parts(digits_judge):
    x = load("digits").x[:1500]
    whole, parts = digits_judge.look(x)[1], [digits_judge.look(part)[1] for part in x.split(500)]
    torch.testing.assert_close(whole, torch.cat(parts))


# What is kept


def test_it_is_kept_in_the_folder_judges(quick, tmp_path):
    Judge(DIGITS, tmp_path).learn()
    assert [path.name for path in (tmp_path / "judges").iterdir()] == [FILE]


def test_what_is_kept_is_ready_without_learning(learnt):
    assert Judge(DIGITS, learnt.folder).ready


def test_what_is_kept_sees_the_same(learnt):
    assert _same(learnt, Judge(DIGITS, learnt.folder))


def test_how_good_it_is_is_kept_with_it(learnt):
    read = Judge(DIGITS, learnt.folder)
    assert (read.accuracy, read.tested) == (learnt.accuracy, learnt.tested)


def test_sources_that_look_different_are_kept_apart(tmp_path):
    sources = [DIGITS, replace(DIGITS, image_size=16), replace(DIGITS, channels=3), replace(DIGITS, levels=2)]
    assert len({Judge(source, tmp_path).path for source in sources}) == 4


def _rewritten(change):
    """A damage that keeps the file whole, but writes something else into it: `change(tensors, metadata)`."""

    def damage(path):
        with safe_open(path, "pt") as file:
            tensors, about = {key: file.get_tensor(key) for key in file.keys()}, file.metadata()  # noqa: SIM118
        change(tensors, about)
        save_file(tensors, path, metadata=about)

    return damage


DAMAGE = {
    "empty": lambda path: path.write_bytes(b""),
    "cut": lambda path: path.write_bytes(path.read_bytes()[:-100]),
    "something else": lambda path: path.write_bytes(b"<html>Not found</html>"),
    "another version": _rewritten(
        lambda tensors, about: about.update(judge=about["judge"].replace(f'"version": {VERSION}', '"version": 0'))
    ),
    "no description": _rewritten(lambda tensors, about: about.pop("judge")),
    "no json": _rewritten(lambda tensors, about: about.update(judge="{")),
    "no accuracy": _rewritten(lambda tensors, about: about.update(judge='{"version": 1}')),
    "other networks": _rewritten(lambda tensors, about: tensors.update({"0": torch.zeros(8, 1, 3, 3)})),
    "a tensor less": _rewritten(lambda tensors, about: tensors.pop("7")),
}


@pytest.fixture(params=DAMAGE)
def damaged(request, learnt, tmp_path):
    """A data folder with a damaged file of a judge."""
    path = tmp_path / "judges" / FILE
    path.parent.mkdir()
    path.write_bytes(learnt.path.read_bytes())
    DAMAGE[request.param](path)
    return tmp_path


def test_a_damaged_file_is_not_believed(damaged):
    assert not Judge(DIGITS, damaged).ready


def test_what_a_damaged_file_says_of_itself_is_not_believed(damaged):
    assert math.isnan(Judge(DIGITS, damaged).accuracy)


def test_a_damaged_file_is_learnt_anew(damaged, quick, learnt):
    Judge(DIGITS, damaged).learn()
    assert _same(learnt, Judge(DIGITS, damaged))


def test_a_folder_that_cannot_be_written_is_no_error(quick, tmp_path):
    (tmp_path / "judges").write_text("a file in its place")
    assert Judge(DIGITS, tmp_path).learn().ready


# Which judge


@pytest.mark.parametrize("name", [name for name, entry in DATASETS.items() if entry.kind == "points"])
def test_points_have_no_judge(tmp_path, name):
    assert judge_of(Source(name), tmp_path) is None


def test_images_without_labels_have_no_judge(tmp_path):
    assert judge_of(Source("folder", path=str(tmp_path)), tmp_path) is None


@pytest.mark.parametrize("name", [name for name, entry in DATASETS.items() if entry.classes and entry.kind == "images"])
def test_images_with_classes_have_one(tmp_path, name):
    assert judge_of(Source(name), tmp_path).classes == 10


def test_it_is_the_same_one_for_all_who_ask(tmp_path):
    assert judge_of(Source("digits"), tmp_path) is judge_of(Source("digits", image_size=8, channels=1), tmp_path)


def test_what_another_process_has_learnt_is_found(quick, tmp_path):
    mine = judge_of(Source("digits"), tmp_path)
    Judge(DIGITS, tmp_path).learn()
    judge_of(Source("digits"), tmp_path)
    assert mine.ready


def test_images_that_cannot_be_had_are_an_error_each_time(tmp_path, monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(vision.MNIST, "mirrors", ["http://127.0.0.1:9/"])
    judge = judge_of(Source("mnist"), tmp_path)
    for _ in range(2):  # the second would wait for ever if the first had kept the lock
        with pytest.raises(DataError):
            judge.learn()


# MNIST and Stacked MNIST


def _idx(array):
    return bytes([0, 0, 8, array.ndim]) + b"".join(int(n).to_bytes(4, "big") for n in array.shape) + array.tobytes()


def _bars(labels):
    """Images (N, 28, 28) of a bright bar, the lower the larger the label: easy to tell apart."""
    images = np.zeros((len(labels), 28, 28), np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[2 * label + 4 : 2 * label + 6] = 255
    return images


def _write(folder, split, labels):
    raw = folder / "MNIST" / "raw"
    raw.mkdir(parents=True, exist_ok=True)
    labels = np.array(labels, np.uint8)
    (raw / f"{split}-images-idx3-ubyte.gz").write_bytes(gzip.compress(_idx(_bars(labels)), 1))
    (raw / f"{split}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(_idx(labels), 1))


@pytest.fixture(scope="module")
def bars(tmp_path_factory):
    """A data folder with ten kinds of bars in place of MNIST's digits, and the judges of MNIST and Stacked MNIST, taught."""
    folder = tmp_path_factory.mktemp("bars")
    _write(folder, "train", list(range(10)) * 20)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(features, "LEAST_STEPS", 100)
        mnist = judge_of(Source("mnist"), folder).learn()
    return SimpleNamespace(folder=folder, mnist=mnist, stacked=judge_of(Source("stacked_mnist"), folder))


def _stack(*digits):
    """One image (1, 3, 28, 28) of three bars."""
    return torch.from_numpy(_bars(digits))[None].float() / 127.5 - 1


def test_stacked_mnists_judge_is_that_of_mnist(bars):
    assert bars.stacked.path == bars.mnist.path


def test_what_is_learnt_for_mnist_serves_stacked_mnist(bars):
    assert bars.stacked.ready


def test_stacked_mnist_has_1000_classes(bars):
    assert bars.stacked.classes == 1000


@pytest.mark.parametrize("digits", [(0, 0, 0), (1, 2, 3), (9, 0, 4), (9, 9, 9)], ids=str)
def test_three_digits_are_read_as_one_number(bars, digits):
    a, b, c = digits
    assert bars.stacked.look(_stack(*digits))[1].argmax().item() == 100 * a + 10 * b + c


def test_labels_of_stacked_mnist_are_the_numbers_that_are_read(bars):
    data = load("stacked_mnist", bars.folder)
    assert bars.stacked.look(data.x[:100])[1].argmax(1).tolist() == data.labels[:100].tolist()


def test_a_number_is_as_likely_as_its_three_digits_together(bars):
    image = _stack(1, 2, 3) + 0.5 * torch.randn((1, 3, 28, 28), generator=torch.Generator().manual_seed(0))
    each = bars.mnist.look(image[0][:, None])[1].softmax(1)
    expected = each[0, 4] * each[1, 5] * each[2, 6]
    torch.testing.assert_close(bars.stacked.look(image)[1].softmax(1)[0, 456], expected)


def test_features_of_stacked_mnist_are_those_of_its_channels(bars):
    image = _stack(1, 2, 3)
    torch.testing.assert_close(bars.stacked.look(image)[0][0], bars.mnist.look(image[0][:, None])[0].flatten())


def test_in_grey_the_digits_of_stacked_mnist_cannot_be_told_apart(bars):
    assert judge_of(Source("stacked_mnist", channels=1), bars.folder) is None


def test_stacked_mnist_in_grey_is_measured_without_a_judge(bars):
    data = load(Source("stacked_mnist", image_size=8, channels=1), bars.folder)
    found = measure(data.x[None, :50], data, judge_of(Source("stacked_mnist", channels=1), bars.folder))
    assert [name for name, value in found.items() if value.isnan().any()] == []


def test_where_there_is_a_test_set_the_judge_is_tested_on_it(quick, tmp_path):
    _write(tmp_path, "train", list(range(10)) * 5)
    _write(tmp_path, "t10k", [3, 1, 4, 1, 5, 9, 2])
    assert judge_of(Source("mnist"), tmp_path).learn().tested == 7


@pytest.mark.parametrize(("name", "classes"), [("mnist", 10), ("stacked_mnist", 1000)])
def test_it_knows_all_classes_where_the_images_lack_the_last(quick, tmp_path, name, classes):
    _write(tmp_path, "train", list(range(9)) * 5)
    image = torch.zeros(1, DATASETS[name].channels, 28, 28)
    assert judge_of(Source(name), tmp_path).learn().look(image)[1].shape == (1, classes)


@needs_mnist
def test_the_judge_of_mnist_is_right_on_98_of_100_test_images(tmp_path):
    (tmp_path / "MNIST").symlink_to((REAL_DATA / "MNIST").resolve())
    judge = judge_of(Source("mnist"), tmp_path).learn()
    test = official_test_set(Source("mnist"), tmp_path)
    assert (judge.look(test.x)[1].argmax(1) == test.labels).float().mean().item() >= 0.98
