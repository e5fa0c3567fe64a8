"""The graphics cards that this build of llama.cpp computes with."""

from collections.abc import Iterable, Mapping
from typing import Any

_CARDS = ("_GPU", "_IGPU")


def cards(devices: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the cards among the devices that llama.cpp lists, each with its memory in GiB.

    Each device has a `description`, a `memory_total` in bytes, and a `type`, an enumeration of ggml's.
    """
    return [
        f"{one['description']} ({one['memory_total'] / 1024**3:.0f} GiB)"
        for one in devices
        if str(one["type"].name).endswith(_CARDS)
    ]
