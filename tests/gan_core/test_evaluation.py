"""A run measured in full."""

import json
import re

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist

from gan_core import DataError, GANConfig, RunError, Runner, RunStore, Trainer
from gan_core.__main__ import main
from gan_core.evaluation import evaluate, neighbours, neighbours_of
from gan_core.features import INCEPTION, Inception, inception_of
from gan_core.metrics import METRICS, chosen, frechet_of, kernel_distance, real_rows, real_seen, samples_for
from gan_core.vision import inception

POINTS = GANConfig(dataset="ring8", width=8, batch_size=8, steps=20)
IMAGES = GANConfig(dataset="digits", network="mlp", width=8, batch_size=8, steps=20)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A store with a finished run of points, of images, and of two members."""
    store = RunStore(tmp_path_factory.mktemp("runs"))
    runner = Runner(store)
    runs = {}
    for name, config in (("points", POINTS), ("images", IMAGES), ("members", [POINTS, POINTS.but(seed=1)])):
        runs[name] = runner.start(config)
        assert runner.wait(runs[name], 60)
    yield store, runs
    runner.shutdown()


def test_each_member_has_its_verdict(trained):
    store, runs = trained
    verdicts = evaluate(store, runs["members"], samples=64)["verdict"]
    assert len(verdicts) == 2
    assert all(verdict["title"] for verdict in verdicts)


def test_verdicts_of_members_are_counted(trained, capsys):
    store, runs = trained
    main(["evaluate", runs["members"], "-n", "64", "--runs", str(store.folder)])
    assert re.search(r": 2 of 2\n|: 1 of 2, .*: 1 of 2\n", capsys.readouterr().out)


def test_a_map_cannot_be_evaluated(tmp_path):
    store = RunStore(tmp_path)
    run = store.create([POINTS], spec={"x": 1})
    with pytest.raises(RunError, match="is a map"):
        evaluate(store, run)


def test_neighbours_are_the_nearest_images_of_the_data():
    trainer = Trainer(IMAGES).train(5)
    found = neighbours(trainer, n=4, k=2)
    data = trainer.data.x.flatten(1).double().numpy()
    made = trainer.sample(128, seed=1).flatten(1).double().numpy()
    all_distances = cdist(made, data)
    order = all_distances.min(1).argsort(kind="stable")[:4]
    assert torch.equal(found.samples, trainer.sample(128, seed=1)[order])
    for k, row in enumerate(order):
        two = all_distances[row].argsort()[:2]
        assert cdist(found.nearest[k].flatten(1).double(), data[two]).diagonal() == pytest.approx(0, abs=1e-9)


def test_the_distance_of_neighbours_is_in_multiples_of_the_usual_one():
    trainer = Trainer(IMAGES).train(5)
    found = neighbours(trainer, n=4, k=2)
    apart = (found.samples[:, None] - found.nearest).flatten(2).norm(dim=2)
    among_real = cdist(*[trainer.data.x.flatten(1).double().numpy()] * 2)
    np.fill_diagonal(among_real, np.inf)
    usual = np.sort(among_real.min(1)[real_rows(trainer.data, 128, 0)])[63]  # torch's median of an even number is the lower one
    assert found.distance.numpy() == pytest.approx(apart.numpy() / usual, rel=1e-3)


def test_copies_stand_first_and_at_no_distance(monkeypatch):
    trainer = Trainer(IMAGES)
    made = trainer.sample(128, seed=1)
    made[77] = trainer.data.x[5]
    monkeypatch.setattr(trainer, "sample", lambda *args, **kwargs: made)
    found = neighbours(trainer, n=1, k=1)
    assert torch.equal(found.samples[0], trainer.data.x[5])
    assert float(found.distance) == pytest.approx(0, abs=1e-3)


def test_points_have_no_nearest_images():
    with pytest.raises(RunError, match="trained on points"):
        neighbours(Trainer(POINTS))


@pytest.mark.parametrize("kind", ["points", "images"])
def test_every_metric_that_applies_is_measured(trained, kind):
    store, runs = trained
    found = evaluate(store, runs[kind], samples=100)
    data = Trainer(store.get(runs[kind]).config).data
    assert list(found["metrics"]) == chosen(data, full=True)


@pytest.mark.parametrize("kind", ["points", "images"])
def test_each_has_its_floor_its_number_of_samples_and_what_it_looks_at(trained, kind):
    store, runs = trained
    for name, entry in evaluate(store, runs[kind], samples=100)["metrics"].items():
        assert entry["floor"] is not None, name
        assert entry["n"] == min(100, METRICS[name].at_most)
        assert entry["looks_at"]


def test_it_measures_what_a_trainer_does(trained):
    store, runs = trained
    trainer = Trainer(POINTS).train()
    expected = trainer.evaluate(100, full=True)
    found = {name: entry["value"] for name, entry in evaluate(store, runs["points"], samples=100)["metrics"].items()}
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, nan_ok=True) or found[name] is None


def test_members_have_a_list_of_values(trained):
    store, runs = trained
    found = evaluate(store, runs["members"], samples=50)
    assert found["members"] == 2
    assert all(len(entry["value"]) == 2 for entry in found["metrics"].values())


def test_the_judge_says_how_good_it_is(trained):
    store, runs = trained
    assert evaluate(store, runs["images"], samples=50)["judge"]["accuracy"] > 0.95
    assert evaluate(store, runs["points"], samples=50)["judge"] is None


def test_without_a_number_half_of_the_data_are_measured(trained):
    store, runs = trained
    assert evaluate(store, runs["images"])["samples"] == 898 == samples_for(Trainer(IMAGES).data, full=True)


@pytest.mark.parametrize("samples", [0, 1, 10**9])
def test_a_number_of_samples_out_of_range_is_refused(trained, samples):
    store, runs = trained
    with pytest.raises(RunError, match="out of range"):
        evaluate(store, runs["points"], samples=samples)


def test_the_command_prints_one_json_object(trained, capsys):
    store, runs = trained
    assert main(["evaluate", runs["points"], "--runs", str(store.folder), "-n", "50", "--json"]) == 0
    found = json.loads(capsys.readouterr().out, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert found["metrics"]["modes"]["floor"] == 8


def test_the_command_prints_a_line_for_each_metric(trained, capsys):
    store, runs = trained
    assert main(["evaluate", runs["members"], "--runs", str(store.folder), "-n", "50"]) == 0
    printed = capsys.readouterr().out
    assert all(METRICS[name].title in printed for name in chosen(Trainer(POINTS).data, full=True))


# Inception


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A data folder with Inception v3 in its own format, its weights from a seed."""
    folder = tmp_path_factory.mktemp("data")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        torch.save(inception().state_dict(), folder / INCEPTION)
    return folder


def test_inception_is_used_only_where_its_weights_lie(tmp_path, weights):
    assert inception_of(tmp_path) is None
    assert isinstance(inception_of(weights), Inception)


def test_inception_gives_features_of_grey_and_colour(weights):
    network = inception_of(weights)
    assert network.features(torch.rand(2, 1, 8, 8)).shape == (2, 2048)
    assert network.features(torch.rand(1, 3, 16, 16)).shape == (1, 2048)


def test_opening_inception_draws_from_no_global_generator(weights):
    before = torch.get_rng_state()
    inception_of(weights)
    assert torch.equal(before, torch.get_rng_state())


def test_a_file_that_is_not_inception_is_a_sentence(tmp_path):
    (tmp_path / INCEPTION).write_bytes(b"no weights")
    with pytest.raises(DataError, match="Inception"):
        inception_of(tmp_path)


def test_distances_on_inception_stand_beside_the_others(trained, weights, monkeypatch):
    store, runs = trained
    monkeypatch.setenv("GAN_PLAYGROUND_DATA", str(weights))
    found = evaluate(store, runs["images"], samples=6)["metrics"]
    network, trainer = inception_of(weights), Trainer(IMAGES).train()
    made, real = network.features(trainer.sample(6, seed=1)), network.features(real_seen(trainer.data, 6, 0, None).samples[0])
    assert found["frechet_inception"]["value"] == pytest.approx(frechet_of(made, real), rel=1e-3)
    assert found["kid_inception"]["value"] == pytest.approx(kernel_distance(made, real), rel=1e-3)


def test_neighbours_of_images_keep_their_order_and_say_where_those_stand():
    trainer = Trainer(IMAGES)
    samples = trainer.data.x[[40, 3]] * 0.9
    found = neighbours_of(samples, trainer.data, 2)
    expected = cdist(samples.flatten(1).double(), trainer.data.x.flatten(1).double()).argsort(1)[:, :2]
    assert found.rows.tolist() == expected.tolist()
    assert torch.equal(found.nearest, trainer.data.x[found.rows])
    assert found.rows[:, 0].tolist() == [40, 3]


def test_a_training_image_is_its_own_neighbour_at_no_distance():
    data = Trainer(IMAGES).data
    assert float(neighbours_of(data.x[7:8], data, 1).distance) == pytest.approx(0, abs=1e-3)


def test_points_have_no_neighbouring_images():
    data = Trainer(POINTS).data
    with pytest.raises(RunError, match="trained on points"):
        neighbours_of(data.x[:1], data)
