"""What a search may be narrowed down to, by the attributes of files."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

Comparison = Literal["eq", "ne", "gt", "gte", "lt", "lte", "in", "nin"]
Junction = Literal["and", "or"]
Whole = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
Value = str | bool | Whole | float


class Filter(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A comparison of the attribute `key` with `value`, or a junction of `filters`.

    Texts, numbers and flags are never equal to each other, and `gt`, `gte`, `lt` and `lte` compare numbers only. A file
    without the attribute is kept by `ne` and `nin`, and by no other comparison.
    """

    type: Comparison | Junction
    key: str | None = None
    value: Value | tuple[Value, ...] | None = None
    filters: "tuple[Filter, ...] | None" = None
