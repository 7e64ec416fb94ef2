"""Record a sandbox's answers at the first request, then send them from memory, at a set cost.

The sandbox computes its answers on the machine that is measured, one after another. Recorded answers cost next to
nothing. Their cost can therefore be set: seconds a request and seconds a megabyte, since the real service's time grows
with the size of its answers.
"""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import json
import sys
from typing import Any, NamedTuple

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ds_provider.sandbox.http.server import PATH, listen, url_of

FREE = {"seconds": 0.0, "seconds_per_megabyte": 0.0}


class Recording(NamedTuple):
    """:ivar body: gzipped, as the sandbox sent it"""

    body: bytes
    megabytes: float


class Replay:
    """:param upstream: the sandbox's endpoint"""

    def __init__(self, upstream: str) -> None:
        self._upstream = upstream
        self._client = httpx.AsyncClient(timeout=120)
        self._recordings: dict[str, Recording] = {}
        self._cost = FREE
        self._counts = {"requests": 0, "recorded": 0, "megabytes": 0.0}

    async def answer(self, request: Request) -> Response:
        self._counts["requests"] += 1
        body = await request.body()
        key = identity(body)
        if key not in self._recordings:
            self._counts["recorded"] += 1
            self._recordings[key] = await self._record(body, request.headers["Authorization"])
        recording = self._recordings[key]
        self._counts["megabytes"] += recording.megabytes
        await asyncio.sleep(self._cost["seconds"] + self._cost["seconds_per_megabyte"] * recording.megabytes)
        headers = {"Content-Encoding": "gzip", "Content-Type": "application/json; charset=utf-8"}
        return Response(recording.body, headers=headers)

    async def counts(self, request: Request) -> JSONResponse:
        return JSONResponse(self._counts)

    async def set_cost(self, request: Request) -> JSONResponse:
        self._cost = FREE | await request.json()
        return JSONResponse(self._cost)

    async def _record(self, body: bytes, authorization: str) -> Recording:
        headers = {"Authorization": authorization, "Content-Type": "application/json", "Accept-Encoding": "gzip"}
        answer = await self._client.post(self._upstream, content=body, headers=headers)
        answer.raise_for_status()
        return Recording(gzip.compress(answer.content, 6, mtime=0), len(answer.content) / 1e6)


def identity(body: bytes) -> str:
    """Return one key for all spellings of a request's JSON."""
    content: dict[str, Any] = json.loads(body)
    variables = {name: value for name, value in content["variables"].items() if value is not None}
    return hashlib.md5(json.dumps([content["query"], variables], sort_keys=True).encode()).hexdigest()


def main(upstream: str) -> None:
    replay = Replay(upstream)
    routes = [
        Route(PATH, replay.answer, methods=["POST"]),
        Route("/replay/state", replay.counts, methods=["GET"]),
        Route("/replay/cost", replay.set_cost, methods=["POST"]),
    ]
    listening = listen("127.0.0.1", 0)
    print(json.dumps({"url": url_of(listening)}), flush=True)
    config = uvicorn.Config(Starlette(routes=routes), log_level="error", access_log=False, lifespan="off")
    uvicorn.Server(config).run(sockets=[listening])


if __name__ == "__main__":
    main(sys.argv[1])
