"""Legacy Completions as a surface: texts that are continued as they are."""

from freehold.core.surface import Surface
from freehold.surfaces.completions.objects import frame
from freehold.surfaces.completions.project import project
from freehold.surfaces.completions.request import CompletionBody, parse, unknown_model

COMPLETIONS = Surface(
    path="/v1/completions",
    prefix="cmpl-",
    conversation="prompt",
    format="",
    effort="",
    logprobs="logprobs",
    body=CompletionBody,
    parse=parse,
    project=project,
    frame=frame,
    unknown_model=unknown_model,
    last=b"data: [DONE]\n\n",
)
