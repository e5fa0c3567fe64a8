"""Quiet: batches stand still while somebody is answered, but not for ever."""

import asyncio
from typing import cast

from freehold.engines.llama.quiet import Quiet
from freehold.engines.worker.client import Worker


class Still:
    """A worker that notes whether it stands still."""

    def __init__(self) -> None:
        self.still = False
        self.stops = 0

    def stand_still(self) -> None:
        self.still = True
        self.stops += 1

    def go_on(self) -> None:
        self.still = False


def added(quiet: Quiet) -> Still:
    worker = Still()
    quiet.add(cast(Worker, worker))
    return worker


def test_it_stands_still_until_the_last_is_answered() -> None:
    async def main() -> None:
        quiet = Quiet()
        worker = added(quiet)
        first, second = quiet.answer(), quiet.answer()
        assert worker.still
        first()
        first()
        assert worker.still
        second()
        assert not worker.still

    asyncio.run(main())


def test_it_breathes_when_answers_do_not_end() -> None:
    async def main() -> None:
        quiet = Quiet(longest=0.02, breath=0.01)
        worker = added(quiet)
        end = quiet.answer()
        seen = set[bool]()
        while worker.stops < 3:
            seen.add(worker.still)
            await asyncio.sleep(0.001)
        end()
        assert seen == {True, False}
        assert not worker.still
        await asyncio.sleep(0.05)
        assert not worker.still

    asyncio.run(main())


def test_who_leaves_goes_on() -> None:
    async def main() -> None:
        quiet, worker = Quiet(), Still()
        remove = quiet.add(cast(Worker, worker))
        end = quiet.answer()
        remove()
        assert not worker.still
        end()
        quiet.answer()()
        assert worker.stops == 1

    asyncio.run(main())


def test_one_that_comes_while_somebody_is_answered_stands_still_too() -> None:
    async def main() -> None:
        quiet = Quiet()
        end = quiet.answer()
        worker = added(quiet)
        assert worker.still
        end()
        assert not worker.still

    asyncio.run(main())
