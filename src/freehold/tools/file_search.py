"""The tool that searches vector stores in the middle of an answer."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import replace

from freehold.core.errors import EngineFailed
from freehold.core.items import FileResult, FileSearchCall

MOST_QUERIES = 4

Find = Callable[[Sequence[str]], Awaitable[Sequence[FileResult]]]
"""Searches with all queries at once: what fits one of them, each passage once, the best first."""


class _Arguments(Struct):
    queries: Annotated[tuple[str, ...], Meta(min_length=1)]


class FileSearch:
    """`core.ports.Tool` over a search whose project, stores and filters are settled."""

    def __init__(self, find: Find) -> None:
        self._find = find
        self._arguments = msgspec.json.Decoder(_Arguments).decode

    def begin(self, item_id: str, arguments: str) -> FileSearchCall:
        """Return the item of a call, in progress. Raises EngineFailed for arguments that name no query."""
        try:
            given = self._arguments(arguments).queries
        except msgspec.MsgspecError as error:
            raise EngineFailed("The model called file_search with arguments that are none of it.") from error
        queries = tuple(dict.fromkeys(one.strip() for one in given if one.strip()))[:MOST_QUERIES]
        return FileSearchCall(id=item_id, status="in_progress", queries=queries)

    async def carry_out(self, call: FileSearchCall) -> FileSearchCall:
        """Return the call with what was found, completed. Raises what the search raises."""
        found = await self._find(call.queries) if call.queries else ()
        return replace(call, status="completed", results=tuple(found))
