"""The text in pictures, by the OCR whose models come in its wheel. Runs in a reading process only."""

import os
from collections.abc import Iterable, Iterator

_QUIET = "critical"


def text_in(picture: bytes) -> str:
    """Return the lines of text in a PNG or JPEG file, from top to bottom; empty where there are none."""
    return next(texts_in((picture,)))


def texts_in(pictures: Iterable[bytes]) -> Iterator[str]:
    """Yield the text of each of several."""
    from rapidocr import RapidOCR  # noqa: PLC0415  an extra, and slow

    threads = max(1, (os.cpu_count() or 1) // 2)
    engine = RapidOCR(
        params={
            "Global.log_level": _QUIET,
            "EngineConfig.onnxruntime.intra_op_num_threads": threads,
            "EngineConfig.onnxruntime.inter_op_num_threads": 1,
        }
    )
    for picture in pictures:
        yield "\n".join(getattr(engine(picture), "txts", None) or ())
