import csv
import json
import shlex
import signal
import sys

import pytest
from PIL import Image

from gan_core import PRESETS, GANConfig, Runner, RunStore, Trainer
from gan_core.__main__ import main

TINY = ["--set", "width=8", "--set", "depth=1", "--set", "batch_size=8", "--set", "latent_dim=4"]
posix = pytest.mark.skipif(sys.platform == "win32", reason="signals and limits of POSIX")


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "runs"


@pytest.fixture
def call(folder, capsys):
    """Runs a command in this process: (exit code, standard output, standard error)."""

    def run(*args):
        more = [] if args[0] == "presets" else ["--runs", str(folder)]
        code = main([*map(str, args), *more])
        out, errors = capsys.readouterr()
        return code, out, errors

    return run


@pytest.fixture
def train(call, folder):
    """Trains a tiny run and returns its id."""

    def run(*args, preset="ring", steps=5):
        assert call("train", preset, *TINY, "--steps", steps, *args)[0] == 0
        return RunStore(folder).runs()[0].id

    return run


def _strict(text):
    """One JSON object and nothing else, as other programs read it: NaN is no JSON."""

    def refuse(name):
        raise ValueError(f"{name} is not JSON")

    return json.loads(text, parse_constant=refuse)


def _one_line(errors):
    return len(errors.strip().splitlines()) == 1 and "Traceback" not in errors


# presets


@pytest.mark.parametrize("name", PRESETS)
def test_presets_lists(call, name):
    code, out, _ = call("presets")
    assert code == 0
    assert any(line.split()[0] == name for line in out.splitlines())


@pytest.mark.parametrize("name", PRESETS)
def test_presets_as_json_give_the_config(call, name):
    _, out, _ = call("presets", "--json")
    assert GANConfig.parse(_strict(out)["presets"][name]["config"]) == PRESETS[name].config


# train


def test_train_succeeds(call):
    code, out, errors = call("train", "ring", *TINY, "--steps", 5)
    assert (code, errors) == (0, "")
    assert "finished, 5 steps" in out


def test_train_as_json_prints_one_object(call):
    _, out, _ = call("train", "ring", *TINY, "--steps", 5, "--json")
    assert len(out.strip().splitlines()) == 1
    assert json.loads(out)["status"] == "finished"


def test_json_is_what_other_programs_read(call):
    """An untrained generator has no high-quality sample, so its reverse KL is not a number."""
    _, out, _ = call("train", "ring", *TINY, "--steps", 1, "--json")
    assert "metrics" in _strict(out)


@pytest.mark.parametrize(("key", "value"), [("step", 5), ("steps", 5), ("name", "Mine"), ("message", "")])
def test_train_as_json_says(call, key, value):
    _, out, _ = call("train", "ring", *TINY, "--steps", 5, "--name", "Mine", "--json")
    assert json.loads(out)[key] == value


def test_set_changes_settings(call):
    _, out, _ = call("train", "ring", *TINY, "--steps", 5, "--set", "lr_g=0.5", "--set", "seed = 3", "--json")
    config = json.loads(out)["config"]
    assert (config["lr_g"], config["seed"], config["width"]) == (0.5, 3, 8)


def test_the_trained_run_is_that_of_a_trainer(train, folder):
    run = train("--set", "seed=4")
    found = RunStore(folder).load_checkpoint(run)["tensors"]["generator.body.stack.layers.0.weight"]
    config = PRESETS["ring"].config.but(width=8, depth=1, batch_size=8, latent_dim=4, steps=5, seed=4)
    assert found.equal(Trainer(config).train().state_dict()["tensors"]["generator.body.stack.layers.0.weight"])


def test_train_reads_a_file(call, tmp_path):
    file = tmp_path / "mine.json"
    file.write_text(json.dumps({"dataset": "grid25", "width": 8, "batch_size": 8, "steps": 4}))
    code, out, _ = call("train", file, "--json")
    assert (code, json.loads(out)["config"]["dataset"]) == (0, "grid25")


@pytest.mark.parametrize("steps", [1, 3, 64, 65])
def test_train_takes_exactly_so_many_steps(call, steps):
    _, out, _ = call("train", "ring", *TINY, "--steps", steps, "--json")
    assert json.loads(out)["step"] == steps


WRONG_SETTINGS = [
    (["rinng"], "no preset and no file rinng"),
    (["ring", "--steps", "0"], "steps = 0 is out of range"),
    (["ring", "--set", "lr_g=fast"], "expected a number"),
    (["ring", "--set", "lr_g"], "expected name=value"),
    (["ring", "--set", "lrg=1"], "Did you mean lr_g"),
    (["ring", "--set", "loss=wassersten"], "Did you mean wasserstein"),
    (["ring", "--set", "network=dcgan"], "needs images"),
]


@pytest.mark.parametrize(("args", "sentence"), WRONG_SETTINGS, ids=[" ".join(args) for args, _ in WRONG_SETTINGS])
def test_a_wrong_setting_is_one_line_on_standard_error(call, args, sentence):
    code, out, errors = call("train", *args)
    assert (code, out) == (1, "")
    assert errors.startswith("train: ")
    assert sentence in errors
    assert _one_line(errors)


def test_a_wrong_setting_makes_no_run(call, folder):
    call("train", "ring", "--steps", "0")
    assert not folder.exists() or RunStore(folder).runs() == []


def test_a_file_that_is_no_json_is_one_line_on_standard_error(call, tmp_path):
    file = tmp_path / "bad.json"
    file.write_text("{\n oh no")
    code, _, errors = call("train", file)
    assert code == 1
    assert "cannot be read as JSON" in errors
    assert _one_line(errors)


def test_a_diverged_run_is_one_line_on_standard_error(call):
    rates = [
        "--set",
        "lr_g=1",
        "--set",
        "lr_d=1",
        "--set",
        "optimizer=sgd",
        "--set",
        "loss=least_squares",
        "--set",
        "penalty=none",
    ]
    code, out, errors = call("train", "ring", *TINY, *rates, "--steps", 500)
    assert (code, out) == (1, "")
    assert "Try learning rates of" in errors
    assert _one_line(errors)


def test_a_folder_of_runs_that_is_a_file_is_one_line_on_standard_error(call, folder):
    folder.write_text("")
    code, _, errors = call("train", "ring", "--steps", "5")
    assert code == 1
    assert _one_line(errors)


@pytest.mark.parametrize("args", [[], ["fly"], ["train"], ["train", "ring", "--steps", "many"], ["sample"]])
def test_a_wrong_call_exits_with_2_and_the_usage(args, capsys):
    with pytest.raises(SystemExit) as caught:
        main(args)
    assert caught.value.code == 2
    assert "usage:" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["presets", "train", "resume", "runs", "sample"])
def test_help_of(command, capsys):
    with pytest.raises(SystemExit) as caught:
        main([command, "--help"])
    assert caught.value.code == 0
    assert "--json" in capsys.readouterr().out


# resume


@pytest.fixture
def stopped(folder, wait_until):
    """A run of 30 steps, stopped after its first."""
    store = RunStore(folder)
    runner = Runner(store)
    config = GANConfig(width=8, depth=1, batch_size=8, latent_dim=4, steps=30)
    run = runner.start(config, paused=True)
    wait_until(lambda: store.get(run).status == "paused")
    runner.send(run, "step")
    wait_until(lambda: store.get(run).step == 1)
    runner.send(run, "stop")
    assert runner.wait(run, 30)
    runner.shutdown()
    return run


def test_resume_goes_to_the_end(call, stopped):
    code, out, _ = call("resume", stopped, "--json")
    assert (code, json.loads(out)["step"], json.loads(out)["status"]) == (0, 30, "finished")


def test_resume_equals_an_unbroken_run(call, stopped, folder):
    call("resume", stopped)
    store = RunStore(folder)
    found = store.load_checkpoint(stopped)["tensors"]["generator.body.stack.layers.0.weight"]
    expected = Trainer(store.get(stopped).config).train().state_dict()["tensors"]["generator.body.stack.layers.0.weight"]
    assert found.equal(expected)


def test_resume_with_a_change_goes_on_with_it(call, stopped, folder):
    assert call("resume", stopped, "--set", "lr_g=0.25")[0] == 0
    assert RunStore(folder).get(stopped).config.lr_g == 0.25


def test_resume_with_a_change_that_cannot_be_made_is_refused(call, stopped, folder):
    code, _, errors = call("resume", stopped, "--set", "width=16")
    assert code == 1
    assert "width" in errors
    assert _one_line(errors)
    assert RunStore(folder).get(stopped).status == "stopped"


def test_resume_of_a_finished_run_is_refused(call, train):
    code, _, errors = call("resume", train())
    assert code == 1
    assert "is finished" in errors
    assert _one_line(errors)


@pytest.mark.parametrize("command", ["resume", "sample"])
def test_an_unknown_run_is_refused(call, command):
    code, _, errors = call(command, "123")
    assert code == 1
    assert "no run 123" in errors
    assert _one_line(errors)


# runs


def test_runs_of_an_empty_store_says_how_to_start(call):
    assert "python -m gan_core train ring" in call("runs")[1]


def test_runs_lists_newest_first(call, train):
    ids = [train(), train()]
    assert [line.split()[0] for line in call("runs")[1].splitlines()] == ids[::-1]


def test_runs_as_json_prints_one_object(call, train):
    run = train("--name", "Mine")
    (row,) = json.loads(call("runs", "--json")[1])["runs"]
    assert (row["run"], row["name"], row["status"], row["step"]) == (run, "Mine", "finished", 5)


def test_runs_of_an_empty_store_as_json(call):
    assert _strict(call("runs", "--json")[1]) == {"runs": []}


# sample


@pytest.mark.parametrize("n", [1, 64, 700])
def test_sample_of_points_writes_a_csv_line_each(call, train, tmp_path, n):
    file = tmp_path / "points.csv"
    assert call("sample", train(), "-n", n, "-o", file)[0] == 0
    lines = file.read_text().splitlines()
    assert lines[0] == "x,y"
    assert len(lines) == n + 1


def test_sample_of_points_writes_the_trainers_samples(call, train, tmp_path, folder):
    file, run = tmp_path / "points.csv", train()
    call("sample", run, "-n", 5, "--seed", 3, "-o", file)
    with file.open() as lines:
        found = [[float(row["x"]), float(row["y"])] for row in csv.DictReader(lines)]
    trainer = Trainer(RunStore(folder).get(run).config).train()
    assert found == [pytest.approx(row, rel=1e-4, abs=1e-6) for row in trainer.sample(5, seed=3).tolist()]


@pytest.mark.parametrize(("n", "size"), [(64, (73, 73)), (9, (28, 28)), (10, (28, 37))])
def test_sample_of_images_writes_a_png_of_the_grids_size(call, train, tmp_path, n, size):
    file = tmp_path / "digits.png"
    run = train("--set", "network=mlp", preset="digits")
    assert call("sample", run, "-n", n, "-o", file)[0] == 0
    with Image.open(file) as picture:
        assert (picture.format, picture.size) == ("PNG", size)


def test_a_name_that_is_too_long_is_refused_before_the_training(call):
    code, _, err = call("train", "ring", *TINY, "--name", "x" * 81)
    assert code == 1
    assert "1 to 80 letters; this one has 81" in err


def test_sample_as_json_names_the_file(call, train, tmp_path):
    file, run = tmp_path / "points.csv", train()
    out = _strict(call("sample", run, "-n", 3, "-o", file, "--json")[1])
    assert out == {"run": run, "step": 5, "n": 3, "file": str(file)}


def test_sample_takes_the_step_asked_for(call, train, tmp_path):
    out = call("sample", train(), "--step", 0, "-o", tmp_path / "points.csv", "--json")[1]
    assert json.loads(out)["step"] == 0


def test_sample_without_a_file_writes_one_here(call, train, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = train()
    call("sample", run)
    assert (tmp_path / f"{run}-5.csv").is_file()


WRONG_SAMPLES = [
    (["--step", "3"], "no checkpoint at step 3"),
    (["-n", "0"], "expected 1 to 100,000"),
    (["-n", "100001"], "expected 1 to 100,000"),
    (["--member", "1"], "no member 1"),
    (["--member", "-1"], "no member -1"),
    (["-o", "/no/such/folder/points.csv"], "Choose another file with --out"),
]


@pytest.mark.parametrize(("args", "sentence"), WRONG_SAMPLES, ids=[" ".join(args) for args, _ in WRONG_SAMPLES])
def test_a_sample_that_cannot_be_is_one_line_on_standard_error(call, train, args, sentence):
    run = train()
    code, out, errors = call("sample", run, *args)
    assert (code, out) == (1, "")
    assert errors.startswith("sample: ")
    assert sentence in errors
    assert _one_line(errors)


@pytest.mark.parametrize("seed", ["-1", str(2**64)])
def test_any_seed_of_the_noise_is_taken(call, train, tmp_path, seed):
    assert call("sample", train(), "-n", 3, "--seed", seed, "-o", tmp_path / "points.csv")[0] == 0


# As a process


def test_a_run_trained_by_a_process_ends_with_0(spawn, tmp_path):
    process = spawn("-m", "gan_core", "train", "ring", *TINY, "--steps", "5", "--runs", tmp_path, "--json")
    out, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "")
    assert json.loads(out)["status"] == "finished"


def test_a_mistake_ends_a_process_with_1(spawn, tmp_path):
    process = spawn("-m", "gan_core", "train", "rinng", "--runs", tmp_path)
    out, errors = process.communicate(timeout=60)
    assert (process.returncode, out) == (1, "")
    assert _one_line(errors)


@pytest.fixture(scope="module")
def interrupted(spawn_endless, tmp_path_factory):
    """A training process that got Ctrl-C: (exit code, standard error, store, run)."""
    process, store, run = spawn_endless(tmp_path_factory.mktemp("interrupted"))
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    return process.returncode, errors, store, run


@posix
def test_ctrl_c_exits_with_130(interrupted):
    assert interrupted[0] == 130


@posix
def test_ctrl_c_shows_no_traceback(interrupted):
    assert "Traceback" not in interrupted[1]


@posix
def test_ctrl_c_says_how_to_go_on(interrupted):
    _, errors, _, run = interrupted
    assert f"python -m gan_core resume {run}" in errors


@posix
def test_the_command_to_go_on_finds_the_run(interrupted):
    """It was trained with --runs, so without that the command would look in another folder."""
    _, errors, store, _ = interrupted
    command = shlex.split(errors.split("python -m gan_core")[1].splitlines()[0])
    assert command[command.index("--runs") + 1] == str(store.folder)


@posix
def test_ctrl_c_interrupts_the_run(interrupted):
    _, _, store, run = interrupted
    assert store.get(run).status == "interrupted"


@posix
def test_ctrl_c_keeps_the_last_step(interrupted):
    _, _, store, run = interrupted
    assert store.load_checkpoint(run)["step"] == store.get(run).step > 0


@posix
def test_a_run_after_ctrl_c_can_be_resumed(interrupted, wait_until):
    _, _, store, run = interrupted
    step = store.get(run).step
    runner = Runner(store)
    try:
        runner.resume(run)
        wait_until(lambda: store.get(run).status == "running" and store.get(run).step > step)
    finally:
        runner.shutdown()


@pytest.fixture(scope="module", params=[1_000, 60_000, 150_000], ids=["at once", "at the start", "in the middle"])
def full(request, spawn, tmp_path_factory):
    """A training process that may write no file larger than this: (exit code, standard error, store, earlier run).

    A full disk in small: the earlier run was written before the limit fell.
    """
    import resource

    folder = tmp_path_factory.mktemp("full")
    assert main(["train", "ring", *TINY, "--steps", "3", "--runs", str(folder)]) == 0
    earlier = RunStore(folder).runs()[0].id

    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (request.param, request.param))

    args = ["train", "ring", "--steps", "1000000", *TINY, "--runs", folder]
    process = spawn("-m", "gan_core", *args, preexec_fn=limit)
    _, errors = process.communicate(timeout=120)
    return process.returncode, errors, RunStore(folder), earlier


@posix
def test_a_full_disk_ends_the_command_with_1(full):
    assert full[0] == 1


@posix
def test_a_full_disk_is_one_line_on_standard_error(full):
    assert _one_line(full[1])


@posix
def test_a_full_disk_is_told_with_what_to_do(full):
    assert "Free some space" in full[1]


@posix
def test_after_a_full_disk_earlier_runs_can_be_sampled(full, tmp_path):
    _, _, store, earlier = full
    assert main(["sample", earlier, "--runs", str(store.folder), "-o", str(tmp_path / "points.csv")]) == 0


@posix
def test_after_a_full_disk_the_stopped_run_can_be_resumed(full, wait_until):
    _, _, store, earlier = full
    runner = Runner(store)
    try:
        for run in [run.id for run in store.runs() if run.id != earlier]:
            runner.resume(run)
            wait_until(lambda run=run: store.get(run).status == "running" and store.get(run).step > 0)
    finally:
        runner.shutdown()


# bundle, import, report, tensorboard


def test_a_bundle_is_imported_elsewhere(call, train, folder, tmp_path):
    run = train()
    code, out, _ = call("bundle", run, tmp_path / "x.ganrun", "--json")
    assert (code, _strict(out)["bytes"]) == (0, (tmp_path / "x.ganrun").stat().st_size)
    elsewhere = ["--runs", str(tmp_path / "elsewhere")]
    assert main(["import", str(tmp_path / "x.ganrun"), *elsewhere]) == 0
    assert RunStore(tmp_path / "elsewhere").get(run).metrics == RunStore(folder).get(run).metrics


def test_import_as_json_gives_the_new_id(call, train, tmp_path):
    run = train()
    call("bundle", run, tmp_path / "x")
    _, out, _ = call("import", tmp_path / "x", "--json")
    assert _strict(out)["run"] != run


def test_report_writes_a_page(call, train, tmp_path):
    one, two = train(), train()
    code, out, _ = call("report", one, two, tmp_path / "x.html", "--json")
    assert (code, _strict(out)["runs"]) == (0, [one, two])
    assert (tmp_path / "x.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def test_tensorboard_writes_event_files(call, train, tmp_path):
    run = train()
    assert call("tensorboard", run, tmp_path / "logs")[0] == 0
    assert [path.parent.name for path in (tmp_path / "logs").rglob("events.out.tfevents.*")] == [run]


def test_train_writes_event_files_as_tensorboard_does(call, train, tmp_path):
    run = train("--tensorboard", str(tmp_path / "live"))
    call("tensorboard", run, tmp_path / "after")
    live, after = ((tmp_path / name / run) for name in ("live", "after"))
    assert [path.stat().st_size for path in live.iterdir()] == [path.stat().st_size for path in after.iterdir()]


@pytest.mark.parametrize(
    "args",
    [
        ("bundle", "none", "x"),
        ("import", "none"),
        ("import", __file__),
        ("report", "none", "x.html"),
        ("tensorboard", "none", "x"),
        ("train", "ring", "--steps", "1", "--tensorboard", __file__),
    ],
)
def test_sharing_what_cannot_be_shared_is_one_line(call, args):
    code, out, errors = call(*args)
    assert (code, out, _one_line(errors)) == (1, "", True)


def test_a_folder_for_event_files_that_cannot_be_made_starts_no_run(call, folder):
    assert call("train", "ring", "--tensorboard", __file__)[0] == 1
    assert RunStore(folder).runs() == []


# compare


def test_compare_tells_differences_and_measures_and_writes_a_table(call, train, tmp_path):
    one, two = train("--name", "=one"), train("--set", "seed=5", "--set", "lr_g=0.01")
    file = tmp_path / "runs.csv"
    code, out, errors = call("compare", one, two, "--csv", file, "--json")
    assert (code, errors) == (0, "")
    found = _strict(out)
    assert [run["run"] for run in found["runs"]] == [one, two]
    assert found["differences"] == {"lr_g": [PRESETS["ring"].config.lr_g, 0.01], "seed": [0, 5]}
    assert found["metrics"]["held"]["perfect"] == [8.0, 8.0]
    rows = list(csv.DictReader(file.read_text(encoding="utf-8").splitlines()))
    assert [(row["Run"], row["Name"], row["Seed"]) for row in rows] == [(one, "'=one", "0"), (two, rows[1]["Name"], "5")]
    code, out, _ = call("compare", one, two)
    assert code == 0
    assert [line.split()[1:] for line in out.splitlines() if line.startswith("seed ")] == [["0", "5"]]


def test_compare_wants_runs_that_exist_and_more_than_one(call, train):
    run = train()
    for ids in ([run], [run, "nowhere"], [run] * 9):
        code, out, errors = call("compare", *ids)
        assert (code, out) == (1, "")
        assert _one_line(errors)
