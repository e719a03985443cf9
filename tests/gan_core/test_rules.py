import ast
import inspect
import re

import pytest

from gan_core import LOSSES, NETWORKS, PENALTIES, ConfigError, GANConfig, rules
from gan_core.conditions import CONDITIONS
from gan_core.latents import LATENTS

DIGITS = {"dataset": "digits"}
DCGAN = {**DIGITS, "network": "dcgan"}
PIXEL = {**DIGITS, "network": "pixelcnn", "levels": 2}

# what does not go together -> (the start of the sentence, what it says would do, each of which is then accepted)
RULES = {
    "size of points": ({"image_size": 32}, "image_size = 32", [{"image_size": 0}]),
    "channels of points": ({"channels": 1}, "channels = 1", [{"channels": 0}]),
    "levels of points": ({"levels": 2}, "levels = 2", [{"levels": 0}]),
    "odd size": ({**DIGITS, "image_size": 10}, "image_size = 10", [{"image_size": 0}, {"image_size": 8}, {"image_size": 128}]),
    "two channels": ({**DIGITS, "channels": 2}, "channels = 2", [{"channels": k} for k in (0, 1, 3)]),
    "one level": ({**DIGITS, "levels": 1}, "levels = 1", [{"levels": k} for k in (0, 2, 32)]),
    "folder without a path": ({"dataset": "folder"}, "dataset = folder needs path", [{"path": "somewhere"}]),
    "drawn without points": ({"dataset": "drawn"}, "dataset = drawn needs points", [{"points": "AAAA"}]),
    "images only": ({"network": "dcgan"}, "network = dcgan", [{"network": "mlp"}, {"dataset": "digits"}]),
    "few values": ({**DIGITS, "network": "pixelcnn"}, "network = pixelcnn", [{"levels": 2}]),
    "no labels": (
        {"dataset": "swiss_roll", "conditional": "concat"},
        "conditional = concat",
        [{"conditional": "none"}, {"dataset": "digits"}],
    ),
    "smoothing without labels": (
        {"label_smoothing": 0.1, "loss": "hinge"},
        r"label_smoothing = 0\.1",
        [{"label_smoothing": 0}, {"loss": "nonsaturating"}, {"loss": "minimax"}],
    ),
    "packs that do not fit": ({"pack": 3, "batch_size": 64}, "pack = 3", [{"batch_size": 63}, {"pack": 2}]),
    "packs of several classes": (
        {"pack": 2, "conditional": "projection"},
        "pack = 2 and conditional = projection",
        [{"conditional": "concat"}, {"conditional": "embedding"}, {"pack": 1}],
    ),
    "a pool without classes": (
        {"replay": 0.5, "conditional": "concat"},
        r"replay = 0\.5 and conditional = concat",
        [{"replay": 0}, {"conditional": "none"}],
    ),
    "groups that do not fit": (
        {"minibatch_std": 3, "batch_size": 64},
        "minibatch_std = 3",
        [*({"minibatch_std": k} for k in (2, 4, 8, 0)), {"batch_size": 63}],
    ),
    "too many pairs": (
        {"minibatch_discrimination": 4, "batch_size": 1024},
        "minibatch_discrimination",
        [{"batch_size": 512}, {"batch_size": 64}],
    ),
    "derivatives at single samples": (
        {**DCGAN, "batch_norm": "both", "penalty": "r1"},
        "penalty = r1",
        [{"batch_norm": "generator"}, *({"penalty": name} for name in ("none", "clip", "lecam"))],
    ),
    "a box of nothing": (
        {"penalty": "clip", "penalty_weight": 0},
        "penalty = clip",
        [{"penalty_weight": 0.01}, {"penalty": "none"}],
    ),
    "a rate that ends at nothing": (
        {"lr_schedule": "exponential", "lr_end": 0},
        "lr_end = 0",
        [{"lr_end": 0.02}, {"lr_schedule": "linear"}],
    ),
    "nothing but coins": (
        {"latent": "coins", "latent_dim": 4, "latent_modes": 4},
        "latent_modes = 4",
        [{"latent_dim": 6}, {"latent_modes": 3}],
    ),
    "a mixture of one": (
        {"latent": "mixture", "latent_modes": 1},
        "latent_modes = 1",
        [{"latent_modes": 2}, {"latent": "normal"}],
    ),
    "augmented points": ({"augment": "diffaugment"}, "augment = diffaugment", [{"augment": "none"}]),
    "no game": ({**PIXEL, "d_steps": 3}, "d_steps = 3", [{"d_steps": 1}, {"network": "dcgan"}, {"network": "mlp"}]),
    "no discriminator to condition": (
        {**PIXEL, "conditional": "projection"},
        "conditional = projection",
        [{"conditional": "embedding"}, {"conditional": "none"}],
    ),
    "pixels of colour": ({**PIXEL, "channels": 3}, "network = pixelcnn", [{"channels": 1}]),
    "too many pixels": ({**PIXEL, "image_size": 64}, "network = pixelcnn", [{"image_size": 32}, {"image_size": 0}]),
}


@pytest.mark.parametrize("name", RULES)
def test_is_refused_with_a_sentence_that_begins_with_the_field(name):
    changes, sentence, _ = RULES[name]
    with pytest.raises(ConfigError, match=f"^{sentence}"):
        GANConfig.parse(changes)


@pytest.mark.parametrize(("name", "way"), [(name, way) for name in RULES for way in RULES[name][2]], ids=str)
def test_what_the_sentence_suggests_is_accepted(name, way):
    parsed = GANConfig.parse({**RULES[name][0], **way})
    assert {field: getattr(parsed, field) for field in way} == way


@pytest.mark.parametrize(("name", "way"), [(name, way) for name in RULES for way in RULES[name][2]], ids=str)
def test_the_sentence_suggests_it(name, way):
    """Each way out of the table stands in the sentence, at least by the field's name or value."""
    with pytest.raises(ConfigError) as caught:
        GANConfig.parse(RULES[name][0])
    ((field, value),) = way.items()
    sentence = str(caught.value)
    assert re.search(rf"\b({field}|{re.escape(str(value))}|another network|it to)\b", sentence)


def test_every_rule_has_a_row():
    yields = sum(isinstance(node, ast.Yield) for node in ast.walk(ast.parse(inspect.getsource(rules))))
    loops = 2  # one sentence of a loop over three fields has three rows
    assert len(RULES) == yields + loops


@pytest.mark.parametrize("name", RULES)
def test_one_problem_is_one_sentence_and_a_way_out(name):
    with pytest.raises(ConfigError) as caught:
        GANConfig.parse(RULES[name][0])
    assert re.search(r"Set |Choose |expected|needs (path|points)", str(caught.value))


# Ways out that depend on other values


@pytest.mark.parametrize("pack", range(2, 9))
@pytest.mark.parametrize("batch", [2, 5, 7, 31, 65, 4095])
def test_the_batch_size_that_is_suggested_for_packs_is_accepted(batch, pack):
    values = {"pack": pack, "batch_size": batch}
    if batch % pack == 0:
        assert GANConfig.parse(values).pack == pack
        return
    with pytest.raises(ConfigError) as caught:
        GANConfig.parse(values)
    suggested = int(re.search(r"Set batch_size = (\d+)", str(caught.value))[1])
    assert GANConfig.parse({**values, "batch_size": suggested}).batch_size == suggested


@pytest.mark.parametrize("pack", [1, 3])
@pytest.mark.parametrize("batch", [6, 9, 15, 33, 63, 66, 69, 300])
@pytest.mark.parametrize("group", [1, 4, 7])
def test_all_that_is_suggested_for_groups_is_accepted(batch, group, pack):
    values = {"minibatch_std": group, "batch_size": batch, "pack": pack}
    try:
        GANConfig.parse(values)
    except ConfigError as error:
        groups, size = re.search(r"Choose ([^,.]*)(?:, or batch_size = (\d+))?\.", str(error)).groups()
        changes = [{"minibatch_std": k} for k in groups.split(" or ")] + ([{"batch_size": size}] if size else [])
        assert [GANConfig.parse({**values, **change}) for change in changes]


@pytest.mark.parametrize("pack", [2, 8])
def test_the_batch_size_that_is_suggested_for_comparing_all_pairs_is_accepted(pack):
    values = {"minibatch_discrimination": 4, "batch_size": 4096, "pack": pack}
    if 4096 // pack <= 512:
        assert GANConfig.parse(values).pack == pack
        return
    with pytest.raises(ConfigError) as caught:
        GANConfig.parse(values)
    suggested = int(re.search(r"batch_size to (\d+)", str(caught.value))[1])
    assert GANConfig.parse({**values, "batch_size": suggested}).batch_size == suggested


@pytest.mark.parametrize("penalty", [name for name, p in PENALTIES.items() if p.each_sample])
def test_every_penalty_at_single_samples_is_refused_beside_batch_normalisation(penalty):
    with pytest.raises(ConfigError, match=f"penalty = {penalty}"):
        GANConfig.parse({**DCGAN, "batch_norm": "both", "penalty": penalty})


@pytest.mark.parametrize("penalty", [name for name, p in PENALTIES.items() if not p.each_sample])
def test_every_other_penalty_goes_with_batch_normalisation(penalty):
    assert GANConfig.parse({**DCGAN, "batch_norm": "both", "penalty": penalty}).penalty == penalty


def test_a_field_that_a_likelihood_model_shares_with_gans_is_not_refused_for_being_out_of_use():
    """lr_end is not read while rates are constant; that has nothing to do with the network."""
    falling = GANConfig.parse({**PIXEL, "lr_schedule": "linear", "lr_end": 0.5})
    assert falling.but(lr_schedule="constant").lr_end == 0.5


# Nothing sensible is refused


@pytest.mark.parametrize("conditional", CONDITIONS)
@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss_goes_with_every_penalty_and_condition(loss, penalty, conditional):
    config = GANConfig.parse({**DCGAN, "loss": loss, "penalty": penalty, "conditional": conditional})
    assert (config.loss, config.penalty, config.conditional) == (loss, penalty, conditional)


REMEDIES = {
    "spectral_norm": "both",
    "minibatch_std": 4,
    "minibatch_discrimination": 8,
    "pack": 2,
    "unroll_steps": 3,
    "mode_seeking": 1.0,
    "instance_noise": 0.1,
    "augment": "ada",
    "replay": 0.5,
    "reset_every": 100,
    "ema_decay": 0.99,
    "grad_clip": 1.0,
    "label_smoothing": 0.1,
    "d_steps": 5,
    "lr_schedule": "cosine",
}


@pytest.mark.parametrize("other", REMEDIES)
@pytest.mark.parametrize("name", REMEDIES)
def test_every_two_remedies_go_together(name, other):
    config = GANConfig.parse({**DCGAN, name: REMEDIES[name], other: REMEDIES[other]})
    assert getattr(config, name) == REMEDIES[name]


@pytest.mark.parametrize("latent", LATENTS)
@pytest.mark.parametrize("network", [name for name, n in NETWORKS.items() if n.adversarial and not n.discrete])
def test_every_latent_goes_with_every_adversarial_network(network, latent):
    assert GANConfig.parse({**DIGITS, "network": network, "latent": latent}).latent == latent
