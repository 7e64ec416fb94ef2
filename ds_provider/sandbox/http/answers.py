"""The API's refusals, in its own words."""

from __future__ import annotations

import uuid
from typing import Any


class RefusalError(Exception):
    """A request that is answered by an error alone.

    :ivar status: HTTP status
    :ivar body: the JSON body
    """

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        super().__init__(body)
        self.status = status
        self.body = body


class FieldError(Exception):
    """An error of one field: it becomes null, and the error is told with its path."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.message = message
        self.code = code


class ServerError(Exception):
    """Something that the real server does not survive: it ends in a 500."""


def error(message: str, code: str | None = None, **more: Any) -> dict[str, Any]:
    told: dict[str, Any] = {"message": message, **more}
    if code is not None:
        told["extensions"] = {"code": code}
    return told


def refusal(status: int, message: str, code: str) -> RefusalError:
    return RefusalError(status, {"errors": [error(message, code)], "data": None})


def internal_error(exception_id: str | None = None) -> RefusalError:
    """The 500 of the API; each has an id of its own, which its support can look up."""
    extensions = {"code": "internal_server_error", "exception_id": exception_id or str(uuid.uuid4())}
    return RefusalError(500, {"errors": [{"message": "Internal Server Error", "extensions": extensions}], "data": None})


def hidden(type_name: str) -> FieldError:
    return FieldError(f"An object of type {type_name} was hidden due to permissions", "unauthorized")


def not_found(type_name: str) -> FieldError:
    return FieldError(f"{type_name} not found", "not_found")
