"""Dossiers read by their numbers: those that an earlier run could not read, and those that may have changed unseen.

They are read wherever they are by now: one that moved to another group is still the one that was asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache, partial

import msgspec

from ds_provider.api.paging.bisection import Bisection
from ds_provider.api.paging.page_size import AdaptivePageSize, may_be_one_row
from ds_provider.api.paging.pages import Page
from ds_provider.api.paging.quarantine import Quarantined
from ds_provider.api.paging.rows import Row, read_row
from ds_provider.api.query import documents
from ds_provider.api.query.batch import BatchField, build_operation, numbered, read_batch
from ds_provider.api.query.selection import Includes, Selection
from ds_provider.api.transport.flows import Flow, SubFlow
from ds_provider.api.transport.messages import Exchange, Request
from ds_provider.api.transport.responses import Body, fields_decoder, read_nodes, read_response
from ds_provider.api.transport.retry import send_with_retry
from ds_provider.exceptions import (
    DSError,
    DSIncompletePageError,
    DSMalformedResponseError,
    DSNotFoundError,
    DSServerError,
    DSUnauthorizedError,
)

ATTEMPTS = 2
# A dossier costs up to 430 of the 60,000 that the service allows a request. Of a page the service loads the champs all
# together, of these one dossier after another, and it has 30 seconds for all.
MAX_BATCH = 50
# a token that is refused this many dossiers before it is given one has lost its rights
MAX_REFUSED_AT_FIRST = 5

_ALIAS = "d"
_DOSSIER = BatchField("dossier(number: $number) {\n    ...DossierFields\n  }", {"number": "Int!"})


class _Data(msgspec.Struct):
    dossier: msgspec.Raw


class _FilteredFields(msgspec.Struct):
    state: str | None = None
    archived: bool | None = None


_decoder = msgspec.json.Decoder(Body[_Data])


def fetch_by_number(selection: Selection, number: int) -> Flow[Page]:
    """Yield one page: with the dossier, with why it still cannot be read, or with its number as not found.

    :raises DSError: if the service cannot be asked.
    """
    page, _ = yield from _fetch_alone(selection, number)
    yield page


def fetch_by_numbers(selection: Selection, numbers: Iterable[int]) -> Flow[Page]:
    """Yield pages of dossiers. Each number is in one page: in a row, or among those that cannot be had or read.

    :param selection: the parts of a dossier that are read, and the filters; its group is named in errors.
    :raises DSUnauthorizedError: if the token has rights on none of them.
    :raises DSError: if the service cannot be asked.
    """
    return _NumbersReader(selection, numbers).pages()


class _NumbersReader:
    """Reads dossiers in batches as large as the service can give, and alone where a batch does not tell."""

    def __init__(self, selection: Selection, numbers: Iterable[int]) -> None:
        self._selection = selection
        self._waiting = list(dict.fromkeys(numbers))
        self._bisection = Bisection(AdaptivePageSize(MAX_BATCH))
        self._shown = self._refused = 0

    def pages(self) -> Flow[Page]:
        while self._waiting:
            page, unclear = yield from self._next_batch()
            yield self._count(page)
            for number in unclear:
                yield self._count((yield from self._fetch_unclear(number)))
        self._check_rights(1)

    def _next_batch(self) -> SubFlow[tuple[Page, list[int]]]:
        """Return a page, and those that must be asked for alone: the response does not tell what is wrong."""
        attempt = self._bisection.next_attempt(len(self._waiting))
        try:
            page, unclear, again = yield from send_with_retry(
                lambda: _request(self._selection, self._waiting[: attempt.rows]),
                lambda exchange: _read_batch(exchange, self._selection, self._waiting[: attempt.rows]),
                attempt.reduce,
            )
            self._bisection.on_success(attempt)
        except DSError as error:
            is_of_one = attempt.rows == 1 and may_be_one_row(error)
            # without a path, the response does not tell which of them it is
            if not is_of_one and not isinstance(error, DSNotFoundError | DSUnauthorizedError):
                raise
            page, unclear, again = Page([]), self._waiting[: attempt.rows], []
        self._waiting[: attempt.rows] = again
        return page, unclear

    def _fetch_unclear(self, number: int) -> SubFlow[Page]:
        page, error = yield from _fetch_alone(self._selection, number)
        if isinstance(error, DSServerError):
            # if the service does not respond at all, it is not the dossier
            ping = Request(documents.load("ping"), context=self._selection.context())
            yield from send_with_retry(lambda: ping, lambda exchange: read_response(exchange, fields_decoder))
        if error and not isinstance(error, DSIncompletePageError) and not self._bisection.record_poison():
            raise error
        return page

    def _count(self, page: Page) -> Page:
        self._shown += len(page.rows) + len(page.quarantined)
        self._refused += len(page.unauthorized)
        self._check_rights(MAX_REFUSED_AT_FIRST)
        return page

    def _check_rights(self, refused: int) -> None:
        """Raise if only refusals came, and that many of them.

        Rights are on a whole démarche. A deleted dossier is not found, with rights or without.
        """
        if self._refused >= refused and not self._shown:
            error = DSUnauthorizedError(
                f"the token has no right, or no longer, on the dossiers asked for: {self._refused} are refused and "
                "none is shown; let its owner be given the démarche again",
                code="unauthorized",
            )
            raise self._selection.add_context(error)


@cache
def build_query(count: int) -> str:
    """Return the operation that asks for that many dossiers by their numbers."""
    includes = dict.fromkeys(Includes().variables(), "Boolean!")
    return documents.complete(build_operation("rereadDossiers", _ALIAS, [_DOSSIER] * count, includes))


def _request(selection: Selection, numbers: Sequence[int]) -> Request:
    variables = numbered({"number": number} for number in numbers) | selection.includes.variables()
    return Request(build_query(len(numbers)), variables, selection.context())


def _read_batch(
    exchange: Exchange, selection: Selection, numbers: Sequence[int]
) -> tuple[Page, list[int], Sequence[int]]:
    """Return the page of a batch, those that must be asked for alone, and those to ask for again."""
    result = read_batch(exchange, _ALIAS, numbers)
    rows = [_read_row(node, number) for number, node in result.fields.items()]
    page, unclear = _page(selection, rows), list[int]()
    for number, error in result.failures.items():
        # a longer path is of a part of the dossier
        code = error.code if len(error.path or ()) == 1 else None
        if code == "not_found":
            page.not_found.append(number)
        elif code == "unauthorized":
            page.unauthorized.append(number)
        else:
            unclear.append(number)
    return page, unclear, result.again


def _fetch_alone(selection: Selection, number: int) -> SubFlow[tuple[Page, DSError | None]]:
    """Return a page about one dossier, and the error if it cannot be read."""
    variables = {"number": number, **selection.includes.variables()}
    request = Request(documents.load("dossier"), variables, {**selection.context(), "dossier_number": number})
    try:
        row = yield from send_with_retry(lambda: request, partial(_read_alone, number=number), attempts=ATTEMPTS)
    except DSNotFoundError:
        # hidden or deleted: deletions have their own connections, and no dossier waits for us
        return Page([], not_found=[number]), None
    except DSUnauthorizedError:
        return Page([], unauthorized=[number]), None
    except DSError as error:
        if not may_be_one_row(error):
            raise
        return Page([], quarantined=[Quarantined.of(number, error)]), error
    return _page(selection, [row]), None


def _read_alone(exchange: Exchange, number: int) -> Row:
    return _read_row(read_nodes(exchange, _decoder).dossier, number)


def _read_row(node: msgspec.Raw, number: int) -> Row:
    if bytes(node) in (b"", b"null"):
        raise DSIncompletePageError(f"the response lacks dossier {number} and no error says why", code="invalid_null")
    row = read_row(node)
    if row.head.number != number:
        raise DSMalformedResponseError(f"dossier {row.head.number} came where {number} was asked for")
    return row


def _page(selection: Selection, rows: list[Row]) -> Page:
    chosen = _filter(selection, rows)
    quarantined = [row.quarantined for row in chosen if row.quarantined]
    return Page([row for row in chosen if not row.quarantined], quarantined=quarantined)


def _filter(selection: Selection, rows: list[Row]) -> list[Row]:
    """Return the rows that the selection still chooses: they may have changed since they were listed."""
    return [row for row in rows if _is_chosen(selection, row)] if selection.row_filters() else rows


def _is_chosen(selection: Selection, row: Row) -> bool:
    shown = msgspec.json.decode(row.raw, type=_FilteredFields)
    values = {"state": shown.state, "archived": shown.archived, "revision": row.head.revision_id}
    return all(values[name] == value for name, value in selection.row_filters().items())
