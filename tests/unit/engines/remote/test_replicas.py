"""Which upstream is asked, by a clock that the test moves."""

import pytest

from freehold.engines.remote.replicas import FAILURES, LONGEST_REST_SECONDS, REST_SECONDS, SLACK, Replicas


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def three(clock: Clock) -> Replicas:
    return Replicas(["a", "b", "c"], clock)


def test_the_idlest_is_asked(three: Replicas) -> None:
    three[0].begin()
    assert three.choose(None, ()) == 1
    three[1].begin()
    three[2].begin()
    three[2].leave()
    assert three.choose(None, ()) == 2


def test_none_is_asked_twice(three: Replicas) -> None:
    assert three.choose(None, (), [0, 2]) == 1
    assert three.choose(None, (), [0, 1, 2]) is None


def test_a_family_keeps_to_one_while_that_has_room(three: Replicas) -> None:
    places = {name: three.choose(name, ()) for name in map(str, range(40))}
    assert set(places.values()) == {0, 1, 2}
    home = places["7"]
    assert home is not None
    for _ in range(SLACK + 1):
        assert three.choose("7", ()) == home
        three[home].begin()
    assert three.choose("7", ()) != home


def test_a_family_of_one_that_is_gone_moves_and_no_other(three: Replicas, clock: Clock) -> None:
    before = {name: three.choose(name, ()) for name in map(str, range(40))}
    for _ in range(FAILURES):
        three[1].fail(clock.now)
    after = {name: three.choose(name, ()) for name in before}
    assert 1 not in after.values()
    assert all(after[name] == place for name, place in before.items() if place != 1)


def test_the_one_that_has_read_most_of_it_is_asked(three: Replicas) -> None:
    three[2].remember((1, 2, 3))
    three[1].remember((1, 2))
    assert three.choose(None, (1, 2, 3, 4)) == 2
    assert three.choose(None, (1, 2, 9)) == 1
    assert three.choose(None, (8,)) == 0
    for _ in range(SLACK + 1):
        three[2].begin()
    assert three.choose(None, (1, 2, 3, 4)) == 1


def test_what_was_read_long_ago_is_forgotten(three: Replicas) -> None:
    three[2].remember((1,))
    three[2].remember(range(10, 10_000))
    assert three[2].shared((1,)) == 0


def test_failures_in_a_row_open_the_breaker_and_one_request_tries_it(three: Replicas, clock: Clock) -> None:
    for _ in range(FAILURES - 1):
        three[0].fail(clock.now)
    assert three.choose(None, ()) == 0
    three[0].fail(clock.now)
    assert three[0].broken
    assert three.choose(None, ()) == 1
    clock.now += REST_SECONDS
    assert three.choose(None, ()) == 0
    three[0].begin()
    assert three.choose(None, ()) == 1
    three[0].succeed()
    three[0].leave()
    assert not three[0].broken
    assert three.choose(None, ()) == 0


def test_each_rest_is_longer_up_to_a_minute(three: Replicas, clock: Clock) -> None:
    for _ in range(FAILURES):
        three[0].fail(clock.now)
    for rest in (REST_SECONDS, 2 * REST_SECONDS, 4 * REST_SECONDS):
        assert three[0].back() == clock.now + rest
        clock.now += rest
        three[0].fail(clock.now)
    for _ in range(20):
        three[0].fail(clock.now)
    assert three[0].back() == clock.now + LONGEST_REST_SECONDS


def test_success_between_failures_counts_them_anew(three: Replicas, clock: Clock) -> None:
    for _ in range(3 * FAILURES):
        three[0].fail(clock.now)
        three[0].succeed()
    assert three.choose(None, ()) == 0


def test_one_that_says_it_is_well_is_tried_before_its_rest_is_over(three: Replicas, clock: Clock) -> None:
    for _ in range(FAILURES):
        three[0].fail(clock.now)
    three[0].rested(clock.now)
    assert three[0].broken
    assert three.choose(None, ()) == 0


def test_one_that_says_so_in_vain_rests_in_spite_of_it(three: Replicas, clock: Clock) -> None:
    for _ in range(FAILURES):
        three[0].fail(clock.now)
    three[0].rested(clock.now)
    three[0].fail(clock.now)
    three[0].rested(clock.now)
    assert three[0].back() == clock.now + 2 * REST_SECONDS
    assert three.choose(None, ()) == 1


def test_one_that_does_not_answer_at_all_rests_until_it_does(three: Replicas, clock: Clock) -> None:
    for _ in range(FAILURES + 5):
        three[0].fail(clock.now)
    three[0].miss(clock.now)
    clock.now += REST_SECONDS
    assert three.choose(None, ()) == 1
    three[0].rested(clock.now)
    assert three.choose(None, ()) == 0


def test_a_busy_one_is_left_alone_until_it_said(clock: Clock) -> None:
    one = Replicas(["a"], clock)
    one[0].refuse(clock.now, 7.0)
    assert one.choose(None, ()) is None
    assert one.wait() == 7.0
    clock.now += 7
    assert one.choose(None, ()) == 0
    assert one.wait() == 0.0
