"""The input file of a batch: its lines, what is wrong with them, and which of their prompts begin alike."""

import hashlib
import zlib
from typing import Annotated

from msgspec import Meta, Raw, Struct

from freehold.core.errors import Fault
from freehold.surfaces.batches import MOST_REQUESTS, BatchError
from freehold.surfaces.decode import Decoder
from freehold.surfaces.jsonl import Line

_DEPTHS = (64, 256, 1024, 4096, 16_384)
_NOTHING = Raw(b"")
_FLAGS = ("stream", "background")


class Request(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A line of the input: a request to be made, and the name that its answer is found by. `body` is JSON."""

    custom_id: Annotated[str, Meta(min_length=1, max_length=512)]
    method: str
    url: str
    body: Raw


class _Glance(Struct, frozen=True):
    """What is looked at in a body before it is its turn. What is raw comes first in its prompt, in this order."""

    model: str | None = None
    stream: bool | None = None
    background: bool | None = None
    previous_response_id: Raw = _NOTHING
    conversation: Raw = _NOTHING
    prompt: Raw = _NOTHING
    tools: Raw = _NOTHING
    functions: Raw = _NOTHING
    instructions: Raw = _NOTHING
    messages: Raw = _NOTHING
    input: Raw = _NOTHING


class Accepted(Struct, frozen=True):
    """A line that will be executed. Those whose prompts begin alike have a `prefix` that does, as far as they do."""

    custom_id: str
    prefix: bytes


class Inspection:
    """Looks at the lines of one file, in their order."""

    def __init__(self, endpoint: str, longest: int) -> None:
        """`endpoint` is that of the batch; a line has at most `longest` bytes. All lines name the same `model`."""
        self.model: str | None = None
        self._endpoint = endpoint
        self._longest = longest
        self._request: Decoder[Request] = Decoder(Request)
        self._glance: Decoder[_Glance] = Decoder(_Glance)
        self._ids: dict[bytes, int] = {}

    @property
    def count(self) -> int:
        """How many lines are fit to be executed."""
        return len(self._ids)

    def look(self, line: Line) -> Accepted | BatchError:
        """Return what is to be known of a line, or the first thing that is wrong with it."""
        if line.text is None:
            return _wrong(line, "line_too_long", f"This line has more than {self._longest} bytes.")
        try:
            line.text.decode()
            request = self._request(line.text)
            glance = self._glance(request.body, "body")
        except UnicodeDecodeError:
            return _wrong(line, "invalid_json_line", "This line is not valid UTF-8.")
        except Fault as fault:
            if fault.code is None:
                return _wrong(line, "invalid_json_line", "This line is not parseable as valid JSON.")
            return _wrong(line, fault.code, fault.message, fault.param)
        return self._about(line, request) or self._inside(line, glance) or self._accept(line, request, glance)

    def _about(self, line: Line, request: Request) -> BatchError | None:
        if "\x00" in request.custom_id:
            return _wrong(line, "invalid_value", "Invalid 'custom_id': it contains a null character.", "custom_id")
        if request.method != "POST":
            return _wrong(line, "invalid_method", "Invalid value for 'method': only 'POST' is supported.", "method")
        if request.url != self._endpoint:
            why = f"The URL of this request is not the endpoint of the batch, which is '{self._endpoint}'."
            return _wrong(line, "invalid_url", why, "url")
        return None

    def _inside(self, line: Line, glance: _Glance) -> BatchError | None:
        for name in _FLAGS:
            if getattr(glance, name):
                why = f"Unsupported parameter: '{name}' is not supported in a batch."
                return _wrong(line, "unsupported_parameter", why, f"body.{name}")
        if not self._ids:
            self.model = glance.model
        if glance.model != self.model:
            why = (
                f"The model of this request, '{glance.model}', is not the model of the first, '{self.model}': a batch "
                "has a single model."
            )
            return _wrong(line, "mismatched_model", why, "body.model")
        return None

    def _accept(self, line: Line, request: Request, glance: _Glance) -> Accepted | BatchError:
        name = hashlib.blake2b(request.custom_id.encode(), digest_size=16).digest()
        first = self._ids.setdefault(name, line.number)
        if first != line.number:
            why = (
                f"The custom_id '{request.custom_id}' is a duplicate of that on line {first}: each must be unique in "
                "the batch."
            )
            return _wrong(line, "duplicate_custom_id", why, "custom_id")
        if self.count > MOST_REQUESTS:
            return _wrong(line, "too_many_tasks", f"The file has more than {MOST_REQUESTS} requests.")
        return Accepted(request.custom_id, _prefix(glance))


def _wrong(line: Line, code: str, message: str, param: str | None = None) -> BatchError:
    return BatchError(code=code, message=message, param=param, line=line.number)


def _prefix(glance: _Glance) -> bytes:
    """Checksums of ever longer beginnings: the more bytes two prompts share, the more checksums."""
    fields = (getattr(glance, name) for name in _Glance.__struct_fields__)
    text = b"".join(bytes(field)[: _DEPTHS[-1]] for field in fields if isinstance(field, Raw))
    sums, before, checksum = bytearray(), 0, 0
    for depth in _DEPTHS:
        checksum = zlib.crc32(text[before:depth], checksum)
        sums += checksum.to_bytes(4)
        before = depth
    return bytes(sums)
