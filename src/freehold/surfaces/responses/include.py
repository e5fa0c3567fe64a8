"""What of a stored item is shown only to those who ask for it."""

from collections.abc import Collection

from msgspec import UNSET
from msgspec.structs import replace

from freehold.core.items import InputImage, Item, Message, OutputText, Part, Reasoning

THOUGHTS = "reasoning.encrypted_content"
LOGPROBS = "message.output_text.logprobs"
IMAGES = "message.input_image.image_url"


def shown(item: Item, include: Collection[str]) -> Item:
    """Return the item without what `include` does not name."""
    if isinstance(item, Reasoning) and THOUGHTS not in include:
        return replace(item, encrypted_content=UNSET)
    if isinstance(item, Message):
        return replace(item, content=tuple(_part(part, include) for part in item.content))
    return item


def _part(part: Part, include: Collection[str]) -> Part:
    if isinstance(part, OutputText) and part.logprobs and LOGPROBS not in include:
        return replace(part, logprobs=())
    if isinstance(part, InputImage) and part.image_url is not None and IMAGES not in include:
        return replace(part, image_url=None)
    return part
