"""Messages on the wire: a GraphQL request, and the HTTP response or failure that came back."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from ds_provider.exceptions import DSEndpointError, DSError, DSTransportError

# block strings, strings and comments, as GraphQL's grammar delimits them
_IGNORED = re.compile(r'"""(?:\\"""|(?!""").)*"""|"(?:\\.|[^"\\\n\r])*"|#[^\n\r]*', re.DOTALL)
_MUTATION = re.compile(r"\bmutation\b")


@dataclass(frozen=True)
class Request:
    """One GraphQL operation with its variables.

    :param context: where the request is made, for its errors: arguments of
        :meth:`~ds_provider.exceptions.DSError.add_context`.
    """

    query: str
    variables: Mapping[str, Any] = field(default_factory=dict)
    context: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)

    @property
    def body(self) -> bytes:
        """The request as JSON."""
        return msgspec.json.encode({"query": self.query, "variables": self.variables})

    @property
    def repeatable(self) -> bool:
        """True if sending it twice does no harm: a mutation may post a message, and its mails, again."""
        return not _MUTATION.search(_IGNORED.sub("", self.query))


@dataclass(frozen=True)
class Response:
    """HTTP response, whatever it holds. Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class TransportFailure:
    """Exchange that broke before a whole response was there.

    :param reason: what happened, in words that hold neither headers nor body.
    :param sent: true if the service may have received the request.
    :param kind: the error that it is.
    """

    reason: str
    sent: bool
    kind: type[DSTransportError] | type[DSEndpointError] = DSTransportError

    def error(self) -> DSError:
        """Return the error."""
        if issubclass(self.kind, DSTransportError):
            return self.kind(self.reason, sent=self.sent)
        return self.kind(self.reason)


Exchange = Response | TransportFailure
