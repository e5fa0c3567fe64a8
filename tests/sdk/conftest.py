"""The servers that the official SDKs are pointed at."""

from collections.abc import Iterator

import httpx2
import pytest
from openai import OpenAI

from tests.servers import Server, http_client, key_of_project, running_server, strict_client


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Repeats what it is told, at once."""
    with running_server(tmp_path_factory.mktemp("server"), "--engine", "script") as running:
        yield running


@pytest.fixture(scope="session")
def slow_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Repeats what it is told, 20 words a second."""
    with running_server(tmp_path_factory.mktemp("slow"), "--engine", "script", "--script-rate", "20") as running:
        yield running


@pytest.fixture
def client(server: Server) -> Iterator[OpenAI]:
    """The official client in strict mode."""
    with strict_client(server) as opened:
        yield opened


@pytest.fixture(scope="session")
def stranger_key(server: Server) -> str:
    """A key of another project."""
    return key_of_project(server, "strangers")


@pytest.fixture
def stranger(server: Server, stranger_key: str) -> Iterator[OpenAI]:
    """The official client in strict mode, in another project."""
    with strict_client(server, stranger_key) as opened:
        yield opened


@pytest.fixture
def raw(server: Server) -> Iterator[httpx2.Client]:
    """A plain HTTP client."""
    with http_client(server) as opened:
        yield opened
