"""`/v1/chat/completions`."""

from freehold.http.app import Path
from freehold.http.endpoint import generation
from freehold.services.answering import Answering
from freehold.surfaces.chat import CHAT


def paths(answering: Answering, max_body: int) -> list[Path]:
    """The paths of the resource. `max_body` is in bytes."""
    return [Path("POST", "/v1/chat/completions", generation(CHAT, answering, max_body))]
