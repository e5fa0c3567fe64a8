"""The Responses API as a surface."""

from freehold.core.surface import Surface
from freehold.surfaces.responses.objects import frame
from freehold.surfaces.responses.project import project
from freehold.surfaces.responses.request import ResponseBody, parse, unknown_model

RESPONSES = Surface(
    path="/v1/responses",
    prefix="resp_",
    conversation="input",
    format="text.format",
    effort="reasoning.effort",
    logprobs="top_logprobs",
    body=ResponseBody,
    parse=parse,
    project=project,
    frame=frame,
    unknown_model=unknown_model,
)
