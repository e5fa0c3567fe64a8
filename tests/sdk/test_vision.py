"""Images and files in requests, with the official client: read by OCR, as this server's models have no eyes."""

import base64
import http.server
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from openai import BadRequestError, NotFoundError, OpenAI
from PIL import Image

from tests.papers import data_url, docx, encoded, pdf, picture
from tests.servers import Server, http_client, running_server, strict_client

INVOICE = data_url(picture("Invoice 4711", "Total 128 EUR"), "image/png")
ASKED = {"type": "input_text", "text": "Describe this image."}


def user(*parts: Any) -> Any:
    return [{"role": "user", "content": parts}]


def image(url: str, **more: Any) -> dict[str, Any]:
    return {"type": "input_image", "image_url": url, **more}


def file(data: bytes, name: str) -> dict[str, Any]:
    return {"type": "input_file", "filename": name, "file_data": base64.b64encode(data).decode()}


def test_the_text_of_an_image_is_read(client: OpenAI) -> None:
    raw = client.responses.with_raw_response.create(
        model="gpt-4.1-mini", input=user(ASKED, image(INVOICE)), metadata={"mine": "kept"}
    )
    answer = raw.parse()
    said = "".join(answer.output_text.split())
    assert said.startswith("Describethisimage.[Image,readbyOCR:Invoice4711Total128EUR]")
    assert answer.metadata == {"mine": "kept", "freehold_vision": "ocr"}
    assert raw.headers["x-freehold-vision"] == "ocr"
    again = client.responses.create(model="gpt-4.1-mini", previous_response_id=answer.id, input="And?")
    assert again.metadata == {"freehold_vision": "ocr"}
    plain = client.responses.with_raw_response.create(model="gpt-4.1-mini", input="No image.")
    assert (plain.parse().metadata, plain.headers.get("x-freehold-vision")) == ({}, None)


def test_the_client_s_metadata_is_never_touched(client: OpenAI) -> None:
    full = {f"key{number}": "x" for number in range(16)}
    own = {"freehold_vision": "mine"}
    for given in (full, own):
        answer = client.responses.create(model="gpt-5", input=user(image(INVOICE)), metadata=given)
        assert answer.metadata == given


def test_an_image_in_a_chat(client: OpenAI) -> None:
    parts: Any = [
        {"type": "text", "text": "What?"},
        {"type": "image_url", "image_url": {"url": INVOICE, "detail": "high"}},
    ]
    raw = client.chat.completions.with_raw_response.create(
        model="gpt-4o", messages=[{"role": "user", "content": parts}]
    )
    said = raw.parse().choices[0].message.content
    assert said is not None
    assert "Total" in said
    assert raw.headers["x-freehold-vision"] == "ocr"
    with client.chat.completions.create(
        model="gpt-4o", messages=[{"role": "user", "content": parts}], stream=True
    ) as stream:
        assert "".join(one.choices[0].delta.content or "" for one in stream if one.choices) == said


def test_files_are_read(client: OpenAI) -> None:
    papers = [file(b"Buy milk", "note.md"), file(pdf("The bridge"), "a.pdf"), file(docx("is red"), "b.docx")]
    said = client.responses.create(model="gpt-5", input=user(ASKED, *papers)).output_text
    assert [line for line in said.splitlines() if line.startswith("[File")] == [
        "[File note.md:",
        "[File a.pdf:",
        "[File b.docx:",
    ]
    assert "Buy milk" in said
    assert "The bridge" in said
    assert "is red" in said
    part: Any = {"type": "file", "file": {"filename": "n.txt", "file_data": data_url(b"Buy milk", "text/plain")}}
    chat = client.chat.completions.create(model="gpt-5", messages=[{"role": "user", "content": [part]}])
    assert "Buy milk" in (chat.choices[0].message.content or "")


def test_images_and_files_in_the_outputs_of_functions(client: OpenAI) -> None:
    call = {"type": "function_call", "call_id": "c", "name": "look", "arguments": "{}"}
    output = {"type": "function_call_output", "call_id": "c", "output": [file(b"Buy milk", "n"), image(INVOICE)]}
    asked: Any = [*user(ASKED), call, output]
    counted = client.responses.input_tokens.count(model="gpt-5", input=asked).input_tokens
    blind = client.responses.input_tokens.count(model="gpt-5", input=asked[:2]).input_tokens
    assert counted > blind + 8


@pytest.mark.parametrize(
    ("part", "place", "code"),
    [
        (image("data:image/png;base64,@@@"), "image_url", "invalid_base64_image"),
        (image("data:text/plain;base64,YWJj"), "image_url", "invalid_value"),
        (image("data:image/png;base64,YWJj"), "image_url", "unsupported_image_media_type"),
        (image(INVOICE[:-400]), "image_url", "image_parse_error"),
        (image("http://169.254.169.254/latest/"), "image_url", "invalid_image_url"),
        (image("http://localhost:8000/healthz"), "image_url", "invalid_image_url"),
        (image("file:///etc/passwd"), "image_url", "invalid_image_url"),
        (image(INVOICE, detail="huge"), "detail", "invalid_value"),
        ({"type": "input_image"}, "image_url", "missing_required_parameter"),
        (image(INVOICE, file_id="file-1"), "file_id", "mutually_exclusive_parameters"),
        (file(b"\0\1", "a.bin"), "file_data", "unsupported_file"),
        (file(pdf("x", encrypted=True), "a.pdf"), "file_data", "file_encrypted"),
        (file(b"PK\3\4 nothing", "a.docx"), "file_data", "file_parse_error"),
        (file(pdf(""), "a.pdf"), "file_data", "file_parse_error"),
        ({"type": "input_file", "file_url": "http://10.0.0.1/a.pdf"}, "file_url", "invalid_file_url"),
    ],
)
def test_what_is_wrong_names_its_place(client: OpenAI, part: Any, place: str, code: str) -> None:
    with pytest.raises(BadRequestError) as caught:
        client.responses.create(model="gpt-5", input=user(ASKED, part))
    assert (caught.value.param, caught.value.code) == (f"input[0].content[1].{place}", code)


def test_an_unknown_file_is_not_found(client: OpenAI) -> None:
    with pytest.raises(NotFoundError, match="No such File object: file-1") as caught:
        client.responses.create(model="gpt-5", input=user({"type": "input_file", "file_id": "file-1"}))
    assert caught.value.param == "input[0].content[0].file_id"


def test_bombs_are_refused_at_once(raw: httpx2.Client) -> None:
    flat = data_url(encoded(Image.new("L", (20_000, 20_000))), "image/png")
    bombs = (image(flat), file(docx(b"A" * 110_000_000), "a.docx"))
    for part, code in zip(bombs, ("image_too_large", "file_too_large"), strict=True):
        start = time.monotonic()
        answer = raw.post("/responses", json={"model": "gpt-5", "input": user(part)})
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)
        assert time.monotonic() - start < 20


class Pictures(http.server.BaseHTTPRequestHandler):
    """Serves one picture and one page."""

    def do_GET(self) -> None:
        known = {"/cat.png": (picture("Freehold"), "image/png"), "/note.txt": (b"Buy milk", "text/plain")}
        found = known.get(self.path)
        self.send_response(404 if found is None else 200)
        data, kind = found or (b"", "text/plain")
        self.send_header("content-type", kind)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def intranet() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pictures) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def allowing(intranet: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("allowing")
    (folder / "own.toml").write_text(f'[outbound]\nallow = ["{intranet}"]\n')
    with running_server(folder, "--engine", "script", "--config", str(folder / "own.toml")) as running:
        yield running


def test_an_address_that_is_allowed_is_fetched(allowing: Server, intranet: str) -> None:
    with strict_client(allowing) as client:
        said = client.responses.create(
            model="gpt-4.1-mini",
            input=user(
                image(f"http://{intranet}/cat.png"), {"type": "input_file", "file_url": f"http://{intranet}/note.txt"}
            ),
        ).output_text
        assert "Freehold" in said
        assert "[File note.txt:\nBuy milk" in said
        with pytest.raises(BadRequestError, match="upstream status code: 404"):
            client.responses.create(model="gpt-5", input=user(image(f"http://{intranet}/dog.png")))


def test_a_blind_server_says_what_would_help(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text('[[engines]]\nname = "script"\nkind = "script"\nvision = "none"\n')
    with running_server(tmp_path, "--config", str(tmp_path / "own.toml")) as server, http_client(server) as raw:
        assert raw.get("/models/gpt-4o").json()["freehold"]["vision"] == "none"
        answer = raw.post("/responses", json={"model": "gpt-4o", "input": user(image(INVOICE))})
        assert answer.status_code == 400
        error = answer.json()["error"]
        assert (error["param"], error["code"]) == ("input[0].content[0].image_url", "unsupported_value")
        assert "freehold[ocr]" in error["message"]
