"""`client.uploads` with the official Python SDK in strict mode."""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest
from openai import BadRequestError, NotFoundError, Omit, OpenAI, omit
from openai.types import Upload

from tests.servers import Server, strict_client


def md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def begin(client: OpenAI, size: int, filename: str = "a.txt") -> Upload:
    return client.uploads.create(bytes=size, filename=filename, mime_type="text/plain", purpose="user_data")


def add(client: OpenAI, upload: Upload, data: bytes) -> str:
    return client.uploads.parts.create(upload.id, data=data).id


def refused(client: OpenAI, upload: Upload, part_ids: list[str], md5: str | Omit = omit) -> BadRequestError:
    with pytest.raises(BadRequestError) as caught:
        client.uploads.complete(upload.id, part_ids=part_ids, md5=md5)
    return caught.value


def test_parts_become_a_file_in_the_order_asked_for(client: OpenAI) -> None:
    upload = begin(client, 9)
    assert (upload.object, upload.status, upload.bytes, upload.filename) == ("upload", "pending", 9, "a.txt")
    assert (upload.expires_at, upload.file) == (upload.created_at + 3600, None)
    last, spare, first = (add(client, upload, data) for data in (b"milk", b"spare", b"Buy a"))
    done = client.uploads.complete(upload.id, part_ids=[first, last], md5=md5(b"Buy amilk"))
    assert (done.id, done.status) == (upload.id, "completed")
    assert done.file is not None
    assert (done.file.filename, done.file.bytes, done.file.purpose) == ("a.txt", 9, "user_data")
    assert client.files.retrieve(done.file.id) == done.file
    assert client.files.content(done.file.id).read() == b"Buy amilk"
    assert client.uploads.complete(upload.id, part_ids=[first, last]) == done
    for others in ([last, first], [first, last, spare], [first]):
        assert "is completed" in refused(client, upload, others).message
    with pytest.raises(BadRequestError, match="is completed"):
        add(client, upload, b"late")
    with pytest.raises(BadRequestError, match="is completed"):
        client.uploads.cancel(upload.id)


def test_a_large_file_in_chunks(client: OpenAI, tmp_path: Path) -> None:
    content = b"".join(number.to_bytes(4) for number in range(750_000))
    path = tmp_path / "big.bin"
    path.write_bytes(content)
    done = client.uploads.upload_file_chunked(
        file=path,
        mime_type="text/plain",
        purpose="user_data",
        part_size=1_000_000,
        md5=md5(content),
    )
    assert done.status == "completed"
    assert done.file is not None
    assert client.files.content(done.file.id).read() == content


def test_parts_at_once(server: Server) -> None:
    with strict_client(server) as client, ThreadPoolExecutor(8) as threads:
        pieces = [bytes([number]) * 50_000 for number in range(40)]
        upload = begin(client, 40 * 50_000)
        part_ids = list(threads.map(lambda piece: add(client, upload, piece), pieces))
        done = client.uploads.complete(upload.id, part_ids=part_ids)
        assert done.file is not None
        assert client.files.content(done.file.id).read() == b"".join(pieces)


def test_completing_at_once_makes_one_file(server: Server) -> None:
    with strict_client(server) as client, ThreadPoolExecutor(8) as threads:
        upload = begin(client, 6)
        part_ids = [add(client, upload, piece) for piece in (b"abc", b"def")]
        done = list(threads.map(lambda _: client.uploads.complete(upload.id, part_ids=part_ids), range(8)))
        assert len({one.file.id for one in done if one.file is not None}) == 1


def test_what_does_not_add_up_is_refused_and_can_be_mended(client: OpenAI) -> None:
    upload, other = begin(client, 6), begin(client, 3)
    one, two, foreign = add(client, upload, b"abc"), add(client, upload, b"def"), add(client, other, b"xyz")
    for part_ids, param, words in (
        ([one], "part_ids", "3 bytes together, but the upload was created for 6 bytes"),
        ([], "part_ids", "0 bytes together"),
        ([one, one], "part_ids[1]", "is named twice"),
        ([one, foreign], "part_ids[1]", "is no part of the upload"),
        ([one, "part_x"], "part_ids[1]", "is no part of the upload"),
    ):
        error = refused(client, upload, part_ids)
        assert error.param == param
        assert words in error.message
    error = refused(client, upload, [one, two], "0" * 32)
    assert error.param == "md5"
    assert md5(b"abcdef") in error.message
    assert client.uploads.complete(upload.id, part_ids=[one, two]).status == "completed"


def test_a_cancelled_upload_is_over(client: OpenAI) -> None:
    upload = begin(client, 3)
    part = add(client, upload, b"abc")
    cancelled = client.uploads.cancel(upload.id)
    assert (cancelled.id, cancelled.status, cancelled.file) == (upload.id, "cancelled", None)
    assert client.uploads.cancel(upload.id) == cancelled
    assert "is cancelled" in refused(client, upload, [part]).message
    with pytest.raises(BadRequestError, match="is cancelled"):
        add(client, upload, b"abc")


def test_the_file_expires_as_the_upload_said(client: OpenAI) -> None:
    upload = client.uploads.create(
        bytes=1,
        filename="a.txt",
        mime_type="text/plain",
        purpose="user_data",
        expires_after={"anchor": "created_at", "seconds": 7200},
    )
    done = client.uploads.complete(upload.id, part_ids=[add(client, upload, b"x")])
    assert done.file is not None
    assert done.file.expires_at == done.file.created_at + 7200


def test_another_project_sees_nothing(client: OpenAI, stranger: OpenAI) -> None:
    upload = begin(client, 3)
    part = add(client, upload, b"abc")
    with pytest.raises(NotFoundError, match=f"No such Upload object: {upload.id}"):
        add(stranger, upload, b"abc")
    with pytest.raises(NotFoundError):
        stranger.uploads.complete(upload.id, part_ids=[part])
    with pytest.raises(NotFoundError):
        stranger.uploads.cancel(upload.id)
    mine = begin(stranger, 3)
    assert "is no part" in refused(stranger, mine, [part]).message
    assert client.uploads.complete(upload.id, part_ids=[part]).status == "completed"


def test_bodies_that_are_no_good_name_their_parameter(client: OpenAI, raw: httpx2.Client) -> None:
    good = {"bytes": 1, "filename": "a.txt", "mime_type": "text/plain", "purpose": "user_data"}
    for change, param in (
        ({"bytes": -1}, "bytes"),
        ({"bytes": 2**33 + 1}, "bytes"),
        ({"filename": "a\0b"}, "filename"),
        ({"filename": "a/"}, "filename"),
        ({"purpose": "batch"}, "filename"),
        ({"purpose": "batch_output"}, "purpose"),
        ({"mime_type": "a\0b"}, "mime_type"),
        ({"wish": 1}, "wish"),
    ):
        answer = raw.post("/uploads", json=good | change)
        assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)
    upload = begin(client, 1)
    path = f"/uploads/{upload.id}/parts"
    for files, data, param in (
        ({"data": ("a", b"")}, {}, "data"),
        ({"file": ("a", b"x")}, {}, "data"),
        ({"data": ("a", b"x")}, {"wish": "1"}, "wish"),
    ):
        answer = raw.post(path, files=files, data=data)
        assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)
