"""What goes over the wire: a request, and what came back of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

# block strings, strings and comments, as GraphQL's grammar delimits them
_IGNORED = re.compile(r'"""(?:\\"""|(?!""").)*"""|"(?:\\.|[^"\\\n\r])*"|#[^\n\r]*', re.DOTALL)
_MUTATION = re.compile(r"\bmutation\b")


@dataclass(frozen=True)
class Request:
    """One GraphQL operation with its variables."""

    query: str
    variables: Mapping[str, Any] = field(default_factory=dict)

    @property
    def body(self) -> bytes:
        return msgspec.json.encode({"query": self.query, "variables": self.variables})

    @property
    def repeatable(self) -> bool:
        """Whether sending it twice does no harm: a mutation may post a message, and its mails, again."""
        return not _MUTATION.search(_IGNORED.sub("", self.query))


@dataclass(frozen=True)
class Response:
    """An HTTP answer, whatever it holds. Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class TransportFailure:
    """The exchange broke before a whole answer was there.

    :param reason: what happened, in words that hold neither headers nor body.
    :param sent: whether the service may have received the request.
    """

    reason: str
    sent: bool


Exchange = Response | TransportFailure
