"""Every error that a caller may see, as one tree.

Fault
├── Invalid        the request is wrong: malformed, out of range, too long
├── Unsupported    a documented parameter or value that cannot work here
├── NotFound       no such object, model or URL (for this project)
├── Conflict       the object is in a state that forbids the call
├── Denied         no key, a wrong key, or a key without the right
├── TooLarge       the body is larger than the server takes
├── Limited        a limit of the key or project is reached
├── EngineBusy     the engine's queue is full, or the server is draining: come back later
├── EngineFailed   the engine broke while it worked; the caller did nothing wrong
│   └── RemoteFailed  that engine is a server elsewhere
└── StorageFailed  the database or blob store cannot be used now

`code` and `param` are OpenAI's; `surfaces/errors.py` alone knows the status of each.
"""


class Fault(Exception):
    """A failure with a message for the caller, OpenAI's `code`, and the path of the parameter at fault."""

    def __init__(self, message: str, code: str | None = None, param: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.param = param


class Invalid(Fault):
    """The request is wrong."""


class Unsupported(Fault):
    """A documented parameter or value that cannot work on this server or engine."""

    def __init__(self, message: str, param: str, code: str = "unsupported_parameter") -> None:
        super().__init__(message, code, param)


class NotFound(Fault):
    """No such object, model or URL for this project."""


class Conflict(Fault):
    """The object is in a state that forbids the call."""


class Denied(Fault):
    """No key, a wrong key, or a key without the right."""


class TooLarge(Fault):
    """The request body is larger than the server takes."""


class Limited(Fault):
    """A limit of the key or project is reached; `retry_after` is in seconds."""

    def __init__(self, message: str, code: str = "rate_limit_exceeded", retry_after: float = 1.0) -> None:
        super().__init__(message, code)
        self.retry_after = retry_after


class EngineBusy(Fault):
    """The engine cannot take the request now; `retry_after` is in seconds."""

    def __init__(self, message: str, code: str = "server_overloaded", retry_after: float = 1.0) -> None:
        super().__init__(message, code)
        self.retry_after = retry_after


class EngineFailed(Fault):
    """The engine broke while it worked on the request."""

    def __init__(self, message: str, code: str = "server_error") -> None:
        super().__init__(message, code)


class RemoteFailed(EngineFailed):
    """The engine is a server elsewhere, and that broke, cannot be reached, or does not keep to its own API."""

    def __init__(self, message: str, code: str = "bad_gateway") -> None:
        super().__init__(message, code)


class StorageFailed(Fault):
    """The database or blob store cannot be used now."""

    def __init__(self, message: str, code: str = "server_error") -> None:
        super().__init__(message, code)
