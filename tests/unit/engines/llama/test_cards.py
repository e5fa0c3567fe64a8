from enum import Enum

import xllamacpp

from freehold.engines.llama.cards import cards


class Kind(Enum):
    GGML_BACKEND_DEVICE_TYPE_CPU = 0
    GGML_BACKEND_DEVICE_TYPE_GPU = 1
    GGML_BACKEND_DEVICE_TYPE_IGPU = 2
    GGML_BACKEND_DEVICE_TYPE_ACCEL = 3


def test_cards_are_named_and_nothing_else() -> None:
    devices = [
        {"description": "NVIDIA H100 80GB HBM3", "memory_total": 85_017_493_504, "type": Kind(1)},
        {"description": "Radeon 780M", "memory_total": 8 << 30, "type": Kind(2)},
        {"description": "BLAS", "memory_total": 0, "type": Kind(3)},
        {"description": "Xeon", "memory_total": 1 << 37, "type": Kind(0)},
    ]
    assert cards(devices) == ["NVIDIA H100 80GB HBM3 (79 GiB)", "Radeon 780M (8 GiB)"]


def test_the_engine_lists_its_devices_so() -> None:
    listed = xllamacpp.get_device_info()
    assert [one for one in listed if str(one["type"].name).endswith("_CPU")]
    assert len(cards(listed)) <= len(listed) - 1
