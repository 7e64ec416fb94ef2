"""HTTP service on this machine with chosen responses."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler
from typing import Any

TOKEN = "MDAwMDAwMDAtMDAwMDtTM2NyM3Q="


def refused(message: str, code: str | None = None) -> dict[str, Any]:
    return {"errors": [{"message": message, "extensions": {"code": code}}], "data": None}


class Service:
    """Gives its responses in turn, the last one for ever."""

    def __init__(self) -> None:
        self.responses: list[tuple[int, bytes]] = []
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []

    def will_respond(self, *responses: Any, status: int = 200) -> None:
        self.responses = [
            (status, response if isinstance(response, bytes) else json.dumps(response).encode())
            for response in responses
        ]

    def respond(self, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        self.headers.append(headers)
        self.requests.append(json.loads(body))
        return self.responses.pop(0) if len(self.responses) > 1 else self.responses[0]

    @property
    def variables(self) -> list[dict[str, Any]]:
        return [request["variables"] for request in self.requests]

    def handler(self) -> type[BaseHTTPRequestHandler]:
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers["content-length"])
                headers = {name.lower(): value for name, value in self.headers.items()}
                status, body = service.respond(headers, self.rfile.read(length))
                self.send_response(status)
                self.send_header("Content-Type", "application/json; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        return Handler
