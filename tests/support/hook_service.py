"""A service on this machine that says what it is told to say."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler
from typing import Any

TOKEN = "MDAwMDAwMDAtMDAwMDtTM2NyM3Q="


def refused(message: str, code: str | None = None) -> dict[str, Any]:
    return {"errors": [{"message": message, "extensions": {"code": code}}], "data": None}


class Service:
    """Answers with what it is told to, the last answer for ever."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, bytes]] = []
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []

    def will_say(self, *answers: Any, status: int = 200) -> None:
        self.answers = [
            (status, answer if isinstance(answer, bytes) else json.dumps(answer).encode()) for answer in answers
        ]

    def answer(self, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        self.headers.append(headers)
        self.requests.append(json.loads(body))
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    @property
    def variables(self) -> list[dict[str, Any]]:
        return [request["variables"] for request in self.requests]

    def handler(self) -> type[BaseHTTPRequestHandler]:
        told = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers["content-length"])
                headers = {name.lower(): value for name, value in self.headers.items()}
                status, body = told.answer(headers, self.rfile.read(length))
                self.send_response(status)
                self.send_header("Content-Type", "application/json; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        return Handler
