import io
import json
import re
import stat
import struct
import sys
import tempfile
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from bundles import apart, together
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from safetensors.torch import load, save

from gan_core import GANConfig, RunError, Runner, RunStore, Trainer
from gan_core.bundle import PROJECT, UNPACKED_LIMIT, export, import_, write
from gan_core.frames import pack, unpack
from gan_core.points import encode_points
from gan_core.store import default_name

SET = {"kind": "set", "step": 1, "time": 1.0, "name": "lr_g", "before": 0.5, "value": 0.5}
TINY = {"latent_dim": 4, "width": 8, "depth": 1, "batch_size": 8}


def _trained(folder, config, steps=None, **values):
    """A store with one run, trained to its end or stopped after so many steps, and its id."""
    store = RunStore(folder)
    runner = Runner(store)
    run = runner.start(config, **values, until=None if steps is None else {"step": steps})
    while not runner.wait(run, 0.02) and (steps is None or store.get(run).status != "paused"):
        pass
    if steps is not None:
        runner.send(run, "stop")
        assert runner.wait(run, 30)
    runner.shutdown()
    return store, run


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A stopped run of points in a store, with a change of a setting: (store, run)."""
    config = GANConfig(**TINY, steps=40, penalty="r1")
    store, run = _trained(tmp_path_factory.mktemp("source") / "runs", config, 10, name="Mine")
    store.add_event(run, 3, "set", name="lr_g", before=1e-3, value=2e-3)
    return store, run


@pytest.fixture(scope="module")
def bundle(source):
    """The bytes of that run's bundle."""
    out = io.BytesIO()
    write(*source, out)
    return out.getvalue()


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """The bytes of a bundle of images."""
    config = GANConfig(**{**TINY, "width": 4, "batch_size": 4}, steps=2, dataset="digits", network="dcgan")
    out = io.BytesIO()
    write(*_trained(tmp_path_factory.mktemp("images") / "runs", config), out)
    return out.getvalue()


@pytest.fixture
def taken(store, bundle):
    """Takes a bundle in: its id."""
    return lambda content=bundle: import_(store, io.BytesIO(content))


def _changed(bundle, name, change):
    """A bundle with one member of JSON changed, and checksums that fit."""
    members = apart(bundle)
    (found,) = [member for member in members if re.fullmatch(name, member)]
    value = json.loads(members[found])
    change(value)
    members[found] = json.dumps(value).encode()
    return together(members)


def _empty(store):
    """Whether nothing of a run is in a store."""
    left = [path for path in store.folder.iterdir() if not path.name.startswith("runs.db") and path.name != "owners"]
    return store.runs(kind=None) == [] and left == []


# Damaged checkpoints


@pytest.fixture
def kept(store):
    """A run with checkpoints at two steps."""
    run = store.create([GANConfig(**TINY, steps=2)])
    trainer = Trainer(list(store.get(run).configs))
    for _ in range(2):
        trainer.step()
        store.save_checkpoint(run, trainer.state_dict())
    return run


def test_a_damaged_checkpoint_is_left_out_of_a_bundle(tmp_path, store, kept):
    store.checkpoint_path(kept, 1).write_bytes(b"cut")
    other = RunStore(tmp_path / "other")
    assert other.checkpoint_steps(import_(other, export(store, kept, tmp_path / "x"))) == [2]


def test_a_run_none_of_whose_checkpoints_is_whole_has_no_bundle(tmp_path, store, kept):
    for step in (1, 2):
        store.checkpoint_path(kept, step).write_bytes(b"cut")
    with pytest.raises(RunError, match="All 2 checkpoints"):
        export(store, kept, tmp_path / "x")
    assert not (tmp_path / "x").exists()


# Round trip


def test_the_id_is_kept_where_it_is_free(taken, source):
    assert taken() == source[1]


def test_a_taken_id_gets_another(taken, store):
    assert len({taken(), taken(), taken()}) == len(store.runs()) == 3


@pytest.mark.parametrize("what", ["name", "configs", "status", "step", "steps", "seconds", "metrics"])
def test_the_row_comes_back(taken, store, source, what):
    ours, theirs = store.get(taken()), source[0].get(source[1])
    assert getattr(ours, what) == getattr(theirs, what)


def test_every_series_comes_back(taken, store, source):
    run, (other, theirs) = taken(), source
    assert store.series_kinds(run) == other.series_kinds(theirs) != []
    for kind in store.series_kinds(run):
        for ours, expected in zip(store.series(run, kind), other.series(theirs, kind), strict=True):
            np.testing.assert_array_equal(ours, expected)


def test_the_film_comes_back(taken, store, source):
    assert store.film(taken()) == source[0].film(source[1]) != []


def test_the_picture_comes_back(taken, store, source):
    assert store.frame(taken()) == source[0].frame(source[1]) is not None


def test_the_events_come_back_and_one_tells_of_the_import(taken, store, source):
    *events, last = store.events(taken())
    assert events == source[0].events(source[1]) != []
    assert (last["kind"], last["run"]) == ("imported", source[1])


def test_every_checkpoint_comes_back(taken, store, source):
    run, (other, theirs) = taken(), source
    assert store.checkpoint_steps(run) == other.checkpoint_steps(theirs)
    for step in store.checkpoint_steps(run):
        ours, expected = store.load_checkpoint(run, step), other.load_checkpoint(theirs, step)
        assert ours["cursors"] == expected["cursors"]
        assert all(torch.equal(ours["tensors"][name], tensor) for name, tensor in expected["tensors"].items())


@pytest.mark.parametrize(
    "config",
    [
        GANConfig(**TINY, steps=30, penalty="lecam", replay=0.5),
        [GANConfig(**TINY, steps=30, seed=seed) for seed in range(3)],
        GANConfig(**{**TINY, "width": 4}, steps=6, dataset="digits", network="dcgan", ema_decay=0.9, conditional="projection"),
        GANConfig(dataset="digits", network="pixelcnn", width=8, depth=1, batch_size=8, levels=2, steps=6, ema_decay=0.9),
    ],
    ids=["points", "members", "images", "pixelcnn"],
)
def test_an_imported_run_resumes_to_the_same_bits(tmp_path, config, store):
    other, theirs = _trained(tmp_path / "theirs", config, 4)
    run = import_(store, export(other, theirs, tmp_path / "x.ganrun"))
    for each, name in ((store, run), (other, theirs)):
        runner = Runner(each)
        runner.resume(name)
        assert runner.wait(name, 60)
        runner.shutdown()
    ours, expected = store.load_checkpoint(run), other.load_checkpoint(theirs)
    assert ours["step"] == expected["step"] == store.get(run).steps
    assert all(torch.equal(ours["tensors"][name], tensor) for name, tensor in expected["tensors"].items())


def test_a_drawing_travels(tmp_path, store):
    config = GANConfig(**TINY, steps=1, dataset="drawn", points=encode_points([[0, 0], [0.5, -0.5]]))
    other, theirs = _trained(tmp_path / "theirs", config)
    assert store.get(import_(store, export(other, theirs, tmp_path / "x"))).config == config


@pytest.fixture
def of_own_images(tmp_path):
    """A finished run on images in a folder: (store, run, folder)."""
    folder = tmp_path / "my holiday"
    folder.mkdir()
    for k in range(4):
        Image.new("L", (8, 8), 60 * k).save(folder / f"{k}.png")
    config = {**TINY, "width": 4, "batch_size": 2}
    config = GANConfig(**config, steps=4, dataset="folder", path=str(folder), image_size=8, channels=1, network="dcgan")
    return *_trained(tmp_path / "theirs", config, 2), folder


def test_no_name_of_a_folder_travels(tmp_path, of_own_images):
    other, theirs, folder = of_own_images
    other.update(theirs, status="failed", message=f"{folder} cannot be read, details are in {other.folder}/x")
    other.add_event(theirs, 4, "failed", message=f"{folder} cannot be read")
    content = export(other, theirs, tmp_path / "x").read_bytes()
    assert not any(str(tmp_path).encode() in part for part in apart(content).values())


def test_a_run_on_images_of_ones_own_says_that_they_are_missing(tmp_path, of_own_images, store):
    run = import_(store, export(*of_own_images[:2], tmp_path / "x"))
    runner = Runner(store)
    runner.resume(run)
    assert runner.wait(run, 30)
    runner.shutdown()
    assert (store.get(run).status, "images, which are not in a bundle cannot be read" in store.get(run).message) == (
        "failed",
        True,
    )


def test_a_path_in_a_strangers_config_is_not_looked_at(taken, store, bundle):
    assert store.get(taken(_changed(bundle, r"run\.json", lambda v: v["configs"][0].update(path="/etc")))).config.path == ""


def test_a_forks_parent_is_text(taken, store, bundle):
    run = taken(_changed(bundle, r"run\.json", lambda v: v.update(parent="20200101-000000-abcdef", parent_step=3)))
    assert (store.get(run).parent, store.get(run).parent_step) == (None, 3)
    assert store.events(run)[-1]["parent"] == "20200101-000000-abcdef"


def test_what_was_said_about_a_run_comes_back(tmp_path, store):
    other, run = _trained(tmp_path / "other", GANConfig(**TINY, steps=2))
    other.describe(run, note="First try.\nIt collapsed.", tags=["ring", "for Anna"])
    taken = store.get(import_(store, export(other, run, tmp_path / "a.ganrun")))
    assert (taken.note, taken.tags) == ("First try.\nIt collapsed.", ("ring", "for Anna"))


@pytest.mark.parametrize(
    "said", [{"note": "a\u202eb"}, {"note": "x" * 2001}, {"tags": ["a,b"]}, {"tags": [""]}, {"tags": ["x"] * 13}], ids=str
)
def test_what_a_stranger_says_about_a_run_is_checked_as_on_the_page(taken, store, bundle, said):
    with pytest.raises(RunError, match="cannot be imported"):
        taken(_changed(bundle, r"run\.json", lambda v: v.update(said)))
    assert _empty(store)


def test_a_run_without_notes_is_as_older_versions_know_it(bundle):
    assert {"note", "tags"}.isdisjoint(json.loads(apart(bundle)["run.json"]))


def test_a_live_run_is_stopped_in_its_bundle(tmp_path, store, runner, paused):
    copy = import_(RunStore(tmp_path / "copies"), export(store, paused, tmp_path / "x"))
    assert RunStore(tmp_path / "copies").get(copy).status == "stopped"


def test_the_same_run_makes_the_same_file(source, bundle):
    again = io.BytesIO()
    write(*source, again)
    assert again.getvalue() == bundle


def test_a_map_has_no_bundle(tmp_path, store):
    run = store.create([GANConfig()], spec={})
    with pytest.raises(RunError, match="is a map"):
        export(store, run, tmp_path / "x")


def test_a_file_that_cannot_be_written_is_refused(tmp_path, source):
    with pytest.raises(RunError, match="cannot be written"):
        export(*source, tmp_path / "nowhere" / "x.ganrun")


def test_a_failed_export_leaves_the_old_file(tmp_path, store):
    path = tmp_path / "x"
    path.write_text("old")
    with pytest.raises(RunError):
        export(store, "20200101-000000-abcdef", path)
    assert (path.read_text(), len(list(tmp_path.iterdir()))) == ("old", 2)  # the store's folder


def test_the_projects_version_is_that_of_its_metadata():
    text = (Path(__file__).resolve().parents[2] / "pyproject.toml").read_text()
    assert re.search(r'^version = "(.*)"$', text, re.MULTILINE)[1] == PROJECT


# What is refused


def _refused(store, content, match):
    with pytest.raises(RunError, match=match) as caught:
        import_(store, io.BytesIO(content))
    assert "\n" not in str(caught.value)
    assert _empty(store)


def test_a_missing_file_is_refused(store, tmp_path):
    with pytest.raises(RunError, match="cannot be opened"):
        import_(store, tmp_path / "none")


@pytest.mark.parametrize("content", [b"", b"PK", b"hello" * 100, bytes(100_000)])
def test_another_file_is_refused(store, content):
    _refused(store, content, "no bundle, or it is cut short")


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_a_file_cut_short_is_refused(store, bundle, share):
    _refused(store, bundle[: int(share * len(bundle))], "no bundle, or it is cut short")


@pytest.mark.parametrize(("version", "shown"), [(2, "2"), (10**400, "999999")])
def test_a_newer_format_is_refused(store, bundle, version, shown):
    newer = _changed(bundle, r"manifest\.json", lambda v: v.update(format=version))
    _refused(store, newer, rf"newer version .*\(format {shown}, this one knows 1\)")


@pytest.mark.parametrize("name", ["run.json", "events.json", "series.safetensors"])
def test_a_checksum_that_does_not_fit_names_the_member(store, bundle, name):
    members = apart(bundle)
    members[name] += b" "
    _refused(store, together(members, signed=False), f"{name} is damaged: its checksum")


@pytest.mark.parametrize("name", ["run.json", "events.json", "series.safetensors", "manifest.json"])
def test_a_missing_member_is_refused(store, bundle, name):
    members = apart(bundle)
    del members[name]
    _refused(store, together(members, signed=False), "manifest")


@pytest.mark.parametrize(
    "name",
    [
        "../evil",
        "/etc/passwd",
        "film/../../x.frame",
        "C:\\x",
        "film/1.frame",
        "code.pkl",
        "film/000000001.frame/",
        "run.json.",
        "é",
    ],
)
def test_another_name_is_refused(store, bundle, name):
    _refused(store, together(apart(bundle) | {name: b"x"}), "which no bundle has")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_that_is_there_twice_is_refused(store, bundle):
    out = io.BytesIO(bundle)
    with zipfile.ZipFile(out, "a") as archive:
        archive.writestr("run.json", b"{}")
    _refused(store, out.getvalue(), "two members of one name")


def test_a_link_is_refused(store, bundle):
    members, out = apart(bundle), io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in members.items():
            info = zipfile.ZipInfo(name)
            info.external_attr = (stat.S_IFLNK | 0o777 if name == "run.json" else stat.S_IFREG) << 16
            archive.writestr(info, content)
    _refused(store, out.getvalue(), r"run\.json is no plain file")


def test_a_film_that_is_too_long_is_refused_before_it_is_read(store, bundle, monkeypatch):
    film = {f"film/{step:09d}.frame": bytes(2**23) for step in (1, 2, 3)}
    read = []
    monkeypatch.setattr("gan_core.bundle.check_picture", lambda *args: read.append(args))
    _refused(store, together(apart(bundle) | film), "its film has more than the 16,777,216 bytes")
    assert read == []


def test_a_bomb_is_refused_with_its_size_and_the_limit(store, bundle):
    members = apart(bundle) | {"film/000000077.frame": bytes(2**24 + 1)}
    tracemalloc.start()
    packed = together(members)
    assert len(packed) < 400_000
    tracemalloc.reset_peak()
    before = tracemalloc.get_traced_memory()[1]
    _refused(store, packed, "film/000000077.frame has 16,777,217 bytes, and at most 16,777,216 are allowed")
    peak = tracemalloc.get_traced_memory()[1] - before
    tracemalloc.stop()
    assert peak < 2**22


def test_more_than_may_be_unpacked_altogether_is_refused(store, bundle):
    """Each member says that it unpacks to a gigabyte, in the list at the end and in its own header."""
    names = [f"checkpoints/{k:09d}.safetensors" for k in (901, 902, 903)]
    packed = bytearray(together(apart(bundle) | dict.fromkeys(names, b"x" * 100)))
    for start in (found.start() for found in re.finditer(b"checkpoints/00000090[123]", packed)):
        if packed[start - 46 : start - 42] == b"PK\x01\x02":
            struct.pack_into("<I", packed, start - 46 + 24, 2**30)
    _refused(store, bytes(packed), rf"at most {UNPACKED_LIMIT:,} are allowed")


@pytest.mark.parametrize("size", [0, 5, 8_000_000])
def test_a_size_that_is_a_lie_is_refused(store, bundle, size):
    packed = bytearray(bundle)
    place = packed.rindex(b"run.json") - 46
    struct.pack_into("<I", packed, place + 24, size)
    _refused(store, bytes(packed), "run.json is damaged")


def test_a_comment_that_hides_another_end_is_refused(store, bundle):
    packed = bytearray(bundle + b"PK")
    struct.pack_into("<H", packed, len(bundle) - 2, 2)
    _refused(store, bytes(packed), "no bundle")


@pytest.mark.parametrize(
    ("member", "change", "match"),
    [
        (r"run\.json", lambda v: v.update(id="../../x"), "id: String should match"),
        (r"run\.json", lambda v: v.update(status="running"), "status"),
        (r"run\.json", lambda v: v.update(step=10**8), "step"),
        (r"run\.json", lambda v: v.update(step=41), "step 41 is after the last one, 40"),
        (r"run\.json", lambda v: v.update(step="1"), "step"),
        (r"run\.json", lambda v: v.update(more=1), "more"),
        (r"run\.json", lambda v: v.pop("name"), "name"),
        (r"run\.json", lambda v: v.update(name="x" * 201), "name"),
        (r"run\.json", lambda v: v.update(name="\ud800"), "name"),
        (r"run\.json", lambda v: v["configs"][0].update(width=10**6), "width"),
        (r"run\.json", lambda v: v["configs"][0].update(dataset="x"), "dataset"),
        (r"run\.json", lambda v: v["configs"].extend(v["configs"] * 300), "1 to 256"),
        (r"run\.json", lambda v: v.update(seconds=float("nan")), "no JSON"),
        (r"events\.json", lambda v: v.append({"kind": "x", "step": 1, "time": 1}), "events"),
        (r"events\.json", lambda v: v.append(SET | {"value": 9}), "an event"),
        (r"events\.json", lambda v: v.append(SET | {"name": "path", "value": "/etc"}), "an event"),
        (r"checkpoints/000000010\.json", lambda v: v["cursors"]["data"].update(next=-1), "a cursor"),
        (r"checkpoints/000000010\.json", lambda v: v["cursors"]["data"].update(key=["normal", [10**9], 0]), "a cursor"),
        (r"checkpoints/000000010\.json", lambda v: v["cursors"].pop("data"), "a cursor"),
        (r"checkpoints/000000010\.json", lambda v: v.update(step=11), "another step"),
        (r"checkpoints/000000010\.json", lambda v: v["configs"][0].update(width=16), "its width is not that of the run"),
        (r"checkpoints/000000010\.json", lambda v: v.update(diverged=[[5, 1]]), "diverged"),
    ],
)  # fmt: skip
def test_json_that_is_not_a_runs_is_refused(store, bundle, member, change, match):
    _refused(store, _changed(bundle, member, change), match)


@pytest.mark.parametrize("content", [b"[" * 100_000, b"[" * 20 + b"]" * 20, b'{"a": 1e999}', b"\xff", b"", b"9" * 5000, b"null"])
@pytest.mark.parametrize("name", ["run.json", "events.json", "checkpoints/000000010.json"])
def test_odd_json_is_refused(store, bundle, name, content):
    _refused(store, together(apart(bundle) | {name: content}), name.removesuffix(".json"))


def _retensored(bundle, name, change):
    members = apart(bundle)
    tensors = load(members[name])
    change(tensors)
    return together(members | {name: save(tensors)})


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda t: t.update({"opt_g.0": torch.zeros(1, 5)}), r"opt_g\.0 has the shape"),
        (lambda t: t.update({"opt_g.0": t["opt_g.0"].double()}), r"opt_g\.0 is of another kind"),
        (lambda t: t.pop("opt_g.0"), r"opt_g\.0 is missing"),
        (lambda t: t.update(more=torch.zeros(1)), "do not have"),
        (lambda t: t.update({"stream.data": torch.full_like(t["stream.data"], 255)}), r"random stream data is damaged"),
        (lambda t: t.update(replay=torch.zeros(1, 100_000, 2)), "replay has the shape"),
    ],
)
def test_tensors_that_are_not_the_networks_are_refused(store, bundle, change, match):
    _refused(store, _retensored(bundle, "checkpoints/000000010.safetensors", change), match)


def test_a_tensor_that_claims_to_be_huge_is_refused_before_there_is_memory_for_it(store, bundle):
    text = json.dumps({"opt_g.0": {"dtype": "F32", "shape": [1, 2**40], "data_offsets": [0, 2**42]}}).encode()
    name = "checkpoints/000000010.safetensors"
    _refused(store, together(apart(bundle) | {name: struct.pack("<Q", len(text)) + text}), "is missing")


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda t: t.update({"x.steps": torch.tensor([1]), "x.values": torch.zeros(1, 1)}), "unknown"),
        (lambda t: t.update({"train.values": t["train.values"][:, :3].clone()}), "another type or width"),
        (lambda t: t.update({"counts.values": t["counts.values"][:, :3].clone()}), "another type or width"),
        (lambda t: t.update({"train.steps": t["train.steps"].flip(0)}), "do not ascend"),
        (lambda t: t.pop("train.steps"), "steps and values"),
    ],
)
def test_series_that_no_run_has_are_refused(store, bundle, change, match):
    _refused(store, _retensored(bundle, "series.safetensors", change), match)


def _repictured(bundle, change):
    members = apart(bundle)
    name = next(name for name in members if name.startswith("frame/"))
    header, arrays = unpack(members[name])
    change(header, arrays)
    return together(members | {name: pack(header, arrays)})


@pytest.mark.parametrize(
    "change",
    [
        lambda h, a: h.update(kind="images", size=8, shown="fake", columns=8),
        lambda h, a: h.update(extent=[0, 0, 0]),
        lambda h, a: h.update(more="<script>"),
        lambda h, a: h.update(step=3),
        lambda h, a: h.update(layers=[["<b>", "x", 1, 1]]),
        lambda h, a: a.pop("fake"),
        lambda h, a: a.update(fake=np.zeros((5, 3), np.float32)),
        lambda h, a: a.update(fake=np.zeros((5, 2), np.float64)),
        lambda h, a: a.update(more=np.zeros(3, np.uint8)),
    ],
)
def test_a_picture_that_no_run_makes_is_refused(store, bundle, change):
    _refused(store, _repictured(bundle, change), "frame/")


def _png(width, height):
    out = io.BytesIO()
    Image.new("L", (width, height)).save(out, "PNG")
    return out.getvalue()


@pytest.mark.parametrize("png", [b"", b"\x89PNG\r\n\x1a\n", b"GIF89a", _png(8, 8), _png(73, 73)[:-20], _png(3000, 3000)])
def test_an_image_that_cannot_be_shown_is_refused(store, images, png):
    _refused(store, _repictured(images, lambda h, a: a.update(png=np.frombuffer(png, np.uint8))), "frame/")


def test_images_come_back(store, images):
    run = import_(store, io.BytesIO(images))
    assert len(store.film(run)) == sum(name.startswith("film/") for name in apart(images))


def test_a_name_is_plain_text_on_one_line(taken, store, bundle):
    run = taken(_changed(bundle, r"run\.json", lambda v: v.update(name=" \x1b[31m<b>\n\u202eb ")))
    assert store.get(run).name == "[31m<b>  b"


def test_an_empty_name_gets_the_usual_one(taken, store, bundle):
    run = taken(_changed(bundle, r"run\.json", lambda v: v.update(name="\n")))
    assert store.get(run).name == default_name(store.get(run).config)


def test_a_store_that_cannot_be_written_keeps_nothing(taken, store):
    if sys.platform == "win32":
        pytest.skip("the rights of a folder are those of POSIX")
    with store._write() as db:
        db.execute("CREATE TRIGGER full BEFORE INSERT ON film BEGIN SELECT RAISE(ABORT, 'full'); END")
    with pytest.raises(RunError, match="cannot be kept"):
        taken()
    assert _empty(store)


# Whatever is done to it

JSONS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def harmed(draw, bundle):
    """A bundle to which something has been done."""
    if draw(st.booleans()):
        return bytes_harmed(draw, bundle)
    members = apart(bundle)
    name = draw(st.sampled_from(sorted(members)))
    how = draw(st.sampled_from(["bytes", "json", "rename", "drop"]))
    if how == "rename":
        members[
            draw(
                st.text(st.characters(min_codepoint=33, codec="utf-8"), min_size=1, max_size=30)
                | st.sampled_from(sorted(members))
            )
        ] = members.pop(name)
    elif how == "drop":
        del members[name]
    elif how == "json" and name.endswith(".json"):
        members[name] = json.dumps(elsewhere(draw, json.loads(members[name]))).encode(errors="replace")
    else:
        members[name] = bytes_harmed(draw, members[name])
    try:
        return together(members, signed=draw(st.sampled_from([True, True, True, False])))
    except (ValueError, KeyError, TypeError, AttributeError):  # there is no manifest left to sign, or it is no object
        return together(members, signed=False)


def bytes_harmed(draw, content):
    """Bytes with some of them flipped, cut off or put in."""
    content = bytearray(content)
    for _ in range(draw(st.integers(1, 4))):
        # half of the places near an end, where a file's lists stand
        place = draw(st.integers(-200, 200) | st.integers(0, max(1, len(content) - 1))) % max(1, len(content))
        how = draw(st.sampled_from(["flip", "cut", "insert", "number"]))
        if how == "flip" and content:
            content[place] ^= draw(st.integers(1, 255))
        elif how == "cut":
            del content[place : place + draw(st.integers(1, 1000))]
        elif how == "number":
            content[place : place + 4] = draw(st.sampled_from([bytes(4), b"\xff" * 4, b"\0\0\0\x7f", b"\0\0\0\x40"]))
        else:
            content[place:place] = draw(st.binary(max_size=20))
    return bytes(content)


def elsewhere(draw, value):
    """A JSON value in which one place holds something else."""
    if isinstance(value, dict) and value and draw(st.integers(0, 9)):
        key = draw(st.sampled_from(sorted(value)))
        return {**value, key: elsewhere(draw, value[key])}
    if isinstance(value, list) and value and draw(st.integers(0, 9)):
        k = draw(st.integers(0, len(value) - 1))
        return [*value[:k], elsewhere(draw, value[k]), *value[k + 1 :]]
    return draw(JSONS)


def _refused_or_whole(content):
    """Take a bundle in: a run that can be looked at and resumed, or one sentence and nothing."""
    with tempfile.TemporaryDirectory() as folder:
        store = RunStore(Path(folder, "runs"))
        try:
            run = import_(store, io.BytesIO(content))
        except RunError as error:
            assert len(str(error).splitlines()) == 1
            assert _empty(store)
        else:
            (row,) = store.runs()
            assert row.id == run
            assert [store.events(run), store.film(run), [store.series(run, kind) for kind in store.series_kinds(run)]]
            for step in store.checkpoint_steps(run):
                trainer = Trainer(list(row.configs))
                trainer.load_state_dict(store.load_checkpoint(run, step))
                trainer.step()
        finally:
            store.close()
        assert [path.name for path in Path(folder).iterdir()] == ["runs"]


_QUIET = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture]


@settings(max_examples=150, deadline=None, database=None, derandomize=True, suppress_health_check=_QUIET)
@given(data=st.data())
@pytest.mark.parametrize("kind", ["bundle", "images"])
def test_a_harmed_bundle_is_refused_or_whole(request, kind, data):
    _refused_or_whole(harmed(data.draw, request.getfixturevalue(kind)))


@pytest.mark.long
@pytest.mark.timeout(1800)
@settings(max_examples=10_000, deadline=None, database=None, suppress_health_check=_QUIET)
@given(data=st.data())
@pytest.mark.parametrize("kind", ["bundle", "images"])
def test_ten_thousand_harmed_bundles_are_refused_or_whole(request, kind, data):
    _refused_or_whole(harmed(data.draw, request.getfixturevalue(kind)))
