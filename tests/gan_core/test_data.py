import numpy as np
import pytest
import torch
from painting import flat, save

from gan_core import DATASETS, DataError, GANConfig
from gan_core.data import Source, data_folder, is_here, load
from gan_core.points import encode_points

POINTS = [name for name, entry in DATASETS.items() if entry.kind == "points"]
IMAGE_SETS = [name for name, entry in DATASETS.items() if entry.kind == "images"]
LABELLED = [name for name, entry in DATASETS.items() if entry.classes]


@pytest.fixture(scope="session")
def have(tmp_path_factory):
    """name -> a Source that can be loaded here and now, or the test is skipped."""
    folder = tmp_path_factory.mktemp("images")
    for value in (0, 100, 255):
        save(folder / f"{value}.png", flat(value))
    more = {
        "folder": Source("folder", path=str(folder)),
        "drawn": Source("drawn", points=encode_points(np.array([[-0.5, 0], [0.5, 0.5]]))),
    }

    def source(name):
        if not is_here(name):
            pytest.skip(f"{name} is not in {data_folder()}")
        return more.get(name, Source(name))

    return source


@pytest.mark.parametrize("part", ["title", "text", "source", "use", "cost"])
@pytest.mark.parametrize("name", DATASETS)
def test_entry_describes_itself(name, part):
    assert getattr(DATASETS[name], part)


@pytest.mark.parametrize("name", DATASETS)
def test_samples_have_the_shape_that_the_entry_announces(have, name):
    entry = DATASETS[name]
    expected = (entry.channels, entry.size, entry.size) if entry.kind == "images" else (2,)
    assert load(have(name)).shape == expected


@pytest.mark.parametrize("name", DATASETS)
def test_samples_are_finite_float32(have, name):
    x = load(have(name)).x
    assert x.dtype == torch.float32
    assert x.isfinite().all()


@pytest.mark.parametrize("name", IMAGE_SETS)
def test_images_fill_minus_one_to_one(have, name):
    x = load(have(name)).x
    assert (x.min().item(), x.max().item()) == (-1, 1)


@pytest.mark.parametrize("name", POINTS)
def test_there_are_50_000_points(have, name):
    assert len(load(have(name)).x) == 50_000


@pytest.mark.parametrize("name", DATASETS)
def test_there_is_one_label_a_sample(have, name):
    found = load(have(name))
    assert found.labels is None or (found.labels.shape == (len(found.x),) and found.labels.dtype == torch.int64)


@pytest.mark.parametrize("name", LABELLED)
def test_labels_are_those_that_the_entry_announces(have, name):
    assert load(have(name)).labels.unique().tolist() == list(range(DATASETS[name].classes))


@pytest.mark.parametrize("name", DATASETS)
def test_modes_are_as_many_as_classes(have, name):
    centres = load(have(name)).centres
    assert centres is None or len(centres) == DATASETS[name].classes


@pytest.mark.parametrize("name", DATASETS)
def test_data_are_the_same_every_time(have, name):
    source, entry = have(name), DATASETS[name]
    full = Source(name, entry.size, entry.channels, 0, source.path, source.points)
    one, two = (entry.load(full, data_folder(), lambda text, share: None).x for _ in range(2))
    assert torch.equal(one, two)


@pytest.mark.parametrize("name", DATASETS)
def test_a_second_load_takes_no_second_copy(have, name):
    assert load(have(name)).x.data_ptr() == load(have(name)).x.data_ptr()


def test_the_data_sets_own_values_take_no_second_copy():
    assert load("digits").x.data_ptr() == load(Source("digits", 8, 1)).x.data_ptr()


def test_a_config_has_its_source():
    assert GANConfig(dataset="digits", image_size=12).source == Source("digits", 12)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (Source("ring9"), "no data set ring9. Did you mean ring8"),
        (Source("digits", channels=2), "channels = 2"),
        (Source("digits", levels=1), "levels = 1"),
        (Source("digits", levels=-2), "levels = -2"),
        (Source("digits", image_size=-8), "image_size = -8"),
    ],
)
def test_a_source_that_makes_no_sense_is_refused(source, message):
    with pytest.raises(DataError, match=message):
        load(source)


@pytest.mark.parametrize("name", [name for name in DATASETS if "mnist" not in name and name != "cifar10"])
def test_a_set_without_files_is_always_here(name, tmp_path):
    assert is_here(name, tmp_path)
