"""What the pages show and refuse. What moves is tested in tests/browser."""

import time

import pytest
import streamlit as st
from conftest import ROOT
from streamlit.testing.v1 import AppTest

from gan_core import PRESETS, PROBLEMS, ConfigError, GANConfig
from gan_core.config import METAS
from gan_core.data import is_here
from gan_core.lab import LAB_CURES, arms, difference
from gan_core.link import to_query
from ui import verdict
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


@pytest.mark.parametrize("field", [name for name, meta in METAS.items() if meta.typed])
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


def labels_of_files(test) -> list[str]:
    return [element.label for element in test.get("file_uploader")]


DRAWN = GANConfig(dataset="drawn", points="AAD__w", width=8, batch_size=8, steps=20)


def test_points_are_painted_or_handed_in_and_not_typed(opened):
    test = opened("playground.py", draft=DRAWN.model_dump())
    assert GANConfig.model_fields["points"].title not in {field.label for field in test.text_input}
    assert labels_of_files(test) == ["Points from a file"]


def test_a_path_is_typed_or_images_are_handed_in(opened):
    test = opened("playground.py", draft=GANConfig(dataset="folder", path="images.zip").model_dump())
    assert "images.zip" in {field.value for field in test.text_input}
    assert labels_of_files(test) == ["Or upload a zip or images"]


@pytest.mark.parametrize("dataset", ["drawn", "folder"])
def test_data_of_ones_own_that_are_still_missing_are_no_mistake(opened, dataset):
    test = opened("playground.py", draft={**GANConfig().model_dump(), "dataset": dataset})
    assert (len(test.error), len(test.exception)) == (0, 0)
    assert test.button(key="main").disabled


def test_a_damaged_drawing_is_a_sentence(opened):
    test = opened("playground.py", draft={**DRAWN.model_dump(), "points": "AAA!"})
    assert not test.exception
    assert "damaged" in text(test)


def test_a_finished_drawings_run_keeps_its_picture_until_one_draws_on(opened, runner):
    run = runner.start(DRAWN)
    runner.wait(run, 60)
    test = opened("playground.py")
    assert "2 points were drawn" in text(test)
    test.button(key="draw_on").click().run()
    assert not test.exception
    assert test.session_state["draft"]["points"] == DRAWN.points
    assert "draw_on" not in {button.key for button in test.button}


def test_a_run_that_may_go_on_takes_no_other_data(opened, runner):
    run = runner.store.create([DRAWN])
    runner.store.update(run, status="interrupted")
    test = opened("playground.py")
    assert "2 points were drawn" in text(test)
    assert labels_of_files(test) == []


def test_settings_that_do_not_fit_are_said_and_cannot_be_started(opened):
    test = opened("playground.py", draft={**GANConfig().model_dump(), "network": "dcgan"})
    assert "needs images" in test.error[0].value
    assert test.button(key="main").disabled


def test_points_take_a_network_for_images_with_them(opened):
    test = opened("playground.py")
    test.selectbox(key="field_dataset_0_0").set_value("digits").run()
    test.selectbox(key="field_network_0_0").set_value("dcgan").run()
    test.selectbox(key="field_dataset_0_0").set_value("ring8").run()
    assert not test.error
    assert test.session_state["draft"]["network"] == "mlp"


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


def test_advice_to_a_finished_run_goes_on_in_a_fork(opened, runner):
    run = runner.start(TINY)
    runner.wait(run, 60)
    fork = verdict.apply(runner, runner.store.get(run), "r1_r2")
    runner.wait(fork, 60)
    row = runner.store.get(fork)
    assert (row.parent, row.parent_step, row.status) == (run, TINY.steps, "finished")
    assert row.config.penalty == "r1_r2"
    assert row.steps == 2 * TINY.steps
    test = opened("playground.py")
    assert not test.exception


def test_advice_that_changes_the_networks_begins_anew(runner):
    run = runner.start(TINY)
    runner.wait(run, 60)
    new = verdict.apply(runner, runner.store.get(run), "pacgan")
    runner.wait(new, 60)
    row = runner.store.get(new)
    assert (row.parent, row.config.pack, row.config.seed) == (None, 2, TINY.seed)


def test_a_name_is_shown_as_it_is(opened, runner):
    runner.wait(runner.start(TINY, "**bold** <b>x</b> $y$ [z](w)"), 60)
    test = opened("playground.py")
    assert any(r"\*\*bold\*\*" in m.value and r"\<b\>" in m.value for m in test.markdown)


HERE = [name for name, p in PROBLEMS.items() if p.config.dataset in ("ring8", "grid25", "disjoint3", "digits")]


@pytest.mark.parametrize("problem", HERE)
def test_two_runs_start_side_by_side_with_one_seed(opened, runner, problem):
    test = opened("pages/collapse.py")
    test.selectbox(key="lab_problem").set_value(problem).run()
    test.number_input[0].set_value(3).run()
    test.button(key="main").click().run()
    runs = runner.store.runs()
    one, two = arms(problem, LAB_CURES[0])
    assert {run.config for run in runs} == {one.but(seed=3), two.but(seed=3)}
    assert len({run.pair for run in runs}) == 1
    for field in difference(one, two):
        assert GANConfig.model_fields[field].title in text(test).replace("\\", "")
    for run in runs:
        runner.send(run.id, "stop")


@pytest.fixture
def lab(opened):
    """Opens a view of the lab."""

    def show(view):
        test = opened("pages/collapse.py")
        test.session_state["lab_view"] = view
        return test.run()

    return show


def test_many_seeds_start_as_members(lab, runner):
    test = lab("seeds")
    test.selectbox[2].set_value(8).run()
    test.button(key="main").click().run()
    assert not test.exception
    runs = runner.store.runs()
    assert [[c.seed for c in run.configs] for run in runs] == [list(range(8))] * 2
    for run in runs:
        runner.send(run.id, "stop")


def test_what_was_measured_is_said(lab, monkeypatch):
    arm = {"successes": 3, "n": 16, "low": 0.0, "high": 1.0, "held": [8] * 3 + [1] * 13}
    pairs = {f"ring/{LAB_CURES[0]}": {"before": arm, "after": arm, "p": 1.0}}
    monkeypatch.setattr("ui.choice.measured", lambda: {"pairs": pairs})
    assert "No difference that chance would not explain" in text(lab("pair")).replace("\\", "")


def test_a_map_starts_with_the_axes_of_the_form(lab, runner):
    test = lab("map")
    test.selectbox(key="axis_rates_0").set_value("batch_size").run()
    test.number_input(key="low_rates_0_batch_size").set_value(8).run()
    test.number_input(key="high_rates_0_batch_size").set_value(16).run()
    test.number_input(key="count_rates_0_batch_size").set_value(2).run()
    test.number_input(key="steps_rates").set_value(100).run()
    test.button(key="main").click().run()
    assert not test.exception
    (run,) = runner.store.runs(kind="map")
    assert run.spec["x"] == {"name": "batch_size", "values": [8, 16]}
    assert run.config.steps == 100
    runner.send(run.id, "stop")


def test_a_map_that_makes_no_sense_is_a_sentence(lab):
    test = lab("map")
    test.number_input(key="low_rates_0_lr_g").set_value(0.5).run()
    assert not test.exception
    assert "expected a first value below the last" in test.error[0].value


def test_all_measures_of_a_run_stand_beside_their_floors(opened, runner):
    runner.wait(runner.start(TINY), 60)
    test = opened("playground.py")
    table = test.dataframe[0].value
    assert list(table["Measure"][:2]) == ["Modes covered", "Modes held"]
    assert list(table["Perfect"][:2]) == ["8", "8"]


def test_everything_is_measured_on_demand(opened, runner):
    runner.wait(runner.start(TINY), 60)
    test = opened("playground.py")
    next(b for b in test.button if b.label == "Measure everything").click().run(timeout=120)
    assert not test.exception
    assert "1-NN two-sample accuracy" in list(test.dataframe[0].value["Measure"])


def test_generated_images_are_shown_beside_the_nearest_of_the_data(opened, runner):
    runner.wait(runner.start(TINY.but(dataset="digits")), 60)
    test = opened("playground.py")
    next(b for b in test.button if b.label == "Compare with training images").click().run(timeout=120)
    assert not test.exception
    assert len(test.get("image")[0].proto.imgs) == 8


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


def test_latent_space_says_that_a_run_without_checkpoints_is_not_shown(opened, runner):
    run = runner.start(TINY)
    runner.wait(run, 60)
    test = opened("pages/latent.py", focus=runner.store.create([TINY], "not begun"))
    assert "not begun has no checkpoint yet" in " ".join(caption.value for caption in test.caption)


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


# Links


def linked(opened, **query):
    """The Playground, opened with a link."""
    test = AppTest.from_file(ROOT / "playground.py", default_timeout=60)
    for name, value in query.items():
        test.query_params[name] = value
    return test.run()


def address(test) -> dict[str, str]:
    """Names and values in the address; AppTest gives a value alone or as a list."""
    return {name: value[-1] if isinstance(value, list) else value for name, value in test.query_params.items()}


def test_a_link_fills_the_form_and_is_ready_to_start(opened, runner):
    runner.wait(runner.start(TINY), 60)  # a run that would be in focus otherwise
    config = TINY.but(dataset="two_moons", lr_g=5e-4, seed=4)
    test = linked(opened, **to_query(config))
    assert test.session_state["draft"] == config.model_dump()
    assert test.button(key="main").label == "Start"
    test.button(key="main").click().run()
    assert runner.store.runs()[0].config == config
    assert address(test) == {"run": runner.store.runs()[0].id}


def test_what_a_link_could_not_do_is_said_until_the_run_begins(opened, runner):
    test = linked(opened, **to_query(TINY), lr_d="9", nothing="1")
    said = text(test).replace("\\", "")
    assert "lr_d = '9' is out of range" in said
    assert "There is no setting nothing." in said
    assert not test.exception
    test.button(key="main").click().run()
    assert "Not all of the link was used" not in text(test)


def test_a_link_that_names_only_what_there_is_not_leaves_the_page_as_it_is(opened, runner):
    run = runner.start(TINY)
    runner.wait(run, 60)
    test = linked(opened, datset="grid25")
    assert test.session_state["drafted"][0] == run


def test_the_address_follows_the_form(opened):
    test = opened("playground.py")
    next(w for w in test.number_input if w.label == GANConfig.model_fields["steps"].title).set_value(77).run()
    assert address(test) == to_query(PRESETS["ring"].config.but(steps=77))
    test.button(key="preset_digits").click().run()
    assert address(test) == to_query(PRESETS["digits"].config)


def test_a_folder_of_ones_own_never_stands_in_the_address(opened):
    test = opened("playground.py", draft=GANConfig(dataset="folder", path="/home/me/images.zip").model_dump(), share=True)
    assert not test.exception
    assert address(test) == {}
    assert "A link cannot carry images of your own" in text(test)


def test_share_says_that_a_run_was_changed_on_its_way(opened, runner):
    run = runner.start(TINY.but(steps=10_000_000))
    until(lambda: runner.store.get(run).status == "running")
    runner.send(run, "set", {"lr_g": 0.0005})
    until(lambda: runner.store.get(run).config.lr_g == 0.0005)
    test = opened("playground.py", share=True)
    assert "changed on its way" in text(test)
    assert "lr_g=0.0005" in test.code[0].value
    runner.send(run, "stop")


@pytest.mark.parametrize("error", [ConfigError("This cannot be exported.")])
def test_what_has_no_code_is_a_sentence(opened, monkeypatch, error):
    def refuse(config):
        raise error

    monkeypatch.setattr("ui.share.script", refuse)
    test = opened("playground.py", share=True)
    assert "This cannot be exported" in text(test)
    assert not test.exception


# Steps of one network, the pace, and pausing by itself


def test_a_step_of_one_network_from_nothing_waits_at_step_0(opened, runner):
    test = opened("playground.py", draft=TINY.model_dump())
    test.button(key="step_discriminator").click().run()
    (run,) = runner.store.runs()
    until(lambda: [e["part"] for e in runner.store.events(run.id)] == ["discriminator"])
    until(lambda: runner.store.get(run.id).status == "paused")
    assert runner.store.get(run.id).step == 0


def test_a_network_takes_no_step_alone_while_both_train(opened, runner):
    run = runner.start(TINY.but(steps=10_000_000))
    until(lambda: runner.store.get(run).status == "running")
    test = opened("playground.py")
    assert test.button(key="step_generator").disabled
    runner.send(run, "stop")


def test_what_is_no_game_has_no_step_of_one_network(opened):
    test = opened("playground.py", draft=GANConfig(dataset="digits", network="pixelcnn", levels=2).model_dump())
    assert test.button(key="step_generator").disabled
    assert not test.button(key="step").disabled


def pause_field(test, label: str):
    """The number beside what a run is to pause at."""
    return next(field for field in test.number_input if field.label == label and field.key.startswith("until_"))


def test_a_run_starts_with_the_chosen_pace_and_pause(opened, runner):
    test = opened("playground.py", draft=TINY.model_dump())
    test.segmented_control(key="pace_draft").set_value(3.0).run()
    test.selectbox(key="until_kind").set_value("step").run()
    pause_field(test, "Step").set_value(2).run()
    test.button(key="until_apply").click().run()
    assert "Pauses at step 2" in text(test)
    test.button(key="main").click().run()
    assert not test.exception
    (run,) = runner.store.runs()
    until(lambda: runner.store.get(run.id).status == "paused")
    row = runner.store.get(run.id)
    assert (row.step, row.pace, row.message) == (2, 3.0, "Paused: step 2 is reached.")


def test_a_wish_to_pause_is_for_one_run(opened, runner):
    test = opened("playground.py", draft=TINY.model_dump())
    test.selectbox(key="until_kind").set_value("modes").run()
    test.button(key="until_apply").click().run()
    test.button(key="main").click().run()
    assert "until_wanted" not in test.session_state
    assert runner.store.runs()[0].until in ({"modes": 8}, {})


def test_every_tab_shows_the_pace_of_the_run(opened, runner):
    run = runner.start(TINY.but(steps=10_000_000), paused=True)
    runner.send(run, "pace", 2.5)
    until(lambda: runner.store.get(run).pace == 2.5)
    test = opened("playground.py")
    assert test.segmented_control[0].value == 2.5
    runner.send(run, "pace", 10)
    until(lambda: runner.store.get(run).pace == 10)
    assert test.run().segmented_control[0].value == 10
    test.segmented_control[0].set_value(0.0).run()
    until(lambda: runner.store.get(run).pace == 0)
    assert not test.exception


def test_a_pause_is_asked_of_a_live_run_and_called_off(opened, runner):
    run = runner.start(TINY.but(steps=10_000_000), paused=True)
    test = opened("playground.py")
    for kind, expected in (("modes", {"modes": 8}), ("never", {})):
        test.selectbox(key="until_kind").set_value(kind).run()
        test.button(key="until_apply").click().run()
        until(lambda expected=expected: runner.store.get(run).until == expected)
    assert not test.exception


def test_a_step_that_the_run_has_passed_meanwhile_is_a_sentence(opened, runner):
    run = runner.store.create([TINY])
    runner.store.update(run, status="interrupted", step=3)
    test = opened("playground.py")
    test.selectbox(key="until_kind").set_value("step").run()
    pause_field(test, "Step").set_value(5).run()
    runner.store.update(run, step=7)
    test.button(key="until_apply").click().run()
    assert "Step 5 is behind" in text(test).replace("\\", "")
    assert not test.exception


def test_a_pause_that_was_asked_for_is_no_warning(opened, runner):
    run = runner.start(TINY, until={"step": 2})
    until(lambda: runner.store.get(run).status == "paused")
    assert not opened("playground.py").warning


def test_modes_to_wait_for_are_those_of_the_data(opened):
    test = opened("playground.py", draft=TINY.but(dataset="grid25").model_dump())
    test.selectbox(key="until_kind").set_value("modes").run()
    assert (pause_field(test, "Modes").value, pause_field(test, "Modes").max) == (25, 25)
    for dataset, label, most in (("ring8", "Modes", 8), ("digits", "Classes", 10)):
        test.session_state["draft"] = TINY.but(dataset=dataset).model_dump()
        test.run()
        assert not test.exception
        assert (pause_field(test, label).value, pause_field(test, label).max) == (most, most)
    test.session_state["draft"] = TINY.but(dataset="swiss_roll").model_dump()
    test.run()
    assert test.selectbox(key="until_kind").value == "never"
    assert not test.exception


@pytest.mark.parametrize("file", ["playground.py", "pages/runs.py"])  # all begin alike
def test_where_one_has_to_sign_in_a_page_shows_nothing_else(runner, file):
    run = runner.start(TINY, "A secret name")
    test = AppTest.from_file(ROOT / file, default_timeout=60)
    test.secrets["auth"] = {"redirect_uri": "http://localhost/oauth2callback", "cookie_secret": "x", "client_id": "y"}
    test.run()
    assert [button.label for button in test.button] == ["Sign in"]
    assert "secret" not in text(test)
    runner.wait(run, 60)


def test_what_takes_too_much_memory_is_said_at_the_form(opened, monkeypatch):
    monkeypatch.setenv("GAN_PLAYGROUND_MEMORY", "0.5")
    test = opened("playground.py", draft=GANConfig(width=1024, depth=8, batch_size=4096).model_dump())
    assert any("GB of memory" in error.value for error in test.error)
    assert next(button for button in test.button if button.label == "Start").disabled


def test_the_server_is_for_this_machine_by_default():
    """As .streamlit/config.toml and Streamlit's own defaults have it."""
    assert st.get_option("server.address") == "localhost"
    assert set(st.get_option("server.allowedHosts")) == {"localhost", "127.0.0.1"}
    assert st.get_option("server.enableXsrfProtection")
    assert st.get_option("server.enableCORS")
    assert not st.get_option("server.enableAgentApi")
