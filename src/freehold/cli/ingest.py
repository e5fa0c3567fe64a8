"""`freehold ingest`: files into a vector store of the server that runs."""

import os
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click
import httpx2

from freehold.cli.context import Here
from freehold.cli.progress import Bar

LOCAL = "http://127.0.0.1:8000/v1"
TOGETHER = 100
"""How many files are put into the store at once."""
_POLL_SECONDS = 0.5
_TIMEOUT = httpx2.Timeout(120.0, connect=2.0)
_SHOWN = 20


@click.command(short_help="Put files and folders into a vector store.")
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--store", required=True, help="The name of a new vector store, or the id (vs_…) of one that is there.")
@click.option("--url", help=f"The server (default OPENAI_BASE_URL, else {LOCAL}).")
@click.option("--key", help="The API key for the server (default OPENAI_API_KEY).")
@click.pass_obj
def ingest(here: Here, paths: tuple[Path, ...], store: str, url: str | None, key: str | None) -> None:
    """Put files, and all files in folders, into a vector store, and wait until they can be searched.

    Ctrl-C stops the upload; what was uploaded is taken in all the same. Files that cannot be read are listed with the
    reason, and the exit status is 2.

    \b
    freehold ingest ~/handbook --store handbook
    freehold ingest notes.md scan.pdf --store vs_123
    """
    base = (url or here.environ.get("OPENAI_BASE_URL") or LOCAL).rstrip("/")
    headers = {"authorization": f"Bearer {key or here.environ.get('OPENAI_API_KEY', 'none')}"}
    files = list(_files(paths))
    if not files:
        raise click.ClickException("there are no files in what was named")
    with httpx2.Client(base_url=base, headers=headers, timeout=_TIMEOUT) as client:
        try:
            failed = _ingested(client, files, store)
        except httpx2.HTTPError as error:
            raise click.ClickException(f"the server at {base} does not answer ({error})") from None
    sys.exit(2 if failed else 0)


def _files(paths: Sequence[Path]) -> Iterator[Path]:
    """The files in what was named, in a fixed order; hidden ones in folders are left out."""
    for path in paths:
        if path.is_file():
            yield path
        for folder, inside, names in os.walk(path):
            inside[:] = sorted(name for name in inside if not name.startswith("."))
            yield from (Path(folder, name) for name in sorted(names) if not name.startswith("."))


def _ingested(client: httpx2.Client, files: Sequence[Path], store: str) -> int:
    """Upload, wait, and tell what became of it; return how many files failed."""
    new = not store.startswith("vs_")
    store_id = _asked(client, "POST", "/vector_stores", {"name": store})["id"] if new else store
    click.echo(f"vector store {store_id}")
    bar = Bar("uploading", things="files")
    batches: list[str] = []
    empty = [path for path in files if not path.stat().st_size]
    waiting: list[str] = []
    for count, path in enumerate(files, start=1):
        if path not in empty:
            waiting.append(_uploaded(client, path))
        if waiting and (len(waiting) == TOGETHER or count == len(files)):
            made = _asked(client, "POST", f"/vector_stores/{store_id}/file_batches", {"file_ids": waiting})
            batches.append(made["id"])
            waiting = []
        bar(count, len(files))
    bar.close()
    _wait(client, store_id, batches, len(files) - len(empty))
    for path in empty[:_SHOWN]:
        click.echo(f"  {path.name}: it is empty", err=True)
    return len(empty) + _told(client, store_id, batches)


def _uploaded(client: httpx2.Client, path: Path) -> str:
    with path.open("rb") as content:
        answer = client.post("/files", data={"purpose": "assistants"}, files={"file": (path.name, content)})
    return _read(answer)["id"]


def _wait(client: httpx2.Client, store_id: str, batches: Sequence[str], total: int) -> None:
    """Show how far the server is until it has taken everything in."""
    bar, done = Bar("taking in", things="files"), 0
    for batch in batches:
        while True:
            counts = _asked(client, "GET", f"/vector_stores/{store_id}/file_batches/{batch}")["file_counts"]
            bar(done + counts["total"] - counts["in_progress"], total)
            if not counts["in_progress"]:
                done += counts["total"]
                break
            time.sleep(_POLL_SECONDS)
    bar.close()


def _told(client: httpx2.Client, store_id: str, batches: Sequence[str]) -> int:
    """Print what became of the files; return how many failed."""
    completed = failed = 0
    for batch in batches:
        counts = _asked(client, "GET", f"/vector_stores/{store_id}/file_batches/{batch}")["file_counts"]
        completed += counts["completed"]
        failed += counts["failed"]
        listed = f"/vector_stores/{store_id}/file_batches/{batch}/files?filter=failed&limit={_SHOWN}"
        for file in _asked(client, "GET", listed)["data"] if counts["failed"] else ():
            name = _asked(client, "GET", f"/files/{file['id']}")["filename"]
            click.echo(f"  {name}: {file['last_error']['message']}", err=True)
    click.echo(f"{completed} files can be searched, {failed} could not be read")
    return failed


def _asked(client: httpx2.Client, method: str, path: str, body: Any = None) -> Any:
    return _read(client.request(method, path, json=body))


def _read(answer: httpx2.Response) -> Any:
    if answer.status_code != httpx2.codes.OK:
        try:
            reason = answer.json()["error"]["message"]
        except (ValueError, KeyError, TypeError):
            reason = f"it answered {answer.status_code}"
        raise click.ClickException(f"the server refused: {reason}")
    return answer.json()
