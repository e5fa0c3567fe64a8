"""Model files for the tests: fetched once into the user's model folder, as `freehold models pull` does."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from freehold.config import folders
from freehold.engines.weights.fetch import fetch
from freehold.engines.weights.folder import Folder

# How long an example takes depends on what else the machine does, and says nothing of the code.
settings.register_profile("house", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("house")


COMPUTING = {"smollm2", "qwen05", "starter"}
"""The fixtures of models that keep every core busy: two such tests at once take longer than one after the other."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that compute with such a model, so that the others can run side by side."""
    for item in items:
        if COMPUTING & set(getattr(item, "fixturenames", ())):
            item.add_marker("computes")


def _model(name: str) -> Path:
    return fetch(Folder(folders(os.environ).models), name, lambda done, total: None)


@pytest.fixture(scope="session")
def cl100k() -> Path:
    """The vocabulary of the real embedding models."""
    return _model("cl100k_base")


@pytest.fixture(scope="session")
def multilingual() -> Path:
    """multilingual-e5-small: 74 MB."""
    return _model("multilingual-e5-small")


@pytest.fixture(scope="session")
def tiny_model() -> Path:
    """Random weights: 2.8 MB."""
    return _model("tiny-random")


@pytest.fixture(scope="session")
def smollm2() -> Path:
    """SmolLM2 135M."""
    return _model("smollm2-135m")


@pytest.fixture(scope="session")
def qwen05() -> Path:
    """Qwen2.5-Coder 0.5B."""
    return _model("qwen2.5-coder-0.5b")


@pytest.fixture(scope="session")
def starter() -> Path:
    """The starter: Qwen2.5-Coder 1.5B."""
    return _model("qwen2.5-coder-1.5b")
