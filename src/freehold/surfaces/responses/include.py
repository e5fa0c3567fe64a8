"""What of a stored item is shown only to those who ask for it."""

from collections.abc import Collection
from typing import TypeVar

from msgspec import UNSET
from msgspec.structs import replace

from freehold.core.items import FileSearchCall, InputImage, Item, Message, OutputText, Part, Reasoning

THOUGHTS = "reasoning.encrypted_content"
LOGPROBS = "message.output_text.logprobs"
IMAGES = "message.input_image.image_url"
RESULTS = "file_search_call.results"

T = TypeVar("T", bound=Item)


def shown(item: Item, include: Collection[str]) -> Item:
    """Return the item without what `include` does not name."""
    if isinstance(item, FileSearchCall):
        return without_results(item, include)
    if isinstance(item, Reasoning) and THOUGHTS not in include:
        return replace(item, encrypted_content=UNSET)
    if isinstance(item, Message):
        return replace(item, content=tuple(_part(part, include) for part in item.content))
    return item


def without_results(item: T, include: Collection[str]) -> T:
    """Return the item; if it is a search, with what it found only where `include` names that."""
    if not isinstance(item, FileSearchCall) or item.results is None or RESULTS in include:
        return item
    return replace(item, results=None)


def _part(part: Part, include: Collection[str]) -> Part:
    if isinstance(part, OutputText) and part.logprobs and LOGPROBS not in include:
        return replace(part, logprobs=())
    if isinstance(part, InputImage) and part.image_url is not None and IMAGES not in include:
        return replace(part, image_url=None)
    return part
