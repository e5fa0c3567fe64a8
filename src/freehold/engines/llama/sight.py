"""Prompts with images: as llama.cpp's messages, and as its native completions, which alone take them."""

import base64
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from freehold.core.items import Logprob
from freehold.core.prompt import IMAGE, Image, Turn

_NO_PICTURE = "data:image/png;base64,AA=="


class Timings(Struct, frozen=True):
    """What llama.cpp measured so far: `cache_n` tokens were not computed again, `predicted_n` were written.

    `draft_n` tokens were guessed ahead, and `draft_n_accepted` of them written.
    """

    cache_n: int = 0
    predicted_n: int = 0
    draft_n: int = 0
    draft_n_accepted: int = 0


class NativeError(Struct, frozen=True):
    """Why llama.cpp does not go on."""

    message: str = "llama.cpp gave no reason"
    code: int = 500


class NativeChunk(Struct, frozen=True):
    """A chunk of a native completion; the last says `stop`, and why."""

    content: str = ""
    stop: bool = False
    stop_type: str = ""
    tokens_predicted: int = 0
    tokens_evaluated: int = 0
    completion_probabilities: tuple[Logprob, ...] = ()
    timings: Timings = Timings()
    error: NativeError | None = None


def messages(turns: Sequence[Turn], pictures: bool) -> list[dict[str, Any]]:
    """Return the turns as messages. Without `pictures`, their places are kept: that is enough for a chat template."""
    return [{"role": turn.speaker, "content": _content(turn, pictures)} for turn in turns]


def pictures(turns: Sequence[Turn]) -> list[str]:
    """Return the images of the turns, in order, in base64."""
    return [_encoded(image) for turn in turns for image in turn.images]


def native(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the body of a completion in llama.cpp's own words."""
    renamed = {"max_tokens": "n_predict", "logprobs": "n_probs"}
    return {renamed.get(name, name): value for name, value in body.items()}


def _content(turn: Turn, shown: bool) -> str | list[dict[str, Any]]:
    if not turn.images:
        return turn.text
    first, *rest = turn.text.split(IMAGE)
    parts: list[dict[str, Any]] = [{"type": "text", "text": first}] if first else []
    for image, text in zip(turn.images, rest, strict=True):
        url = f"data:image/png;base64,{_encoded(image)}" if shown else _NO_PICTURE
        parts.append({"type": "image_url", "image_url": {"url": url}})
        if text:
            parts.append({"type": "text", "text": text})
    return parts


def _encoded(image: Image) -> str:
    return base64.b64encode(image.data).decode()
