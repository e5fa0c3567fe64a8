"""The files that a batch makes: its lines with what came of them, and what their answers cost together."""

from collections.abc import AsyncGenerator, Mapping, Sequence

from freehold.core.deltas import Usage
from freehold.core.ids import Mint
from freehold.services.blobs import Receive, Received
from freehold.storage.repos.batches import BatchRows, ResultRow
from freehold.surfaces.batches import unanswered, usage_in

_AT_ONCE = 100


class Output:
    """Writes the lines of one batch, in the order of its input and in constant memory."""

    def __init__(self, rows: BatchRows, batch_id: str, counts: Mapping[str, int], mint: Mint) -> None:
        """`counts` says how many lines are in each state."""
        self.usage = Usage()
        self._rows = rows
        self._batch_id = batch_id
        self._counts = counts
        self._mint = mint

    async def write(self, receive: Receive, states: Sequence[str]) -> Received | None:
        """Store the lines in these states as a blob; None where there are none. Raises StorageFailed."""
        wanted = [state for state in states if self._counts.get(state)]
        return await receive(self._lines(wanted)) if wanted else None

    async def _lines(self, states: Sequence[str]) -> AsyncGenerator[bytes, None]:
        for state in states:
            after = 0
            while results := await self._rows.results(self._batch_id, state, after, _AT_ONCE):
                after = results[-1].number
                yield b"".join(self._line(state, one) for one in results)

    def _line(self, state: str, line: ResultRow) -> bytes:
        if line.result is None:
            return unanswered(self._mint("batch_req_"), line.custom_id, state) + b"\n"
        if state == "completed":
            self.usage += usage_in(line.result)
        return line.result + b"\n"
