"""Answers that no GraphQL execution gives: the API's 500, and what a proxy or the site sends in the API's place."""

from __future__ import annotations

import time
import uuid

from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response

from ds_provider.sandbox.graphql.errors import RefusalError
from ds_provider.sandbox.http.faults import RequestFaults

SLOW_DOWN = "Calme toi, cowboy ! Trop de requêtes : réessayez dans un instant.\n"
MAINTENANCE = "Le site est actuellement en maintenance. Il sera à nouveau disponible dans un court instant."
HTML_PAGES = {
    "bad_gateway": (502, "502 Bad Gateway"),
    "unavailable": (503, "503 Service Unavailable"),
    "gateway_timeout": (504, "504 Gateway Time-out"),
    "not_json": (200, "Connexion"),
}


def internal_error() -> RefusalError:
    """Build the API's 500. Each has its own id, which the API's support can look up."""
    extensions = {"code": "internal_server_error", "exception_id": str(uuid.uuid4())}
    return RefusalError(500, {"errors": [{"message": "Internal Server Error", "extensions": extensions}], "data": None})


def html_page(status: int, title: str) -> Response:
    """Build a page of a proxy or of the site."""
    page = f"<!DOCTYPE html>\n<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>\n"
    return HTMLResponse(page, status)


def replacement_answer(faults: RequestFaults) -> Response | None:
    """Return the answer that a proxy or the whole site gives in the API's place, None if no fault asks for one."""
    for name, (status, title) in HTML_PAGES.items():
        if name in faults:
            return html_page(status, title)
    if "maintenance" in faults:
        return JSONResponse({"error": MAINTENANCE}, 503)
    if "empty_body" in faults:
        return Response(b"", 200, media_type="application/json")
    if "rate_limited" in faults:
        return too_many_requests(int(time.time()) + 2)
    return None


def too_many_requests(reset_at: int) -> Response:
    """Build the API's 429.

    :param reset_at: when the client may try again, in seconds since the epoch
    """
    headers = {"RateLimit-Remaining": "0", "RateLimit-Reset": str(reset_at)}
    return PlainTextResponse(SLOW_DOWN, 429, headers)
