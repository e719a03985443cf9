"""What the pages show and refuse. What moves is tested in tests/browser."""

import time

import pytest

from gan_core import PAIRS, PRESETS, GANConfig
from gan_core.config import METAS
from gan_core.data import is_here
from ui.shell import PAGES

TINY = GANConfig(dataset="ring8", width=8, batch_size=8, steps=20)


def until(condition, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "what was waited for did not happen"
        time.sleep(0.02)


def text(test) -> str:
    return " ".join(e.value for kind in ("markdown", "error", "warning", "subheader", "caption") for e in getattr(test, kind))


@pytest.mark.parametrize("file", PAGES)
def test_every_page_opens_without_runs(opened, file):
    assert not opened(file).exception


@pytest.mark.parametrize("file", PAGES)
def test_every_page_opens_with_a_finished_run(opened, runner, file):
    runner.wait(runner.start(TINY), 60)
    assert not opened(file).exception


@pytest.mark.parametrize("file", PAGES)
def test_every_page_opens_with_several_members(opened, runner, file):
    runner.wait(runner.start([TINY, TINY.but(seed=1)]), 60)
    assert not opened(file).exception


@pytest.mark.parametrize("file", PAGES)
def test_a_folder_that_cannot_be_one_is_a_sentence(opened, tmp_path, monkeypatch, file):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("GAN_PLAYGROUND_RUNS", str(tmp_path / "file" / "runs"))
    test = opened(file)
    assert not test.exception
    assert "GAN_PLAYGROUND_RUNS" in test.error[0].value.replace("\\", "")


@pytest.mark.parametrize("name", [n for n, p in PRESETS.items() if is_here(p.config.source)])
def test_a_preset_fills_the_form(opened, name):
    test = opened("playground.py")
    test.button(key=f"preset_{name}").click().run()
    assert not test.exception
    assert test.session_state["draft"] == PRESETS[name].config.model_dump()
    labels = {w.label: w.value for kind in ("selectbox", "number_input", "text_input") for w in getattr(test, kind)}
    for field in METAS:
        title = GANConfig.model_fields[field].title
        if title in labels:
            assert labels[title] == getattr(PRESETS[name].config, field)


@pytest.mark.parametrize("field", METAS)
def test_every_setting_stands_in_the_form_where_it_applies(opened, field):
    candidates = (
        GANConfig(penalty="r1", lr_schedule="linear", latent="mixture", instance_noise=1, reset_every=10),
        GANConfig(dataset="digits", network="dcgan", augment="ada", conditional="auxiliary"),
        GANConfig(dataset="digits", network="gumbel", levels=2),
        GANConfig(dataset="folder", path="images.zip"),
        GANConfig(dataset="drawn", points="gICA"),
    )
    config = next(c for c in candidates if METAS[field].applies(c))
    test = opened("playground.py", draft=config.model_dump())
    labels = {w.label for kind in ("selectbox", "number_input", "text_input") for w in getattr(test, kind)}
    assert GANConfig.model_fields[field].title in labels


def test_settings_that_do_not_fit_are_said_and_cannot_be_started(opened):
    test = opened("playground.py", draft={**GANConfig().model_dump(), "network": "dcgan"})
    assert "needs images" in test.error[0].value
    assert test.button(key="main").disabled


def test_start_trains_the_draft(opened, runner):
    test = opened("playground.py", draft=TINY.but(seed=5).model_dump())
    test.button(key="main").click().run()
    (run,) = runner.store.runs()
    assert run.config == TINY.but(seed=5)
    assert runner.wait(run.id, 60)
    assert runner.store.get(run.id).status == "finished"


def test_step_from_nothing_makes_one_step_and_waits(opened, runner):
    test = opened("playground.py", draft=TINY.model_dump())
    test.button(key="step").click().run()
    (run,) = runner.store.runs()
    until(lambda: runner.store.get(run.id).step == 1)
    assert runner.store.get(run.id).status == "paused"


def test_a_hidden_setting_has_no_effect(opened, runner):
    test = opened("playground.py", draft={**TINY.model_dump(), "penalty": "none", "penalty_weight": 7.0})
    test.button(key="main").click().run()
    assert runner.store.runs()[0].config.penalty_weight == GANConfig().penalty_weight


def test_a_running_run_locks_what_cannot_change(opened, runner):
    run = runner.start(TINY.but(steps=10_000_000))
    test = opened("playground.py")
    locked = {w.label: w.disabled for kind in ("selectbox", "number_input", "text_input") for w in getattr(test, kind)}
    for field, meta in METAS.items():
        title = GANConfig.model_fields[field].title
        if title in locked:
            assert locked[title] == (not meta.live), field
    runner.send(run, "stop")


def test_a_learning_rate_changed_in_the_form_reaches_the_run(opened, runner):
    run = runner.start(TINY.but(steps=10_000_000))
    until(lambda: runner.store.get(run).status == "running")
    test = opened("playground.py")
    title = GANConfig.model_fields["lr_g"].title
    next(w for w in test.number_input if w.label == title).set_value(0.0005).run()
    until(lambda: runner.store.get(run).config.lr_g == 0.0005)
    assert not test.exception


def test_a_refused_change_leaves_the_form_with_what_the_run_does(opened, runner):
    run = runner.start(TINY.but(steps=10_000_000, penalty="clip"))
    until(lambda: runner.store.get(run).status == "running")
    test = opened("playground.py")
    title = GANConfig.model_fields["penalty_weight"].title
    next(w for w in test.number_input if w.label == title).set_value(0.0).run()
    assert "would make every weight 0" in text(test).replace("\\", "")
    assert next(w for w in test.number_input if w.label == title).value == 1.0
    runner.send(run, "stop")


def test_a_loss_without_labels_takes_their_smoothing_away(opened, runner):
    run = runner.start(TINY.but(steps=10_000_000, label_smoothing=0.1))
    until(lambda: runner.store.get(run).status == "running")
    test = opened("playground.py")
    next(w for w in test.selectbox if w.label == GANConfig.model_fields["loss"].title).set_value("hinge").run()
    until(lambda: runner.store.get(run).config.loss == "hinge")
    assert runner.store.get(run).config.label_smoothing == 0
    runner.send(run, "stop")


def test_a_failed_run_says_what_to_try(opened, runner):
    run = runner.start(TINY.but(lr_g=1, lr_d=1, optimizer="sgd", steps=100_000, width=64))
    runner.wait(run, 120)
    assert runner.store.get(run).status == "failed"
    test = opened("playground.py")
    assert "Try learning rates" in text(test)


def test_an_interrupted_run_offers_resume(opened, runner):
    run = runner.store.create([TINY])
    runner.store.update(run, status="running")  # of a program that is gone: it never had an owner
    test = opened("playground.py")
    assert test.button(key="main").label == "Resume"
    test.button(key="main").click().run()
    assert runner.wait(run, 60)
    assert runner.store.get(run).status == "finished"


def test_mnist_that_is_not_here_says_where_it_was_sought(opened, runner, tmp_path, monkeypatch):
    from gan_core import vision

    monkeypatch.setattr(vision.MNIST, "mirrors", ["http://127.0.0.1:9/"])
    run = runner.start(GANConfig(dataset="mnist", network="dcgan", width=8, batch_size=8, steps=1))
    runner.wait(run, 60)
    shown = text(opened("playground.py"))
    assert str(tmp_path / "data" / "MNIST" / "raw") in shown.replace("\\", "")
    assert "digits" in shown


def test_a_name_is_shown_as_it_is(opened, runner):
    runner.wait(runner.start(TINY, "**bold** <b>x</b> $y$ [z](w)"), 60)
    test = opened("playground.py")
    assert any(r"\*\*bold\*\*" in m.value and r"\<b\>" in m.value for m in test.markdown)


@pytest.mark.parametrize("name", PAIRS)
def test_a_pair_starts_with_one_seed_and_shows_its_difference(opened, runner, name):
    test = opened("pages/collapse.py")
    test.session_state["pair_False"] = name
    test.run()
    test.number_input[0].set_value(3).run()
    test.button(key="main").click().run()
    runs = runner.store.runs()
    assert {run.config for run in runs} == {PAIRS[name].fails.but(seed=3), PAIRS[name].holds.but(seed=3)}
    assert len({run.pair for run in runs}) == 1
    for field in PAIRS[name].difference():
        assert GANConfig.model_fields[field].title in text(test)
    for run in runs:
        runner.send(run.id, "stop")


def test_latent_space_without_runs_shows_the_way(opened):
    assert "Nothing to explore yet" in text(opened("pages/latent.py"))


def test_latent_space_with_a_damaged_checkpoint_is_a_sentence(opened, runner):
    run = runner.start(TINY)
    runner.wait(run, 60)
    path = runner.store.checkpoint_path(run, 20)
    path.write_bytes(path.read_bytes()[:500])
    test = opened("pages/latent.py")
    assert not test.exception
    assert "damaged" in test.error[0].value


def test_latent_space_works_while_the_run_trains(opened, runner):
    run = runner.start(TINY.but(steps=10_000_000))
    until(lambda: runner.store.checkpoint_steps(run))
    test = opened("pages/latent.py")
    assert not test.exception
    assert not test.error
    runner.send(run, "stop")


def test_a_run_that_is_gone_does_not_break_a_page(opened, runner):
    test = opened("playground.py", focus="20200101-000000-ffffff")
    assert not test.exception
    assert test.button(key="main").label == "Start"
