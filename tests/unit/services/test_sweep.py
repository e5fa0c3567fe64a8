"""One step of cleaning that fails holds up no other."""

import asyncio

import pytest

from freehold.core.errors import StorageFailed
from freehold.services.sweep import Sweep


def test_every_step_is_taken_in_order_though_one_fails(caplog: pytest.LogCaptureFixture) -> None:
    taken: list[tuple[str, float]] = []

    async def first(now: float) -> None:
        taken.append(("first", now))
        raise StorageFailed("The disk is away.")

    async def second(now: float) -> None:
        taken.append(("second", now))

    asyncio.run(Sweep((first, second), lambda: 7.0).run())
    assert taken == [("first", 7.0), ("second", 7.0)]
    assert "The disk is away." in caplog.text


def test_a_defect_is_not_hidden() -> None:
    async def broken(now: float) -> None:
        raise KeyError

    with pytest.raises(KeyError):
        asyncio.run(Sweep((broken,), lambda: 7.0).run())
