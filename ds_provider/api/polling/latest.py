"""The newest rows of many lists, asked for in one request.

Whoever waits asks again and again, so all that wait on one token share their questions. The service gives no data at
all where one group of a request is gone or out of the token's reach, and names the first such group only: that one is
asked about alone, for its own error, and the others again without it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import msgspec

from ds_provider.api.paging.rows import PageInfo, RowHead
from ds_provider.api.query.selection import DELETED_DOSSIERS, DOSSIERS, PENDING_DELETED_DOSSIERS, Selection, Stream
from ds_provider.api.transport.messages import Exchange, Request
from ds_provider.api.transport.responses import Body, read_answer, read_fields
from ds_provider.api.transport.retry import FIRST_PAUSE_SECONDS, Sleep, SubFlow, send_with_retry
from ds_provider.exceptions import (
    DSBudgetError,
    DSEndpointError,
    DSError,
    DSIncompletePageError,
    DSMaintenanceError,
    DSRateLimitedError,
    DSTokenError,
    DSTransientError,
    DSTransportError,
)

# as for idle groups: what bounds a request is the 30 seconds that it has to search all these lists
MAX_QUESTIONS = 100
# a row costs three of the 60,000 that the service allows a request
MAX_ROWS = 4_000
# a list that cannot be read is found by halves; a service that cannot be reached is not to be asked that often
MAX_FAILURES = 24
FAILURES_WITHOUT_SUCCESS = 5

_SAME_FOR_ALL = (
    DSTokenError,
    DSEndpointError,
    DSBudgetError,
    DSTransportError,
    DSMaintenanceError,
    DSRateLimitedError,
)


class LatestQuery(NamedTuple):
    """The newest rows of a selection.

    :param last: how many.
    :param before: a cursor: the newest of the rows before it.
    """

    selection: Selection
    last: int
    before: str | None = None

    def variables(self) -> dict[str, Any]:
        """Of a list alone, as the API calls them."""
        given = {**self.selection.filters(), "last": self.last, "before": self.before}
        return {name: value for name, value in given.items() if value is not None}


@dataclass(frozen=True)
class LatestRows:
    """What a question found.

    :param rows: in ascending order of the selection's sort column.
    :param earlier: the cursor before which there are more; none where these are all.
    """

    rows: Sequence[RowHead]
    earlier: str | None


LatestResults = dict[LatestQuery, LatestRows | DSError]


class _Light(NamedTuple):
    """How one of the connections is asked for at little cost."""

    kind: str
    fields: Sequence[str]
    variables: Mapping[str, str]


_PAGE = {"number": "Int!", "last": "Int!", "before": "String"}
_DELETIONS = _Light(
    "DeletedDossierConnection", ("number", "dateSupression"), {**_PAGE, "deletedSince": "ISO8601DateTime"}
)
_LIGHT = {
    DOSSIERS: _Light(
        "DossierConnection",
        ("number", "dateDepot", "dateDerniereModification"),
        {
            **_PAGE,
            "state": "DossierState",
            "archived": "Boolean",
            "createdSince": "ISO8601DateTime",
            "updatedSince": "ISO8601DateTime",
        },
    ),
    DELETED_DOSSIERS: _DELETIONS,
    PENDING_DELETED_DOSSIERS: _DELETIONS,
}

_OPERATION = """\
query getNewest(
%(variables)s
) {
%(groupes)s
}
%(fragments)s"""
_GROUPE = """\
  %(alias)s: groupeInstructeur(number: $number%(i)d) {
    %(connection)s(%(arguments)s) {
      ...Newest%(kind)s
    }
  }"""
_FRAGMENT = """
fragment Newest%(kind)s on %(kind)s {
  pageInfo {
    hasNextPage
    hasPreviousPage
    startCursor
  }
  nodes {
    %(fields)s
  }
}
"""


class _Connection(msgspec.Struct, rename="camel"):
    page_info: PageInfo
    nodes: list[RowHead]


_fields_decoder = msgspec.json.Decoder(Body[dict[str, msgspec.Raw]])
_groupe_decoder = msgspec.json.Decoder(dict[str, _Connection])


def fetch_latest(questions: Iterable[LatestQuery]) -> SubFlow[LatestResults]:
    """Ask all of these, in as few requests as may be, each one tried once.

    :return: what each found, or why it found nothing: a failure of one list is not the others'.
    """
    asking = _Asking(dict.fromkeys(questions))
    yield from asking.ask_all()
    return asking.answers


class _Asking:
    """What is still to be asked, and what is known by now."""

    def __init__(self, questions: Iterable[LatestQuery]) -> None:
        self.answers: LatestResults = {}
        self._waiting: deque[Sequence[LatestQuery]] = deque(_batches(questions))
        self._failures = 0

    def ask_all(self) -> SubFlow[None]:
        while self._waiting:
            batch = self._waiting.popleft()
            try:
                found, again = yield from send_with_retry(partial(request, batch), partial(_read, batch), attempts=1)
            except DSError as error:
                yield from self._failed(batch, error)
            else:
                self.answers |= found
                self._waiting += again

    def _failed(self, batch: Sequence[LatestQuery], error: DSError) -> SubFlow[None]:
        self._failures += 1
        if isinstance(error, _SAME_FOR_ALL) or self._is_of_no_use():
            self._give_up(batch, error)
        elif len(batch) == 1:
            groupe, stream = batch[0].selection.groupe_instructeur_number, batch[0].selection.stream.name
            self.answers[batch[0]] = error.locate(groupe_instructeur_number=groupe, stream=stream)
        else:
            self._waiting += (batch[: len(batch) // 2], batch[len(batch) // 2 :])
            yield Sleep(FIRST_PAUSE_SECONDS, error)

    def _is_of_no_use(self) -> bool:
        return self._failures >= (MAX_FAILURES if self.answers else FAILURES_WITHOUT_SUCCESS)

    def _give_up(self, batch: Sequence[LatestQuery], error: DSError) -> None:
        if not isinstance(error, (*_SAME_FOR_ALL, DSTransientError)):
            # whose failure it is, is not known yet: what lasts for one of them need not for the others
            error = DSIncompletePageError(f"asking about several lists at once goes on failing: {error}")
        for questions in (batch, *self._waiting):
            self.answers |= dict.fromkeys(questions, error)
        self._waiting.clear()


def _batches(questions: Iterable[LatestQuery]) -> list[list[LatestQuery]]:
    batches: list[list[LatestQuery]] = [[]]
    rows = 0
    for question in questions:
        rows += question.last
        if len(batches[-1]) >= MAX_QUESTIONS or rows > MAX_ROWS:
            batches.append([])
            rows = question.last
        batches[-1].append(question)
    return [batch for batch in batches if batch]


def request(batch: Sequence[LatestQuery]) -> Request:
    """The operation that asks all of a batch. What a variable that is not given filters by is not filtered."""
    streams = [question.selection.stream for question in batch]
    variables = [
        f"  ${name}{i}: {kind}" for i, stream in enumerate(streams) for name, kind in _LIGHT[stream].variables.items()
    ]
    kinds = {_LIGHT[stream].kind: _LIGHT[stream].fields for stream in streams}
    text = _OPERATION % {
        "variables": "\n".join(variables),
        "groupes": "\n".join(_groupe(i, stream) for i, stream in enumerate(streams)),
        "fragments": "".join(
            _FRAGMENT % {"kind": kind, "fields": "\n    ".join(fields)} for kind, fields in kinds.items()
        ),
    }
    given = {f"{name}{i}": value for i, one in enumerate(batch) for name, value in one.variables().items()}
    return Request(text, given)


def _groupe(i: int, stream: Stream) -> str:
    light = _LIGHT[stream]
    arguments = ", ".join(f"{name}: ${name}{i}" for name in light.variables if name != "number")
    return _GROUPE % {
        "alias": _alias(i),
        "i": i,
        "connection": stream.connection,
        "arguments": arguments,
        "kind": light.kind,
    }


def _alias(i: int) -> str:
    return f"g{i}"


def _read(batch: Sequence[LatestQuery], exchange: Exchange) -> tuple[LatestResults, list[Sequence[LatestQuery]]]:
    """What was found, and what is to be asked again, in other batches."""
    if len(batch) == 1:
        fields = read_answer(exchange, _fields_decoder)
        return {batch[0]: _sighting(batch[0], fields.get(_alias(0), b""))}, []
    some, failed = read_fields(exchange, _fields_decoder)
    asked = {_alias(i): question for i, question in enumerate(batch)}
    if not failed <= asked.keys():
        raise DSIncompletePageError("the answer tells of a failure of something that was not asked")
    others = {alias: question for alias, question in asked.items() if alias not in failed}
    alone: list[Sequence[LatestQuery]] = [[asked[alias]] for alias in sorted(failed)]
    if some is None:
        return {}, [*alone, list(others.values())] if others else alone
    found: LatestResults = {}
    for alias, question in others.items():
        try:
            found[question] = _sighting(question, some.get(alias, b""))
        except DSTransientError:
            alone.append([question])
    return found, alone


def _sighting(question: LatestQuery, groupe: bytes | msgspec.Raw) -> LatestRows:
    stream = question.selection.stream
    try:
        connection = _groupe_decoder.decode(groupe)[stream.connection]
    except (msgspec.DecodeError, KeyError):
        raise DSIncompletePageError(f"the answer lacks some of the group's {stream.name}") from None
    info, rows = connection.page_info, connection.nodes
    if info.has_previous_page and not (rows and info.start_cursor):
        raise DSIncompletePageError("a page leads nowhere")
    for row in rows:
        row.date(question.selection.sort_column)
    return LatestRows(rows, info.start_cursor if info.has_previous_page else None)
