"""The sandbox over HTTP: the API's endpoint, its files, and the sandbox's own controls."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from ds_provider.sandbox.http import control
from ds_provider.sandbox.http.answers import RefusalError, internal_error, refusal
from ds_provider.sandbox.http.api import operation_name, read_json_variables, refuse_stored_query
from ds_provider.sandbox.http.connection_faults import BrokenWire
from ds_provider.sandbox.http.faults import Strike
from ds_provider.sandbox.http.response_faults import count_rows
from ds_provider.sandbox.state import Served, State
from ds_provider.sandbox.world import files

SLOW_DOWN = "Calme toi, cowboy ! Trop de requêtes : réessayez dans un instant.\n"
PAGES = {
    "bad_gateway": (502, "502 Bad Gateway"),
    "unavailable": (503, "503 Service Unavailable"),
    "gateway_timeout": (504, "504 Gateway Time-out"),
    "not_json": (200, "Connexion"),
}


def create_app(state: State) -> ASGIApp:
    """The ASGI application over a sandbox's state."""

    async def graphql(request: Request) -> Response:
        return await serve(state, request)

    async def download(request: Request) -> Response:
        return serve_file(state, request)

    routes = [
        Route("/api/v2/graphql", graphql, methods=["POST"]),
        Route("/files/{token}/{name}", download, methods=["GET"]),
        *control.routes(state),
    ]
    gzip = Middleware(GZipMiddleware, minimum_size=1024, compresslevel=1)
    return BrokenWire(Starlette(routes=routes, middleware=[gzip]))


@dataclass
class Call:
    """One request to the endpoint, as far as it was understood."""

    body: dict[str, Any]
    rows: int = 0

    @property
    def variables(self) -> dict[str, Any]:
        try:
            return read_json_variables(self.body.get("variables"))
        except RefusalError:
            return {}


async def serve(state: State, request: Request) -> Response:
    """Answer one GraphQL request, faults included, and keep a note of it."""
    strike, call = state.faults.strike(), Call({})
    response = _unavailable(strike) or _too_many(state, request)
    if response is None:
        response = _respond(state, request, await request.body(), strike, call)
        response = await _delay(strike, call, response)
    request.state.fault = next((name for name in ("dropped", "cut_body") if name in strike), None)
    state.note(Served(operation_name(call.body), call.variables, response.status_code, strike.names()))
    return response


def _unavailable(strike: Strike) -> Response | None:
    """What a proxy, or the site as a whole, answers in the API's place."""
    for name, (status, title) in PAGES.items():
        if name in strike:
            page = f"<!DOCTYPE html>\n<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>\n"
            return HTMLResponse(page, status)
    if "maintenance" in strike:
        told = "Le site est actuellement en maintenance. Il sera à nouveau disponible dans un court instant."
        return JSONResponse({"error": told}, 503)
    if "empty_body" in strike:
        return Response(b"", 200, media_type="application/json")
    if "rate_limited" in strike:
        return _slow_down(int(time.time()) + 2)
    return None


def _too_many(state: State, request: Request) -> Response | None:
    if not state.rate_limit.exceeded(request.headers.get("Authorization")):
        return None
    return _slow_down(state.rate_limit.reset_at())


def _slow_down(reset_at: int) -> Response:
    headers = {"RateLimit-Remaining": "0", "RateLimit-Reset": str(reset_at)}
    return PlainTextResponse(SLOW_DOWN, 429, headers)


def _respond(state: State, request: Request, raw: bytes, strike: Strike, call: Call) -> Response:
    try:
        return _json(200, _answer(state, request, raw, strike, call))
    except RefusalError as refused:
        return _json(refused.status, refused.body)


def _answer(state: State, request: Request, raw: bytes, strike: Strike, call: Call) -> dict[str, Any]:
    """:raises RefusalError: if the request as a whole is refused"""
    address = request.client.host if request.client else "127.0.0.1"
    authorization = request.headers.get("Authorization")
    call.body = read_body(raw)
    refuse_stored_query(call.body)
    token = state.tokens.admit(authorization, address, state.clock.now_micros)
    if "server_error" in strike:
        raise internal_error()
    answer = state.api.answer(call.body, token, str(request.base_url).rstrip("/"), strike)
    call.rows = count_rows(answer)
    return answer


def read_body(raw: bytes) -> dict[str, Any]:
    """:raises RefusalError: with HTTP 400 if it is no JSON object"""
    try:
        return msgspec.json.decode(raw, type=dict[str, Any])
    except msgspec.MsgspecError as problem:
        raise refusal(400, str(problem), "bad_request") from problem


def _json(status: int, body: dict[str, Any]) -> Response:
    return Response(msgspec.json.encode(body), status, media_type="application/json; charset=utf-8")


async def _delay(strike: Strike, call: Call, response: Response) -> Response:
    if "slow" in strike:
        fault = strike.faults["slow"]
        await asyncio.sleep(fault.seconds + fault.seconds_per_row * call.rows)
    return response


def serve_file(state: State, request: Request) -> Response:
    """A file, while its link lasts."""
    found = state.api.signer.read(request.path_params["token"])
    if found is None:
        return PlainTextResponse("Not Found\n", 404)
    key, expires_at = found
    if state.clock.now_micros >= expires_at:
        return PlainTextResponse("Forbidden\n", 403)
    return Response(files.content(key), media_type="application/octet-stream")
