import json
import math
import re
from pathlib import Path

import pytest
from pydantic import ValidationError

import gan_core
from benchmarks import stories
from gan_core import DATASETS, LOSSES, NETWORKS, PRESETS, ConfigError, GANConfig, Trainer
from gan_core.config import GROUPS, METAS, limits
from gan_core.presets import Preset, preset_of, read_config

FIELDS = GANConfig.model_fields
NUMBERS = [name for name, field in FIELDS.items() if field.annotation in (int, float)]
CHOICES = [name for name, meta in METAS.items() if meta.choices is not None]
WITH = {name: {"dataset": "digits"} for name in ("image_size", "channels", "levels")}  # what a field needs to mean anything


def _bound(name, kind):
    return next((getattr(rule, kind) for rule in FIELDS[name].metadata if hasattr(rule, kind)), None)


def _near(name, value, direction):
    """The next number that the field's type can hold, up (1) or down (-1)."""
    if FIELDS[name].annotation is int:
        return value + direction
    return math.nextafter(value, direction * math.inf)


# Fields describe themselves


@pytest.mark.parametrize("name", FIELDS)
def test_field_has_a_title_and_a_description(name):
    assert FIELDS[name].title
    assert FIELDS[name].description.endswith(".")


@pytest.mark.parametrize("name", FIELDS)
def test_field_belongs_to_a_group(name):
    assert METAS[name].group in GROUPS


@pytest.mark.parametrize("group", GROUPS)
def test_group_has_fields(group):
    assert group in {meta.group for meta in METAS.values()}


@pytest.mark.parametrize("name", FIELDS)
def test_field_is_a_string_or_a_number(name):
    assert FIELDS[name].annotation in (str, int, float)


@pytest.mark.parametrize("name", [name for name in FIELDS if FIELDS[name].annotation is str])
def test_word_has_choices_or_a_longest_length(name):
    assert METAS[name].choices or _bound(name, "max_length")


@pytest.mark.parametrize("name", NUMBERS)
def test_number_has_a_range(name):
    assert _bound(name, "ge") is not None
    assert _bound(name, "le") is not None or _bound(name, "lt") is not None


@pytest.mark.parametrize("name", FIELDS)
def test_field_is_read_by_the_engine(name):
    folder = Path(gan_core.__file__).parent
    texts = [p.read_text() for p in folder.glob("*.py") if p.name not in ("config.py", "presets.py")]
    assert any(re.search(rf'\.{name}\b|"{name}"', text) for text in texts)


@pytest.mark.parametrize("name", FIELDS)
def test_field_applies_to_at_least_one_recipe(name):
    configs = [
        GANConfig(dataset="digits", penalty="r1", augment="ada", conditional="auxiliary", lr_schedule="linear"),
        GANConfig(optimizer="rmsprop", latent="mixture", instance_noise=1, reset_every=10),
        GANConfig(dataset="digits", network="gumbel", levels=2),
        GANConfig(dataset="folder", path="images.zip"),
        GANConfig(dataset="drawn", points="gICA"),
        *[p.config for p in PRESETS.values()],
    ]
    assert any(METAS[name].applies(config) for config in configs)


# Ranges


@pytest.mark.parametrize("name", NUMBERS)
def test_lowest_value_is_accepted(name):
    low = _bound(name, "ge")
    assert getattr(GANConfig.parse({**WITH.get(name, {}), name: low}), name) == low


@pytest.mark.parametrize("name", NUMBERS)
def test_just_below_the_lowest_value_is_refused(name):
    with pytest.raises(ConfigError, match=f"{name} = .* is out of range"):
        GANConfig.parse({**WITH.get(name, {}), name: _near(name, _bound(name, "ge"), -1)})


@pytest.mark.parametrize("name", [name for name in NUMBERS if _bound(name, "le") is not None])
def test_highest_value_is_accepted(name):
    high = _bound(name, "le")
    assert getattr(GANConfig.parse({**WITH.get(name, {}), name: high}), name) == high


@pytest.mark.parametrize("name", [name for name in NUMBERS if _bound(name, "le") is not None])
def test_just_above_the_highest_value_is_refused(name):
    with pytest.raises(ConfigError, match=f"{name} = .* is out of range"):
        GANConfig.parse({**WITH.get(name, {}), name: _near(name, _bound(name, "le"), 1)})


@pytest.mark.parametrize("name", [name for name in NUMBERS if _bound(name, "lt") is not None])
def test_excluded_end_is_refused_and_called_excluded(name):
    with pytest.raises(ConfigError, match=r"not included"):
        GANConfig.parse({name: _bound(name, "lt")})


@pytest.mark.parametrize("name", [name for name in NUMBERS if _bound(name, "lt") is not None])
def test_just_below_an_excluded_end_is_accepted(name):
    value = _near(name, _bound(name, "lt"), -1)
    assert getattr(GANConfig.parse({name: value}), name) == value


@pytest.mark.parametrize("name", NUMBERS)
def test_limits_are_those_of_the_field(name):
    high = _bound(name, "le") if _bound(name, "le") is not None else _bound(name, "lt")
    assert limits(name) == (_bound(name, "ge"), high)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, "nan", "inf", "-inf"])
@pytest.mark.parametrize("name", NUMBERS)
def test_not_a_finite_number_is_refused(name, value):
    with pytest.raises(ConfigError, match=name):
        GANConfig.parse({name: value})


@pytest.mark.parametrize("value", ["much", "", None, [1], {"a": 1}])
@pytest.mark.parametrize("name", NUMBERS)
def test_not_a_number_is_refused_with_what_was_expected(name, value):
    with pytest.raises(ConfigError, match=rf"{name} = .* is not usable: expected a (whole )?number"):
        GANConfig.parse({name: value})


@pytest.mark.parametrize("name", [name for name in NUMBERS if FIELDS[name].annotation is int])
def test_a_fraction_is_refused_where_a_whole_number_is_expected(name):
    with pytest.raises(ConfigError, match="expected a whole number"):
        GANConfig.parse({name: 4.5})


# Names and words


@pytest.mark.parametrize("name", CHOICES)
def test_unknown_word_is_refused_with_the_choices(name):
    with pytest.raises(ConfigError, match=f"{name} = xyzzy is unknown. Choose one of: {next(iter(METAS[name].choices))}"):
        GANConfig.parse({name: "xyzzy"})


@pytest.mark.parametrize("name", CHOICES)
def test_misspelt_word_is_refused_with_the_nearest_one(name):
    word = max(METAS[name].choices, key=len)
    with pytest.raises(ConfigError, match=f"Did you mean {word}"):
        GANConfig.parse({name: word + "x"})


@pytest.mark.parametrize("value", [3, None, ["ring8"]])
@pytest.mark.parametrize("name", CHOICES)
def test_not_a_word_is_refused(name, value):
    with pytest.raises(ConfigError, match=rf"{name} = .* is not usable: expected a word"):
        GANConfig.parse({name: value})


@pytest.mark.parametrize(("wrong", "right"), [("batchsize", "batch_size"), ("lr_gg", "lr_g"), ("optimiser", "optimizer")])
def test_misspelt_setting_is_refused_with_the_nearest_one(wrong, right):
    with pytest.raises(ConfigError, match=f"There is no setting {wrong}. Did you mean {right}"):
        GANConfig.parse({wrong: 1})


def test_unknown_setting_without_a_near_one_lists_all():
    with pytest.raises(ConfigError, match=r"There is no setting qqq.*dataset, .*seed"):
        GANConfig.parse({"qqq": 1})


@pytest.mark.parametrize("values", [None, [], "ring8", 3])
def test_something_else_than_an_object_is_refused(values):
    with pytest.raises(ConfigError, match="A config is an object of names and values"):
        GANConfig.parse(values)


def test_all_that_is_wrong_is_said_at_once():
    with pytest.raises(ConfigError, match=r"steps = 0 .*lr_g = 7 "):
        GANConfig.parse({"steps": 0, "lr_g": 7})


def test_the_constructor_says_the_same_sentence():
    with pytest.raises(ValidationError, match="Did you mean wasserstein"):
        GANConfig(loss="waserstein")


# What does not go together


@pytest.mark.parametrize("size", [1, 4, 7, 10, 30, 127])
def test_image_size_that_is_no_multiple_of_4_from_8_is_refused(size):
    with pytest.raises(ConfigError, match="multiple of 4 from 8 to 128"):
        GANConfig.parse({"dataset": "digits", "image_size": size})


def test_image_size_of_points_is_refused():
    with pytest.raises(ConfigError, match="image_size = 8 means nothing for ring8"):
        GANConfig.parse({"image_size": 8})


@pytest.mark.parametrize("name", [name for name, network in NETWORKS.items() if network.images_only])
def test_a_network_for_images_is_refused_on_points(name):
    with pytest.raises(ConfigError, match=f"network = {name} needs images"):
        GANConfig.parse({"network": name})


@pytest.mark.parametrize("loss", [name for name, loss in LOSSES.items() if not loss.binary])
def test_label_smoothing_is_refused_where_there_are_no_labels(loss):
    with pytest.raises(ConfigError, match="label_smoothing = 0.1 has no meaning"):
        GANConfig.parse({"loss": loss, "label_smoothing": 0.1})


@pytest.mark.parametrize("dataset", DATASETS)
def test_every_data_set_goes_with_the_default_network(dataset):
    entry = DATASETS[dataset]
    expected = (entry.channels, entry.size, entry.size) if entry.kind == "images" else (2,)
    needed = {"folder": {"path": "images"}, "drawn": {"points": "gICA"}}.get(dataset, {})
    assert GANConfig(dataset=dataset, **needed).shape == expected


# Copies


def test_frozen():
    with pytest.raises(ValidationError):
        GANConfig().seed = 1


def test_but_changes_a_copy():
    config = GANConfig()
    assert config.but(seed=3).seed == 3
    assert config.seed == 0


def test_but_validates():
    with pytest.raises(ConfigError, match="steps = 0"):
        GANConfig().but(steps=0)


@pytest.mark.parametrize("name", PRESETS)
def test_json_round_trip(name):
    config = PRESETS[name].config
    assert GANConfig.parse(json.loads(config.model_dump_json())) == config


@pytest.mark.parametrize("name", PRESETS)
def test_what_was_changed_is_enough_to_make_the_config_again(name):
    config = PRESETS[name].config
    assert GANConfig.parse(config.changed()) == config


def test_nothing_is_changed_in_the_default_config():
    assert GANConfig().changed() == {}


@pytest.mark.parametrize("name", PRESETS)
def test_strings_parse_to_the_same_config(name):
    config = PRESETS[name].config
    assert GANConfig.parse({key: str(value) for key, value in config.model_dump().items()}) == config


# Presets


@pytest.mark.parametrize("name", PRESETS)
def test_preset_has_title_and_text(name):
    assert PRESETS[name].title
    assert PRESETS[name].text


STORIES = [name for name, preset in PRESETS.items() if preset.story]


@pytest.mark.parametrize("name", STORIES)
def test_a_story_has_two_or_three_sentences_of_a_readable_length(name):
    story = PRESETS[name].story
    assert 2 <= len(re.findall(r"\.(?= |$)", story)) <= 3
    assert len(story) < 420
    assert story.endswith(".")


def test_the_guided_stories_are_told():
    told = {"ring", "saturating", "nonsaturating", "slow_discriminator", "collapse_cured", "strong_discriminator"}
    told |= {"clipped_critic", "digits", "conditional_digits"}
    assert told <= set(STORIES)


@pytest.mark.parametrize("name", STORIES)
def test_every_story_is_held_to_what_happens(name):
    """By `python -m benchmarks.stories`, which takes minutes; here only that it looks within the preset's steps."""
    claims = stories.CLAIMS[name]
    assert max(step for claim in claims for step in claim.steps) <= PRESETS[name].config.steps


def test_the_saturating_story_and_its_twin_differ_in_the_loss_alone():
    one, two = (PRESETS[name].config for name in ("saturating", "nonsaturating"))
    assert one.but(loss=two.loss) == two


def test_a_claim_is_counted_over_seeds(monkeypatch):
    tiny = GANConfig(dataset="ring8", width=8, batch_size=8, steps=4)
    always = stories.Claim("always", (2, 4), lambda s: set(s) == {2, 4})
    never = stories.Claim("never", (4,), lambda s: s[4]["modes"] > 8)
    monkeypatch.setitem(PRESETS, "tiny", Preset("", "", tiny))
    monkeypatch.setitem(stories.CLAIMS, "tiny", (always, never))
    assert stories.check("tiny", 3) == {"always": 3, "never": 0}


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_known_by_its_recipe_whatever_its_seed_and_length(name):
    assert preset_of(PRESETS[name].config.but(seed=9, steps=77, device="cpu")) is PRESETS[name]
    assert preset_of(PRESETS[name].config.but(lr_g=0.0123)) is None


@pytest.mark.parametrize("name", [name for name, p in PRESETS.items() if "mnist" not in p.config.dataset])
def test_preset_trains(name):
    config = PRESETS[name].config.but(batch_size=8, width=8)
    assert Trainer(config).train(2).sample(4).isfinite().all()


@pytest.mark.parametrize("name", PRESETS)
def test_preset_is_read_by_its_name(name):
    assert read_config(name) is PRESETS[name].config


def test_config_is_read_from_a_file(tmp_path):
    file = tmp_path / "mine.json"
    file.write_text('{"dataset": "grid25", "steps": 7}')
    assert read_config(str(file)) == GANConfig(dataset="grid25", steps=7)


@pytest.mark.parametrize("text", ["", "{", "not json", '{"steps": }', "\x00\xff"])
def test_a_file_that_is_no_json_is_refused_with_an_example(tmp_path, text):
    file = tmp_path / "mine.json"
    file.write_text(text)
    with pytest.raises(ConfigError, match=r"cannot be read as JSON.*\"dataset\": \"ring8\""):
        read_config(str(file))


def test_an_unknown_preset_is_refused_with_the_presets():
    with pytest.raises(ConfigError, match=r"no preset and no file rinng.*ring, grid"):
        read_config("rinng")


def test_a_folder_is_not_taken_for_a_config(tmp_path):
    with pytest.raises(ConfigError, match="no preset and no file"):
        read_config(str(tmp_path))


def test_every_member_field_reaches_the_training_step_as_a_number():
    """Members may differ only in what the step reads for each of them."""
    assert all(FIELDS[name].annotation is not str for name, meta in METAS.items() if meta.member)
