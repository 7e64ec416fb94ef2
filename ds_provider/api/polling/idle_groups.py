"""Which of many groups hold nothing in their windows, asked of a hundred groups at once.

Reading a group of which nothing changed costs a request that brings no row, and most groups of an hourly run are like
that. Each group is asked here for the first row of its window, all of a batch in one request. It is a saving and no
reading: a group is idle only where that is certain, and all others are read on their own, where their own errors are.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Sequence
from functools import cache, partial

import msgspec

from ds_provider.api.paging.rows import PageInfo, RowHead
from ds_provider.api.query.selection import DOSSIERS, Selection
from ds_provider.api.transport.messages import Exchange, Request
from ds_provider.api.transport.responses import Body, read_fields
from ds_provider.api.transport.retry import FIRST_PAUSE_SECONDS, Flow, Sleep, SubFlow, send_with_retry
from ds_provider.exceptions import (
    DSComplexityError,
    DSEndpointError,
    DSError,
    DSIncompletePageError,
    DSMalformedAnswerError,
    DSServerError,
    DSTimeoutError,
    DSTokenError,
    DSTransportError,
)

log = logging.getLogger(__name__)

Batch = Sequence[Selection]

# A group costs about ten of the 60,000 that the service allows a request, and sixty of the 20,000 tokens that it may
# come to allow a query's text: what bounds a batch is the 30 seconds that it has to search all these groups.
MAX_BATCH = 100
# the questions may not eat up what they save: a tenth of the requests that reading each group takes
GROUPES_PER_QUESTION = 10
MIN_QUESTIONS = 3
FAILURES_IN_A_ROW = 3

_SAME_FOR_ALL = (DSTokenError, DSEndpointError)
_SMALLER_MAY_PASS = (DSComplexityError, DSTimeoutError, DSServerError, DSTransportError, DSMalformedAnswerError)

_VARIABLES = {
    "number": "Int!",
    "state": "DossierState",
    "archived": "Boolean",
    "createdSince": "ISO8601DateTime",
    "updatedSince": "ISO8601DateTime",
}
_OPERATION = """\
query getFirstDossiers(
%(variables)s
) {
%(groupes)s
}

fragment FirstDossier on DossierConnection {
  pageInfo {
    hasNextPage
  }
  nodes {
    number
    dateDepot
    dateDerniereModification
  }
}
"""
_GROUPE = """\
  %(alias)s: groupeInstructeur(number: $number%(i)d) {
    dossiers(first: 1%(filters)s) {
      ...FirstDossier
    }
  }"""


class _Dossiers(msgspec.Struct, rename="camel"):
    page_info: PageInfo
    nodes: list[RowHead]


class _Groupe(msgspec.Struct):
    dossiers: _Dossiers


_fields_decoder = msgspec.json.Decoder(Body[dict[str, msgspec.Raw]])
_groupe_decoder = msgspec.json.Decoder(_Groupe)


def idle_groupes(selections: Sequence[Selection]) -> Flow[set[int]]:
    """The flow that gives, once, the numbers of the groups of which it is certain that nothing is to be read.

    The service gives no data at all where one group of a request is gone or out of the token's reach, and names the
    first such group only: the others are then asked about again without it.

    :param selections: of the dossiers of different groups. Those without a window that begins somewhere are not asked
        about, since any row is in it.
    :raises DSError: only what is the same for all groups: the token is refused, or there is no API.
    """
    asked = [one for one in selections if one.stream is DOSSIERS and one.window and one.window.read_from]
    inquiry = _Inquiry(asked)
    yield from inquiry.ask_all()
    if inquiry.requests:
        found, requests = len(inquiry.idle), inquiry.requests
        log.info("%d of %d groupes instructeurs hold nothing in the window; requests: %d", found, len(asked), requests)
    yield inquiry.idle


class _Inquiry:
    """What is still to be asked, and what is known by now."""

    def __init__(self, asked: Batch) -> None:
        self.idle: set[int] = set()
        self.requests = 0
        self._waiting = deque(_split(asked, -(-len(asked) // MAX_BATCH)))
        self._questions_left = max(MIN_QUESTIONS, len(asked) // GROUPES_PER_QUESTION)
        self._failures = 0

    def ask_all(self) -> SubFlow[None]:
        while self._waiting and self._questions_left:
            batch = self._waiting.popleft()
            # one group alone is as soon read
            if len(batch) > 1:
                self._questions_left -= 1
                yield from self._ask(batch)

    def _ask(self, batch: Batch) -> SubFlow[None]:
        try:
            idle, again = yield from send_with_retry(partial(self._request, batch), partial(_read, batch), attempts=1)
        except _SAME_FOR_ALL:
            raise
        except DSError as error:
            yield from self._failed(batch, error)
        else:
            self._failures = 0
            self.idle |= idle
            self._waiting.append(again)

    def _request(self, batch: Batch) -> Request:
        self.requests += 1
        filters = [selection.filters() for selection in batch]
        return Request(
            question(len(batch)), {f"{name}{i}": value for i, one in enumerate(filters) for name, value in one.items()}
        )

    def _failed(self, batch: Batch, error: DSError) -> SubFlow[None]:
        self._failures += 1
        if self._failures >= FAILURES_IN_A_ROW or not isinstance(error, _SMALLER_MAY_PASS):
            log.info("asking about several groupes instructeurs at once is given up: %s", error)
            self._waiting.clear()
            return
        self._waiting += _split(batch, 2)
        yield Sleep(FIRST_PAUSE_SECONDS, error)


@cache
def question(count: int) -> str:
    """The operation that asks so many groups for the first row of each one's window.

    What a variable that is not given filters by is not filtered.
    """
    variables = [f"  ${name}{i}: {kind}" for i in range(count) for name, kind in _VARIABLES.items()]
    filters = ["".join(f", {name}: ${name}{i}" for name in _VARIABLES if name != "number") for i in range(count)]
    groupes = [_GROUPE % {"alias": _alias(i), "i": i, "filters": filters[i]} for i in range(count)]
    return _OPERATION % {"variables": "\n".join(variables), "groupes": "\n".join(groupes)}


def _alias(i: int) -> str:
    return f"g{i}"


def _split(batch: Batch, parts: int) -> list[Batch]:
    """So many parts of about the same length."""
    return [batch[i * len(batch) // parts : (i + 1) * len(batch) // parts] for i in range(parts)]


def _read(batch: Batch, exchange: Exchange) -> tuple[set[int], Batch]:
    """The idle groups of a batch, and those that the answer leaves open through no fault of theirs."""
    fields, failed = read_fields(exchange, _fields_decoder)
    asked = {_alias(i): selection for i, selection in enumerate(batch)}
    if not failed <= asked.keys():
        raise DSIncompletePageError("the answer tells of a failure of something that was not asked")
    others = {alias: selection for alias, selection in asked.items() if alias not in failed}
    if fields is None:
        return set(), list(others.values())
    idle = (one for alias, one in others.items() if _is_idle(one, fields.get(alias, b"")))
    return {selection.groupe_instructeur_number for selection in idle}, []


def _is_idle(selection: Selection, groupe: bytes | msgspec.Raw) -> bool:
    """Whether a group's answer is whole and holds no row of the window."""
    try:
        dossiers = _groupe_decoder.decode(groupe).dossiers
    except msgspec.DecodeError:
        return False
    if not dossiers.nodes:
        return not dossiers.page_info.has_next_page
    end = selection.window.end if selection.window else None
    first = getattr(dossiers.nodes[0], selection.sort_column)
    # dates come cut to the second, so the row itself is no earlier than that
    return end is not None and first is not None and bool(first >= end)
