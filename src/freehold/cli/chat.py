"""`freehold chat`: an answer in the terminal."""

import asyncio
import json
import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack, aclosing

import click
import httpx2

from freehold.cli.choice import choose, fallen_back
from freehold.cli.context import Here
from freehold.config import load
from freehold.core.deltas import Text
from freehold.core.errors import EngineFailed
from freehold.core.prompt import Prompt, Turn
from freehold.engines.registry import open_engine

LOCAL = "http://127.0.0.1:8000/v1"
CONNECT_SECONDS = 2.0


@click.command()
@click.argument("text", nargs=-1, required=True)
@click.option("--model", help="The model: a server's name for it, or a catalogue name or file without a server.")
@click.option("--engine", help="The engine kind to start without a server (llama, openvino, script).")
@click.option("--url", help=f"The server (default OPENAI_BASE_URL, else {LOCAL} if one runs there).")
@click.option("--key", help="The API key for the server (default OPENAI_API_KEY).")
@click.pass_obj
def chat(
    here: Here, text: tuple[str, ...], model: str | None, engine: str | None, url: str | None, key: str | None
) -> None:
    """Ask a question and stream the answer.

    Uses the server that runs, when there is one and a key for it; otherwise the engine is started just for this answer.

    \b
    freehold chat "Write a haiku about coding."
    git diff | freehold chat "Write a commit message for this:" -
    """
    question = " ".join(sys.stdin.read() if word == "-" else word for word in text)
    server = url or here.environ.get("OPENAI_BASE_URL")
    key = key or here.environ.get("OPENAI_API_KEY")
    try:
        if engine is None and (server is not None or (key is not None and _runs(LOCAL))):
            pieces = _remote((server or LOCAL).rstrip("/"), key or "none", model or "gpt-5", question)
            for piece in pieces:
                click.echo(piece, nl=False)
        else:
            asyncio.run(_local(here, model, engine, question))
    except KeyboardInterrupt:
        click.echo(err=True)
        sys.exit(130)
    click.echo()


def _runs(url: str) -> bool:
    try:
        return httpx2.get(url.removesuffix("/v1") + "/healthz", timeout=CONNECT_SECONDS).status_code == 200
    except httpx2.HTTPError:
        return False


def _remote(url: str, key: str, model: str, question: str) -> Iterator[str]:
    body = {"model": model, "input": question, "stream": True, "store": False}
    headers = {"authorization": f"Bearer {key}"}
    timeout = httpx2.Timeout(None, connect=CONNECT_SECONDS)
    try:
        with httpx2.stream("POST", f"{url}/responses", json=body, headers=headers, timeout=timeout) as answer:
            if answer.status_code != 200:
                raise click.ClickException(_reason(answer.read(), answer.status_code))
            for line in answer.iter_lines():
                if line.startswith("data: "):
                    event = json.loads(line.removeprefix("data: "))
                    if event["type"] == "response.output_text.delta":
                        yield event["delta"]
                    elif event["type"] == "response.failed":
                        raise click.ClickException(event["response"]["error"]["message"])
                    elif event["type"] == "error":
                        raise click.ClickException(event["message"])
    except httpx2.HTTPError as error:
        raise click.ClickException(f"the server at {url} does not answer ({error})") from error


def _reason(body: bytes, status: int) -> str:
    try:
        return json.loads(body)["error"]["message"]
    except (ValueError, KeyError, TypeError):
        return f"the server answered {status}"


async def _local(here: Here, model: str | None, engine: str | None, question: str) -> None:
    configured = load(here.environ, None, here.folders.data)
    choice = choose(here, configured, engine, model, None)
    if choice.counts:
        click.echo(choice.why, err=True)
    async with AsyncExitStack() as stack:
        try:
            running = await stack.enter_async_context(open_engine(choice.settings.engines[0], choice.find))
        except EngineFailed as failure:
            if choice.instead is None:
                raise
            click.echo(fallen_back(choice.instead, failure), err=True)
            running = await stack.enter_async_context(open_engine(choice.instead.engines[0], choice.find))
        prompt = Prompt(model=running.models[0].name, turns=(Turn("user", question),))
        async with aclosing(running.generate(await running.admit(prompt))) as deltas:
            async for delta in deltas:
                if isinstance(delta, Text):
                    click.echo(delta.text, nl=False)
                    sys.stdout.flush()
