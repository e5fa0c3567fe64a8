"""What a chain of stored responses holds, for the tests."""

from freehold.storage.repos.items import ItemRow
from freehold.storage.repos.responses import ResponseRows


async def history(rows: ResponseRows, response_id: str) -> list[ItemRow] | None:
    """The items of a chain of the project `p`, those of all its responses together; None where there is none."""
    links = await rows.history("p", response_id)
    return None if links is None else [one for link in links for one in link.items or ()]
