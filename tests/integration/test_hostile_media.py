"""Images and URLs that are made to break the server, or to lead it to where it must not go."""

import base64
import io
import struct
import threading
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from PIL import Image

from tests.hostile import Answer, Ask, check_log, image, post, said
from tests.servers import Server, http_client, running_server


class Redirecting(BaseHTTPRequestHandler):
    """Sends whoever asks for `/URL` on to that URL."""

    def do_GET(self) -> None:
        self.send_response(302)
        self.send_header("location", self.path[1:])
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def redirecting() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Redirecting) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        serving.join()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, redirecting: str) -> Iterator[Server]:
    """Repeats what it is told, takes images, and may fetch from one place of this machine."""
    folder = tmp_path_factory.mktemp("server")
    settings = folder / "freehold.toml"
    settings.write_text(
        f'[outbound]\nallow = ["{redirecting}"]\n[[engines]]\nname = "script"\nkind = "script"\nvision = "native"\n'
    )
    with running_server(folder, "--config", str(settings)) as running:
        yield running
        check_log(running)


@pytest.fixture
def ask(server: Server) -> Iterator[Callable[[Ask], Answer]]:
    with http_client(server) as client:
        yield partial(post, server, client)


def png(width: int, height: int, data: bytes) -> bytes:
    """A PNG file of these dimensions, with any image data."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def zeros(megabytes: int) -> bytes:
    """That many zeros, a thousandth as long."""
    packer = zlib.compressobj()
    return b"".join([*(packer.compress(bytes(1 << 20)) for _ in range(megabytes)), packer.flush()])


def gif(frames: int) -> bytes:
    made = io.BytesIO()
    picture = Image.new("P", (2_000, 2_000))
    picture.save(made, "GIF", save_all=True, append_images=[picture] * frames)
    return made.getvalue()


def inline(data: bytes, kind: str = "image/png") -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


@pytest.mark.parametrize(
    ("url", "code"),
    [
        pytest.param(lambda: inline(png(50_000, 50_000, zlib.compress(b"x"))), "image_too_large", id="dimensions"),
        pytest.param(lambda: inline(png(2**31 - 1, 2**31 - 1, b"")), "image_too_large", id="no data"),
        pytest.param(lambda: inline(png(10, 10, b"no zlib")), "image_parse_error", id="broken"),
        pytest.param(lambda: inline(b"%PDF-1.4"), "unsupported_image_media_type", id="a PDF"),
        pytest.param(lambda: inline(b"<svg onload='x'/>", "image/svg+xml"), "unsupported_image_media_type", id="SVG"),
        pytest.param(lambda: inline(b"x", "text/html"), "invalid_value", id="HTML"),
        pytest.param(lambda: "data:image/png;base64,@@@@", "invalid_base64_image", id="no base64"),
        pytest.param(lambda: "data:image/png;base64,", "empty_image_file", id="empty"),
        pytest.param(lambda: "data:image/png,abc", "invalid_value", id="not encoded"),
    ],
)
def test_a_hostile_image_is_refused(ask: Callable[[Ask], Answer], url: Callable[[], str], code: str) -> None:
    status, error = ask(image(url()))
    assert error is not None
    assert (status, error["param"], error["code"]) == (400, "input[0].content[0].image_url", code)


@pytest.mark.parametrize(("side", "megabytes"), [(10, 200), (3_000, 200)])
def test_an_image_takes_no_more_than_its_dimensions(ask: Callable[[Ask], Answer], side: int, megabytes: int) -> None:
    ask(image(inline(png(side, side, zeros(megabytes)))))


def test_an_image_may_lie_about_its_type_and_move(ask: Callable[[Ask], Answer]) -> None:
    assert ask(image(inline(gif(50), "image/jpeg"))) == (200, None)


PRIVATE = [
    "http://127.0.0.1/",
    "http://127.1/",
    "http://2130706433/",
    "http://0x7f000001/",
    "http://0x7f.1/",
    "http://0177.0.0.1/",
    "http://0/",
    "http://0.0.0.0/",
    "http://localhost/",
    "http://LOCALHOST:80/",
    "http://10.0.0.1/",
    "http://172.16.0.1/",
    "http://192.168.1.1/",
    "http://100.64.0.1/",
    "http://169.254.169.254/latest/meta-data/",
    "http://[::1]/",
    "http://[::]/",
    "http://[::ffff:127.0.0.1]/",
    "http://[::ffff:7f00:1]/",
    "http://[64:ff9b::7f00:1]/",
    "http://[2002:7f00:1::]/",
    "http://[fe80::1%25eth0]/",
    "http://[fd00::1]/",
    "http://224.0.0.1/",
    "http://255.255.255.255/",
    "http://user:secret@1.1.1.1/",
    "http://1.1.1.1:22/",
    "ftp://1.1.1.1/",
    "file:///etc/passwd",
    "gopher://1.1.1.1/",
    "//1.1.1.1/",
    "http:///",
    "http://\uff11\uff12\uff17.0.0.1/",
    "http://127\u30020\u30020\u30021/",
    "http://\u0000/",
    "http://a b/",
]


@pytest.mark.parametrize("url", PRIVATE)
def test_a_url_that_leads_inside_is_refused(ask: Callable[[Ask], Answer], url: str) -> None:
    for part, name in (("input_image", "image_url"), ("input_file", "file_url")):
        status, error = ask(said({"type": part, name: url}))
        assert error is not None
        assert (status, error["param"]) == (400, f"input[0].content[0].{name}")
        assert error["code"] in ("invalid_image_url", "invalid_file_url")


@pytest.mark.parametrize("url", PRIVATE[:21])
def test_a_redirect_there_is_refused(ask: Callable[[Ask], Answer], redirecting: str, url: str) -> None:
    status, error = ask(image(f"http://{redirecting}/{url}"))
    assert error is not None
    assert status == 400
    assert error["code"] == "invalid_image_url" or "no URL" in error["message"]


def test_redirects_have_an_end(ask: Callable[[Ask], Answer], redirecting: str) -> None:
    status, error = ask(image(f"http://{redirecting}/" * 6))
    assert (status, error and error["code"]) == (400, "failed_to_download_image")
