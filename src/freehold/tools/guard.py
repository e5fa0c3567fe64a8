"""The outbound guard: the only way to a URL that a caller names.

It refuses whatever is not plainly on the public internet, resolves each name once and connects to exactly the address
that it checked.
"""

import asyncio
import ipaddress
import re
import socket
import ssl
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, partial
from typing import Literal

import httpx2
from msgspec import Struct

from freehold.core.errors import Invalid

SECONDS = 15.0
MOST_REDIRECTS = 3
LONGEST_URL = 8_192
LONGEST_SHOWN = 200
PORTS = {"http": 80, "https": 443}

_RESOLVERS = 16

_NO_URL = "expected a valid URL, but got a value with an invalid format."
_REDIRECTS = (301, 302, 303, 307, 308)
_NUMERIC = re.compile(r"(0x[0-9a-f]*|[0-9]+)", re.IGNORECASE)
_IPV6_PUBLIC = ipaddress.IPv6Network("2000::/3")
# Inside 2000::/3, what is special or carries an IPv4 address: Teredo and its neighbours, 6to4, documentation.
_IPV6_SPECIAL = tuple(map(ipaddress.IPv6Network, ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")))
_IPV4_SPECIAL = tuple(map(ipaddress.IPv4Network, ("192.0.0.0/24", "192.88.99.0/24", "100.64.0.0/10")))

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int], Awaitable[Collection[str]]]
"""Returns the addresses of a host name; raises OSError when it has none."""
What = Literal["image", "file"]


class Fetched(Struct, frozen=True):
    """What a URL gave: its bytes, its content type without parameters, and the URL that it came from at last."""

    data: bytes
    type: str
    url: str


class Guard:
    """Fetches URLs that callers name, and sends to them."""

    def __init__(self, allow: Collection[str] = (), resolve: Resolve | None = None, seconds: float = SECONDS) -> None:
        """`allow` are `host:port` pairs that are let through whatever they are; `seconds` bounds a whole fetch."""
        self._allow = frozenset(one.lower() for one in allow)
        # Names may take long to resolve: that must not hold up whatever else the loop's own threads are for.
        self._names = ThreadPoolExecutor(_RESOLVERS, "names")
        self._resolve = resolve or self._look_up
        self._seconds = seconds

    async def fetch(self, url: str, param: str, limit: int, what: What = "image") -> Fetched:
        """Return what `url` gives, at most `limit` bytes of it.

        Raises Invalid that names `param` for a URL that is refused, does not answer in time or gives too much.
        """
        shown = url if len(url) <= 200 else url[:200] + "…"
        try:
            async with asyncio.timeout(self._seconds):
                return await self._follow(url, limit)
        except TimeoutError:
            reason = f"it took longer than {self._seconds:g} seconds"
        except _Forbidden as refusal:
            raise Invalid(f"Invalid '{param}': {refusal}", f"invalid_{what}_url", param) from None
        except _TooLong:
            megabytes = f"{limit / 1e6:g} MB"
            raise Invalid(
                f"Error while downloading {shown}: the {what} is larger than {megabytes}.", f"{what}_too_large", param
            ) from None
        except _Failed as failure:
            reason = str(failure)
        raise Invalid(f"Error while downloading {shown}: {reason}.", f"failed_to_download_{what}", param)

    async def check_target(self, url: str, param: str) -> None:
        """Check that `post` may send to `url`: it is https, or let through, and leads to the public internet.

        A name that is not known now may be known later, and passes. Raises Invalid that names `param`.
        """
        try:
            target = self._check(url)
            if target.scheme != "https" and not self._allowed(target):
                raise _Forbidden("expected an https URL.")
            async with asyncio.timeout(self._seconds):
                await self._address(target)
        except _Forbidden as refusal:
            raise Invalid(f"Invalid '{param}': {refusal}", "invalid_url", param) from None
        except (_Failed, TimeoutError):
            return

    async def post(self, url: str, body: bytes, headers: Mapping[str, str], seconds: float, param: str) -> int:
        """Send `body` to `url` and return the status of the answer. A redirect is an answer, and is not followed.

        Raises Invalid that names `param` for a URL that is refused or does not answer within `seconds`.
        """
        try:
            async with asyncio.timeout(seconds):
                target = self._check(url)
                address = await self._address(target)
                return await _post(target, address, body, headers, self._trusted)
        except TimeoutError:
            reason = f"it took longer than {seconds:g} seconds"
        except _Forbidden as refusal:
            raise Invalid(f"Invalid '{param}': {refusal}", "invalid_url", param) from None
        except _Failed as failure:
            reason = str(failure)
        raise Invalid(f"The URL could not be reached: {reason}.", "unreachable_url", param)

    async def _follow(self, url: str, limit: int) -> Fetched:
        for _ in range(MOST_REDIRECTS + 1):
            target = self._check(url)
            address = await self._address(target)
            answer = await _get(target, address, limit, self._trusted)
            if isinstance(answer, Fetched):
                return answer
            url = answer
        raise _Failed(f"it was redirected more than {MOST_REDIRECTS} times")

    def _check(self, url: str) -> httpx2.URL:
        """Check everything of a URL that can be seen without resolving it."""
        if len(url) > LONGEST_URL:
            raise _Forbidden(f"the URL is longer than {LONGEST_URL} characters.")
        try:
            target = httpx2.URL(url)
        except httpx2.InvalidURL:
            raise _Forbidden(_NO_URL) from None
        if target.scheme not in PORTS or not target.host:
            raise _Forbidden("expected an http or https URL.")
        if "%" in target.host:
            raise _Forbidden(_NO_URL)
        if target.userinfo:
            raise _Forbidden("the URL must not carry a user name or password.")
        if self._allowed(target):
            return target
        if (target.port or PORTS[target.scheme]) not in PORTS.values():
            raise _Forbidden(f"port {target.port} is not allowed: only 80 and 443 are.")
        last = target.host.rstrip(".").rpartition(".")[2]
        if ":" not in target.host and _NUMERIC.fullmatch(last) and not _is_plain_ipv4(target.host):
            raise _Forbidden("the host is a number that is no IP address in its usual form.")
        return target

    async def _address(self, target: httpx2.URL) -> Address:
        """Resolve the host, once. One address that is not public condemns them all."""
        port = target.port or PORTS[target.scheme]
        try:
            found = [ipaddress.ip_address(one) for one in await self._resolve(target.host, port)]
        except (OSError, UnicodeError, ValueError):
            found = []
        if not found:
            raise _Failed(f"the host {target.host} is not known")
        if not self._allowed(target) and not all(map(is_public, found)):
            raise _Forbidden(f"the host {target.host} is not on the public internet.")
        return found[0]

    async def _look_up(self, host: str, port: int) -> Collection[str]:
        ask = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
        found = await asyncio.get_running_loop().run_in_executor(self._names, ask)
        return [str(one[4][0]) for one in found]

    @cached_property
    def _trusted(self) -> ssl.SSLContext:
        # To load the certificates costs twenty times as much as a request.
        return httpx2.create_ssl_context(trust_env=False)

    def _allowed(self, target: httpx2.URL) -> bool:
        return f"{target.host}:{target.port or PORTS[target.scheme]}".lower() in self._allow


class _Forbidden(Exception):
    """The URL is one that must not be fetched."""


class _Failed(Exception):
    """The other side did not give what was asked for."""


class _TooLong(Exception):
    """The other side gave more than was allowed."""


def is_public(address: Address) -> bool:
    """Whether an address is of the public internet, and carries no other address inside."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.scope_id is not None or address not in _IPV6_PUBLIC:
            return False
        return not any(address in network for network in _IPV6_SPECIAL)
    if any(address in network for network in _IPV4_SPECIAL):
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved)


def _is_plain_ipv4(host: str) -> bool:
    try:
        ipaddress.IPv4Address(host)
    except ValueError:
        return False
    return True


async def _get(target: httpx2.URL, address: Address, limit: int, trusted: ssl.SSLContext) -> Fetched | str:
    """Ask one server, at this address only; return what it gives, or the URL that it names instead."""
    headers = {"host": target.netloc.decode("ascii"), "accept-encoding": "identity", "user-agent": "freehold"}
    async with _client(trusted) as client:
        pinned = target.copy_with(host=str(address))
        try:
            async with client.stream(
                "GET", pinned, headers=headers, extensions={"sni_hostname": target.host}
            ) as answer:
                if answer.status_code in _REDIRECTS and "location" in answer.headers:
                    return str(target.join(answer.headers["location"]))
                if answer.status_code != httpx2.codes.OK:
                    raise _Failed(f"upstream status code: {answer.status_code}")
                if answer.headers.get("content-encoding", "identity") != "identity":
                    raise _Failed("it came compressed, though that was not asked for")
                data = bytearray()
                async for chunk in answer.aiter_raw():
                    data += chunk
                    if len(data) > limit:
                        raise _TooLong
                kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
                return Fetched(bytes(data), kind, str(target))
        except httpx2.InvalidURL:
            raise _Failed("it was redirected to something that is no URL") from None
        except httpx2.HTTPError as error:
            raise _Failed(_reason(error)) from None


async def _post(
    target: httpx2.URL, address: Address, body: bytes, headers: Mapping[str, str], trusted: ssl.SSLContext
) -> int:
    """Send to one server, at this address only; nothing but the status of its answer is read."""
    headers = {**headers, "host": target.netloc.decode("ascii"), "user-agent": "freehold"}
    async with _client(trusted) as client:
        pinned = target.copy_with(host=str(address))
        sni = {"sni_hostname": target.host}
        try:
            async with client.stream("POST", pinned, content=body, headers=headers, extensions=sni) as answer:
                return answer.status_code
        except httpx2.HTTPError as error:
            raise _Failed(_reason(error)) from None


def _client(trusted: ssl.SSLContext) -> httpx2.AsyncClient:
    # The environment's proxies would resolve the name again, and go where the check did not.
    return httpx2.AsyncClient(verify=trusted, trust_env=False, follow_redirects=False, timeout=SECONDS)


def _reason(error: Exception) -> str:
    causes = [type(one).__name__ for one in _chain(error)]
    return "its certificate is not trusted" if "SSLCertVerificationError" in causes else "the server does not answer"


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
