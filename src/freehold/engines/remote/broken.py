"""How an exchange with an upstream can break."""


class Broken(Exception):
    """An exchange that broke. `stale` says that its connection was an old one that the other side had closed."""

    def __init__(self, why: str, stale: bool = False) -> None:
        super().__init__(why)
        self.why = why
        self.stale = stale


class Unreachable(Broken):
    """There was no connection."""


class Silent(Broken):
    """The upstream said nothing for too long."""


class Cut(Broken):
    """The connection ended before the answer did."""


class Garbled(Broken):
    """What came is not what it should be."""
