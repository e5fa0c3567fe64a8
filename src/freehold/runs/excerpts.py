"""What a search found, as the model reads it: numbered excerpts, and how to name them."""

from collections.abc import Sequence

import msgspec
from msgspec import UNSET

from freehold.core.items import FileResult, FileSearchCall, Item, Message
from freehold.core.prompt import Call, Turn

FILE_SEARCH = "file_search"
_CITE = (
    "Answer from these excerpts. Right behind each statement, name the excerpt that it is taken from by its number, "
    "like this: 【1】. If they do not answer the question, say so."
)
_ANSWER = "Answer the question directly, from these excerpts alone. If they do not answer it, say so."
_NOTHING = "Nothing was found in the files."
_FAILED = "The search failed. Say that the files could not be searched."


def searches(items: Sequence[Item]) -> tuple[FileSearchCall, ...]:
    """The searches since the user spoke last whose results are known: those that the model reads."""
    found: list[FileSearchCall] = []
    for item in items:
        if isinstance(item, Message) and item.role == "user":
            found.clear()
        elif isinstance(item, FileSearchCall) and (item.results is not None or item.status == "failed"):
            found.append(item)
    return tuple(found)


def sources(items: Sequence[Item]) -> tuple[FileResult, ...]:
    """The excerpts that the model can name: the first of them is number 1."""
    return tuple(result for search in searches(items) for result in search.results or ())


def exchange(call: FileSearchCall, before: int, most: int | None, cite: bool) -> tuple[Turn, Turn]:
    """Return a search as turns: the call, and its answer, with at most the best `most` excerpts.

    `before` excerpts were numbered before it; `cite` asks the model to name those that it uses.
    """
    call_id = call.id or f"{FILE_SEARCH}_{before}"
    arguments = msgspec.json.encode({"queries": call.queries}).decode()
    asked = Turn("assistant", "", (Call(call_id, FILE_SEARCH, arguments),))
    return asked, Turn("tool", _answer(call, before, most, cite), call_id=call_id)


def _answer(call: FileSearchCall, before: int, most: int | None, cite: bool) -> str:
    if call.status == "failed":
        return _FAILED
    shown = (call.results or ())[:most]
    if not shown:
        return _NOTHING
    excerpts = (f"【{number}】 {_source(one)}\n{one.text.strip()}" for number, one in enumerate(shown, before + 1))
    return "\n\n".join((*excerpts, _CITE if cite else _ANSWER))


def _source(result: FileResult) -> str:
    return result.filename if result.page is UNSET else f"{result.filename}, page {result.page}"
