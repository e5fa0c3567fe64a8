"""Pages of lists that can be read in both directions."""

from collections.abc import Sequence
from typing import Any, Literal

from msgspec import Struct
from sqlalchemy import ColumnElement, Connection, Select

Order = Literal["asc", "desc"]


class Window(Struct, frozen=True, kw_only=True):
    """Which part of a list is wanted: at most `limit` rows behind `after` and before `before`, in this `order`."""

    limit: int = 20
    order: Order = "desc"
    after: str | None = None
    before: str | None = None


def seen_through(
    connection: Connection,
    statement: Select[Any],
    number: ColumnElement[int],
    window: Window,
    after: int | None,
    before: int | None,
) -> tuple[Sequence[Any], bool]:
    """Return the rows in the window, and whether there are more of them; `after` and `before` are rows' numbers.

    With `before` alone, they are those right before it.
    """
    up = window.order == "asc"
    if after is not None:
        statement = statement.where(number > after if up else number < after)
    if before is not None:
        statement = statement.where(number < before if up else number > before)
    back = before is not None and after is None
    ordered = statement.order_by(number if up != back else number.desc()).limit(window.limit + 1)
    rows = connection.execute(ordered).mappings().all()
    more, rows = len(rows) > window.limit, rows[: window.limit]
    return (rows[::-1] if back else rows), more
