"""What a walk through latent space asks for, and what all tools share."""

import pytest
import torch

from gan_core import GANConfig, RunStore, Trainer
from gan_core.frames import unpack
from ui.latent import walk
from ui.latent.tools import asked, message

SMALL = GANConfig(dataset="digits", width=2, latent_dim=4, batch_size=4, steps=1)


@pytest.fixture(scope="module")
def ask(tmp_path_factory):
    """Asks about a run of a network, made once."""
    store, runs = RunStore(tmp_path_factory.mktemp("runs")), {}

    def make(network, **query):
        if network not in runs:
            config = SMALL.but(network=network)
            runs[network] = store.get(store.create([config]))
            store.save_checkpoint(runs[network].id, Trainer(config).train().state_dict())
        return asked(store, runs[network], query)

    return make


@pytest.mark.parametrize(("network", "applied"), [("dcgan", 1.0), ("style", 0.25)])
def test_truncation_is_for_networks_that_have_styles(ask, network, applied):
    asked = ask(network, psi="0.25")
    assert asked.psi == applied
    mean = asked.explorer.images(asked.latents("a"), "z", None, 1.0)
    assert torch.equal(asked.images(asked.latents("a")), mean) == (applied == 1.0)


@pytest.mark.parametrize(
    ("query", "way"),
    [({}, "Around"), ({"space": "w"}, "Straight"), ({"space": "w", "way": "slerp"}, "Around"), ({"way": "lerp"}, "Straight")],
)
def test_the_usual_way_is_around_in_z_and_straight_in_w(ask, query, way):
    assert unpack(message(ask("style", **query), "walk"))[0]["ways"] == [way]


@pytest.mark.parametrize(
    ("values", "put"),
    [
        ({"a": "0", "b": "1", "c": "2", "d": "3"}, {"a": "4", "b": "5"}),  # C and D are not shown
        ({"a": "7", "b": "~kcBk", "c": "2", "d": "3"}, {"a": "8"}),  # what was found stays
        ({"a": "1,2-3", "b": "~kcBk", "c": "2", "d": "3"}, {}),
        ({"a": str(2**31 - 1), "b": "0", "c": "2", "d": "3"}, {"a": "0", "b": "1"}),  # there are no higher seeds
    ],
)
def test_other_end_points_are_the_next_seeds_where_seeds_are_shown(values, put):
    assert walk.others(values, ("a", "b")) == put
