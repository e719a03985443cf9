"""Verdicts on histories that were made with a known cause."""

import math
import re
from dataclasses import replace

import numpy as np
import pytest

from gan_core import CURES, PRESETS, VERDICTS, GANConfig
from gan_core.cures import is_live
from gan_core.health import LEAST, MOMENTS, YOUNG, History, diagnose
from gan_core.lab import difference
from gan_core.members import STATS
from gan_core.networks import NETWORKS

MODES, SAMPLES, EVERY = 8, 1000, 10
CALM = {"real_logit": 0.5, "fake_logit": -0.5, "loss_d": 1.2, "penalty": 0.0, "grad_d": 1.0, "loss_g": 0.8, "grad_g": 0.5}
EVEN = np.full(MODES, 1 / MODES)


def _history(
    places=EVEN, good=0.95, diversity=1.0, n=40, *, every=EVERY, train=None, share=EVEN, config=None, broken="", **metrics
):
    """A history of n measurements, each `every` steps.

    Args:
        places: share of the samples that is nearest to each mode, (K,) or one row a measurement (n, K); None without modes.
        good: share of the samples that is of high quality; one number or one a measurement, as diversity and other metrics.
        train: statistics that are not calm: one number, or one a step.
    """
    at = every * np.arange(1, n + 1)
    steps = np.arange(1, n * every + 1)
    stats = {name: np.broadcast_to(value, len(steps)).astype(float) for name, value in {**CALM, **(train or {})}.items()}
    measured = {"diversity": diversity, "high_quality": good, **metrics}
    counts = nearest = None
    if places is None:
        share = None
        del measured["high_quality"]
    else:
        nearest = np.broadcast_to(places, (n, len(share))) * float(SAMPLES)
        counts = nearest * np.broadcast_to(good, n)[:, None]
    measured = {name: np.broadcast_to(value, n).astype(float) for name, value in measured.items()}
    floors = {"high_quality": 0.99, "sliced_wasserstein": 0.02}
    return History(config or GANConfig(), steps, stats, at, measured, counts, nearest, share, floors, broken)


def _on(*modes):
    """All samples evenly on these modes."""
    places = np.zeros(MODES)
    places[list(modes)] = 1 / len(modes)
    return places


def _in_turn(n, size=1):
    """A heap on so many neighbouring modes that moves on by as many each moment."""
    return np.array([_on(*((k * size + j) % MODES for j in range(size))) for k in range(n)])


def _images(**changes):
    return _history(config=GANConfig(dataset="digits"), **changes)


EXAMPLES = {
    "learning": [_history(n=3), _history(good=0.05), _history(n=1), _history(None, diversity=0.9, sliced_wasserstein=0.5)],
    "healthy": [
        _history(),
        _images(copies=0.9),
        _history(None, sliced_wasserstein=np.linspace(1, 0.02, 40)),
        _history(train={"loss_d": 0.01}),
        _history(train={"grad_g": 1e-5}),
    ],
    "partial_collapse": [
        _history(_on(*range(7))),
        _history(_on(0, 1, 2, 3), diversity=0.6),
        _history(_on(*range(7)), good=0.1),
        _history(None, diversity=0.4),
    ],
    "total_collapse": [
        _history(_on(3), diversity=0.02),
        _history(_on(3), good=0.0, diversity=0.02),
        _history(_on(3, 4), diversity=0.1),
        _history(None, diversity=0.1),
    ],
    "oscillating": [
        _history(_in_turn(40), diversity=0.05),
        _history(_in_turn(40), good=0.02, diversity=0.05),
        _history(_in_turn(40, 3), good=0.1, diversity=0.4),
    ],
    "strong_discriminator": [
        _history(good=0.05, train={"loss_d": 0.01, "real_logit": 6.0, "fake_logit": -6.0}),
        _history(None, diversity=0.1, train={"loss_d": 0.01}),
    ],
    "vanished_gradient": [
        _history(good=0.05, train={"grad_g": 1e-5}),
        _history(_on(3), diversity=0.02, train={"grad_g": 1e-5}),
        _history(good=0.05, train={"grad_g": np.r_[np.full(200, 10.0), np.full(200, 2e-3)]}),
    ],
    "diverged": [
        _history(train={"real_logit": 1500.0, "fake_logit": -500.0}),
        _history(broken="loss_d"),
        _history(n=2, broken="grad_g"),
    ],
    "copying": [_images(copies=0.1), _images(good=0.2, copies=0.1)],
}
CASES = [(name, k) for name, histories in EXAMPLES.items() for k in range(len(histories))]


@pytest.fixture(params=CASES, ids=lambda case: f"{case[0]}-{case[1]}")
def case(request):
    """(what it is, a history)."""
    name, k = request.param
    return name, EXAMPLES[name][k]


def _name(**changes):
    return diagnose(_history(**changes)).name


def test_every_verdict_has_an_example():
    assert EXAMPLES.keys() == VERDICTS.keys()


def test_the_cause_is_found(case):
    name, history = case
    assert diagnose(history).name == name


# What every verdict says


def test_a_sentence_is_one_and_has_no_missing_number(case):
    sentence = diagnose(case[1]).sentence
    assert re.fullmatch(r"[A-Z0-9].*[^.]\.", sentence)
    assert not re.search(r"\b(nan|inf)", sentence)


def test_evidence_are_pairs_of_words_without_missing_numbers(case):
    for what, value in diagnose(case[1]).evidence:
        assert what.strip()
        assert re.search(r"\d", value)
        assert not re.search(r"nan|inf", value)


def test_evidence_counts_what_it_stands_on(case):
    _, history = case
    n = len(history.at)
    evidence = dict(diagnose(history).evidence)
    assert evidence["Measurements it stands on"] == str(min(n, max(LEAST, math.ceil(n / 4))))


def test_it_began_at_a_step_of_the_run(case):
    _, history = case
    assert 0 < diagnose(history).since <= history.steps[-1]


def test_the_same_history_gives_the_same_verdict(case):
    _, history = case
    again = replace(history, train={k: v.copy() for k, v in history.train.items()}, at=history.at.copy())
    assert diagnose(history) == diagnose(again) == diagnose(history)


def test_a_history_is_not_changed(case):
    _, history = case
    arrays = [history.steps, history.at, *history.train.values(), *history.metrics.values()]
    arrays += [a for a in (history.counts, history.nearest, history.share) if a is not None]
    before = [array.copy() for array in arrays]
    diagnose(history)
    assert all(np.array_equal(a, b) for a, b in zip(arrays, before, strict=True))


def test_a_verdict_knows_its_kind(case):
    name, history = case
    assert diagnose(history).kind is VERDICTS[name]


@pytest.mark.parametrize("name", VERDICTS)
def test_a_kind_has_title_text_and_tone(name):
    kind = VERDICTS[name]
    assert kind.title
    assert kind.text.endswith(".")
    assert kind.tone in ("good", "warn", "bad", "wait")


# Advice

CONFIGS = {name: p.config for name, p in PRESETS.items() if NETWORKS[p.config.network].adversarial}
CONFIGS |= {"default": GANConfig(), "minimax": GANConfig(loss="minimax", d_steps=5, beta1=0.9), "slow": GANConfig(lr_g=1e-6)}


def test_every_advice_can_be_applied_and_says_whether_live(case):
    for name, config in CONFIGS.items():
        for advice in diagnose(replace(case[1], config=config)).advice:
            after = CURES[advice.cure].apply(config)
            assert config.but(**advice.changes) == after != config, name
            assert advice.changes == {field: new for field, (_, new) in difference(config, after).items()}, name
            assert advice.live == is_live(config, after), name


def test_advice_comes_in_the_order_of_its_kind_and_never_twice(case):
    for name, config in CONFIGS.items():
        verdict = diagnose(replace(case[1], config=config))
        cures = [advice.cure for advice in verdict.advice]
        assert cures == [cure for cure in verdict.kind.cures if cure in cures], name
        changes = [advice.changes for advice in verdict.advice]
        assert all(one not in changes[:k] for k, one in enumerate(changes)), name


def _broken(**values):
    """A member that has diverged while others went on: its last statistics and metrics are no numbers."""
    train = {name: np.r_[np.full(360, 0.5), np.full(40, values.get(name, 0.5))] for name in STATS}
    metrics = {name: np.r_[np.ones(30), np.full(10, values.get(name, 1.0))] for name in ("diversity", "sliced_wasserstein")}
    return _history(train=train, **metrics)


TROUBLED = {
    "a member that broke": _broken(**dict.fromkeys([*STATS, "diversity", "sliced_wasserstein"], np.nan)),
    "logits without end": _broken(real_logit=np.inf, fake_logit=-np.inf),
    "a gradient without end": _broken(grad_g=np.inf),
    "a loss that is none": _broken(loss_d=np.nan),
    "no metrics": _history(None, diversity=np.nan),
    "no statistics": replace(_history(good=0.05), train={}),
    "no samples that are finite": _history(np.zeros(MODES), diversity=np.nan),
    "no measurements": replace(_history(n=1), at=np.zeros(0, int), metrics={}, counts=np.zeros((0, 8)), nearest=np.zeros((0, 8))),
}


@pytest.mark.parametrize("trouble", TROUBLED)
def test_a_sentence_names_no_number_that_is_none(trouble):
    assert not re.search(r"\b(nan|inf)", diagnose(TROUBLED[trouble]).sentence)


@pytest.mark.parametrize("trouble", TROUBLED)
def test_evidence_leaves_out_what_is_no_number(trouble):
    evidence = diagnose(TROUBLED[trouble]).evidence
    assert dict(evidence)["Measurements it stands on"]
    assert not [pair for pair in evidence if re.search(r"nan|inf", pair[1])]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("trouble", TROUBLED)
def test_trouble_is_judged_without_a_warning(trouble):
    assert diagnose(TROUBLED[trouble])


@pytest.mark.parametrize(
    "trouble", ["a member that broke", "logits without end", "a gradient without end", "a loss that is none"]
)
def test_a_number_that_is_not_finite_is_said(trouble):
    verdict = diagnose(TROUBLED[trouble])
    assert (verdict.name, verdict.sentence) == ("diverged", "A number is not finite any more.")


def test_no_measurement_stands_on_none():
    assert diagnose(TROUBLED["no measurements"]).evidence == (("Measurements it stands on", "0"),)


def test_samples_that_are_not_finite_are_at_no_mode():
    evidence = dict(diagnose(TROUBLED["no samples that are finite"]).evidence)
    assert evidence["Modes with samples, at a time"] == "0.0 of 8"


@pytest.mark.parametrize("name", [name for name, kind in VERDICTS.items() if kind.tone == "bad"])
def test_there_is_advice_where_it_is_bad(name):
    assert diagnose(EXAMPLES[name][0]).advice


def test_there_is_no_advice_for_the_healthy():
    assert diagnose(EXAMPLES["healthy"][0]).advice == ()


# Where one verdict ends and the next begins


@pytest.mark.parametrize(("share", "verdict"), [(0.14, "partial_collapse"), (0.16, "healthy")])
def test_a_mode_is_missing_below_fifteen_per_cent_of_its_share(share, verdict):
    places = np.full(MODES, (1 - share / MODES) / (MODES - 1))
    places[0] = share / MODES
    assert _name(places=places, good=1.0) == verdict


@pytest.mark.parametrize(("share", "verdict"), [(0.14, "partial_collapse"), (0.16, "healthy")])
def test_a_rare_mode_is_measured_by_its_own_share(share, verdict):
    fair = np.r_[0.02, np.full(MODES - 1, 0.98 / (MODES - 1))]
    places = fair * np.r_[share, np.full(MODES - 1, (1 - share * 0.02) / 0.98)]
    assert _name(places=places, good=1.0, share=fair) == verdict


@pytest.mark.parametrize(("share", "verdict"), [(0.14, "partial_collapse"), (0.16, "learning")])
def test_a_rare_mode_of_poor_samples_is_measured_by_its_own_share_too(share, verdict):
    fair = np.r_[0.02, np.full(MODES - 1, 0.98 / (MODES - 1))]
    places = fair * np.r_[share, np.full(MODES - 1, (1 - share * 0.02) / 0.98)]
    assert _name(places=places, good=0.1, share=fair) == verdict


@pytest.mark.parametrize(("good", "verdict"), [(0.14, "partial_collapse"), (0.16, "healthy")])
def test_a_mode_with_samples_of_which_few_are_good_is_missing(good, verdict):
    """Fifteen per cent of its share of all samples must be good, however good the others are."""
    history = _history(good=0.5)
    history.counts[:, 2] = good * history.nearest[:, 2]
    assert diagnose(history).name == verdict


@pytest.mark.parametrize(("good", "verdict"), [(0.29, "learning"), (0.31, "healthy")])
def test_samples_are_good_from_thirty_per_cent_on(good, verdict):
    assert _name(good=good * 0.99) == verdict


def test_quality_is_a_share_of_what_a_perfect_generator_has():
    assert diagnose(replace(_history(good=0.2), floors={"high_quality": 0.5})).name == "healthy"


@pytest.mark.parametrize(("times", "verdict"), [(4, "partial_collapse"), (5, "healthy")])
def test_a_mode_that_is_seldom_there_is_missing(times, verdict):
    """In less than a fifth of the last 25 measurements."""
    places = np.tile(_on(*range(7)), (100, 1))
    places[80 : 80 + times] = EVEN
    assert _name(places=places, n=100) == verdict


def test_modes_that_are_left_out_by_turns_are_none_that_is_lost():
    places = np.array([_on(*(m for m in range(MODES) if m != k % MODES)) for k in range(40)])
    assert _name(places=places) == "healthy"


def test_one_bad_moment_is_no_collapse():
    places = np.tile(EVEN, (40, 1))
    places[35] = _on(3)
    assert _name(places=places) == "healthy"


@pytest.mark.parametrize("size", [2, 3, 5])
def test_a_heap_that_wanders_is_not_healthy_although_it_comes_to_every_mode(size):
    """Each mode is held often enough not to be missing, but never all of them at once."""
    assert _name(places=_in_turn(40, size), diversity=0.4) == "oscillating"


def test_a_heap_that_leaves_out_two_of_eight_modes_by_turns_wanders():
    """6 of 8 are three quarters of the modes: more than that do not wander."""
    assert [_name(places=_in_turn(40, size)) for size in (6, 7)] == ["oscillating", "healthy"]


def test_the_verdict_stands_on_the_last_quarter():
    places = np.array([_on(3)] * 30 + [EVEN] * 10)
    assert _name(places=places) == "healthy"


def test_a_heap_that_rests_between_two_modes_does_not_wander():
    """It moves once in the last quarter."""
    places = np.array([_on(2)] * 36 + [_on(3)] * 4)
    assert _name(places=places, diversity=0.02) == "total_collapse"


def test_a_heap_that_goes_to_and_fro_between_two_modes_does_not_wander():
    places = np.array([_on(2 + k % 2) for k in range(40)])
    assert _name(places=places, diversity=0.02) == "total_collapse"


@pytest.mark.parametrize(("gap", "verdict"), [(999, "learning"), (1001, "diverged")])
@pytest.mark.parametrize("sign", [-1, 1])
def test_logits_run_away_from_a_thousand_on(gap, sign, verdict):
    assert _name(good=0.05, train={"real_logit": sign * gap, "fake_logit": 0.0}) == verdict


@pytest.mark.parametrize(("share", "verdict"), [(0.24, "strong_discriminator"), (0.26, "learning")])
@pytest.mark.parametrize(("loss", "undecided"), [("nonsaturating", 2 * math.log(2)), ("hinge", 2.0), ("least_squares", 0.25)])
def test_a_discriminator_is_too_strong_below_a_quarter_of_the_undecided_loss(loss, undecided, share, verdict):
    assert _name(good=0.05, config=GANConfig(loss=loss), train={"loss_d": share * undecided}) == verdict


def test_a_strong_discriminator_is_none_to_blame_while_samples_are_good():
    assert _name(places=_on(*range(7)), train={"loss_d": 0.01}) == "partial_collapse"


def test_a_wasserstein_critic_is_never_too_strong():
    assert _name(good=0.05, config=GANConfig(loss="wasserstein"), train={"loss_d": -5.0}) == "learning"


@pytest.mark.parametrize(("gradient", "verdict"), [(9e-4, "vanished_gradient"), (1.1e-3, "learning")])
def test_a_gradient_has_vanished_below_a_thousandth(gradient, verdict):
    assert _name(good=0.05, train={"grad_g": gradient}) == verdict


@pytest.mark.parametrize(("most", "verdict"), [(11.0, "vanished_gradient"), (9.0, "learning")])
def test_a_gradient_has_vanished_below_a_thousandth_of_the_largest(most, verdict):
    assert _name(good=0.05, train={"grad_g": np.r_[most, np.full(399, 0.01)]}) == verdict


def test_a_few_steps_without_a_gradient_are_none_that_vanished():
    gradient = np.full(400, 0.5)
    gradient[-40:] = 0.0
    assert _name(good=0.05, train={"grad_g": gradient}) == "learning"


def test_a_few_steps_with_a_gradient_do_not_hide_that_it_vanished():
    """The median counts, not the mean."""
    gradient = np.full(400, 1e-5)
    gradient[-40:] = 0.5
    assert _name(good=0.05, train={"grad_g": gradient}) == "vanished_gradient"


@pytest.mark.parametrize(("copies", "verdict"), [(0.49, "copying"), (0.51, "healthy")])
def test_samples_are_copies_below_half_the_usual_distance(copies, verdict):
    assert diagnose(_images(copies=copies)).name == verdict


def test_a_collapse_is_worse_than_copying():
    assert diagnose(_images(places=_on(3), diversity=0.02, copies=0.1)).name == "total_collapse"


@pytest.mark.parametrize(
    ("diversity", "verdict"), [(0.24, "total_collapse"), (0.26, "partial_collapse"), (0.54, "partial_collapse")]
)
def test_without_modes_diversity_decides(diversity, verdict):
    assert _name(places=None, diversity=diversity, sliced_wasserstein=0.02) == verdict


@pytest.mark.parametrize(("diversity", "verdict"), [(0.56, "healthy"), (1.59, "healthy"), (1.61, "learning")])
def test_without_modes_samples_are_as_varied_as_the_data(diversity, verdict):
    assert _name(places=None, diversity=diversity, sliced_wasserstein=0.02) == verdict


@pytest.mark.parametrize(("distance", "verdict"), [(0.09, "healthy"), (0.11, "learning")])
def test_without_modes_samples_are_close_to_the_data(distance, verdict):
    """Five times what real samples have, which are 0.02 apart; it never was much larger."""
    assert _name(places=None, sliced_wasserstein=distance) == verdict


@pytest.mark.parametrize(("distance", "verdict"), [(0.24, "healthy"), (0.26, "learning")])
def test_without_modes_samples_have_come_closer_to_the_data(distance, verdict):
    assert _name(places=None, sliced_wasserstein=np.r_[1.0, np.full(39, distance)]) == verdict


@pytest.mark.parametrize(("n", "verdict"), [(1, "learning"), (LEAST - 1, "learning"), (LEAST, "healthy")])
def test_nothing_is_said_before_four_measurements(n, verdict):
    assert _name(n=n) == verdict


def test_a_break_is_said_before_four_measurements():
    assert _name(n=1, broken="loss_g") == "diverged"


@pytest.mark.parametrize(
    ("size", "modes", "verdict"), [(1, 8, "total_collapse"), (2, 8, "partial_collapse"), (3, 25, "total_collapse")]
)
def test_a_heap_on_few_of_many_modes_is_one(size, modes, verdict):
    """Up to 15 % of the modes, whatever the diversity."""
    share = np.full(modes, 1 / modes)
    places = np.zeros(modes)
    places[:size] = 1 / size
    assert _name(places=places, share=share, diversity=0.9) == verdict


@pytest.mark.parametrize("diversity", [0.1, 0.5])
def test_samples_at_three_of_eight_modes_are_no_heap(diversity):
    assert _name(places=_on(3, 4, 5), diversity=diversity) == "partial_collapse"


@pytest.mark.parametrize(("diversity", "verdict"), [(0.24, "total_collapse"), (0.26, "partial_collapse")])
def test_a_narrow_heap_over_two_modes_is_one(diversity, verdict):
    assert _name(places=_on(3, 4), diversity=diversity) == verdict


# In numbers


@pytest.mark.parametrize(
    ("name", "k", "words"),
    [
        ("healthy", 0, "All 8 modes get samples, and 95% of the samples are good"),
        ("partial_collapse", 0, "1 of 8 modes"),
        ("partial_collapse", 1, "4 of 8 modes"),
        ("partial_collapse", 3, "40% as varied as the data"),
        ("total_collapse", 0, "All samples lie at 1 of 8 modes, 2% as varied"),
        ("total_collapse", 3, "10% as varied as the data"),
        ("oscillating", 0, "Samples lie at 1 of 8 modes at a time, at 8 in turn: 100% change"),
        ("strong_discriminator", 0, "puts real samples 12.0 above generated ones, and only 5% of the samples are good"),
        ("vanished_gradient", 2, "has a norm of 0.002; it was up to 1e+01"),
        ("diverged", 0, "logits are 2,000 apart"),
        ("diverged", 1, "A number was not finite any more"),
        ("copying", 0, "Samples are 10% as far"),
        ("learning", 0, "Nothing can be said yet"),
        ("learning", 1, "Samples are spread over 8 of 8 modes, but only 5% of the samples are good"),
    ],
)
def test_a_sentence_names_the_telling_numbers(name, k, words):
    assert words in diagnose(EXAMPLES[name][k]).sentence


def test_evidence_names_the_discriminators_share_of_the_undecided_loss():
    evidence = dict(diagnose(_history(train={"loss_d": math.log(2)})).evidence)
    assert evidence["Discriminator's loss, where 1 is guessing"] == "0.50"


def test_evidence_tells_where_logits_and_gradient_are():
    evidence = dict(diagnose(_history(train={"grad_g": np.r_[4.0, np.full(399, 0.5)]})).evidence)
    assert evidence["Real logits above generated ones by"] == "1"
    assert evidence["Generator's gradient, now and at most"] == "0.5, 4"


def test_evidence_without_modes_has_no_modes():
    assert not [what for what, _ in diagnose(_history(None, diversity=0.4)).evidence if "odes" in what]


# When there is little to go by


def test_no_measurement_is_still_learning():
    history = _history(n=1)
    empty = replace(history, at=history.at[:0], metrics={k: v[:0] for k, v in history.metrics.items()})
    assert diagnose(replace(empty, counts=None, nearest=None, share=None)).name == "learning"


def test_nothing_at_all_is_still_learning():
    nothing = np.zeros(0, np.int64)
    verdict = diagnose(History(GANConfig(), nothing, {}, nothing, {}))
    assert (verdict.name, verdict.since) == ("learning", 0)


def test_without_a_judge_that_is_ready_it_is_still_learning():
    """Modes are not counted yet, and what looks at them is NaN."""
    names = ("modes", "held", "high_quality", "reverse_kl")
    history = _history(None, diversity=0.9, sliced_wasserstein=0.5, **dict.fromkeys(names, np.nan))
    assert diagnose(history).name == "learning"


def test_a_metric_that_came_later_is_averaged_over_where_it_is():
    quality = np.full(40, 0.95)
    quality[30:35] = np.nan
    assert diagnose(replace(_history(), metrics={"diversity": np.ones(40), "high_quality": quality})).name == "healthy"


def test_without_statistics_samples_alone_decide():
    assert diagnose(replace(_history(_on(3), diversity=0.02), train={}, steps=np.zeros(0, np.int64))).name == "total_collapse"


def test_a_statistic_that_is_not_finite_is_diverged():
    for name in STATS:
        values = np.full(400, 0.5)
        values[-1] = np.inf
        assert _name(train={name: values}) == "diverged"


# When it began


def test_a_break_began_at_the_last_step():
    assert diagnose(_history(broken="loss_d")).since == 400


def test_what_went_away_and_came_back_began_when_it_came_back():
    places = np.array([_on(3)] * 30 + [EVEN] * 40 + [_on(3)] * 50)
    assert abs(diagnose(_history(places, n=120)).since - 70 * EVERY) <= EVERY * 120 / MOMENTS


def _change(before, after, split, n=100):
    """A history that is one thing for so many measurements and another from then on; lists are arguments of `_history`."""
    one, two = _history(n=n, **before), _history(n=n, **after)
    early = one.at <= split * EVERY

    def join(a, b, first):
        return None if a is None else np.where(first.reshape(-1, *[1] * (a.ndim - 1)), a, b)

    return replace(
        two,
        train={k: join(one.train[k], two.train[k], one.steps <= split * EVERY) for k in two.train},
        metrics={k: join(one.metrics[k], two.metrics[k], early) for k in two.metrics},
        counts=join(one.counts, two.counts, early),
        nearest=join(one.nearest, two.nearest, early),
    )


FATES = {
    "healthy": {},
    "learning": {"good": 0.05},
    "partial_collapse": {"places": _on(*range(7))},
    "total_collapse": {"places": _on(3), "diversity": 0.02},
    "oscillating": {"places": _in_turn(100), "diversity": 0.05},
    "strong_discriminator": {"good": 0.05, "train": {"loss_d": 0.01}},
    "vanished_gradient": {"good": 0.05, "train": {"grad_g": 1e-5}},
    "diverged": {"train": {"real_logit": 2000.0}},
}
CHANGES = [("healthy", name) for name in FATES if name != "healthy"] + [(name, "healthy") for name in FATES if name != "healthy"]


@pytest.mark.parametrize("split", [50, 33])
@pytest.mark.parametrize(("before", "after"), CHANGES)
def test_it_began_at_the_step_at_which_it_changed(before, after, split):
    """Within one moment's spacing, although a verdict stands on a quarter of the measurements."""
    verdict = diagnose(_change(FATES[before], FATES[after], split))
    assert verdict.name == after
    assert abs(verdict.since - split * EVERY) <= EVERY * 100 / MOMENTS


@pytest.mark.parametrize(("before", "after"), [("total_collapse", "partial_collapse"), ("partial_collapse", "total_collapse")])
def test_a_collapse_that_changes_began_where_it_became_what_it_is(before, after):
    verdict = diagnose(_change(FATES[before], FATES[after], 50))
    assert verdict.name == after
    assert abs(verdict.since - 500) <= EVERY * 100 / MOMENTS


@pytest.mark.parametrize("name", FATES)
@pytest.mark.parametrize("n", [4, 5, 30, 100])
def test_what_always_was_began_at_the_first_measurement(name, n):
    fate = {**FATES[name], **({"places": _in_turn(n)} if name == "oscillating" else {})}
    assert diagnose(_history(n=n, every=YOUNG, **fate)).since == YOUNG


@pytest.mark.parametrize("name", FATES)
def test_no_samples_have_collapsed_before_the_run_has_gone_some_way(name):
    fate = {**FATES[name], **({"places": _in_turn(4)} if name == "oscillating" else {})}
    early, later = (diagnose(replace(_history(n=4, every=every, **fate), ended=True)) for every in (YOUNG // 4 - 1, YOUNG // 4))
    assert later.name == name
    assert early.name == ("learning" if name in ("partial_collapse", "total_collapse", "oscillating") else name)


def test_in_a_long_history_it_began_within_the_first_moment():
    assert diagnose(_history(n=1000)).since <= EVERY * 1000 / MOMENTS


def test_a_gradual_change_began_while_it_went_on():
    """Samples leave seven of the modes little by little, from the 200th to the 400th step."""
    gone = np.clip((np.arange(1, 101) - 20) / 20, 0, 1)[:, None]
    verdict = diagnose(_history((1 - gone) * EVEN + gone * _on(3), diversity=0.02, n=100))
    assert verdict.name == "total_collapse"
    assert 300 <= verdict.since <= 400


def test_nothing_begins_with_untrained_networks():
    """A run is measured before its first step, too, and the window around it may look well on average."""
    at = np.arange(0, 4000, 100)
    good, every = np.full((len(at), 8), 120.0), np.full((len(at), 8), 125.0)
    good[0] = 0
    metrics = {"high_quality": good.sum(1) / 1000, "diversity": np.ones(len(at)), "sliced_wasserstein": np.full(len(at), 0.05)}
    steps = np.arange(1, 4000)
    train = {"real_logit": 0.1 * np.ones(3999), "fake_logit": np.zeros(3999), "loss_d": np.ones(3999), "grad_g": np.ones(3999)}
    verdict = diagnose(History(GANConfig(), steps, train, at, metrics, good, every, np.full(8, 1 / 8), {"high_quality": 0.99}))
    assert (verdict.name, verdict.since) == ("healthy", 100)


def test_what_was_measured_before_a_change_counts_no_more():
    """Seven of eight modes until step 200 of 400, then all."""
    history = _history(np.array([_on(*range(7))] * 20 + [EVEN] * 20))
    changed = replace(history, changed=int(history.at[19]))
    assert diagnose(changed).name == "healthy"
    assert diagnose(changed).since > changed.changed


@pytest.mark.parametrize("later", [0, 1, LEAST - 1])
def test_a_change_is_given_time(later):
    history = _history(_on(*range(7)))
    changed = replace(history, changed=int(history.at[len(history.at) - 1 - later]))
    verdict = diagnose(changed)
    assert verdict.name == "learning"
    assert f"Changed at step {changed.changed:,}" in verdict.sentence


def test_a_run_that_has_ended_is_judged_by_what_there_is():
    history = _history(n=3)
    assert diagnose(history).name == "learning"
    assert diagnose(replace(history, ended=True)).name == "healthy"


def test_samples_none_of_which_is_good_miss_no_mode_yet():
    assert diagnose(_history(_on(*range(7)), good=0.0)).name == "learning"


def test_a_run_is_healthy_from_the_first_good_measurement_on():
    """The first measurements are of a network that has learnt nothing; their mean with good ones would pass."""
    history = _history(good=np.r_[[0.0] * 3, [0.95] * 37])
    assert diagnose(history).since == history.at[3]


def test_a_history_until_a_moment_is_what_was_known_then():
    history = _history()
    part = history.until(10)
    assert part.at[-1] == history.at[9]
    assert part.steps[-1] <= history.at[9]
    assert len(part.counts) == len(part.nearest) == 10
    assert all(len(values) == 10 for values in part.metrics.values())
