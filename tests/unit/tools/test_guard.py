"""The outbound guard: what it refuses, and how it fetches the rest."""

import asyncio
import ipaddress
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from freehold.core.errors import Invalid
from freehold.tools.guard import Guard, is_public

PARAM = "input[0].content[0].image_url"
OK = b"HTTP/1.1 200 OK\r\nconnection: close\r\n"
Resolve = Callable[[str, int], Awaitable[list[str]]]


def resolving(*addresses: str) -> tuple[Resolve, list[str]]:
    """A resolver that gives one address after the other, and what it was asked."""
    asked: list[str] = []

    async def resolve(host: str, port: int) -> list[str]:
        asked.append(f"{host}:{port}")
        return [addresses[min(len(asked), len(addresses)) - 1]]

    return resolve, asked


@asynccontextmanager
async def serving(*answers: bytes) -> AsyncIterator[tuple[str, list[str]]]:
    """A server on loopback that gives one answer after the other; yields its address and the heads that it was sent."""
    heads: list[str] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
        writer.write(answers[min(len(heads), len(answers)) - 1])
        try:
            await writer.drain()
        finally:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}", heads


def refused(url: str, guard: Guard | None = None, limit: int = 1000) -> Invalid:
    async def main() -> None:
        await (guard or Guard(seconds=2)).fetch(url, PARAM, limit)

    with pytest.raises(Invalid) as caught:
        asyncio.run(main())
    assert caught.value.param == PARAM
    return caught.value


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.com/a",
        "file:///etc/passwd",
        "gopher://example.com/",
        "//example.com/a",
        "nonsense",
        "",
        "http://",
        "http:///a",
        "http://user:password@example.com/",
        "http://user@example.com/",
        "http://example.com\\@127.0.0.1/",
        "http://example.com:22/",
        "http://example.com:8080/",
        "http://127.0.0.1/",
        "http://127.0.0.1:80/",
        "http://127.1/",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://0x7f.0.0.1/",
        "http://0177.0.0.1/",
        "http://0/",
        "http://1.1.1.1./",
        "http://①②⑦.⓪.⓪.①/",
        "http://localhost/",
        "http://LOCALHOST./",
        "http://0.0.0.0/",
        "http://10.0.0.1/",
        "http://172.16.0.1/",
        "http://192.168.1.1/",
        "http://169.254.169.254/latest/meta-data/",
        "http://100.64.0.1/",
        "http://192.0.0.8/",
        "http://224.0.0.1/",
        "http://255.255.255.255/",
        "http://[::]/",
        "http://[::1]/",
        "http://[::ffff:10.0.0.1]/",
        "http://[::ffff:1.1.1.1]/",
        "http://[::7f00:1]/",
        "http://[64:ff9b::7f00:1]/",
        "http://[64:ff9b:1::1]/",
        "http://[2002:7f00:1::]/",
        "http://[2001:0:7f00:1::]/",
        "http://[2001:db8::1]/",
        "http://[fe80::1]/",
        "http://[fe80::1%25lo]/",
        "http://[fc00::1]/",
        "http://[fec0::1]/",
        "http://[ff02::1]/",
        "http://" + "a" * 9000,
    ],
)
def test_what_is_not_plainly_public_is_refused(url: str) -> None:
    fault = refused(url)
    assert fault.code in ("invalid_image_url", "failed_to_download_image")
    assert len(fault.message) < 400


@pytest.mark.parametrize("address", ["1.1.1.1", "93.184.216.34", "2606:4700:4700::1111", "2a00:1450:4001::1"])
def test_the_public_internet_is_public(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", ["127.0.0.1", "10.1.2.3", "::1", "fd00::1", "169.254.169.254"])
def test_a_public_name_with_a_private_address_is_refused(address: str) -> None:
    resolve, _ = resolving(address)
    assert "not on the public internet" in refused("https://example.com/", Guard(resolve=resolve)).message


def test_one_private_address_among_public_ones_is_enough() -> None:
    async def resolve(host: str, port: int) -> list[str]:
        return ["1.1.1.1", "10.0.0.1"]

    assert refused("https://example.com/", Guard(resolve=resolve)).code == "invalid_image_url"


def test_a_name_is_resolved_once_and_that_address_is_taken() -> None:
    async def main() -> None:
        async with serving(OK + b"content-type: Image/PNG; x=y\r\n\r\nabc") as (address, heads):
            port = address.rpartition(":")[2]
            resolve, asked = resolving("127.0.0.1", "203.0.113.1")
            guard = Guard([f"Files.test:{port}"], resolve)
            fetched = await guard.fetch(f"http://files.test:{port}/a%20b.png?x=1", PARAM, 1000)
            assert (fetched.data, fetched.type) == (b"abc", "image/png")
            assert fetched.url == f"http://files.test:{port}/a%20b.png?x=1"
            assert asked == [f"files.test:{port}"]
            assert heads[0].startswith("GET /a%20b.png?x=1 HTTP/1.1\r\n")
            assert f"host: files.test:{port}\r\n" in heads[0].lower()

    asyncio.run(main())


def test_only_the_named_port_is_allowed() -> None:
    assert refused("http://127.0.0.1:81/", Guard(["127.0.0.1:82"])).code == "invalid_image_url"


def moved(address: str) -> bytes:
    return f"HTTP/1.1 302 Found\r\nlocation: http://{address}/\r\nconnection: close\r\n\r\n".encode()


def test_a_redirect_is_followed_and_checked_again() -> None:
    async def main() -> None:
        async with serving(OK + b"\r\nhere") as (end, _), serving(moved(end)) as (start, _):
            assert (await Guard([start, end]).fetch(f"http://{start}/", PARAM, 10)).data == b"here"
            with pytest.raises(Invalid, match="port"):
                await Guard([start]).fetch(f"http://{start}/", PARAM, 10)
        async with serving(moved("169.254.169.254")) as (start, _):
            with pytest.raises(Invalid, match="not on the public internet"):
                await Guard([start]).fetch(f"http://{start}/", PARAM, 10)
        async with serving(b"HTTP/1.1 302 Found\r\nlocation: /again\r\nconnection: close\r\n\r\n") as (start, heads):
            with pytest.raises(Invalid, match="redirected more than 3 times"):
                await Guard([start]).fetch(f"http://{start}/", PARAM, 10)
            assert len(heads) == 4

    asyncio.run(main())


@pytest.mark.parametrize(
    ("answer", "reason", "code"),
    [
        (
            b"HTTP/1.1 404 Not Found\r\nconnection: close\r\n\r\n",
            "upstream status code: 404",
            "failed_to_download_image",
        ),
        (OK + b"\r\n" + b"x" * 2000, "larger than", "image_too_large"),
        (OK + b"content-length: 99999999\r\n\r\n" + b"x" * 2000, "larger than", "image_too_large"),
        (OK + b"content-encoding: gzip\r\n\r\nabc", "compressed", "failed_to_download_image"),
        (b"HTTP/1.1 302 Found\r\nlocation: http://[\r\nconnection: close\r\n\r\n", "valid URL", "invalid_image_url"),
        (b"nonsense", "does not answer", "failed_to_download_image"),
    ],
)
def test_a_server_that_gives_something_else(answer: bytes, reason: str, code: str) -> None:
    async def main() -> None:
        async with serving(answer) as (address, _):
            with pytest.raises(Invalid, match=reason) as caught:
                await Guard([address]).fetch(f"http://{address}/", PARAM, 1000)
            assert caught.value.code == code

    asyncio.run(main())


def test_a_server_that_dribbles_is_given_up() -> None:
    gone = asyncio.Event()

    async def dribble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        left = asyncio.create_task(reader.read())
        writer.write(OK + b"\r\n")
        while not left.done():
            writer.write(b"x")
            await asyncio.sleep(0.02)
        writer.close()
        gone.set()

    async def main() -> None:
        async with await asyncio.start_server(dribble, "127.0.0.1", 0) as server:
            address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
            with pytest.raises(Invalid, match=r"longer than 0\.3 seconds"):
                await Guard([address], seconds=0.3).fetch(f"http://{address}/", PARAM, 1_000_000)
            async with asyncio.timeout(5):
                await gone.wait()

    asyncio.run(main())


def test_a_file_s_faults_speak_of_files() -> None:
    async def main() -> None:
        async with serving(OK + b"\r\n" + b"x" * 20) as (address, _):
            with pytest.raises(Invalid) as caught:
                await Guard([address]).fetch(f"http://{address}/", PARAM, 10, "file")
            assert caught.value.code == "file_too_large"

    asyncio.run(main())


def test_what_is_sent_arrives_at_the_checked_address_and_a_redirect_is_only_an_answer() -> None:
    async def main() -> None:
        async with serving(moved("169.254.169.254"), OK + b"\r\nthe body is not read") as (address, heads):
            port = int(address.rpartition(":")[2])
            resolve, asked = resolving("127.0.0.1", "8.8.8.8")
            guard = Guard([f"hook.test:{port}"], resolve)
            assert await guard.post(f"http://hook.test:{port}/a?b", b"{}", {"webhook-id": "wh_1"}, 2, "url") == 302
            assert asked == [f"hook.test:{port}"]
            guard = Guard([address])
            assert await guard.post(f"http://{address}/", b"{}", {}, 2, "url") == 200
        assert heads[0].startswith("POST /a?b HTTP/1.1\r\n")
        assert f"host: hook.test:{port}\r\n" in heads[0].lower()
        assert "webhook-id: wh_1\r\n" in heads[0].lower()

    asyncio.run(main())


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "::ffff:8.8.8.8"])
def test_nothing_is_sent_to_a_private_address(address: str) -> None:
    async def main() -> None:
        guard = Guard(resolve=resolving(address)[0])
        for attempt in (
            guard.post("https://hook.test/", b"", {}, 2, "url"),
            guard.check_target("https://a.test", "url"),
        ):
            with pytest.raises(Invalid, match="not on the public internet") as caught:
                await attempt
            assert (caught.value.code, caught.value.param) == ("invalid_url", "url")

    asyncio.run(main())


def test_who_does_not_answer_is_named_without_the_path() -> None:
    async def main() -> None:
        async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read()
            writer.close()

        async with await asyncio.start_server(hang, "127.0.0.1", 0) as server:
            address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
            with pytest.raises(Invalid, match=r"longer than 0\.2 seconds") as caught:
                await Guard([address]).post(f"http://{address}/t0ken", b"", {}, 0.2, "url")
            assert "t0ken" not in caught.value.message
            assert caught.value.code == "unreachable_url"
        with pytest.raises(Invalid, match="the server does not answer"):
            await Guard([address]).post(f"http://{address}/t0ken", b"", {}, 2, "url")

    asyncio.run(main())


def test_a_target_is_https_or_let_through_and_may_not_be_known_yet() -> None:
    async def unknown(host: str, port: int) -> list[str]:
        raise OSError("no such host")

    async def main() -> None:
        await Guard(resolve=unknown).check_target("https://later.test/", "url")
        await Guard(["127.0.0.1:81"]).check_target("http://127.0.0.1:81/", "url")
        with pytest.raises(Invalid, match="expected an https URL"):
            await Guard(resolve=unknown).check_target("http://later.test/", "url")

    asyncio.run(main())
