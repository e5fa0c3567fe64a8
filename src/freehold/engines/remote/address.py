"""Where an upstream listens."""

from urllib.parse import urlsplit

from msgspec import Struct


class Address(Struct, frozen=True):
    """The parts of an upstream's URL. `path` is what stands before `/chat/completions`, usually `/v1`."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def root(self) -> str:
        """The path without the API's version: where servers keep what is their own."""
        return self.path.removesuffix("/v1")

    @property
    def authority(self) -> str:
        """Host and port as they stand in a URL, the port only where it is unusual."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        usual = {"http": 80, "https": 443}[self.scheme]
        return host if self.port == usual else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.path}"


def address(url: str) -> Address:
    """Read a URL. Raises ValueError, without the URL's secrets, for one that is none or carries a key."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError("its url is not a URL") from None
    if parts.username is not None or parts.password is not None or parts.query:
        raise ValueError("its url carries a key or a query: name the key with key_env or key_file")
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.fragment:
        raise ValueError('its url must look like "http://host:8001/v1"')
    usual = 80 if parts.scheme == "http" else 443
    return Address(parts.scheme, parts.hostname, usual if port is None else port, parts.path.rstrip("/"))
