"""Errors of the GraphQL API, in its own words."""

from __future__ import annotations

from typing import Any


class RefusalError(Exception):
    """A request that is answered with errors and without data.

    :ivar status: HTTP status
    :ivar body: JSON body
    """

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        super().__init__(body)
        self.status = status
        self.body = body


class FieldError(Exception):
    """An error of one field: the field becomes null, and the error is reported with its path."""

    def __init__(self, message: str, code: str | None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code


class ServerError(Exception):
    """A request on which the real server crashes: it ends in HTTP 500."""


def error(message: str, code: str | None = None, **more: Any) -> dict[str, Any]:
    """Build one entry of an answer's ``errors``."""
    entry: dict[str, Any] = {"message": message, **more}
    if code is not None:
        entry["extensions"] = {"code": code}
    return entry


def refusal(status: int, message: str, code: str) -> RefusalError:
    """Build a refusal with one error and null data."""
    return RefusalError(status, {"errors": [error(message, code)], "data": None})


def hidden(type_name: str) -> FieldError:
    """Build the error for an object that the token has no right on."""
    return FieldError(f"An object of type {type_name} was hidden due to permissions", "unauthorized")


def not_found(type_name: str) -> FieldError:
    """Build the error for a number that does not exist."""
    return FieldError(f"{type_name} not found", "not_found")
