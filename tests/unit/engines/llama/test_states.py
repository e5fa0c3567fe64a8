"""States in a folder: found by their tokens and for their owner only, bounded, and shared with other processes."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.engines.llama.states import State, States, common, forget, owner_mark, packed, sweep, whole

FOREVER = float("inf")
TOKENS = st.lists(st.integers(0, 3), max_size=20)


def state_file(place: Path, tokens: list[int], body: int = 100, listed: bool = True) -> Path:
    """A file as llama.cpp writes it, in the newer or in the older way."""
    head = packed([-1, 1, len(tokens), *tokens, 0, 1]) if listed else packed(tokens)
    place.write_bytes(b"qsgg" + packed([4, len(head) // 4]) + head + b"x" * body)
    return place


def kept(states: States, owner: str, tokens: list[int], body: int = 100, family: str | None = None) -> State:
    file = state_file(states.folder / "new.saved", tokens, body)
    state = states.take(file, owner, family)
    assert state is not None
    return state


class Clock:
    def __init__(self) -> None:
        self.now = 1e9

    def __call__(self) -> float:
        return self.now


def test_the_longest_common_beginning_of_the_owner_is_found(tmp_path: Path) -> None:
    states = States(tmp_path / "s", 10_000, FOREVER)
    assert states.find("a", packed([1, 2, 3])) == (None, 0)
    short, long = kept(states, "a", [1, 2, 9]), kept(states, "a", [1, 2, 3, 4, 5])
    kept(states, "b", [1, 2, 3, 4, 5, 6, 7])
    assert states.find("a", packed([1, 2, 3, 4, 5, 6, 7])) == (long, 5)
    assert states.find("a", packed([1, 2, 9, 9])) == (short, 3)
    assert states.find("c", packed([1, 2, 3])) == (None, 0)


def test_a_state_that_goes_on_takes_the_place_of_what_it_goes_on_from(tmp_path: Path) -> None:
    states = States(tmp_path / "s", 10_000, FOREVER)
    first, other = kept(states, "a", [1, 2]), kept(states, "b", [1, 2])
    kept(states, "a", [1, 2, 3])
    assert not first.path.exists()
    assert other.path.exists()


def test_what_was_not_used_for_longest_goes_first_and_families_last(tmp_path: Path) -> None:
    clock = Clock()
    states = States(tmp_path / "s", 1_000, FOREVER, clock)
    old, family, young = (kept(states, "a", [n], 280, name) for n, name in ((1, None), (2, "f"), (3, None)))
    clock.now += 10
    for state in (old, young, family):
        state.used = clock.now = clock.now + 1
    states.use(old)
    kept(states, "a", [4], 280)
    assert [one.path.exists() for one in (old, family, young)] == [True, True, False]
    kept(states, "a", [5], 280)
    assert [one.path.exists() for one in (old, family, young)] == [False, True, False]


def test_what_is_larger_than_all_there_is_room_for_is_not_kept(tmp_path: Path) -> None:
    states = States(tmp_path / "s", 100, FOREVER)
    file = state_file(states.folder / "new.saved", [1], 200)
    assert states.take(file, "a", None) is None
    assert list(states.folder.iterdir()) == []


def test_a_day_after_its_last_use_a_state_is_gone(tmp_path: Path) -> None:
    clock = Clock()
    states = States(tmp_path / "s", 10_000, 100.0, clock)
    used, unused = kept(states, "a", [1]), kept(states, "a", [2])
    states.use(used)
    states.use(unused)
    clock.now += 90
    states.use(used)
    clock.now += 20
    kept(states, "a", [3])
    assert [one.path.exists() for one in (used, unused)] == [True, False]
    clock.now += 200
    assert States(tmp_path / "s", 10_000, 100.0, clock).find("a", packed([1])) == (None, 0)


def test_another_process_finds_what_this_one_keeps_and_misses_what_it_removes(tmp_path: Path) -> None:
    one, other = States(tmp_path / "s", 10_000, FOREVER), States(tmp_path / "s", 10_000, FOREVER)
    state = kept(one, "a", [1, 2, 3])
    found, shared = other.find("a", packed([1, 2, 3]))
    assert found is not None
    assert (found.path, shared) == (state.path, 3)
    one.drop(state)
    assert other.find("a", packed([1, 2, 3])) == (None, 0)
    other.use(found)
    other.drop(found)


def test_a_copy_that_was_damaged_is_told(tmp_path: Path) -> None:
    memory, disk = States(tmp_path / "m", 10_000, FOREVER), States(tmp_path / "d", 10_000, FOREVER)
    state = kept(memory, "a", [1, 2])
    copied, checksum = disk.stage(state)
    lasting = disk.take(copied, "a", None, checksum)
    assert lasting is not None
    assert whole(state)
    assert whole(lasting)
    lasting.path.write_bytes(lasting.path.read_bytes()[:-1] + b"y")
    assert not whole(lasting)


def test_a_copy_is_a_file_of_its_own_that_nobody_else_can_read(tmp_path: Path) -> None:
    memory, disk = States(tmp_path / "m", 10_000, FOREVER), States(tmp_path / "d", 10_000, FOREVER)
    state = kept(memory, "a", [1, 2])
    copied = disk.take(disk.stage(state)[0], "a", "family")
    assert copied is not None
    memory.drop(state)
    assert disk.find("a", packed([1, 2])) == (copied, 2)
    assert (copied.path.stat().st_mode & 0o777, disk.folder.stat().st_mode & 0o777) == (0o600, 0o700)
    assert "a-" not in copied.path.name


@pytest.mark.parametrize(
    "data", [b"", b"qsgg", b"other" * 10, b"qsgg" + packed([4, 1000]), b"qsgg" + packed([4, 4, -1, 1, 9, 1])]
)
def test_a_damaged_file_is_removed(tmp_path: Path, data: bytes) -> None:
    (tmp_path / f"{owner_mark('a')}-0-memory-x.state").write_bytes(data)
    assert States(tmp_path, 10_000, FOREVER).find("a", packed([1])) == (None, 0)
    assert list(tmp_path.iterdir()) == []


def test_both_ways_of_writing_tokens_are_read(tmp_path: Path) -> None:
    for number, listed in enumerate((True, False)):
        state_file(tmp_path / f"{owner_mark('a')}-0-memory-{number}.state", [7, 8, number], listed=listed)
    states = States(tmp_path, 10_000, FOREVER)
    assert [states.find("a", packed([7, 8, number]))[1] for number in (0, 1)] == [3, 3]


def test_an_owner_is_forgotten_and_old_states_of_all_models_are_swept(tmp_path: Path) -> None:
    clock = Clock()
    folders = [States(tmp_path / name, 10_000, FOREVER, clock) for name in ("one", "two")]
    for states in folders:
        for owner in "ab":
            states.use(kept(states, owner, [1]))
    forget(tmp_path, "a")
    assert [(states.find("a", packed([1]))[1], states.find("b", packed([1]))[1]) for states in folders] == [(0, 1)] * 2
    sweep(tmp_path, 50.0, clock)
    assert folders[0].find("b", packed([1]))[1] == 1
    clock.now += 100
    sweep(tmp_path, 50.0, clock)
    assert folders[0].find("b", packed([1]))[1] == 0


@given(TOKENS, TOKENS)
def test_common_beginnings(one: list[int], other: list[int]) -> None:
    expected = next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    assert common(packed(one), packed(other)) == expected
