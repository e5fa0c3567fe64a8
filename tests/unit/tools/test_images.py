"""Images made small and plain."""

import io
import struct
import zlib

import pytest
from PIL import Image

from freehold.core.errors import Invalid
from freehold.tools.images import MOST_BYTES, bounded
from tests.papers import encoded, picture


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


@pytest.mark.parametrize(
    ("form", "made"), [("PNG", "PNG"), ("JPEG", "JPEG"), ("GIF", "PNG"), ("WEBP", "PNG")], ids=lambda form: form
)
def test_four_formats_become_two(form: str, made: str) -> None:
    small = opened(bounded(picture("hello", form=form), "auto"))
    assert (small.format, small.mode, small.size) == (made, "RGB", (640, 100))


@pytest.mark.parametrize(("detail", "side"), [("low", 512), ("auto", 2048), ("high", 2048), ("original", 3000)])
def test_detail_bounds_the_longest_side(detail: str, side: int) -> None:
    small = opened(bounded(encoded(Image.new("RGB", (3000, 1500), "red"), "JPEG"), detail))
    assert small.size == (side, side // 2)


def test_a_small_image_is_not_made_larger() -> None:
    assert opened(bounded(encoded(Image.new("RGB", (10, 20))), "high")).size == (10, 20)


def test_a_photo_is_turned_upright() -> None:
    made = io.BytesIO()
    turned = Image.Exif()
    turned[0x0112] = 6
    Image.new("RGB", (200, 100)).save(made, "JPEG", exif=turned)
    assert opened(bounded(made.getvalue(), "auto")).size == (100, 200)


def test_what_is_transparent_becomes_white() -> None:
    clear = Image.new("RGBA", (4, 4), (0, 0, 0, 0))
    assert opened(bounded(encoded(clear), "auto")).getpixel((0, 0)) == (255, 255, 255)
    grey = Image.new("LA", (4, 4), (0, 0))
    assert opened(bounded(encoded(grey), "auto")).getpixel((0, 0)) == (255, 255, 255)


def test_an_animation_gives_its_first_frame() -> None:
    made = io.BytesIO()
    frames = [Image.new("P", (8, 8), color) for color in (0, 1)]
    frames[0].putpalette([250, 0, 0, 0, 250, 0])
    frames[0].save(made, "GIF", save_all=True, append_images=frames[1:])
    assert opened(bounded(made.getvalue(), "auto")).getpixel((0, 0)) == (250, 0, 0)


def claimed(width: int, height: int) -> bytes:
    """A PNG whose header claims a size that nothing stands behind."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = zlib.compress(b"\0" * 100)

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "unsupported_image_media_type"),
        (b"<svg/>", "unsupported_image_media_type"),
        (b"%PDF-1.4", "unsupported_image_media_type"),
        (encoded(Image.new("RGB", (8, 8)), "TIFF"), "unsupported_image_media_type"),
        (encoded(Image.new("RGB", (8, 8)), "BMP"), "unsupported_image_media_type"),
        (picture("hello")[:500], "image_parse_error"),
        (claimed(100, 100), "image_parse_error"),
        (claimed(8000, 8000), "image_too_large"),
        (claimed(60_000, 60_000), "image_too_large"),
        (claimed(2**31 - 1, 2**31 - 1), "image_too_large"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * MOST_BYTES, "image_too_large"),
    ],
    ids=range(11),
)
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_what_cannot_be_read_is_refused(data: bytes, code: str) -> None:
    with pytest.raises(Invalid) as caught:
        bounded(data, "auto")
    assert caught.value.code == code
