"""`data:` URLs, read strictly."""

import base64
import binascii
import re

from msgspec import Struct

from freehold.core.errors import Invalid

_URL = re.compile(r"data:(?P<type>[\w.+-]+/[\w.+-]+)?(?P<rest>(?:;[\w.+-]+=[\w.+\"-]+)*);base64,", re.IGNORECASE)


_LONGEST_HEAD = 1_024


class Inline(Struct, frozen=True):
    """Bytes that a request carries itself, and their media type; empty where it tells none."""

    type: str
    data: bytes


def is_data_url(text: str) -> bool:
    """Whether a URL carries its content itself."""
    return text[:5].lower() == "data:"


def read_image_url(text: str, param: str) -> Inline:
    """Read an image's `data:` URL. Raises Invalid that names `param` when it is malformed or empty."""
    head = _URL.match(text, 0, _LONGEST_HEAD)
    if head is None or not (head["type"] or "").lower().startswith("image/"):
        raise Invalid(_expected(param, "an unsupported value"), "invalid_value", param)
    data = _decoded(text, head.end())
    if data is None:
        raise Invalid(_expected(param, "an invalid base64-encoded value"), "invalid_base64_image", param)
    if not data:
        raise Invalid(f"Invalid '{param}': the image is empty.", "empty_image_file", param)
    return Inline(head["type"].lower(), data)


def read_file_data(text: str, param: str) -> Inline:
    """Read a file's `data:` URL, or its bare base64. Raises Invalid that names `param` if it is malformed or empty."""
    head = _URL.match(text, 0, _LONGEST_HEAD)
    data = None if head is None and is_data_url(text) else _decoded(text, 0 if head is None else head.end())
    if data is None:
        raise Invalid(
            f"Invalid '{param}'. Expected a base64-encoded file (e.g. 'data:application/pdf;base64,JVBERi0xLjQ='), but "
            "got an invalid base64-encoded value.",
            "invalid_base64",
            param,
        )
    if not data:
        raise Invalid(f"Invalid '{param}': the file is empty.", "empty_file", param)
    return Inline((head["type"] or "").lower() if head else "", data)


def _decoded(text: str, start: int) -> bytes | None:
    try:
        return base64.b64decode(text[start:].encode("ascii"), validate=True)
    except (binascii.Error, ValueError):
        return None


def _expected(param: str, got: str) -> str:
    return (
        f"Invalid '{param}'. Expected a base64-encoded data URL with an image MIME type (e.g. "
        f"'data:image/png;base64,aW1nIGJ5dGVzIGhlcmU='), but got {got}."
    )
