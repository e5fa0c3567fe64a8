"""Chat Completions as a surface."""

from freehold.core.surface import Surface
from freehold.surfaces.chat.objects import frame
from freehold.surfaces.chat.project import project
from freehold.surfaces.chat.request import ChatBody, parse, unknown_model

CHAT = Surface(
    path="/v1/chat/completions",
    prefix="chatcmpl-",
    conversation="messages",
    format="response_format",
    effort="reasoning_effort",
    logprobs="logprobs",
    body=ChatBody,
    parse=parse,
    project=project,
    frame=frame,
    unknown_model=unknown_model,
    last=b"data: [DONE]\n\n",
)
