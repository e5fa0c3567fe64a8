"""The text in a picture, by the OCR whose models come in its wheel. Runs in a reading process only."""

import os

_QUIET = "critical"


def text_in(picture: bytes) -> str:
    """Return the lines of text in a PNG or JPEG file, from top to bottom; empty where there are none."""
    from rapidocr import RapidOCR  # noqa: PLC0415  an extra, and slow

    threads = max(1, (os.cpu_count() or 1) // 2)
    engine = RapidOCR(
        params={
            "Global.log_level": _QUIET,
            "EngineConfig.onnxruntime.intra_op_num_threads": threads,
            "EngineConfig.onnxruntime.inter_op_num_threads": 1,
        }
    )
    found = engine(picture)
    return "\n".join(getattr(found, "txts", None) or ())
