"""How a run unfolds. Every surface, the journal and the final object are folds over these events.

Between `Opened` and `Closed` of an item come its `Grew`, `Annotated` and `Moved`; `Ended` is the last event of every
run.
"""

from typing import Literal

from msgspec import Struct

from freehold.core.deltas import Usage
from freehold.core.errors import Fault
from freehold.core.items import FileCitation, Logprob, Opening

Ending = Literal["completed", "incomplete", "failed", "cancelled"]
Growth = Literal["text", "refusal", "arguments", "thought"]
Reason = Literal["max_output_tokens", "content_filter"]


class Opened(Struct, frozen=True):
    """An output item begins; `index` is its place in the output."""

    index: int
    item: Opening


class Grew(Struct, frozen=True):
    """The open item at `index` grew by `delta`: a message's text or refusal, a call's arguments, a thought."""

    index: int
    delta: str
    kind: Growth = "text"
    logprobs: tuple[Logprob, ...] = ()


class Annotated(Struct, frozen=True):
    """The open text of the message at `index` has a note; it counts as one of the text's, in their order."""

    index: int
    annotation: FileCitation


class Moved(Struct, frozen=True):
    """The open call at `index`, which the server carries out itself, came to its next stage."""

    index: int
    status: Literal["searching", "completed"]


class Closed(Struct, frozen=True):
    """The item at `index` is final."""

    index: int
    item: Opening


class Ended(Struct, frozen=True, kw_only=True):
    """The run is over. `reason` says why it is incomplete, `error` why it failed."""

    status: Ending
    usage: Usage = Usage()
    reason: Reason | None = None
    error: Fault | None = None


class Chosen(Struct, frozen=True):
    """An event of one of several answers that are given side by side; their runs end with one `Ended` for all."""

    choice: int
    event: "Step"


Step = Opened | Grew | Annotated | Moved | Closed | Ended
Event = Step | Chosen
