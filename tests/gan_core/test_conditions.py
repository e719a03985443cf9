import pytest
import torch
from torch.nn.functional import cross_entropy, one_hot

from gan_core import DATASETS, NETWORKS, ConfigError, Trainer
from gan_core.conditions import CONDITIONS, EMBEDDING, Discriminator, Generator
from gan_core.data import load
from gan_core.draws import seeded
from gan_core.members import STATS, Members, _class_error

TOLD = [name for name, c in CONDITIONS.items() if c.at_input or c.projection]  # whose logits know the label
CONDITIONAL = [name for name in CONDITIONS if name != "none"]
KINDS = {
    "points": {"dataset": "ring8"},
    "images": {"dataset": "digits"},
    "convolutions": {"dataset": "digits", "network": "dcgan", "width": 4},
}
PACKED = [(name, m) for name, c in CONDITIONS.items() for m in (1, 2) if m == 1 or not (c.projection or c.auxiliary)]


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def _networks(tiny, kind, condition, pack=1):
    trainer = Trainer(tiny(**KINDS[kind], conditional=condition, pack=pack))
    members = trainer.member(0)[0]
    return trainer.data.shape, members.generator, members.discriminator.eval()


def _labels(classes=8, n=6):
    return torch.arange(n)[None] % classes


# Mixtures of classes


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("condition", CONDITIONAL)
def test_a_whole_weight_tells_what_its_label_tells(tiny, kind, condition):
    _, generator, _ = _networks(tiny, kind, condition)
    z, labels = torch.randn(1, 6, 4), _labels()
    weights = one_hot(labels, generator.classes).float()
    torch.testing.assert_close(generator.told(z, weights), generator.told(z, labels))


@pytest.mark.parametrize("condition", CONDITIONAL)
def test_half_of_two_classes_tells_the_mean_of_both(tiny, condition):
    _, generator, _ = _networks(tiny, "points", condition)
    z, weights = torch.randn(1, 1, 4), torch.zeros(1, 1, generator.classes)
    weights[..., [2, 5]] = 0.5
    both = [generator.told(z, torch.tensor([[k]])) for k in (2, 5)]
    torch.testing.assert_close(generator.told(z, weights), (both[0] + both[1]) / 2)


# Shapes


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("condition", CONDITIONS)
def test_generator_makes_a_sample_for_each_label(tiny, kind, condition):
    shape, generator, _ = _networks(tiny, kind, condition)
    assert generator(torch.randn(1, 6, 4), _labels()).shape == (1, 6, *shape)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("condition", "m"), PACKED)
def test_discriminator_gives_a_logit_for_each_pack(tiny, kind, condition, m):
    shape, _, discriminator = _networks(tiny, kind, condition, m)
    x = torch.randn(1, 6 // m, m * shape[0], *shape[1:])
    labels = _labels() if m == 1 else _labels().reshape(1, -1, m)
    assert discriminator(x, labels).shape == (1, 6 // m)


@pytest.mark.parametrize("shape", [(2,), (3, 8, 8)])
@pytest.mark.parametrize("m", [1, 3])
@pytest.mark.parametrize(
    ("condition", "point", "image"),
    [("none", 0, 0), ("concat", 5, 5), ("embedding", EMBEDDING, 1), ("projection", 0, 0), ("auxiliary", 0, 0)],
)
def test_what_the_discriminator_sees_beside_the_sample(condition, point, image, m, shape):
    more = image if len(shape) == 3 else point
    assert Discriminator.seen(shape, condition, 5, m) == (m * (shape[0] + more), *shape[1:])


@pytest.mark.parametrize(
    ("condition", "more"), [("none", 0), ("concat", 5), ("embedding", EMBEDDING), ("projection", 5), ("auxiliary", 5)]
)
def test_numbers_that_a_condition_adds_to_the_latents(condition, more):
    assert Generator.extra(condition, 5) == more


# Who depends on the label


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("condition", CONDITIONAL)
def test_a_sample_depends_on_its_label(tiny, kind, condition):
    _, generator, _ = _networks(tiny, kind, condition)
    generator.eval()
    z = torch.randn(1, 6, 4)
    one, two = generator(z, _labels()), generator(z, (_labels() + 1) % 8)
    assert (one != two).flatten(2).any(-1).all()


@pytest.mark.parametrize("kind", KINDS)
def test_without_a_condition_labels_change_no_sample(tiny, kind):
    _, generator, _ = _networks(tiny, kind, "none")
    z = torch.randn(1, 6, 4)
    assert torch.equal(generator(z, _labels()), generator(z, (_labels() + 1) % 8))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("condition", CONDITIONS)
def test_a_logit_depends_on_the_label_exactly_where_the_condition_says_so(tiny, kind, condition):
    shape, _, discriminator = _networks(tiny, kind, condition)
    x = torch.randn(1, 6, *shape)
    changed = discriminator(x, _labels()) != discriminator(x, (_labels() + 1) % 8)
    assert changed.all() if condition in TOLD else not changed.any()


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("condition", ["concat", "embedding"])
def test_a_packs_logit_depends_on_the_label_of_each_of_its_samples(tiny, kind, condition, place):
    config = tiny(**KINDS[kind], conditional=condition, pack=3, batch_size=9)
    trainer = Trainer(config)
    shape, discriminator = trainer.data.shape, trainer.member(0)[0].discriminator
    x, labels = torch.randn(1, 3, 3 * shape[0], *shape[1:]), torch.zeros(1, 3, 3, dtype=torch.long)
    other = labels.clone()
    other[0, 1, place] = 5
    changed = discriminator(x, labels) != discriminator(x, other)
    assert changed[0].tolist() == [False, True, False]


# The formulas


def test_projection_is_the_formula_of_the_paper(tiny):
    """D(x, y) = w·φ(x) + b + v(y)·φ(x), one sample at a time."""
    _, _, discriminator = _networks(tiny, "points", "projection")
    x, labels = torch.randn(1, 6, 2), _labels()
    features = discriminator.features(x)[0]
    w, b, v = (
        discriminator.head.logit.weight[0, :, 0],
        discriminator.head.logit.bias[0, 0, 0],
        discriminator.head.projection.weight[0],
    )
    expected = [sum((w[j] + v[int(k), j]) * f[j] for j in range(len(f))) + b for f, k in zip(features, labels[0], strict=True)]
    torch.testing.assert_close(discriminator(x, labels)[0], torch.stack(expected), rtol=1e-5, atol=1e-6)


def test_concatenation_shows_zeros_and_a_one(tiny):
    _, _, discriminator = _networks(tiny, "points", "concat")
    x, labels = torch.randn(1, 6, 2), _labels()
    shown = torch.cat([x, one_hot(labels, 8).float()], 2)
    torch.testing.assert_close(discriminator.features(x, labels), discriminator.body(shown))


def test_concatenation_shows_an_image_a_channel_full_of_ones(tiny):
    _, _, discriminator = _networks(tiny, "convolutions", "concat")
    x, labels = torch.randn(1, 6, 1, 8, 8), _labels(10)
    planes = torch.zeros(1, 6, 10, 8, 8)
    for k in range(6):
        planes[0, k, labels[0, k]] = 1
    torch.testing.assert_close(discriminator.features(x, labels), discriminator.body(torch.cat([x, planes], 2)))


@pytest.mark.parametrize("kind", KINDS)
def test_class_error_is_torchs_cross_entropy(tiny, kind):
    members = Trainer(tiny(**KINDS[kind], conditional="auxiliary")).member(0)[0]
    x, labels = torch.randn(1, 6, *members.data.shape), _labels()
    logits = members.discriminator.head.classify(members.discriminator.features(x))
    assert _class_error(members.discriminator, x, labels).item() == pytest.approx(
        cross_entropy(logits[0], labels[0]).item(), rel=1e-5
    )


def test_class_error_of_each_member_is_its_own(tiny):
    configs = [tiny(conditional="auxiliary", seed=k) for k in range(3)]
    members = Members(configs, load("ring8"), torch.device("cpu"))
    x, labels = torch.randn(3, 6, 2), _labels().expand(3, -1)
    logits = members.discriminator.head.classify(members.discriminator.features(x))
    expected = [cross_entropy(logits[e], labels[e]).item() for e in range(3)]
    assert _class_error(members.discriminator, x, labels).tolist() == pytest.approx(expected, rel=1e-5)


def test_the_classifier_learns_the_classes(tiny):
    trainer = Trainer(tiny(conditional="auxiliary", width=32, batch_size=64, lr_d=1e-2, class_weight=10.0)).train(60)
    members, data = trainer.member(0)[0], trainer.data
    logits = members.discriminator.head.classify(members.discriminator.features(data.x[None, :1000]))[0]
    assert (logits.argmax(1) == data.labels[:1000]).float().mean() > 0.8


@pytest.mark.parametrize("part", ["grad_d", "grad_g"])
def test_the_weight_of_the_classes_acts_on_both_networks(tiny, part):
    row = STATS.index(part)
    light, heavy = (
        Trainer(tiny(conditional="auxiliary", class_weight=w, lr_d=0.0, lr_g=0.0)).train(1).history[0][1][row, 0]
        for w in (0.0, 50.0)
    )
    assert heavy > 5 * light


# Training


@pytest.fixture(scope="module")
def ring(tiny):
    return Trainer(
        tiny(conditional="concat", width=64, batch_size=128, steps=600, lr_d=2e-3, penalty="r1", penalty_weight=0.1)
    ).train()


def test_after_training_most_labels_give_samples_of_their_own_mode(ring):
    data, right = load("ring8"), 0
    for k in range(8):
        nearest = torch.cdist(ring.sample(200, label=k), data.centres).argmin(1)
        right += int((nearest == k).float().mean() > 0.5)
    assert right >= 6


def test_labels_of_the_data_name_the_nearest_mode():
    data = load("ring8")
    assert (torch.cdist(data.x, data.centres).argmin(1) == data.labels).float().mean() > 0.999


def test_a_sample_without_a_label_goes_through_all_classes(ring):
    z = torch.randn(16, 4)
    torch.testing.assert_close(ring.generate(z), ring.generate(z, labels=torch.arange(16) % 8))


@pytest.mark.parametrize("dataset", [name for name, d in DATASETS.items() if d.classes and d.kind == "points"])
@pytest.mark.parametrize("condition", CONDITIONAL)
def test_every_labelled_data_set_of_points_trains_under_every_condition(tiny, dataset, condition):
    trainer = Trainer(tiny(dataset=dataset, conditional=condition)).train(1)
    assert trainer.classes == DATASETS[dataset].classes


@pytest.mark.parametrize("dataset", [name for name, d in DATASETS.items() if not d.classes and d.kind == "points"])
@pytest.mark.parametrize("condition", CONDITIONAL)
def test_a_data_set_without_labels_is_refused(tiny, dataset, condition):
    with pytest.raises(ConfigError, match="needs"):
        tiny().but(dataset=dataset, conditional=condition)


@pytest.mark.parametrize("part", ["generator", "discriminator"])
@pytest.mark.parametrize("condition", CONDITIONAL)
@pytest.mark.parametrize("network", [name for name, n in NETWORKS.items() if n.adversarial and not n.discrete])
def test_every_parameter_of_a_conditional_pair_learns(tiny, network, condition, part):
    trainer = Trainer(tiny(dataset="digits", network=network, width=4, batch_size=32, conditional=condition))
    module = getattr(trainer.member(0)[0], part)
    before = {name: p.detach().clone() for name, p in module.named_parameters()}
    trainer.train(3)
    assert [name for name, p in module.named_parameters() if torch.equal(before[name], p)] == []


def test_an_embedding_starts_with_unit_deviation(tiny):
    embedding = Trainer(tiny(dataset="digits", conditional="embedding")).member(0)[0].generator.embedding
    embedding.initialise([seeded(0, "x")])
    assert embedding.weight.std().item() == pytest.approx(1, abs=0.2)
