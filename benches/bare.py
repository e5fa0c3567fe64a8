"""A bare Starlette app that sends the bytes it is given: the floor that Freehold's own cost is measured against.

usage: python -m benches.bare PORT FOLDER     each file NAME.json or NAME.sse in FOLDER is answered at /NAME
"""

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route


def plain(path: Path) -> Route:
    """One object, sent whole."""
    content = path.read_bytes()

    async def answer(request: Request) -> Response:
        await request.body()
        return Response(content, media_type="application/json")

    return Route(f"/{path.stem}", answer, methods=["POST"])


def stream(path: Path) -> Route:
    """Server-sent events, one send each."""
    frames = [frame + b"\n\n" for frame in path.read_bytes().split(b"\n\n") if frame]

    async def answer(request: Request) -> Response:
        await request.body()

        async def each() -> AsyncIterator[bytes]:
            for frame in frames:
                yield frame

        return StreamingResponse(each(), media_type="text/event-stream")

    return Route(f"/{path.stem}", answer, methods=["POST"])


if __name__ == "__main__":
    folder = Path(sys.argv[2])
    routes = [plain(path) for path in folder.glob("*.json")] + [stream(path) for path in folder.glob("*.sse")]
    uvicorn.run(
        Starlette(routes=routes),
        port=int(sys.argv[1]),
        log_level="warning",
        access_log=False,
        loop="uvloop",
        http="httptools",
    )
