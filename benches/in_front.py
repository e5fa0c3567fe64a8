"""A server that speaks Chat Completions, asked directly and through Freehold, in turn, in one run.

usage: python -m benches.in_front URL [--model NAME] [--slots N] [--streams 1,8,64] [--tokens 128] [--rounds 3]

URL is that of its API on this machine, such as http://127.0.0.1:8080/v1. Every round asks new prompts, so that none is
cached. Beside the tokens per second stands the CPU time of Freehold for each of them.
"""

import argparse
import asyncio
import statistics
import sys
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

import httpx2

from benches.engine_speed import chat_streams, conversations, medians, until_loaded
from benches.load import cpu_seconds
from benches.server_cpu import KEY, free_port, server


async def listed(url: str) -> str:
    """The first model that a server lists."""
    async with httpx2.AsyncClient() as client:
        found = (await client.get(f"{url}/models", headers={"authorization": f"Bearer {KEY}"})).raise_for_status()
    return str(found.json()["data"][0]["id"])


async def compare(options: argparse.Namespace, folder: Path) -> None:
    """Ask both in turn and print a row for each number of streams."""
    url, port = options.url.rstrip("/"), free_port()
    direct = urlsplit(url).port or 80
    model = options.model or await listed(url)
    config = folder / "settings.toml"
    slots = f"slots = {options.slots}\n" if options.slots else ""
    engine = f'[[engines]]\nname = "there"\nkind = "remote"\nurl = "{url}"\n{slots}'
    config.write_text(f'{engine}[[embedders]]\nname = "s"\nkind = "script"\n')
    command = (sys.executable, "-m", "freehold.cli.main", "serve", "--config", str(config), "--port", str(port))
    with server(port, *command, "--data", str(folder / "data"), "--key", KEY) as pid:
        await until_loaded(port)
        print(f"{'streams':>8}{'tok/s':>9}{'direct':>9}{'ratio':>7}{'first token':>13}{'direct':>9}{'CPU a token':>16}")
        run = 0
        for streams in map(int, options.streams.split(",")):
            ours, theirs, spent = list[tuple[float, float]](), list[tuple[float, float]](), list[float]()
            for number in range(options.rounds):
                sides = ((port, ours), (direct, theirs))
                for where, found in sides if number % 2 else sides[::-1]:
                    run += 1
                    before = cpu_seconds(pid)
                    talks = conversations(streams, run)
                    found.append(await chat_streams(where, talks, options.tokens, model))
                    if where == port:
                        spent.append((cpu_seconds(pid) - before) / streams / options.tokens * 1e6)
            (rate, first), (rate_there, first_there) = medians(ours), medians(theirs)
            print(
                f"{streams:8}{rate:9.1f}{rate_there:9.1f}{rate / rate_there:7.2f}{first:11.3f} s{first_there:7.3f} s"
                f"{statistics.median(spent):13.0f} us",
                flush=True,
            )


def main() -> None:
    """Read the options and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("--model", default="", help="default: the first that the server lists")
    parser.add_argument("--slots", type=int, default=0, help="default: as many as the server says")
    parser.add_argument("--streams", default="1,8,64")
    parser.add_argument("--tokens", type=int, default=128, help="of each answer, at most")
    parser.add_argument("--rounds", type=int, default=3)
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(compare(parser.parse_args(), Path(folder)))


if __name__ == "__main__":
    main()
