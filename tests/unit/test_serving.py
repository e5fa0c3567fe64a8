"""The socket that a server listens on, and what its connections have of it."""

import socket

import pytest

from freehold import serving
from freehold.serving import _listen


def accepted(listener: socket.socket) -> socket.socket:
    with socket.create_connection(listener.getsockname()[:2], timeout=5):
        return listener.accept()[0]


def test_connections_notice_a_client_that_went_without_a_word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "GONE", {"TCP_KEEPIDLE": 7, "TCP_KEEPALIVE": 7, "TCP_KEEPINTVL": 3, "TCP_KEEPCNT": 2})
    monkeypatch.setattr(serving, "UNREAD", 1.5)
    wanted = {**serving.GONE, "TCP_USER_TIMEOUT": 1500}
    with _listen("127.0.0.1", 0) as listener, accepted(listener) as connection:
        assert connection.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        known = [name for name in wanted if hasattr(socket, name)]
        assert "TCP_KEEPCNT" in known
        for name in known:
            assert connection.getsockopt(socket.IPPROTO_TCP, getattr(socket, name)) == wanted[name], name


def test_a_port_in_use_is_said_at_once() -> None:
    with _listen("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(OSError, match=f"Port {port} on 127.0.0.1 cannot be used: address already in use"):
            _listen("127.0.0.1", port)
