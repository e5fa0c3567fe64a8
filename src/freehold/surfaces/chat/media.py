"""The image and file parts of a message, and what they become."""

from typing import Any, Literal

from msgspec import Struct

from freehold.core.errors import Invalid
from freehold.core.items import InputFile, InputImage


class ImageUrl(Struct, frozen=True, forbid_unknown_fields=True):
    """Where an image is: at a URL, also a `data:` one. `detail` is how closely it is looked at."""

    url: str
    detail: Literal["auto", "low", "high"] | None = None


class ImagePart(Struct, frozen=True, tag="image_url", forbid_unknown_fields=True):
    """An image."""

    image_url: ImageUrl


class AudioPart(Struct, frozen=True, tag="input_audio", forbid_unknown_fields=True):
    """Audio; refused by models without ears."""

    input_audio: dict[str, Any]


class GivenFile(Struct, frozen=True, forbid_unknown_fields=True):
    """A file: as base64, with its name, or as an uploaded one."""

    file_data: str | None = None
    file_id: str | None = None
    filename: str | None = None


class FilePart(Struct, frozen=True, tag="file", forbid_unknown_fields=True):
    """A file."""

    file: GivenFile


def media(part: ImagePart | FilePart, path: str) -> tuple[InputImage | InputFile, str]:
    """Return what the part at `path` brings in, and the path of its source. Raises Invalid unless it has just one."""
    if isinstance(part, ImagePart):
        given = part.image_url
        return InputImage(image_url=given.url, detail=given.detail or "auto"), f"{path}.image_url.url"
    file, path = part.file, f"{path}.file"
    if file.file_data is None and file.file_id is None:
        raise Invalid(f"Missing required parameter: '{path}.file_id'.", "missing_required_parameter", f"{path}.file_id")
    if file.file_data is not None and file.file_id is not None:
        raise Invalid(
            f"Mutually exclusive parameters: '{path}.file_data' and '{path}.file_id'. Ensure you are only providing "
            "one of: 'file_data' or 'file_id'.",
            "mutually_exclusive_parameters",
            f"{path}.file_id",
        )
    source = "file_data" if file.file_id is None else "file_id"
    return InputFile(file_id=file.file_id, file_data=file.file_data, filename=file.filename), f"{path}.{source}"
