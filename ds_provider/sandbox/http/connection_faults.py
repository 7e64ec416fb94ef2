"""Faults below HTTP: an answer that breaks off, a connection closed without an answer."""

from __future__ import annotations

from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class ConnectionFaults:
    """Outermost ASGI layer: cuts or drops a finished answer, as `request.state.fault` says."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on the answer, or a part of it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        messages: list[Message] = []

        async def buffer(message: Message) -> None:
            messages.append(message)

        await self._app(scope, receive, buffer)
        fault = scope.get("state", {}).get("fault")
        if fault == "dropped":
            _hang_up(send)
        elif fault == "cut_body":
            await _send_half(messages, send)
        else:
            for message in messages:
                await send(message)


async def _send_half(messages: list[Message], send: Send) -> None:
    """Send headers that promise the whole body, then half of the body, and close the connection."""
    body = b"".join(message.get("body", b"") for message in messages[1:])
    headers = [pair for pair in messages[0]["headers"] if pair[0].lower() != b"content-length"]
    length = (b"content-length", str(len(body)).encode())
    await send({**messages[0], "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
    _hang_up(send)


def _hang_up(send: Send) -> None:
    """Close the connection. ASGI has no call for it, so this uses uvicorn's own cycle."""
    cycle: Any = getattr(send, "__self__", None)
    cycle.transport.close()
    cycle.disconnected = True
