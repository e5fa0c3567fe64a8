"""The tool `file_search` of `POST /v1/responses`."""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from freehold.core.filters import Filter
from freehold.core.prompt import FileSearching, Function
from freehold.surfaces.decode import read
from freehold.surfaces.filters import check
from freehold.surfaces.vector_stores import RankingOptions

FILE_SEARCH = "file_search"
USUAL_RESULTS = 20
MOST_STORES = 2

SEARCH = Function(
    name=FILE_SEARCH,
    description=(
        "Search the user's files for passages that answer the question. Call this first whenever the files may say "
        "something about it. Ask in full sentences, with the words that the files may use."
    ),
    parameters={
        "type": "object",
        "properties": {
            "queries": {
                "type": "array",
                "items": {"type": "string", "minLength": 1, "maxLength": 256},
                "minItems": 1,
                "maxItems": 4,
                "description": "What to search for: one query for each thing that is to be found.",
            }
        },
        "required": ["queries"],
        "additionalProperties": False,
    },
    strict=True,
)
"""What the model is told of the tool."""


class FileSearchTool(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag=FILE_SEARCH):
    """The server searches vector stores where the model wants to know something."""

    vector_store_ids: Annotated[tuple[str, ...], Meta(min_length=1, max_length=MOST_STORES)]
    max_num_results: Annotated[int, Meta(ge=1, le=50)] | None = None
    filters: Filter | None = None
    ranking_options: RankingOptions | None = None


class HostedChoice(Struct, frozen=True, forbid_unknown_fields=True):
    """The tool of the server that must be used."""

    type: Literal["file_search"]


def parse_search(tools: list[dict[str, Any]] | None, most_calls: int | None) -> FileSearching | None:
    """Where the model may search; None where the tool is not among `tools`. Raises Invalid that names what is wrong."""
    for index, tool in enumerate(tools or ()):
        if tool.get("type") == FILE_SEARCH:
            path = f"tools[{index}]"
            given = read(tool, FileSearchTool, path)
            if given.filters is not None:
                check(given.filters, f"{path}.filters")
            return FileSearching(
                stores=given.vector_store_ids,
                path=f"{path}.vector_store_ids",
                most=given.max_num_results or USUAL_RESULTS,
                calls=most_calls,
                usual=given.max_num_results is None,
                filters=given.filters,
                ranking=given.ranking_options,
            )
    return None


def shown_search(tool: dict[str, Any]) -> dict[str, Any]:
    """The tool as the Response shows it: with what holds where nothing was given."""
    ranking = {"ranker": "auto", "score_threshold": 0.0, **(tool.get("ranking_options") or {})}
    return {"filters": None, **tool, "max_num_results": tool.get("max_num_results") or USUAL_RESULTS} | {
        "ranking_options": ranking
    }
