"""The tools that the server carries out itself, made for one request: what they may see is the project's own."""

from collections.abc import Awaitable, Callable, Collection, Sequence

from msgspec import UNSET

from freehold.core.errors import NotFound, Unsupported
from freehold.core.items import FileResult
from freehold.core.ports import Tool
from freehold.core.principal import Principal
from freehold.core.prompt import Ask, FileSearching
from freehold.runs.excerpts import FILE_SEARCH
from freehold.services.search import Search
from freehold.tools.file_search import FileSearch

Known = Callable[[str, Sequence[str]], Awaitable[Collection[str]]]
"""Says which of the stores of these ids a project has."""


class Toolbox:
    """Makes the tools of a request."""

    def __init__(self, search: Search, known: Known) -> None:
        self._search = search
        self._known = known

    async def check(self, who: Principal, ask: Ask) -> None:
        """Raises NotFound for a store that the project does not have."""
        if ask.search is None:
            return
        known = await self._known(who.project, ask.search.stores)
        for index, store in enumerate(ask.search.stores):
            if store not in known:
                raise NotFound(f"Vector store with id '{store}' not found.", None, f"{ask.search.path}[{index}]")

    def tools(self, who: Principal, ask: Ask) -> dict[str, Tool]:
        """The tools that the ask offers, by the names that the model calls them by."""
        return {} if ask.search is None else {FILE_SEARCH: FileSearch(self._finder(who, ask.search))}

    def _finder(self, who: Principal, search: FileSearching) -> Callable[[Sequence[str]], Awaitable[list[FileResult]]]:
        async def find(queries: Sequence[str]) -> list[FileResult]:
            found = await self._search.find(
                who, search.stores, queries, search.filters, search.ranking, search.most, False
            )
            return [
                FileResult(
                    attributes=one.attributes,
                    file_id=one.file_id,
                    filename=one.filename,
                    score=one.score,
                    text=one.text,
                    page=UNSET if one.page is None else one.page,
                )
                for one in found
            ]

        return find


class NoTools:
    """The toolbox of a server that cannot search."""

    async def check(self, who: Principal, ask: Ask) -> None:
        """Raises Unsupported for a tool."""
        if ask.search is not None:
            path = ask.search.path.rpartition(".")[0] + ".type"
            raise Unsupported("The tool 'file_search' is not available: this server has no embedder.", path)

    def tools(self, who: Principal, ask: Ask) -> dict[str, Tool]:
        """None."""
        return {}
