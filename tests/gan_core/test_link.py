import random
import time
from urllib.parse import parse_qsl, urlencode

import pytest

from gan_core import PRESETS, ConfigError, GANConfig
from gan_core.config import METAS, limits
from gan_core.link import SENTENCES, from_query, is_whole, to_query
from gan_core.points import encode_points

DRAWN = GANConfig(dataset="drawn", points=encode_points([[0.1, -0.2], [0.5, 0.5]]), steps=7)


def any_value(name: str, draw: random.Random):
    """A value that the field allows."""
    field, meta = GANConfig.model_fields[name], METAS[name]
    if meta.choices is not None:
        return draw.choice(list(meta.choices))
    low, high = limits(name)
    if field.annotation is int:
        return draw.randint(int(low), max(int(low), min(int(high), 64)) if name != "seed" else int(high))
    return draw.choice([low, draw.uniform(low, min(high, 0.49)), 10 ** draw.uniform(-9, -1)])


def any_config(seed: int) -> GANConfig:
    """A valid config, with changes one after the other, as far as they go together."""
    draw = random.Random(seed)
    config = draw.choice([preset.config for preset in PRESETS.values()] + [DRAWN])
    for name in draw.sample([name for name in METAS if name not in ("path", "points")], 25):
        try:
            config = config.but(**{name: any_value(name, draw)})
        except ConfigError:
            continue
    return config


def through_an_address(query: dict[str, str]) -> dict[str, str]:
    return dict(parse_qsl(urlencode(query), keep_blank_values=True))


@pytest.mark.parametrize("short", [True, False], ids=["short", "full"])
@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_comes_back(name, short):
    config = PRESETS[name].config
    assert from_query(through_an_address(to_query(config, short))) == (config, [])


@pytest.mark.parametrize("short", [True, False], ids=["short", "full"])
def test_any_config_comes_back(short):
    for seed in range(150):
        config = any_config(seed)
        assert from_query(through_an_address(to_query(config, short))) == (config, []), seed


def test_a_drawing_comes_back():
    assert from_query(to_query(DRAWN)) == (DRAWN, [])


def test_the_short_form_leaves_out_defaults():
    assert to_query(GANConfig(dataset="grid25", lr_g=5e-4, steps=5000)) == {"dataset": "grid25", "lr_g": "0.0005"}
    assert to_query(GANConfig()) == {}


def test_the_full_form_names_every_setting_that_has_a_value():
    assert set(to_query(GANConfig(), short=False)) == set(METAS) - {"path", "points"}


@pytest.mark.parametrize("value", [1e-3, 1 / 3, 5e-324, 0.1 + 0.2, 0.0, 1.0, 3e-5])
def test_numbers_lose_nothing(value):
    assert from_query(to_query(GANConfig(lr_g=value)))[0].lr_g == value


# Safety


def test_a_folder_is_never_in_a_link():
    config = GANConfig(dataset="folder", path="/home/me/photographs")
    assert "photographs" not in str(to_query(config) | to_query(config, short=False))
    assert not is_whole(config)
    assert is_whole(GANConfig())


def test_a_folder_in_a_link_is_not_looked_at():
    config, ignored = from_query({"dataset": "folder", "path": "/etc/passwd", "seed": "3"})
    assert config == GANConfig(seed=3)
    assert any("path is not taken from a link" in sentence for sentence in ignored)
    assert "/etc/passwd" not in str(ignored)


# Damaged links


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("datset", "grid25", "There is no setting datset. Did you mean dataset?"),
        ("dataset", "grid26", "dataset = grid26 is unknown. Did you mean grid25?"),
        ("lr_g", "7", "lr_g = '7' is out of range: expected a number from 0 to 1."),
        ("lr_g", "nan", "lr_g"),
        ("lr_g", "fast", "lr_g = 'fast' is not usable: expected a number."),
        ("steps", "1.5", "steps = '1.5' is not usable: expected a whole number."),
        ("steps", "", "steps = '' is not usable"),
        ("steps", "9" * 50, "steps"),
        ("loss", "x" * 5000, "is too long"),
        ("points", "AAA!", "points: The drawing's text is damaged"),
        ("x" * 5000, "1", "There is no setting xxxx"),
    ],
)
def test_what_is_damaged_is_named_and_the_rest_is_used(name, value, why):
    config, ignored = from_query({"seed": "3", name: value, "batch_size": "64"})
    assert config == GANConfig(seed=3, batch_size=64)
    assert len(ignored) == 1
    assert why in ignored[0]
    assert len(ignored[0]) < 400


@pytest.mark.parametrize(
    ("query", "left", "kept"),
    [
        ({"network": "dcgan"}, "network", {}),
        ({"dataset": "ring8", "image_size": "16"}, "image_size", {}),
        ({"dataset": "drawn"}, "dataset", {}),
        ({"latent": "coins", "latent_dim": "4"}, "latent_dim", {"latent": "coins"}),
        ({"pack": "3"}, "pack", {}),
        ({"dataset": "digits", "network": "pixelcnn"}, "network", {"dataset": "digits"}),
    ],
)
def test_what_does_not_go_with_the_rest_is_named(query, left, kept):
    config, ignored = from_query({**query, "seed": "3"})
    assert config == GANConfig(seed=3, **kept)
    assert len(ignored) == 1
    assert ignored[0].startswith(f"{left} = {query[left]} does not go with the rest. ")


def test_of_a_name_that_comes_twice_the_last_counts():
    assert from_query({"seed": ["3", "4"]}) == (GANConfig(seed=4), [])


@pytest.mark.parametrize("value", [None, [], {}, [None], b"x", object(), float("inf"), "\ud800", "\x00", True])
def test_what_is_no_text_is_named(value):
    config, ignored = from_query({"lr_d": value, "\ud800": "1", "seed": 3})
    assert config.seed == 3
    assert len(ignored) == (1 if value is True else 2)


def test_noise_never_raises():
    draw = random.Random(0)
    names = [*METAS, "run", "", "__class__"]
    for _ in range(300):
        picked = draw.sample(names, 12)
        query = {n: draw.choice(["0", "1", "2", "-1", "1e9", "", "dcgan", "none", "digits", "drawn", "\n"]) for n in picked}
        query |= {n: str(any_value(n, draw)) for n in draw.sample(list(METAS), 12) if n not in ("path", "points")}
        config, ignored = from_query(query)
        assert GANConfig.parse(config.model_dump()) == config
        assert all(sentence.endswith((".", "?")) for sentence in ignored)


def test_a_huge_link_takes_no_time_and_is_told_in_a_few_sentences():
    query = {f"name{k}": "x" * 20_000 for k in range(50_000)} | {"seed": "3"}
    begun = time.process_time()
    config, ignored = from_query(query)
    assert time.process_time() - begun < 2
    assert config == GANConfig()
    assert len(ignored) == SENTENCES + 1
    assert all(len(sentence) < 400 for sentence in ignored)
