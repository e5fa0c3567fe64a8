"""`client.files` with the official Python SDK in strict mode, and files in the input of both generating surfaces."""

import io
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import pytest
from openai import BadRequestError, NotFoundError, OpenAI

from tests.servers import Server, strict_client

LINE = b'{"custom_id": "1", "method": "POST", "url": "/v1/responses", "body": {"input": "hi"}}\n'


def test_a_file_lives(client: OpenAI) -> None:
    before = int(time.time())
    made = client.files.create(file=("note.txt", b"Buy milk"), purpose="user_data")
    assert made.id.startswith("file-")
    assert (made.object, made.filename, made.bytes, made.purpose) == ("file", "note.txt", 8, "user_data")
    assert (made.status, made.expires_at, made.status_details) == ("processed", None, None)
    assert before <= made.created_at <= time.time() + 1
    assert client.files.retrieve(made.id) == made
    assert client.files.wait_for_processing(made.id) == made
    assert made in client.files.list().data
    assert client.files.content(made.id).read() == b"Buy milk"
    deleted = client.files.delete(made.id)
    assert (deleted.id, deleted.deleted, deleted.object) == (made.id, True, "file")
    assert made not in client.files.list().data
    for call in (client.files.retrieve, client.files.content, client.files.delete):
        with pytest.raises(NotFoundError, match=f"No such File object: {made.id}"):
            call(made.id)


def test_every_way_of_giving_a_file(client: OpenAI, tmp_path: Path) -> None:
    path = tmp_path / "données 数据.jsonl"
    path.write_bytes(LINE)
    with path.open("rb") as opened:
        for given in (path, opened, (path.name, LINE), (path.name, io.BytesIO(LINE), "application/jsonl")):
            made = client.files.create(file=given, purpose="batch")
            assert (made.filename, made.bytes) == (path.name, len(LINE))
    assert client.files.create(file=b"Example data", purpose="assistants").filename == "upload"


def test_when_files_expire(client: OpenAI) -> None:
    batch = client.files.create(file=("a.jsonl", LINE), purpose="batch")
    assert batch.expires_at == batch.created_at + 30 * 24 * 3600
    asked = client.files.create(
        file=("a.txt", b"x"), purpose="vision", expires_after={"anchor": "created_at", "seconds": 3600}
    )
    assert asked.expires_at == asked.created_at + 3600
    with pytest.raises(BadRequestError, match="integer below minimum value") as caught:
        client.files.create(file=b"x", purpose="vision", expires_after={"anchor": "created_at", "seconds": 3599})
    assert caught.value.param == "expires_after.seconds"


def test_lists_are_paged_and_chosen_by_purpose(client: OpenAI) -> None:
    made = [client.files.create(file=(f"{number}.jsonl", LINE), purpose="fine-tune") for number in range(5)]
    ids = [one.id for one in made]
    assert [one.id for one in client.files.list(purpose="fine-tune", order="asc", limit=2)] == ids
    assert [one.id for one in client.files.list(purpose="fine-tune", limit=3)] == ids[::-1]
    page = client.files.list(purpose="fine-tune", order="asc", limit=2, after=ids[1])
    assert ([one.id for one in page.data], page.has_more) == (ids[2:4], True)
    assert client.files.list(purpose="nothing").data == []


@pytest.mark.parametrize(
    ("file", "purpose", "param", "words"),
    [
        (("a.txt", b"x"), "batch", "file", r"Invalid file format for Batch API. Must be .jsonl"),
        (("a.jsonl", b""), "batch", "file", "File is empty"),
        (("a.txt", b"x"), "batch_output", "purpose", "Supported values are: 'assistants'"),
        (("a\n.txt", b"x"), "vision", "file", "without control characters"),
        (("x" * 256, b"x"), "vision", "file", "at most 255 characters"),
    ],
)
def test_what_is_no_good_is_refused(
    client: OpenAI, file: tuple[str, bytes], purpose: Any, param: str, words: str
) -> None:
    with pytest.raises(BadRequestError, match=words) as caught:
        client.files.create(file=file, purpose=purpose)
    assert caught.value.param == param


def test_the_real_bytes_come_back_in_ranges(client: OpenAI, raw: httpx2.Client) -> None:
    content = bytes(range(256)) * 9000
    made = client.files.create(file=('a "b"/ü.bin', content), purpose="user_data")
    assert made.filename == "ü.bin"
    path = f"/files/{made.id}/content"
    whole = raw.get(path)
    assert whole.content == content
    assert whole.headers["content-disposition"] == "attachment; filename=\"_.bin\"; filename*=UTF-8''%C3%BC.bin"
    part = raw.get(path, headers={"range": "bytes=1048570-1048585", "if-range": whole.headers["etag"]})
    assert (part.status_code, part.content) == (206, content[1_048_570:1_048_586])
    assert part.headers["content-range"] == f"bytes 1048570-1048585/{len(content)}"
    assert raw.get(path, headers={"range": f"bytes={len(content)}-"}).status_code == 416
    assert raw.get(path, headers={"if-none-match": whole.headers["etag"]}).status_code == 304


def test_another_project_sees_nothing(client: OpenAI, stranger: OpenAI) -> None:
    made = client.files.create(file=("a.txt", b"x"), purpose="user_data")
    for call in (stranger.files.retrieve, stranger.files.content, stranger.files.delete):
        with pytest.raises(NotFoundError):
            call(made.id)
    assert made.id not in [one.id for one in stranger.files.list()]
    with pytest.raises(BadRequestError, match="No file found"):
        stranger.files.list(after=made.id)
    with pytest.raises(NotFoundError, match=made.id) as caught:
        stranger.responses.create(model="gpt-5", input=asked({"type": "input_file", "file_id": made.id}))
    assert caught.value.param == "input[0].content[0].file_id"
    assert client.files.retrieve(made.id) == made


def asked(part: dict[str, str]) -> Any:
    return [{"role": "user", "content": [part]}]


def test_an_uploaded_file_is_read_where_it_is_named(client: OpenAI) -> None:
    made = client.files.create(file=("list.txt", b"Buy milk"), purpose="user_data")
    answer = client.responses.create(model="gpt-5", input=asked({"type": "input_file", "file_id": made.id}))
    assert answer.output_text == "\n[File list.txt:\nBuy milk\n]\n"
    message: Any = {"role": "user", "content": [{"type": "file", "file": {"file_id": made.id}}]}
    chat = client.chat.completions.create(model="gpt-5", messages=[message])
    assert chat.choices[0].message.content == "\n[File list.txt:\nBuy milk\n]\n"
    client.files.delete(made.id)
    with pytest.raises(NotFoundError, match=made.id) as caught:
        client.chat.completions.create(model="gpt-5", messages=[message])
    assert caught.value.param == "messages[0].content[0].file.file_id"


def test_many_at_once(server: Server) -> None:
    with strict_client(server) as client, ThreadPoolExecutor(8) as threads:

        def send(number: int) -> tuple[str, bytes]:
            content = bytes([number]) * (100_000 + number)
            return client.files.create(file=(f"{number}.bin", content), purpose="user_data").id, content

        for file_id, content in list(threads.map(send, range(24))):
            assert client.files.content(file_id).read() == content


def test_eval_data_is_taken_though_the_client_does_not_know_it_back(server: Server) -> None:
    # The strict client refuses the answer: its type of a file lacks the purpose that its type of a request has.
    with OpenAI(base_url=server.base_url, api_key=server.key, max_retries=0) as client:
        assert client.files.create(file=("a.jsonl", LINE), purpose="evals").purpose == "evals"
