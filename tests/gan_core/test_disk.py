import time

import pytest

from gan_core import RunError, bundle, disk
from gan_core.disk import GB, SETTINGS, Disk, advice, check_room, said, setting, size, sweep, usage

DAY = 86_400.0


@pytest.fixture
def trashed(store, tiny):
    """Puts a run into the trash that has lain there so many days and has a checkpoint of so many bytes."""

    def make(days, count=0):
        run = store.create([tiny()])
        store.update(run, status="stopped")
        store.trash([run])
        with store._write() as db:
            db.execute("UPDATE runs SET trashed = ? WHERE id = ?", (time.time() - days * DAY, run))
            db.execute("INSERT INTO checkpoints VALUES (?, 1, '', ?)", (run, count))
        return run

    return make


# Settings


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("text", ["", "0.5"])
def test_a_setting_is_the_environments_or_the_usual(monkeypatch, name, text):
    monkeypatch.setenv(name, text)
    assert setting(name) == (float(text) if text else SETTINGS[name][0])


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "much"])
def test_a_setting_that_is_no_number_above_0_is_refused(monkeypatch, name, text):
    monkeypatch.setenv(name, text)
    with pytest.raises(RunError, match=f"{name} = {text} is not usable"):
        setting(name)


# Emptying the trash


def test_what_has_lain_in_the_trash_too_long_is_deleted(store, trashed):
    old, young = trashed(14.1), trashed(13.9)
    assert sweep(store) == [old]
    assert [line.id for line in store.lines(trashed=True)] == [young]


def test_of_too_much_the_oldest_is_deleted(store, trashed, monkeypatch):
    monkeypatch.setenv("GAN_PLAYGROUND_TRASH_GB", "1")
    oldest, old, young = trashed(3, 0.5 * GB), trashed(2, 0.5 * GB), trashed(1, 0.4 * GB)
    assert sweep(store) == [oldest]
    assert {line.id for line in store.lines(trashed=True)} == {old, young}


def test_what_was_just_deleted_can_be_taken_back_whatever_its_size(store, trashed):
    trashed(0, 5 * GB)
    assert sweep(store) == []


def test_only_what_the_user_deleted_goes(store, tiny, trashed):
    run = store.create([tiny()])
    store.update(run, status="stopped")
    store.describe(run, starred=True)
    trashed(30, 9 * GB)
    sweep(store)
    assert [line.id for line in store.lines()] == [run]


def test_a_program_that_starts_empties_the_trash(runner, store, trashed):
    trashed(15)
    type(runner)(store).shutdown()
    assert store.lines(trashed=True) == []


def test_deleting_empties_the_trash(runner, store, tiny, trashed):
    old = trashed(15)
    run = store.create([tiny()])
    store.update(run, status="stopped")
    runner.trash([run])
    assert old not in [line.id for line in store.lines(trashed=True)]


# Room


def test_usage_counts_checkpoints_and_the_database(store, trashed):
    before = usage(store)
    trashed(1, 1000)
    after = usage(store)
    assert (after.trash, after.trashed) == (1000, 1)
    assert after.used - before.used >= 1000
    assert before.used >= 4096  # a page of the database


@pytest.fixture
def full(store, tiny, monkeypatch):
    """A store whose cap is reached, with one stopped run of 3 kB."""
    run = store.create([tiny()], "big one")
    store.update(run, status="stopped")
    store.save_checkpoint(run, {"step": 1, "configs": [tiny().model_dump()], "cursors": {}, "tensors": {}})
    monkeypatch.setenv("GAN_PLAYGROUND_DISK", "0.000001")
    return run


def test_at_the_cap_a_sentence_says_what_to_do(store, full, trashed):
    trashed(1, 2_500_000)
    with pytest.raises(RunError, match=r"Empty the trash \(2\.5 MB\), or delete the largest run, big one \(.*, or set"):
        check_room(store)


@pytest.mark.parametrize("act", ["start", "fork", "import"])
def test_at_the_cap_nothing_new_begins(runner, store, full, tiny, tmp_path, act):
    file = bundle.export(store, full, tmp_path / "run.ganrun")
    with pytest.raises(RunError, match="no room for another run"):
        {
            "start": lambda: runner.start(tiny()),
            "fork": lambda: runner.fork(full),
            "import": lambda: bundle.import_(store, file),
        }[act]()
    assert [row.id for row in store.runs()] == [full]


def test_a_live_run_goes_on_at_the_cap(runner, store, tiny, monkeypatch):
    run = runner.start(tiny(), paused=True)
    monkeypatch.setenv("GAN_PLAYGROUND_DISK", "0.000001")
    runner.resume(run)
    assert runner.wait(run, 60)
    assert store.get(run).status == "finished"


def test_a_volume_that_is_nearly_full_counts_too(store, monkeypatch):
    monkeypatch.setattr(disk.shutil, "disk_usage", lambda folder: type("Usage", (), {"free": 1000}))
    with pytest.raises(RunError, match=r"The disk has 1\.0 kB left\. Free some space elsewhere\."):
        check_room(store)


@pytest.mark.parametrize(("used", "near", "is_full"), [(8.9, False, False), (9.1, True, False), (10, True, True)])
def test_near_the_cap_is_from_nine_tenths_on(used, near, is_full):
    found = Disk(used * GB, 10 * GB, 100 * GB, 0, 0)
    assert (found.is_near, found.is_full) == (near, is_full)


def test_what_is_scarce_is_said_with_numbers():
    found = Disk(9.5 * GB, 10 * GB, 100 * GB, 0, 0)
    assert said(found) == "The runs take 9.5 GB of the 10.0 GB that they may."
    assert advice(found, []) == "Set GAN_PLAYGROUND_DISK to more gigabytes."


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 bytes"), (999, "999 bytes"), (1500, "1.5 kB"), (2.5e8, "250 MB"), (1.2e9, "1.2 GB")]
)
def test_bytes_in_words(count, text):
    assert size(count) == text
