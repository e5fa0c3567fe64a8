"""The images and files of an input: what each must name, and where in the request it stands."""

from collections.abc import Iterator, Sequence

from freehold.core.errors import Invalid
from freehold.core.items import CustomToolCallOutput, FunctionCallOutput, InputFile, InputImage, Item, Message, Part

_SOURCES = {InputImage: ("image_url", "file_id"), InputFile: ("file_id", "file_data", "file_url")}


def check_sources(part: Part, path: str) -> None:
    """Raise Invalid unless an image or file, at `path`, comes from exactly one place."""
    if not isinstance(part, InputImage | InputFile):
        return
    sources = _SOURCES[type(part)]
    given = [name for name in sources if getattr(part, name) is not None]
    if not given:
        param = f"{path}.{sources[0]}"
        raise Invalid(f"Missing required parameter: '{param}'.", "missing_required_parameter", param)
    if len(given) > 1:
        listed = " and ".join(f"'{path}.{name}'" for name in given)
        either = " or ".join(f"'{name}'" for name in given)
        raise Invalid(
            f"Mutually exclusive parameters: {listed}. Ensure you are only providing one of: {either}.",
            "mutually_exclusive_parameters",
            f"{path}.{given[1]}",
        )


def places(items: Sequence[Item], path: str) -> dict[InputImage | InputFile, str]:
    """Return the path of the source of each image and file in the items that stand at `path`."""
    found: dict[InputImage | InputFile, str] = {}
    for index, item in enumerate(items):
        for part, place in _parts(item, f"{path}[{index}]"):
            if isinstance(part, InputImage | InputFile):
                source = next(name for name in _SOURCES[type(part)] if getattr(part, name) is not None)
                found.setdefault(part, f"{place}.{source}")
    return found


def _parts(item: Item, path: str) -> Iterator[tuple[Part, str]]:
    if isinstance(item, Message):
        for index, part in enumerate(item.content):
            yield part, f"{path}.content[{index}]"
    elif isinstance(item, FunctionCallOutput | CustomToolCallOutput) and not isinstance(item.output, str):
        for index, part in enumerate(item.output):
            yield part, f"{path}.output[{index}]"
