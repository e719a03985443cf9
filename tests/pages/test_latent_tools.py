"""Tools of the latent page: links that say nonsense, and what their controls offer. What moves is tested in tests/browser."""

import numpy as np
import pytest

from gan_core import GANConfig, Trainer

POINTS = GANConfig(dataset="ring8", width=8, batch_size=8, latent_dim=4, steps=5)
DIGITS = POINTS.but(dataset="digits", network="mlp")


@pytest.fixture
def linked(opened, runner):
    """The latent page of a run, opened with a link; returns the page and the run."""

    def go(config, **query):
        run = runner.store.create([config])
        runner.store.save_checkpoint(run, Trainer(config).train().state_dict())
        runner.store.update(run, status="finished", step=config.steps)
        return opened("pages/latent.py", arrived=query, focus=run), run

    return go


def captions(test):
    return " ".join(caption.value for caption in test.caption)


@pytest.mark.parametrize(
    "query", [{"moves": "x"}, {"moves": "9"}, {"moves": "nan,1"}, {"dirs": "up"}, {"dlayer": "-1"}, {"a": "?"}]
)
def test_nonsense_about_directions_is_left_out_and_said(linked, query):
    test, _ = linked(POINTS, tool="directions", **query)
    assert not test.exception
    assert not test.error
    assert "Not all of the link was used" in captions(test)
    assert test.session_state["latent"]["moves"] == ""


@pytest.mark.parametrize("query", [{"sum": "1+2+3"}, {"sum": "x", "first": str(2**31)}])
def test_nonsense_about_sums_is_left_out_and_said(linked, query):
    test, _ = linked(DIGITS, tool="sums", **query)
    assert not test.exception
    assert not test.error
    assert "Not all of the link was used" in captions(test)
    assert test.session_state["latent"]["sum"] == ""


def test_sliders_begin_anew_with_other_directions(linked):
    test, _ = linked(POINTS, tool="directions", moves="1,-2")
    assert test.session_state["latent"]["moves"] == "1,-2"
    menu = next(box for box in test.selectbox if box.label == "Directions")
    menu.select("sefa").run()
    assert test.session_state["latent"]["dirs"] == "sefa"
    assert test.session_state["latent"]["moves"] == ""


def test_kept_directions_are_offered_when_there_are_some(linked, runner):
    test, run = linked(POINTS, tool="directions", dirs="kept")
    assert "Kept with this run" in captions(test)  # and why it is not there
    assert not test.error
    runner.store.put_direction(run, "mine", "z", np.array([1, 0, 0, 0]), 1.0)
    test.run()
    assert "Kept with this run" not in captions(test)
    assert "Kept with this run" in next(box for box in test.selectbox if box.label == "Directions").options


def test_a_step_that_was_thinned_out_is_said_and_the_nearest_one_shown(linked):
    test, _ = linked(POINTS, step="3")
    assert [warning.value for warning in test.warning] == ["Step 3 is not kept; this is step 5\\."]
    assert test.session_state["latent"]["step"] == 5


def test_the_step_of_a_live_run_is_held_until_the_newest_is_wanted(linked, runner):
    test, run = linked(POINTS)
    trainer = Trainer(POINTS)
    trainer.load_state_dict(runner.store.load_checkpoint(run))
    runner.store.update(run, status="paused", owner=runner.owner)
    test.run()
    runner.store.save_checkpoint(run, trainer.train(2).state_dict())
    test.run()
    assert test.session_state["latent"]["step"] == 5
    test.button(key="latent_newest").click().run()
    assert test.session_state["latent"]["step"] == 7
    assert test.query_params["step"] == "7"
