"""Dossiers read by their numbers: those that an earlier run could not read, and those that may have changed unseen.

The service gives no data at all where one dossier of a request is gone or out of the token's rights, and names the
first such dossier only: the others are then asked for again without it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import islice

import msgspec

from ds_provider.api.paging.bisection import Bisection
from ds_provider.api.paging.iterator import locate
from ds_provider.api.paging.page_size import AdaptivePageSize, may_be_one_row
from ds_provider.api.paging.pages import Page
from ds_provider.api.paging.quarantine import Quarantined
from ds_provider.api.paging.rows import Row, read_row
from ds_provider.api.query import documents
from ds_provider.api.query.selection import Includes, Selection
from ds_provider.api.transport.messages import Exchange, Request
from ds_provider.api.transport.responses import Body, GraphQLError, read_answer, read_fields_and_failures
from ds_provider.api.transport.retry import Flow, SubFlow, send_with_retry
from ds_provider.exceptions import (
    DSError,
    DSIncompletePageError,
    DSMalformedAnswerError,
    DSNotFoundError,
    DSServerError,
    DSUnauthorizedError,
)

ATTEMPTS = 2
# A dossier costs up to 430 of the 60,000 that the service allows a request. Of a page the service loads the champs all
# together, of these one dossier after another, and it has 30 seconds for all.
MAX_BATCH = 50
# a token that is refused so many dossiers before it is given one has lost its rights
REFUSED_AT_FIRST = 5

_OPERATION = """\
query rereadDossiers(
%(variables)s
) {
%(dossiers)s
}
"""
_DOSSIER = """\
  %(alias)s: dossier(number: $number%(i)d) {
    ...DossierFields
  }"""


class _Data(msgspec.Struct):
    dossier: msgspec.Raw


class _Filtered(msgspec.Struct):
    state: str | None = None
    archived: bool | None = None


_decoder = msgspec.json.Decoder(Body[_Data])
_fields_decoder = msgspec.json.Decoder(Body[dict[str, msgspec.Raw]])


def fetch_by_number(selection: Selection, number: int) -> Flow[Page]:
    """One page: with the dossier, or with why it still cannot be read, or that it is not to be had any more.

    It is read wherever it is by now: one that moved to another group is still the one that is missing.

    :raises DSError: if the service cannot be asked.
    """
    try:
        page, _ = yield from _alone(selection, number)
    except DSError as error:
        raise error.locate(groupe_instructeur_number=selection.groupe_instructeur_number) from None
    yield page


def fetch_by_numbers(selection: Selection, numbers: Iterable[int]) -> Flow[Page]:
    """Pages of dossiers, wherever they are by now: each number is in one page, as a row or as what became of it.

    :param selection: what of a dossier is read, and which of them are chosen; its group is named in errors.
    :raises DSUnauthorizedError: if the token has rights on none of them.
    :raises DSError: if the service cannot be asked.
    """
    try:
        yield from _Rereading(selection, numbers).pages()
    except DSError as error:
        raise locate(error, selection, None) from None


@dataclass(frozen=True)
class _Answer:
    """What is known of a batch.

    :param unclear: those that only an answer of their own tells of.
    :param again: those of which nothing is known, through no fault of theirs.
    """

    rows: list[Row] = field(default_factory=list)
    gone: list[int] = field(default_factory=list)
    foreign: list[int] = field(default_factory=list)
    unclear: list[int] = field(default_factory=list)
    again: list[int] = field(default_factory=list)


class _Rereading:
    """What is still to be read, and in how many at a time."""

    def __init__(self, selection: Selection, numbers: Iterable[int]) -> None:
        self._selection = selection
        self._waiting = deque(dict.fromkeys(numbers))
        self._pace = AdaptivePageSize(MAX_BATCH)
        self._suspects = Bisection(self._pace)
        self._requests = 0
        self._shown = self._refused = 0

    def pages(self) -> Flow[Page]:
        while self._waiting:
            answer = yield from self._ask()
            requests, self._requests = self._requests, 0
            rows = [row for row in answer.rows if _is_chosen(self._selection, row)]
            yield self._noted(Page(rows, requests, reached=None, gone=answer.gone, foreign=answer.foreign))
            for number in answer.unclear:
                yield self._noted((yield from self._ask_alone(number)))
        self._check_rights(1)

    def _ask(self) -> SubFlow[_Answer]:
        attempt = self._suspects.attempt(len(self._waiting))

        def batch() -> list[int]:
            return list(islice(self._waiting, attempt.rows))

        try:
            answer = yield from send_with_retry(
                lambda: self._request(batch()), lambda exchange: _read(batch(), exchange), attempt.adapt
            )
            self._suspects.came(attempt)
        except (DSNotFoundError, DSUnauthorizedError):
            # which of them it is, the answer does not tell
            answer = _Answer(unclear=batch())
        except DSError as error:
            if attempt.rows > 1 or not may_be_one_row(error):
                raise
            answer = _Answer(unclear=batch())
        for _ in range(attempt.rows):
            self._waiting.popleft()
        self._waiting.extendleft(reversed(answer.again))
        return answer

    def _request(self, numbers: Sequence[int]) -> Request:
        self._requests += 1
        asked = {f"number{i}": number for i, number in enumerate(numbers)}
        return Request(question(len(numbers)), {**asked, **self._selection.includes.variables()})

    def _ask_alone(self, number: int) -> SubFlow[Page]:
        page, error = yield from _alone(self._selection, number)
        if isinstance(error, DSServerError):
            # where the service answers nothing at all, it is not the dossier
            yield from send_with_retry(self._ping, lambda exchange: read_answer(exchange, _fields_decoder))
        if error and not isinstance(error, DSIncompletePageError):
            if not self._pace.record_poison():
                raise error
            self._suspects.clear()
        requests, self._requests = self._requests, 0
        return replace(page, requests=page.requests + requests)

    def _ping(self) -> Request:
        self._requests += 1
        return Request(documents.load("ping"))

    def _noted(self, page: Page) -> Page:
        self._shown += len(page.rows) + len(page.quarantined)
        self._refused += len(page.foreign)
        self._check_rights(REFUSED_AT_FIRST)
        return page

    def _check_rights(self, refused: int) -> None:
        """Rights are on a whole démarche. What is hidden or deleted is called gone, with rights or without."""
        if self._refused >= refused and not self._shown:
            raise DSUnauthorizedError(
                f"the token has no right, or no longer, on the dossiers asked for: {self._refused} are refused and "
                "none is shown; let its owner be given the démarche again",
                code="unauthorized",
            )


@cache
def question(count: int) -> str:
    """The operation that asks for so many dossiers by their numbers."""
    numbers = [f"  $number{i}: Int!" for i in range(count)]
    includes = [f"  ${name}: Boolean!" for name in Includes().variables()]
    dossiers = [_DOSSIER % {"alias": _alias(i), "i": i} for i in range(count)]
    operation = _OPERATION % {"variables": "\n".join([*numbers, *includes]), "dossiers": "\n".join(dossiers)}
    return documents.complete(operation)


def _alias(i: int) -> str:
    return f"d{i}"


def _read(batch: Sequence[int], exchange: Exchange) -> _Answer:
    fields, failed = read_fields_and_failures(exchange, _fields_decoder)
    asked = {_alias(i): number for i, number in enumerate(batch)}
    if not failed.keys() <= asked.keys():
        raise DSIncompletePageError("the answer tells of a failure of something that was not asked")
    others = {alias: number for alias, number in asked.items() if alias not in failed}
    if fields is None:
        answer = _Answer(again=list(others.values()))
    else:
        answer = _Answer([_row(fields.get(alias), number) for alias, number in others.items()])
    for alias, error in failed.items():
        _what_became_of_it(answer, alias, error).append(asked[alias])
    return answer


def _what_became_of_it(answer: _Answer, alias: str, error: GraphQLError) -> list[int]:
    if error.path == [alias] and error.code == "not_found":
        return answer.gone
    if error.path == [alias] and error.code == "unauthorized":
        return answer.foreign
    return answer.unclear


def _alone(selection: Selection, number: int) -> SubFlow[tuple[Page, DSError | None]]:
    """A page about one dossier, and the error of one that cannot be read."""
    request = Request(documents.load("dossier"), {"number": number, **selection.includes.variables()})
    asked = 0

    def build() -> Request:
        nonlocal asked
        asked += 1
        return request

    try:
        row = yield from send_with_retry(build, lambda exchange: _read_alone(exchange, number), attempts=ATTEMPTS)
    except DSNotFoundError:
        # hidden or deleted: deletions are told elsewhere, and none of these waits for us
        return Page([], asked, reached=None, gone=[number]), None
    except DSUnauthorizedError:
        return Page([], asked, reached=None, foreign=[number]), None
    except DSError as error:
        if not may_be_one_row(error):
            raise
        record = Quarantined(number=number, code=error.code, exception_id=error.exception_id, message=error.message)
        return Page([], asked, reached=None, quarantined=[record]), error
    return Page([row] if _is_chosen(selection, row) else [], asked, reached=None), None


def _read_alone(exchange: Exchange, number: int) -> Row:
    return _row(read_answer(exchange, _decoder).dossier, number)


def _row(node: msgspec.Raw | None, number: int) -> Row:
    if node is None or bytes(node) == b"null":
        raise DSIncompletePageError(f"the answer lacks dossier {number} and no error says why", code="invalid_null")
    row = read_row(node)
    if row.head.number != number:
        raise DSMalformedAnswerError(f"dossier {row.head.number} came where {number} was asked for")
    return row


def _is_chosen(selection: Selection, row: Row) -> bool:
    """Whether the dossier is still one of those that the selection chooses among a window's rows."""
    if not selection.row_filters():
        return True
    shown = msgspec.json.decode(row.raw, type=_Filtered)
    revision = row.head.demarche.revision.id if row.head.demarche else None
    wanted = ((selection.state, shown.state), (selection.archived, shown.archived), (selection.revision, revision))
    return all(chosen is None or chosen == value for chosen, value in wanted)
