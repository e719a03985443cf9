import numpy as np
import pytest

from gan_core.film import FRAMES, surplus


def test_nothing_goes_while_there_is_room():
    assert surplus(dict.fromkeys(range(FRAMES), 1000)) == []


def test_of_too_many_so_many_stay_with_both_ends():
    film = dict.fromkeys(range(1000), 1)
    gone = surplus(film, frames=50)
    kept = sorted(film.keys() - set(gone))
    assert (len(kept), kept[0], kept[-1]) == (50, 0, 999)


def test_too_large_ones_go_until_the_rest_fits():
    film = dict.fromkeys(range(30), 100)
    assert len(film) - len(surplus(film, size=1000)) == 10


def test_two_stay_however_large():
    assert surplus({0: 10**9, 5: 10**9}) == []


@pytest.mark.parametrize("every", [1, 7, 130])
def test_a_film_that_grows_stays_even_in_the_root_of_the_step(every):
    film = {}
    for step in range(0, 5000 * every, every):
        film[step] = 1
        for gone in surplus(film, frames=60):
            del film[gone]
    gaps = np.diff(np.sqrt(sorted(film)))[:-1]  # the last one is still growing
    assert len(film) == 60
    assert gaps.max() <= 2.5 * np.median(gaps)
