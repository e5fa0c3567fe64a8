"""`/v1/completions`."""

from freehold.http.app import Path
from freehold.http.endpoint import generation
from freehold.services.answering import Answering
from freehold.surfaces.completions import COMPLETIONS


def paths(answering: Answering, max_body: int) -> list[Path]:
    """The paths of the resource. `max_body` is in bytes."""
    return [Path("POST", "/v1/completions", generation(COMPLETIONS, answering, max_body))]
