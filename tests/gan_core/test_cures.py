import pytest

from gan_core import CURES, PRESETS, PROBLEMS, VERDICTS, ConfigError, GANConfig, Trainer
from gan_core.config import METAS
from gan_core.cures import is_live
from gan_core.networks import NETWORKS

CONFIGS = {
    **{f"preset {name}": preset.config for name, preset in PRESETS.items()},
    **{f"problem {name}": problem.config for name, problem in PROBLEMS.items()},
    "default": GANConfig(),
    "odd batch": GANConfig(batch_size=7),
    "highest rates": GANConfig(lr_g=1.0, lr_d=1.0),
    "slow generator": GANConfig(lr_g=1e-5),
    "saturating": GANConfig(loss="minimax", d_steps=3, beta1=0.9),
    "no rates": GANConfig(lr_g=0.0, lr_d=0.0),
    "smallest": GANConfig(width=2, latent_dim=1, batch_size=2),
    "packed": GANConfig(pack=8, batch_size=24),
    "clipped": GANConfig(loss="wasserstein", penalty="clip", penalty_weight=0.01, optimizer="rmsprop", d_steps=5),
    "smoothed": GANConfig(label_smoothing=0.3),
    "classes": GANConfig(dataset="digits", conditional="auxiliary"),
    "batch norm": GANConfig(dataset="digits", network="dcgan", batch_norm="both"),
}
GAMES = [name for name, config in CONFIGS.items() if NETWORKS[config.network].adversarial]
LIKELIHOOD = GANConfig(dataset="digits", network="pixelcnn", levels=2, width=8)


@pytest.mark.parametrize("cure", CURES)
def test_a_cure_gives_another_valid_config_or_none(cure):
    for name, before in CONFIGS.items():
        after = CURES[cure].apply(before)
        assert after is None or (after != before and GANConfig.parse(after.model_dump()) == after), name


@pytest.mark.parametrize("cure", CURES)
def test_a_cure_applied_twice_stays_valid(cure):
    for name, before in CONFIGS.items():
        once = CURES[cure].apply(before)
        twice = CURES[cure].apply(once) if once else None
        assert twice is None or (twice != once and GANConfig.parse(twice.model_dump()) == twice), name


@pytest.mark.parametrize("cure", CURES)
def test_a_cure_touches_neither_data_nor_seed_nor_length(cure):
    kept = ("dataset", "path", "points", "image_size", "channels", "levels", "conditional", "seed", "steps", "device")
    for name in GAMES:
        after = CURES[cure].apply(CONFIGS[name])
        assert after is None or all(getattr(after, field) == getattr(CONFIGS[name], field) for field in kept)


@pytest.mark.parametrize("cure", CURES)
def test_a_cure_helps_somebody(cure):
    assert any(CURES[cure].apply(CONFIGS[name]) for name in GAMES)


@pytest.mark.parametrize("cure", [name for name in CURES if name not in ("slower_discriminator", "lower_rates")])
def test_a_cure_comes_to_an_end(cure):
    """Only rates can always be lowered once more."""
    for name in GAMES:
        config = CONFIGS[name]
        for _ in range(20):
            after = CURES[cure].apply(config)
            if after is None:
                break
            config = after
        assert CURES[cure].apply(config) is None


@pytest.mark.parametrize("cure", CURES)
def test_nothing_cures_where_there_is_no_game(cure):
    assert CURES[cure].apply(LIKELIHOOD) is None


@pytest.mark.parametrize("cure", CURES)
def test_a_cure_has_title_text_and_source(cure):
    entry = CURES[cure]
    assert entry.title
    assert entry.text.endswith(".")
    assert entry.source


@pytest.mark.parametrize("verdict", VERDICTS)
def test_the_cures_of_a_verdict_exist_and_are_listed_once(verdict):
    assert set(VERDICTS[verdict].cures) <= CURES.keys()
    assert len(set(VERDICTS[verdict].cures)) == len(VERDICTS[verdict].cures)


@pytest.mark.parametrize("cure", CURES)
def test_a_cure_belongs_to_a_verdict_or_to_the_lab(cure):
    lab = ("minibatch_std", "larger_noise", "partial_reset")
    assert cure in lab or any(cure in kind.cures for kind in VERDICTS.values())


# What single cures do


@pytest.mark.parametrize(
    ("lr_g", "lr_d", "after"),
    [(1e-3, 1e-3, (1e-3, 2e-3)), (1e-3, 1e-4, (1e-3, 2e-3)), (8e-3, 16e-3, (2e-3, 16e-3)), (1e-3, 4e-3, (5e-4, 4e-3))],
)
def test_ttur_makes_the_discriminator_faster(lr_g, lr_d, after):
    found = CURES["ttur"].apply(GANConfig(lr_g=lr_g, lr_d=lr_d))
    assert (found.lr_g, found.lr_d) == pytest.approx(after)


def test_ttur_leaves_a_discriminator_that_is_eight_times_as_fast():
    assert CURES["ttur"].apply(GANConfig(lr_g=1e-3, lr_d=8e-3)) is None


@pytest.mark.parametrize(("lr_g", "lr_d", "after"), [(1e-3, 1e-3, 2.5e-4), (1e-3, 2e-3, 5e-4), (1e-3, 2e-2, 1e-3)])
def test_a_slower_discriminator_is_no_faster_than_the_generator(lr_g, lr_d, after):
    assert CURES["slower_discriminator"].apply(GANConfig(lr_g=lr_g, lr_d=lr_d)).lr_d == pytest.approx(after)


def test_wgan_gp_drops_the_labels_smoothing():
    after = CURES["wgan_gp"].apply(GANConfig(label_smoothing=0.2))
    assert (after.loss, after.penalty, after.label_smoothing) == ("wasserstein", "wgan_gp", 0.0)


@pytest.mark.parametrize(("before", "after"), [(1, 3), (5, 5)])
def test_wgan_gp_takes_at_least_three_discriminator_steps(before, after):
    assert CURES["wgan_gp"].apply(GANConfig(d_steps=before)).d_steps == after


@pytest.mark.parametrize(("dataset", "weight"), [("ring8", 0.1), ("digits", 10)])
def test_a_penaltys_weight_is_that_of_points_or_images(dataset, weight):
    assert CURES["wgan_gp"].apply(GANConfig(dataset=dataset)).penalty_weight == weight


@pytest.mark.parametrize(("batch", "group"), [(8, 4), (10, 5), (6, 6), (9, 3), (14, 2)])
def test_the_minibatch_deviations_group_divides_the_batch(batch, group):
    assert CURES["minibatch_std"].apply(GANConfig(batch_size=batch)).minibatch_std == group


def test_no_group_divides_a_batch_of_seven():
    assert CURES["minibatch_std"].apply(GANConfig(batch_size=7)) is None


def test_coins_leave_noise_that_varies():
    assert CURES["coins"].apply(GANConfig(latent_dim=2)).latent_dim == 10


# Live


@pytest.mark.parametrize("cure", CURES)
def test_live_is_what_metas_say(cure):
    for config in GAMES:
        before = CONFIGS[config]
        after = CURES[cure].apply(before)
        if after is not None:
            changed = [name for name in METAS if getattr(before, name) != getattr(after, name)]
            assert is_live(before, after) == all(METAS[name].live for name in changed), config


def _accepts(config, changes):
    try:
        Trainer(config).set_values(changes)
    except ConfigError:
        return False
    return True


@pytest.mark.parametrize("cure", CURES)
def test_a_trainer_takes_a_cure_over_exactly_if_it_is_live(tiny, cure):
    for before in (tiny(), tiny(loss="minimax", d_steps=3, beta1=0.9, latent_dim=8), tiny(lr_g=1e-5)):
        after = CURES[cure].apply(before)
        if after is not None:
            changes = {name: value for name, value in after.model_dump().items() if value != getattr(before, name)}
            assert _accepts(before, changes) == is_live(before, after)


def test_a_config_is_live_to_itself():
    assert is_live(GANConfig(), GANConfig())
