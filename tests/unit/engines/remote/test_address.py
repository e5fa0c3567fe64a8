"""The URLs of upstreams."""

import pytest

from freehold.engines.remote.address import Address, address


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("http://gpu:8001/v1", Address("http", "gpu", 8001, "/v1")),
        ("https://api.example.com/v1/", Address("https", "api.example.com", 443, "/v1")),
        ("http://[::1]:80", Address("http", "::1", 80, "")),
    ],
)
def test_is_read(url: str, found: Address) -> None:
    assert address(url) == found


def test_knows_its_root_and_how_it_is_written() -> None:
    assert address("http://gpu:8001/proxy/v1").root == "/proxy"
    assert str(address("https://[::1]:443/v1")) == "https://[::1]/v1"


@pytest.mark.parametrize(
    "url",
    ["http://me:sk-secret@gpu/v1", "http://gpu/v1?api_key=sk-secret", "gpu:8001", "ftp://gpu", "http://gpu:x", ""],
)
def test_no_other_is_and_no_key_is_shown(url: str) -> None:
    with pytest.raises(ValueError, match="its url") as wrong:
        address(url)
    assert "secret" not in str(wrong.value)
