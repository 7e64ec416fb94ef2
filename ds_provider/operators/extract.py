"""Operators that extract a group's dossiers and deletions into the landing zone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any, ClassVar, cast

from airflow.sdk import Context

from ds_provider.api.query import parameters
from ds_provider.api.query.selection import DELETED_DOSSIERS, PENDING_DELETED_DOSSIERS, Selection
from ds_provider.api.query.windows import Window, parse_instant
from ds_provider.assets import deleted_dossiers_asset, dossiers_asset
from ds_provider.exceptions import DSConfigurationError
from ds_provider.operators._base import ExtractOperator
from ds_provider.operators._parameters import IncludesMixin, WarehouseMixin, check_duration
from ds_provider.parameter_checks import Check, optional
from ds_provider.retry_policy import fail_fast
from ds_provider.state import watermark as run_windows
from ds_provider.sync.extract import Summary

INCREMENTAL = "incremental"
AFTER_IS_OF_ONE_GROUP = "after is a cursor of one group: give it with one group number and no window"
LOOKBACK = timedelta(minutes=5)
# the service's servers are few: what is gained beyond that is lost to others
MAX_CONCURRENCY = 16

BOUNDS = ("created_since", "created_until", "updated_since", "updated_until")
FILTERS = ("state", "archived", "revision")

parse_window = partial(parameters.parse_choice, choices=(INCREMENTAL, "updated", "created"))
# the service dates deletions back: no window of a run holds its own
parse_window_of_deletions = partial(parameters.parse_choice, choices=(INCREMENTAL,))
parse_concurrency = partial(parameters.parse_number, maximum=MAX_CONCURRENCY)
check_lookback = partial(check_duration, at_least=timedelta(0), requirement="of zero or more")


class DSExtractDossiersOperator(IncludesMixin, WarehouseMixin, ExtractOperator):
    """Extract a group's dossiers into the landing zone and return a summary.

    The rows land as the API sent them, one a line, in ``*.jsonl.gz`` parts beside a ``manifest.json`` that is written
    last. A second run of the same window replaces the first. With explicit bounds the rows are those whose date lies
    in ``[since, until)``; with ``window`` the bounds are the run's own; with neither the full group is extracted.

    A past window on ``updated`` cannot be replayed: a dossier has one date of last change, and it moves on. A past
    window on ``created`` can.

    ``window="incremental"`` reads of each group what the warehouse lacks: from where the group is loaded up to, or the
    full group if its beginning is not loaded. The next run thus makes up for a night that failed, for an extraction
    that was never loaded, for a new group and for a part of the dossiers that was not read before.

    If a list of groups is given and the window has a start, a request for many groups at once finds those that hold
    nothing in it. They are landed without being read.

    :param groupe_instructeur_number: the group, or a list of groups, which are then extracted one after another. One
        that fails does not stop the others: the task fails at the end and names those that did. (templated)
    :param destination: the landing zone, any URL of Airflow's object storage. (templated)
    :param window: ``"incremental"``: what changed since each group was loaded. ``"updated"`` or ``"created"``: the
        window of the run on that date, from its partition, else its data interval, else the watermark in the task's one
        asset outlet. (templated)
    :param lookback: how much earlier than such a window reading begins, since the service dates a change before it
        commits it. Explicit bounds are taken as they are.
    :param created_since: deposited at that instant or later, ISO 8601 with a time zone. (templated)
    :param created_until: deposited before that instant. (templated)
    :param updated_since: last changed at that instant or later. (templated)
    :param updated_until: last changed before that instant. (templated)
    :param state: ``en_construction``, ``en_instruction``, ``accepte``, ``refuse`` or ``sans_suite``. (templated)
    :param archived: only archived dossiers, or only the others; both by default. (templated)
    :param revision: only dossiers on that revision of the form, by its API id. (templated)
    :param order: ``ASC`` or ``DESC``, by the date of the window, by deposit without one. (templated)
    :param page_size: rows a request, 100 at most. (templated)
    :param after: begin after this cursor of the same selection: for one group, and without ``window``. A text that is
        no cursor is an error, and so is one dated outside the explicit bounds. (templated)
    :param include_champs: the form's answers. (templated, like all that follow)
    :param include_annotations: the instructeurs' private fields.
    :param include_traitements: the history of states.
    :param include_instructeurs: the instructeurs who follow the dossier.
    :param include_avis: the experts' opinions.
    :param include_messages: the messages.
    :param include_geometry: the shapes of maps and addresses.
    :param include_labels: the labels.
    :param include_corrections: the corrections asked for.
    :param concurrency: how many of a group's pages are read in parallel, 1 to 16. The pages of a small group are read
        one after another, and so are those with ``order="DESC"`` or ``after``. (templated)
    :param on_dossier_error: what to do if the service lists a dossier that it cannot give. All others are landed in any
        case. Its number and the service's reference of the error go to a quarantine part, and the next run tries it
        again. ``"fail"``: the task fails and names the numbers. ``"quarantine"``: it succeeds, with their count in the
        summary. (templated)
    :param ds_conn_id: the connection. (templated)
    :param warehouse_conn_id: the warehouse that ``window="incremental"`` asks, as for
        :class:`~ds_provider.operators.load.DSLoadOperator`; without one, a DuckDB file in Airflow's home. (templated)
    :param dataset: the schema of the database that holds its tables. (templated)
    :returns: the summary, or a list of summaries for a list of groups: ``manifest`` (its URL),
        ``groupe_instructeur_number``, ``groupe_instructeur_label``, ``demarche_number``, ``rows``, ``quarantined`` and
        ``window``.
    :xcom landed: a list of the summaries of what was landed, whether the task succeeds or not.
    :raises DSConfigurationError: before any request, naming the parameter that cannot work.
    :raises DSWarehouseError: if the warehouse cannot be read.
    :raises DSClockError: if the run is due, and its window ends five minutes or more ahead by this worker's clock.
    :raises DSQuarantinedError: if dossiers of the one group could not be read; the summary is in the XCom ``landed``.
    :raises DSGroupesFailedError: if some groups of a list failed.
    """

    template_fields: Sequence[str] = (
        *ExtractOperator.template_fields,
        *WarehouseMixin.template_fields,
        *IncludesMixin.template_fields,
        "window",
        "created_since",
        "created_until",
        "updated_since",
        "updated_until",
        "state",
        "archived",
        "revision",
        "order",
        "page_size",
        "after",
        "concurrency",
    )
    checks: ClassVar[Mapping[str, Check]] = {
        **ExtractOperator.checks,
        **WarehouseMixin.checks,
        **IncludesMixin.checks,
        "window": optional(parse_window),
        "lookback": check_lookback,
        **dict.fromkeys(BOUNDS, parse_instant),
        "state": parameters.parse_state,
        "archived": parameters.parse_flag,
        "revision": parameters.parse_text,
        "order": parameters.parse_order,
        "page_size": parameters.parse_page_size,
        "after": parameters.parse_after,
        "concurrency": parse_concurrency,
    }
    together = ("window", "after", *BOUNDS, *FILTERS)

    def __init__(
        self,
        *,
        window: str | None = None,
        lookback: timedelta = LOOKBACK,
        created_since: Any = None,
        created_until: Any = None,
        updated_since: Any = None,
        updated_until: Any = None,
        state: str | None = None,
        archived: bool | str | None = None,
        revision: str | None = None,
        order: str = "ASC",
        page_size: int | str = 100,
        after: str | None = None,
        concurrency: int | str = 4,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.window = window
        self.lookback = lookback
        self.created_since = created_since
        self.created_until = created_until
        self.updated_since = updated_since
        self.updated_until = updated_until
        self.state = state
        self.archived = archived
        self.revision = revision
        self.order = order
        self.page_size = page_size
        self.after = after
        self.concurrency = concurrency
        self._check_given()

    @fail_fast
    def execute(self, context: Context) -> Summary | list[Summary]:
        """Extract the dossiers, and return a group's summary, or a list of them if a list of groups was given."""
        numbers, several = self._parse_groups(self.groupe_instructeur_number)
        concurrency = parse_concurrency(self.concurrency, "concurrency")
        # a cursor belongs to one group, and what lies before it was read by another task
        if self.after is not None and several:
            raise DSConfigurationError(AFTER_IS_OF_ONE_GROUP)
        window = self._explicit_window()
        selections = [self._select(number, window) for number in numbers]
        watermarks: dict[int, run_windows.Watermark] = {}
        if self._is_incremental:
            selections = self._in_incremental_windows(selections)
        elif self.window is not None:
            selections = [self._in_run_window(selection, context, watermarks) for selection in selections]
        summaries = self._extract(context, selections, several=several, concurrency=concurrency, watermarks=watermarks)
        self._emit_changes(context, dossiers_asset)
        return summaries if several else summaries[0]

    def _check_together(self) -> Window | None:
        """Return the window of explicit bounds, or raise if they cannot go with each other or with ``window``."""
        window = parameters.explicit_window(**{name: getattr(self, name) for name in BOUNDS})
        if self.after is not None and self.window is not None:
            raise DSConfigurationError(AFTER_IS_OF_ONE_GROUP)
        if window and self.window is not None:
            raise DSConfigurationError(f"window={self.window!r} has bounds of its own: give it or explicit bounds")
        if self._is_incremental and (given := [name for name in FILTERS if getattr(self, name) is not None]):
            raise DSConfigurationError(
                f"window={INCREMENTAL!r} needs all dossiers of a group, and {', '.join(given)} would leave some out: "
                "remove it and filter the tables, or give the bounds of a window"
            )
        return window

    @property
    def _is_incremental(self) -> bool:
        return self.window is not None and parse_window(self.window, "window") == INCREMENTAL

    def _explicit_window(self) -> Window | None:
        window = self._check_together()
        if window and window.start and run_windows.wait_for(window.start, f"the beginning of the window {window}"):
            raise DSConfigurationError(f"the window {window} has not begun: nothing can be in it yet")
        return window

    def _select(self, number: int, window: Window | None) -> Selection:
        return parameters.select_dossiers(
            number,
            window=window,
            state=self.state,
            archived=self.archived,
            revision=self.revision,
            order=self.order,
            page_size=self.page_size,
            after=self.after,
            includes=self._includes,
        )

    def _in_incremental_windows(self, selections: Sequence[Selection]) -> list[Selection]:
        lookback = check_lookback(self.lookback, "lookback")
        warehouse = self.warehouse
        from ds_provider.sync.incremental import in_incremental_windows

        return in_incremental_windows(selections, warehouse, lookback, self.log)

    def _in_run_window(
        self, selection: Selection, context: Context, watermarks: dict[int, run_windows.Watermark]
    ) -> Selection:
        """Return a selection in the run's own window.

        :param watermarks: the asset's watermark is added if the window begins there.
        """
        column = cast("run_windows.RunDateColumn", parse_window(self.window, "window"))
        lookback = check_lookback(self.lookback, "lookback")
        if window := run_windows.window_of_run(column, context, lookback):
            run_windows.ensure_window_is_over(window, context)
        elif watermark := run_windows.watermark_of(context, self.outlets, selection, column):
            watermarks[selection.groupe_instructeur_number] = watermark
            window = run_windows.window_since_watermark(column, context, watermark, lookback)
        else:
            raise run_windows.no_window_error(column)
        return replace(selection, window=window)


class DSExtractDeletedDossiersOperator(WarehouseMixin, ExtractOperator):
    """Extract a group's deletions into the landing zone: the definitive ones and the pending ones, a manifest each.

    The service dates a deletion back by 14 days or more, so ``deleted_since`` with the last run's date loses some:
    extract all, which is the default and cheap, or leave 45 days of overlap, as ``window="incremental"`` does. The
    pending deletions are a snapshot of what may still be restored and are always read whole. They are read first: a
    dossier that is purged meanwhile shows in both lists rather than in none.

    :param groupe_instructeur_number: the group, or a list of groups, as for dossiers. (templated)
    :param destination: the landing zone. (templated)
    :param window: ``"incremental"``: of the definitive deletions, those dated from 45 days before their group's were
        loaded last, or all if their beginning is not loaded. (templated)
    :param deleted_since: only definitive deletions dated then or later, ISO 8601 with a time zone. One
        less than 45 days ago is a warning. (templated)
    :param order: ``ASC`` or ``DESC``, by date of deletion. (templated)
    :param page_size: rows a request, 100 at most. (templated)
    :param on_dossier_error: what to do if the service lists a dossier that it cannot give. All others are landed in any
        case. Its number and the service's reference of the error go to a quarantine part, and the next run tries it
        again. ``"fail"``: the task fails and names the numbers. ``"quarantine"``: it succeeds, with their count in the
        summary. (templated)
    :param ds_conn_id: the connection. (templated)
    :param warehouse_conn_id: the warehouse that ``window="incremental"`` asks, as for
        :class:`~ds_provider.operators.load.DSLoadOperator`; without one, a DuckDB file in Airflow's home. (templated)
    :param dataset: the schema of the database that holds its tables. (templated)
    :returns: the summary, or a list of summaries for a list of groups: ``manifest`` and ``rows`` of the definitive
        deletions, ``manifest_pending`` and ``rows_pending`` of the pending ones, ``groupe_instructeur_number``,
        ``groupe_instructeur_label``, ``demarche_number``, ``quarantined`` and ``window``.
    :xcom landed: a list of the summaries of what was landed, whether the task succeeds or not.
    :raises DSConfigurationError: before any request, naming the parameter that cannot work.
    :raises DSWarehouseError: if the warehouse cannot be read.
    :raises DSQuarantinedError: if dossiers of the one group could not be read; the summary is in the XCom ``landed``.
    :raises DSGroupesFailedError: if some groups of a list failed.
    """

    streams: ClassVar[tuple[str, ...]] = (PENDING_DELETED_DOSSIERS.name, DELETED_DOSSIERS.name)
    template_fields: Sequence[str] = (
        *ExtractOperator.template_fields,
        *WarehouseMixin.template_fields,
        "window",
        "deleted_since",
        "order",
        "page_size",
    )
    checks: ClassVar[Mapping[str, Check]] = {
        **ExtractOperator.checks,
        **WarehouseMixin.checks,
        "window": optional(parse_window_of_deletions),
        "deleted_since": parse_instant,
        "order": parameters.parse_order,
        "page_size": parameters.parse_page_size,
    }
    together = ("window", "deleted_since")

    def __init__(
        self,
        *,
        window: str | None = None,
        deleted_since: Any = None,
        order: str = "ASC",
        page_size: int | str = 100,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.window = window
        self.deleted_since = deleted_since
        self.order = order
        self.page_size = page_size
        self._check_given()

    @fail_fast
    def execute(self, context: Context) -> Summary | list[Summary]:
        """Extract the deletions, and return a group's summary, or a list of them if a list of groups was given."""
        numbers, several = self._parse_groups(self.groupe_instructeur_number)
        parameters.warn_of_lost_deletions(self.deleted_since)
        paging = {"order": self.order, "page_size": self.page_size}
        pending = [parameters.select_pending_deleted_dossiers(number, **paging) for number in numbers]
        deleted = [
            parameters.select_deleted_dossiers(number, deleted_since=self.deleted_since, **paging) for number in numbers
        ]
        self._check_together()
        if self.window is not None:
            deleted = self._in_incremental_windows(deleted)
        # the pending ones first: a dossier that is purged meanwhile is then in both lists
        selections = [selection for pair in zip(pending, deleted, strict=True) for selection in pair]
        summaries = self._extract(context, selections, several=several)
        self._emit_changes(context, deleted_dossiers_asset)
        return summaries if several else summaries[0]

    def _check_together(self) -> None:
        if self.window is not None and self.deleted_since is not None:
            raise DSConfigurationError(f"window={INCREMENTAL!r} has a start of its own: give it or deleted_since")

    def _in_incremental_windows(self, selections: Sequence[Selection]) -> list[Selection]:
        warehouse = self.warehouse
        from ds_provider.sync.incremental import in_incremental_windows_of_deletions

        return in_incremental_windows_of_deletions(selections, warehouse, self.log)
