"""Spots and choices: what the latent page's address says."""

import pytest
import torch

from gan_core import GANConfig, RunError, Trainer
from gan_core.explorer import Explorer
from ui.latent.choice import COMMON, place, read, real, whole, word, write
from ui.latent.spots import latent_of, spot, written


@pytest.fixture(scope="module")
def explorer():
    return Explorer(Trainer(GANConfig(width=8, batch_size=8, latent_dim=4, steps=1)))


@pytest.mark.parametrize("text", ["0", "12", "1,2-3", "1+2-3,4+5", "~AAAA", "2147483647"])
def test_a_spot_is_read_as_it_is_written(text):
    assert spot(f" {text[:1]} {text[1:]}") == text


@pytest.mark.parametrize(
    "text", ["", "x", "1,,2", "1 - ", "--1", "1+-2", "2147483648", "~", "~%%", "1;2", "1.5", "9" * 5000, ",".join("1" * 65)]
)
def test_what_is_no_spot_is_refused(text):
    with pytest.raises(ValueError, match=r"spot|seed|^A "):
        spot(text)


def test_a_seed_is_its_latent(explorer):
    assert latent_of(explorer, "7").equal(explorer.draw([7])[0])


def test_a_sum_is_one_of_means(explorer):
    z = explorer.draw(range(6))
    expected = (z[1] + z[2]) / 2 - z[3] + (z[4] + z[5]) / 2
    torch.testing.assert_close(latent_of(explorer, "1,2-3+4,5"), expected)


def test_a_found_latent_comes_back_from_the_address(explorer):
    latent = torch.tensor([0.5, -1.25, 3.0, 0.001])
    torch.testing.assert_close(latent_of(explorer, spot(written(latent))), latent, rtol=1e-3, atol=0)


@pytest.mark.parametrize("latent", [torch.zeros(3), torch.full((4,), float("nan"))])
def test_a_latent_of_another_network_is_refused(explorer, latent):
    with pytest.raises(RunError, match="does not fit"):
        latent_of(explorer, written(latent))


FIELDS = {"n": whole(3, 1, 9), "x": real(0.5, 0, 1), "w": word("one", ("one", "two")), "p": place(4)}


@pytest.mark.parametrize("values", [{"n": 3, "x": 0.5, "w": "one", "p": "4"}, {"n": 9, "x": 0.25, "w": "two", "p": "1-2"}])
def test_values_come_back_from_the_address(values):
    assert read(write(values, FIELDS), FIELDS) == (values, [])


def test_defaults_are_left_out_of_the_address():
    assert write({"n": 3, "x": 1.0, "w": "one", "p": "4"}, FIELDS) == {"x": "1"}


@pytest.mark.parametrize("query", [{"n": "0"}, {"n": "a"}, {"n": "1e1"}, {"x": "nan"}, {"x": "2"}, {"w": "three"}, {"p": "?"}])
def test_what_is_out_of_range_is_named_and_left_out(query):
    values, ignored = read(query, FIELDS)
    assert values == {"n": 3, "x": 0.5, "w": "one", "p": "4"}
    assert [sentence.split(":")[0] for sentence in ignored] == list(query)


def test_the_address_names_the_last_step_by_leaving_it_out():
    assert write({name: field.default for name, field in COMMON.items()}, COMMON) == {}
