"""Images made small and plain: any of four formats in, PNG or JPEG out. Runs in a reading process only."""

import io
from collections.abc import Mapping

from freehold.core.errors import Invalid

MOST_BYTES = 20_000_000
MOST_PIXELS = 50_000_000
FORMATS = ("PNG", "JPEG", "GIF", "WEBP")
SIDES: Mapping[str, int] = {"low": 512, "auto": 2048, "high": 2048, "original": 4096}
"""The longest side that is kept at each `detail`, in pixels."""

_QUALITY = 92


def bounded(data: bytes, detail: str) -> bytes:
    """Return the picture upright, in RGB, no larger than `detail` allows, as a PNG or (from a JPEG) JPEG file.

    Of an animation, the first frame; what is transparent becomes white. Raises Invalid for a file that is too large, is
    none of the four formats or is damaged; the size is read from its header before anything is decoded.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError  # noqa: PLC0415  an extra, and slow

    if len(data) > MOST_BYTES:
        raise Invalid(f"The image is larger than {MOST_BYTES / 1e6:g} MB.", "image_too_large")
    side = SIDES[detail]
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as opened:
            if opened.width * opened.height > MOST_PIXELS:
                raise _too_many()
            kind = "JPEG" if opened.format == "JPEG" else "PNG"
            opened.draft("RGB", (side, side))
            picture = ImageOps.exif_transpose(opened)
            picture.thumbnail((side, side))
            if picture.has_transparency_data:
                clear = picture.convert("RGBA")
                picture = Image.new("RGB", clear.size, "white")
                picture.paste(clear, mask=clear.getchannel("A"))
            made = io.BytesIO()
            picture.convert("RGB").save(made, kind, quality=_QUALITY)
            return made.getvalue()
    except Image.DecompressionBombError:
        raise _too_many() from None
    except UnidentifiedImageError:
        raise Invalid(
            "You uploaded an unsupported image. Please make sure your image has one of the following formats: "
            "['png', 'jpeg', 'gif', 'webp'].",
            "unsupported_image_media_type",
        ) from None
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise Invalid(f"The image is damaged and cannot be read: {error}.", "image_parse_error") from None


def _too_many() -> Invalid:
    return Invalid(f"The image has more than {MOST_PIXELS // 1_000_000} megapixels.", "image_too_large")
