"""`/v1/completions`."""

from freehold.http.endpoint import generation
from freehold.http.paths import Path
from freehold.services.answering import Answering
from freehold.surfaces.completions import COMPLETIONS
from freehold.surfaces.completions.request import CompletionBody


def paths(answering: Answering, max_body: int) -> list[Path]:
    """The paths of the resource. `max_body` is in bytes."""
    return [Path("POST", "/v1/completions", generation(COMPLETIONS, answering, max_body), CompletionBody)]
