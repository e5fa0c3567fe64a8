"""Who is asking: the project that owns what a request makes, and the key that it came with."""

from msgspec import Struct


class Principal(Struct, frozen=True):
    """The caller of a request. No object of another project is ever visible to it.

    `owner` lets the key change what the whole server offers, as the owner role of the real API does. `request` is
    the id of the request, None where no request from outside is behind it.
    """

    project: str
    key: str
    owner: bool = False
    request: str | None = None
