"""The sandbox over HTTP: the API's endpoint, its files, and the sandbox's own controls."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timezone
from email.utils import format_datetime
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from ds_provider.sandbox.graphql.errors import RefusalError
from ds_provider.sandbox.graphql.schema import serving
from ds_provider.sandbox.http import control
from ds_provider.sandbox.http.answers import html_page, internal_error, replacement_answer, too_many_requests
from ds_provider.sandbox.http.auth import NO_TOKEN, Token, token_required
from ds_provider.sandbox.http.connection_faults import ConnectionFaults
from ds_provider.sandbox.http.faults import RequestFaults
from ds_provider.sandbox.http.params import is_public, operation_name, read_params, read_variables_of
from ds_provider.sandbox.http.response_faults import count_rows
from ds_provider.sandbox.http.state import ServedRequest, State
from ds_provider.sandbox.world import files


def create_app(state: State) -> ASGIApp:
    """Create the ASGI application over a sandbox's state."""

    async def graphql(request: Request) -> Response:
        with serving(state.server):
            return await answer_graphql(state, request)

    async def download(request: Request) -> Response:
        return answer_file(state, request)

    routes = [
        Route("/api/v2/graphql", graphql, methods=["POST"]),
        Route("/api/v2/graphql", _no_such_page, methods=["GET", "PUT", "PATCH", "DELETE", "OPTIONS"]),
        Route("/files/{token}/{name}", download, methods=["GET"]),
        *control.routes(state),
    ]
    gzip = Middleware(GZipMiddleware, minimum_size=1024, compresslevel=1)
    return ConnectionFaults(Starlette(routes=routes, middleware=[gzip]))


async def _no_such_page(request: Request) -> Response:
    """Answer what the site answers where it has no page: the endpoint takes POST requests only."""
    return html_page(404, "404 Not Found")


@dataclass
class Call:
    """One request to the endpoint, as far as it was understood."""

    params: dict[str, Any]
    rows: int = 0

    @property
    def variables(self) -> dict[str, Any]:
        """The variables, empty where they cannot be read."""
        try:
            return read_variables_of(self.params)
        except RefusalError:
            return {}


async def answer_graphql(state: State, request: Request) -> Response:
    """Answer one GraphQL request, faults included, and record it."""
    faults, call = state.faults.draw(), Call({})
    response = replacement_answer(faults) or _check_rate_limit(state, request)
    if response is None:
        response = _execute(state, request, await request.body(), faults, call)
        await _delay(faults, call)
    response.headers["Date"] = format_datetime(state.clock.now.astimezone(timezone.utc), usegmt=True)
    request.state.fault = next((name for name in ("dropped", "cut_body") if name in faults), None)
    state.record(ServedRequest(operation_name(call.params), call.variables, response.status_code, faults.names()))
    return response


def _check_rate_limit(state: State, request: Request) -> Response | None:
    if not state.rate_limit.exceeds(request.headers.get("Authorization")):
        return None
    return too_many_requests(state.rate_limit.reset_at())


def _execute(state: State, request: Request, raw: bytes, faults: RequestFaults, call: Call) -> Response:
    try:
        return _json(200, _run(state, request, raw, faults, call))
    except RefusalError as refused:
        return _json(refused.status, refused.body)


def _run(state: State, request: Request, raw: bytes, faults: RequestFaults, call: Call) -> dict[str, Any]:
    """Return the answer's body.

    :raises RefusalError: if the request as a whole is refused
    """
    call.params = read_params(raw, request.headers.get("Content-Type", ""), request.url.query)
    token = _authenticate(state, request, call.params)
    if "server_error" in faults:
        raise internal_error()
    answer = state.api.answer(call.params, token, str(request.base_url).rstrip("/"), faults)
    call.rows = count_rows(answer)
    return answer


def _authenticate(state: State, request: Request, params: dict[str, Any]) -> Token:
    address = request.client.host if request.client else "127.0.0.1"
    token = state.tokens.authenticate(request.headers.get("Authorization"), address, state.clock.now_micros)
    if token is None and not is_public(params):
        raise token_required()
    return token or NO_TOKEN


def _json(status: int, body: dict[str, Any]) -> Response:
    return Response(msgspec.json.encode(body), status, media_type="application/json; charset=utf-8")


async def _delay(faults: RequestFaults, call: Call) -> None:
    if "slow" in faults:
        fault = faults.by_name["slow"]
        await asyncio.sleep(fault.seconds + fault.seconds_per_row * call.rows)


def answer_file(state: State, request: Request) -> Response:
    """Return a file's content, as long as its link is valid."""
    found = state.api.signer.read(request.path_params["token"])
    if found is None:
        return PlainTextResponse("Not Found\n", 404)
    key, expires_at = found
    if state.clock.now_micros >= expires_at:
        return PlainTextResponse("Forbidden\n", 403)
    return Response(files.content(key), media_type="application/octet-stream")
