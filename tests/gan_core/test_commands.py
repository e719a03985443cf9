"""Commands that steer, judge and look into runs. How they look as a process is tested in test_cli.py."""

import csv
import json
import math

import pytest
import torch
from PIL import Image

from gan_core import CURES, RunStore, Trainer
from gan_core.__main__ import PARTS, main
from gan_core.explorer import Explorer

COMMANDS = [name for part in PARTS for name in part.ACTIONS]
WILSON = 1.959963984540054**2  # of the 95 % interval


@pytest.fixture
def call(store, capsys):
    """Runs a command in this process: (exit code, what its JSON says, standard error)."""

    def run(*args, runs=store.folder):
        code = main([*map(str, args), "--runs", str(runs), "--json"])
        out, errors = capsys.readouterr()
        return code, json.loads(out) if out else None, errors

    return run


@pytest.fixture
def going(runner, endless, under_way):
    """A run that another runner trains."""
    run = runner.start(endless)
    under_way(run)
    return run


def _one_line(errors):
    return len(errors.strip().splitlines()) == 1 and "Traceback" not in errors


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of(command, capsys):
    with pytest.raises(SystemExit) as caught:
        main([command, "--help"])
    assert caught.value.code == 0
    assert "--json" in capsys.readouterr().out


# Steering


def test_pause_waits_until_the_run_rests(call, store, going):
    code, told, _ = call("pause", going)
    assert (code, told["status"]) == (0, "paused")
    assert store.get(going).step == told["step"] > 0


def test_stop_waits_until_the_run_has_ended(call, store, going):
    code, told, _ = call("stop", going)
    assert (code, told["status"], store.get(going).status) == (0, "stopped", "stopped")


def test_a_paused_run_takes_one_step(call, store, paused):
    assert call("step", paused)[1]["step"] == 1
    assert call("step", paused)[1]["step"] == 2


def test_a_paused_run_takes_a_step_of_one_network(call, store, paused):
    code, told, _ = call("step", paused, "--part", "discriminator")
    assert (code, told["step"]) == (0, 0)
    assert store.events(paused)[-1]["part"] == "discriminator"


def test_settings_change_together_while_a_run_trains(call, store, going):
    code, told, _ = call("set", going, "lr_g=0.0005", "penalty=r1")
    assert (code, told["config"]["lr_g"], told["config"]["penalty"]) == (0, 0.0005, "r1")
    assert [e["value"] for e in store.events(going) if e["kind"] == "set" and e["name"] == "lr_g"] == [0.0005]  # no text


def test_a_run_is_held_to_a_pace(call, store, going):
    assert call("pace", going, 50)[0] == 0
    assert store.get(going).pace == 50
    assert call("pace", going, 0)[0] == 0
    assert store.get(going).pace == 0


def test_a_run_pauses_by_itself_and_takes_that_back(call, store, paused):
    assert call("until", paused, "step=500000")[0] == 0
    assert store.get(paused).until == {"step": 500_000}
    assert call("until", paused, "never")[0] == 0
    assert store.get(paused).until == {}


def test_a_fork_goes_on_from_a_kept_step_with_changes(call, store, runner, tiny):
    run = runner.start(tiny())
    assert runner.wait(run, 60)
    code, told, _ = call("fork", run, "--step", 20, "--set", "lr_g=0.01", "--steps", 30, "--name", "Mine", "--train")
    assert (code, told["status"], told["step"], told["name"], told["config"]["lr_g"]) == (0, "finished", 30, "Mine", 0.01)
    assert (store.get(told["run"]).parent, store.get(told["run"]).parent_step) == (run, 20)


def test_a_fork_waits_until_it_is_resumed(call, store, runner, tiny):
    run = runner.start(tiny())
    assert runner.wait(run, 60)
    _, told, _ = call("fork", run)
    assert (told["status"], told["step"], told["steps"]) == ("stopped", 20, 40)


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (("step", "RUN"), "Pause it first"),
        (("set", "RUN", "width=32"), "cannot be changed while a run trains"),
        (("set", "RUN", "lr_g"), "expected name=value"),
        (("set", "RUN", "lr_g=-1"), "out of range"),
        (("pace", "RUN", "9999"), "9999"),
        (("until", "RUN", "dawn"), "expected step=N, modes=K, seconds=T or never"),
        (("until", "RUN", "modes=9"), "expected 1 to 8"),
        (("fork", "RUN"), "no checkpoint yet"),
    ],
)
def test_what_a_run_cannot_do_is_one_line(call, store, paused, args, sentence):
    if args[0] == "step":
        store.update(paused, status="running")  # as it says itself between two steps
    code, told, errors = call(*(paused if a == "RUN" else a for a in args))
    assert (code, told, _one_line(errors)) == (1, None, True)
    assert sentence in errors


@pytest.mark.parametrize("args", [("pause",), ("stop",), ("step",), ("set", "lr_g=0.1"), ("pace", "5"), ("until", "step=9")])
def test_a_finished_run_takes_no_orders(call, finished, args):
    store, points, _ = finished
    code, _, errors = call(args[0], points, *args[1:], runs=store.folder)
    assert (code, _one_line(errors)) == (1, True)
    assert "is finished" in errors


def test_another_process_obeys_and_can_be_ended(call, spawn_endless, store):
    process, _, run = spawn_endless(store.folder)
    assert call("set", run, "lr_g=0.0005")[1]["config"]["lr_g"] == 0.0005
    held = call("pause", run)[1]
    assert held["status"] == "paused"
    assert call("step", run)[1]["step"] == held["step"] + 1
    assert call("stop", run)[1]["status"] == "stopped"
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1  # it did not come to its end
    assert "was stopped" in errors
    assert store.load_checkpoint(run)["step"] == held["step"] + 1


# Finding out why


@pytest.fixture(scope="module")
def finished(tiny, tmp_path_factory):
    """A store, and finished runs in it: points and images."""
    store = RunStore(tmp_path_factory.mktemp("finished") / "runs")
    runs = []
    for config in (tiny(), tiny(dataset="digits", conditional="projection", network="mlp")):
        run = store.create([config])
        store.save_checkpoint(run, Trainer(config).train().state_dict())
        store.update(run, status="finished", step=config.steps)
        runs.append(run)
    return store, *runs


def test_a_verdict_on_too_little_is_none_yet(call, runner, tiny):
    run = runner.start(tiny())
    assert runner.wait(run, 60)
    code, told, _ = call("verdict", run)
    assert (code, told["verdict"], told["title"]) == (0, "learning", "Still learning")
    assert {advice["cure"] for advice in told["advice"]} <= CURES.keys()


def test_a_member_that_is_not_there_has_no_verdict(call, finished):
    store, points, _ = finished
    code, _, errors = call("verdict", points, "--member", 1, runs=store.folder)
    assert (code, _one_line(errors)) == (1, True)
    assert "no member 1" in errors


SMALL = ["--set", "width=8", "--set", "depth=1", "--set", "batch_size=8", "--set", "latent_dim=4"]


def test_the_lab_counts_seeds_with_their_interval(call, store):
    code, told, _ = call("lab", "ring", *SMALL, "--steps", 5, "--seeds", 3, "--cure", "r1_r2")
    before, after = told["arms"]
    assert (code, told["modes"], told["changes"]["penalty"], told["p"]) == (0, 8, "r1_r2", 1.0)
    for arm in (before, after):
        assert (arm["successes"], arm["n"], arm["low"]) == (0, 3, 0.0)  # after five steps
        assert arm["high"] == pytest.approx(WILSON / (3 + WILSON), abs=1e-4)
        assert [c.seed for c in store.get(arm["run"]).configs] == [0, 1, 2]


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (["lab", "swiss_roll.json"], "no preset and no file"),
        (["lab", "ring", "--set", "dataset=swiss_roll"], "are not counted"),
        (["lab", "ring", "--seeds", "0"], "expected at least 1"),
        (["lab", "ring", "--set", "penalty=r1_r2", "--cure", "r1_r2"], "changes nothing"),
        (["map", "ring"], "expected --x"),
        (["map", "ring", "--x", "lrg=1,2", "--y", "lr_d=1,2"], "no setting"),
        (["map", "ring", "--x", "lr_g=1:2", "--y", "lr_d=0.1,0.2"], "low:high:count"),
        (["map", "ring", "--x", "loss=1:2:3", "--y", "lr_d=0.1,0.2"], "is no number"),
        (["map", "ring", "--x", "lr_g=0.1,0.2", "--y", "lr_d=0.1,0.2", "--seeds", "99"], "expected 1 to 16"),
    ],
)
def test_a_study_that_cannot_be_is_one_line_and_no_run(call, store, args, sentence):
    code, _, errors = call(*args)
    assert (code, _one_line(errors), store.runs(kind=None)) == (1, True, [])
    assert sentence in errors


def test_a_map_counts_the_seeds_of_each_cell(call, store):
    axes = ["--x", "lr_g=0.001,0.01,0.1", "--y", "lr_d=0.001:0.01:2"]
    code, told, _ = call("map", "ring", *SMALL, "--steps", 5, *axes, "--seeds", 2)
    assert (code, told["x"]["values"], told["y"]["values"]) == (0, [0.001, 0.01, 0.1], [0.001, 0.01])
    held = [cell["held"] for _, (_, cell) in sorted(store.cells(told["run"]).items())]
    assert told["successes"] == [[sum(h >= 8 for h in held[k : k + 2]) for k in (6 * y, 6 * y + 2, 6 * y + 4)] for y in (0, 1)]


def test_a_map_is_drawn_as_a_table(store, capsys):
    args = ["--x", "lr_g=0.001,0.01,0.1", "--y", "lr_d=0.001,0.01", "--seeds", "1", "--steps", "2"]
    assert main(["map", "ring", *SMALL, *args, "--runs", str(store.folder)]) == 0
    _, across, *rows = capsys.readouterr().out.splitlines()
    assert across.split() == ["0.001", "0.01", "0.1"]
    assert [row.split() for row in rows] == [["0.001", "0", "0", "0"], ["0.01", "0", "0", "0"]]


# Latent space


@pytest.fixture
def look(call, finished):
    """Runs a command on the finished run of points or of images."""
    store, points, images = finished

    def run(command, kind, *args):
        return call(command, {"points": points, "images": images}[kind], *args, runs=store.folder)

    return run


def _rows(file):
    with file.open() as lines:
        return [[float(row["x"]), float(row["y"])] for row in csv.DictReader(lines)]


@pytest.fixture(scope="module")
def again(finished):
    """The trainers of the finished runs."""
    store, *runs = finished
    trainers = [Trainer(store.get(run).config) for run in runs]
    for run, trainer in zip(runs, trainers, strict=True):
        trainer.load_state_dict(store.load_checkpoint(run))
    return trainers


def test_a_walk_of_points_goes_from_seed_to_seed(look, again, tmp_path):
    code, told, _ = look("walk", "points", "--seeds", 3, 5, "--frames", 10, "-o", tmp_path / "way.csv")
    rows = _rows(tmp_path / "way.csv")
    assert (code, told["frames"], len(rows)) == (0, 11, 11)
    for row, seed in ((rows[0], 3), (rows[-1], 5)):
        assert row == pytest.approx(again[0].sample(1, seed=seed)[0].tolist(), rel=1e-4, abs=1e-5)
    assert told["lengths"] == pytest.approx([math.dist(a, b) for a, b in zip(rows, rows[1:])], abs=1e-4)  # noqa: B905


@pytest.mark.parametrize(("ending", "frames", "size"), [("png", 1, (5 * 9 + 1, 2 * 9 + 1)), ("gif", 6, (260, 260))])
def test_a_walk_of_images_is_a_strip_or_a_film(look, tmp_path, ending, frames, size):
    file = tmp_path / f"way.{ending}"
    assert look("walk", "images", "--frames", 5, "--label", 3, "-o", file)[0] == 0
    with Image.open(file) as picture:
        assert (getattr(picture, "n_frames", 1), picture.size) == (frames, size)


def test_directions_are_unit_vectors_with_their_share(look, tmp_path):
    code, told, _ = look("directions", "images", "--kind", "random", "-n", 3, "-o", tmp_path / "x.png")
    assert (code, len(told["directions"])) == (0, 3)
    for found in told["directions"]:
        assert math.hypot(*found["vector"]) == pytest.approx(1, abs=1e-5)
    with Image.open(tmp_path / "x.png") as picture:
        assert picture.size == (9 * 9 + 1, 3 * 9 + 1)


def test_a_point_is_inverted_and_its_error_is_that_of_the_noise_found(look, again, tmp_path):
    code, told, _ = look("invert", "points", "0.5,-0.25", "--steps", 20, "-o", tmp_path / "x.csv")
    made = Explorer(again[0]).images(torch.tensor([told["latent"]]))[0]
    assert code == 0
    assert told["error"] == pytest.approx(float((made - torch.tensor([0.5, -0.25])).square().mean()), rel=1e-3)
    assert _rows(tmp_path / "x.csv")[0] == [0.5, -0.25]


def test_an_image_file_is_inverted(look, tmp_path):
    Image.new("L", (30, 20), 255).save(tmp_path / "white.png")
    code, told, _ = look("invert", "images", tmp_path / "white.png", "--steps", 2, "--label", 1, "-o", tmp_path / "x.png")
    assert (code, told["label"], len(told["latent"])) == (0, 1, 4)
    with Image.open(tmp_path / "x.png") as picture:
        assert picture.size == (2 * 9 + 1, 9 + 1)
        assert picture.getpixel((4, 4)) == 255  # what was looked for stands left


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (("walk", "points", "-o", "x.png"), "written as .csv"),
        (("walk", "images", "-o", "x.csv"), "written as .png or .gif"),
        (("walk", "points", "-o", "/no/such/x.csv"), "Choose another file"),
        (("walk", "points", "--frames", "1"), "expected 2 to 256"),
        (("walk", "points", "--seeds", "1"), "takes 2 to 8 places"),
        (("walk", "points", "--label", "1"), "without classes"),
        (("walk", "points", "--step", "3"), "no checkpoint at step 3"),
        (("walk", "points", "--member", "1"), "no member 1"),
        (("directions", "points", "--space", "w"), "no latent space w"),
        (("directions", "points", "-n", "0"), "expected 1 to 32"),
        (("invert", "points", "here"), "is no point"),
        (("invert", "points", "nan,0"), "is no point"),
        (("invert", "images", "nowhere.png"), "cannot be read"),
        (("invert", "images", __file__), "cannot be read as an image"),
        (("invert", "images", "1797"), "expected 0 to 1,796"),
        (("invert", "points", "0,0", "--starts", "65"), "expected 1 to 64"),
    ],
)
def test_what_cannot_be_looked_for_is_one_line(look, tmp_path, monkeypatch, args, sentence):
    monkeypatch.chdir(tmp_path)
    code, _, errors = look(*args)
    assert (code, _one_line(errors)) == (1, True)
    assert sentence in errors
    assert list(tmp_path.glob("*.csv")) == []
