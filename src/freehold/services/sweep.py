"""What is cleaned away every minute or so: things that have expired, and contents that nothing refers to."""

import logging
from collections.abc import Awaitable, Callable, Sequence

from freehold.core.errors import Fault
from freehold.core.ids import Clock

log = logging.getLogger(__name__)

Step = Callable[[float], Awaitable[None]]
"""Cleans away what is too old at the unix time given. Several processes may do the same at once."""


class Sweep:
    """The steps of cleaning, in their order. One that fails is tried again the next time, and holds up no other."""

    def __init__(self, steps: Sequence[Step], clock: Clock) -> None:
        self._steps = steps
        self._clock = clock

    async def run(self) -> None:
        """Clean once."""
        for step in self._steps:
            try:
                await step(self._clock())
            except Fault as fault:
                log.warning("sweeping failed: %s", fault.message)
