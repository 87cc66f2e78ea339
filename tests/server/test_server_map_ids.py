"""gaechannel.server.core.map_ids: which maps of a request are new."""

import random

import pytest

from gaechannel.server.core.map_ids import new_ids


@pytest.mark.parametrize("seed", range(50))
def test_each_id_is_new_once_in_whichever_order_requests_are_read(seed):
    order = random.Random(seed)
    following, left_out, seen = 0, (), set()
    for _ in range(200):
        first, count = order.randrange(60), order.randrange(5)
        ids, left_out = new_ids(following, left_out, first, count)
        assert ids == [one for one in range(first, first + count) if one not in seen]
        seen.update(ids)
        following = max(following, first + count)
        assert {one for begin, stop in left_out for one in range(begin, stop)} == {*range(following)} - seen


def test_of_ids_that_are_left_out_for_ever_the_latest_are_remembered():
    following, left_out = 0, ()
    for number in range(1000):
        _, left_out = new_ids(following, left_out, 2 * number + 1, 1)
        following = 2 * number + 2
    assert len(left_out) == 64
    assert new_ids(following, left_out, following - 2, 1)[0] == [following - 2]
    assert new_ids(following, left_out, 0, 1)[0] == []


def test_an_id_far_away_costs_nothing():
    assert new_ids(0, (), 10**17, 2) == ([10**17, 10**17 + 1], ((0, 10**17),))
    assert new_ids(10**17 + 2, ((0, 10**17),), 5, 1) == ([5], ((0, 5), (6, 10**17)))
