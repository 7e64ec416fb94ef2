"""Faults below HTTP: an answer that breaks off, a connection closed without one."""

from __future__ import annotations

from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class BrokenWire:
    """The outermost layer: does what `request.state.fault` asks to the finished answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        messages: list[Message] = []

        async def hold(message: Message) -> None:
            messages.append(message)

        await self._app(scope, receive, hold)
        fault = scope.get("state", {}).get("fault")
        if fault == "dropped":
            hang_up(send)
        elif fault == "cut_body":
            await cut(messages, send)
        else:
            for message in messages:
                await send(message)


async def cut(messages: list[Message], send: Send) -> None:
    """Send headers that promise a body, half of it, and no more."""
    body = b"".join(message.get("body", b"") for message in messages[1:])
    headers = [pair for pair in messages[0]["headers"] if pair[0].lower() != b"content-length"]
    length = (b"content-length", str(len(body)).encode())
    await send({**messages[0], "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
    hang_up(send)


def hang_up(send: Send) -> None:
    """Close the connection. ASGI has no way to ask for it, so uvicorn's own cycle is asked."""
    cycle: Any = getattr(send, "__self__", None)
    cycle.transport.close()
    cycle.disconnected = True
