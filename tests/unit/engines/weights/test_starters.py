import pytest

from freehold.engines.weights.starters import LARGE, SMALL, default_name, starters

GIB = 1024**3


def test_every_starter_is_pinned_and_can_be_had() -> None:
    table = starters()
    assert {LARGE, SMALL, "smollm2-135m"} <= set(table)
    for starter in table.values():
        assert len(starter.sha256) == 64 and starter.size > 0
        assert starter.hub or starter.archives
        assert all(len(archive.sha256) == 64 for archive in starter.archives)
        assert len({archive.member for archive in starter.archives}) == len(starter.archives)


@pytest.mark.parametrize(
    ("memory", "free", "here", "name"),
    [(24, 100, False, LARGE), (4, 100, False, SMALL), (24, 1, False, SMALL), (24, 1, True, LARGE)],
)
def test_a_small_machine_gets_the_small_starter(memory: int, free: int, here: bool, name: str) -> None:
    assert default_name(memory * GIB, free * GIB, lambda _: here) == name
