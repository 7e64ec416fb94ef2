"""A group's dossiers and deletions, into the landing zone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, cast

import pendulum
from airflow.sdk import Asset, Context

from ds_provider.api.query.parameters import explicit_window, is_absent, parse_groupes, parse_number, select_dossiers
from ds_provider.api.query.selection import DELETED_DOSSIERS, PENDING_DELETED_DOSSIERS
from ds_provider.assets import deleted_dossiers_asset, dossiers_asset
from ds_provider.exceptions import DSConfigurationError
from ds_provider.hooks.ds import DSHook
from ds_provider.operators._base import ExtractTask, LandingOperator, Summary, deletions_of
from ds_provider.state.watermark import (
    RunColumn,
    Watermark,
    check_is_over,
    no_window,
    remembered_window,
    run_window,
    watermark_of,
)
from ds_provider.sync.extract import GroupExtractor, summary_of
from ds_provider.sync.idle import IdleGroupes

if TYPE_CHECKING:
    from ds_provider.api.query.selection import Selection
    from ds_provider.api.query.windows import Window

LOOKBACK = timedelta(minutes=5)
# the service's servers are few: what is gained beyond that is lost to others
MAX_REQUESTS_AT_ONCE = 16


class DSExtractDossiersOperator(LandingOperator):
    """Reads a group's dossiers into the landing zone and returns a summary.

    The rows land as the API sent them, one a line, in ``*.jsonl.gz`` parts beside a ``manifest.json`` that is written
    last. A second run of the same window replaces the first. With explicit bounds the rows are those whose date lies
    in ``[since, until)``; with ``window`` the bounds are the run's own; with neither the whole group is read.

    A past window on ``updated`` cannot be replayed: a dossier has one date of last change, and it moves on. A past
    window on ``created`` can.

    Of a list of groups and a window that has a beginning, one request tells which groups hold nothing in it: these are
    landed without being read.

    :param groupe_instructeur_number: the group, or a list of groups, which are then read one after another: one that
        fails does not stop the others, and the task fails at the end naming those that did, with the summaries of the
        others in the XCom ``landed``. (templated)
    :param destination: the landing zone, any URL of Airflow's object storage. (templated)
    :param window: ``"updated"`` or ``"created"``: the window of the run on that date, from its partition, else its
        data interval, else the watermark in the task's one asset outlet. (templated)
    :param lookback: how much earlier than the run's window to begin reading, since the service dates a change before
        it commits it. Explicit bounds are taken as they are.
    :param created_since: deposited at that instant or later, ISO 8601 with a time zone. (templated)
    :param created_until: deposited before that instant. (templated)
    :param updated_since: last changed at that instant or later. (templated)
    :param updated_until: last changed before that instant. (templated)
    :param state: ``en_construction``, ``en_instruction``, ``accepte``, ``refuse`` or ``sans_suite``. (templated)
    :param archived: only archived dossiers, or only the others; both by default. (templated)
    :param revision: only dossiers on that revision of the form, by its API id. (templated)
    :param order: ``ASC`` or ``DESC``, by the date of the window, by deposit without one. (templated)
    :param page_size: rows a request, 100 at most. (templated)
    :param after: a cursor of the same reading to begin behind, for one group and without ``window``. (templated)
    :param include_champs: the form's answers. (templated, like all that follow)
    :param include_annotations: the officers' private fields.
    :param include_traitements: the history of states.
    :param include_instructeurs: the officers who follow the dossier.
    :param include_avis: the experts' opinions.
    :param include_messages: the messages.
    :param include_geometry: the shapes of maps and addresses.
    :param include_labels: the labels.
    :param include_corrections: the corrections asked for.
    :param concurrency: how many of a group's pages are read side by side, 1 to 16. A group of few pages is read one
        after another all the same, and so is one with ``order="DESC"`` or ``after``. (templated)
    :param on_dossier_error: what becomes of the task where the service lists a dossier that it cannot give. All others
        are landed in any case, its number and the service's reference of the error go to a quarantine part, and the
        next run tries it again. ``"fail"``: the task fails, naming the numbers; ``"quarantine"``: it succeeds, with
        their count in the summary. (templated)
    :param ds_conn_id: the connection. (templated)
    :raises DSConfigurationError: before any request, naming the parameter that cannot work.
    :raises DSQuarantinedError: if dossiers of the one group could not be read; the summary is in the XCom ``landed``.
    :raises DSGroupesFailedError: if some groups of a list failed.
    """

    template_fields: Sequence[str] = (
        "groupe_instructeur_number",
        "destination",
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
        "include_champs",
        "include_annotations",
        "include_traitements",
        "include_instructeurs",
        "include_avis",
        "include_messages",
        "include_geometry",
        "include_labels",
        "include_corrections",
        "concurrency",
        "on_dossier_error",
        "ds_conn_id",
    )

    def __init__(
        self,
        *,
        groupe_instructeur_number: int | str | Sequence[int],
        destination: str,
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
        include_champs: bool | str = True,
        include_annotations: bool | str = True,
        include_traitements: bool | str = True,
        include_instructeurs: bool | str = True,
        include_avis: bool | str = False,
        include_messages: bool | str = False,
        include_geometry: bool | str = False,
        include_labels: bool | str = False,
        include_corrections: bool | str = False,
        concurrency: int | str = 4,
        on_dossier_error: str = "fail",
        ds_conn_id: str = DSHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.groupe_instructeur_number = groupe_instructeur_number
        self.destination = destination
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
        self.include_champs = include_champs
        self.include_annotations = include_annotations
        self.include_traitements = include_traitements
        self.include_instructeurs = include_instructeurs
        self.include_avis = include_avis
        self.include_messages = include_messages
        self.include_geometry = include_geometry
        self.include_labels = include_labels
        self.include_corrections = include_corrections
        self.concurrency = concurrency
        self.on_dossier_error = on_dossier_error
        self.ds_conn_id = ds_conn_id

    def execute(self, context: Context) -> Summary | list[Summary]:
        explicit = self._explicit_window()
        self._check_after()
        idle = IdleGroupes()
        return self._extract(context, lambda number: self._extraction(number, explicit, context, idle), idle)

    def _extraction(self, number: int, explicit: Window | None, context: Context, idle: IdleGroupes) -> ExtractTask:
        plain = select_dossiers(
            number,
            state=self.state,
            archived=self.archived,
            revision=self.revision,
            order=self.order,
            page_size=self.page_size,
            after=self.after,
            includes=self._includes(),
        )
        window, watermark = (explicit, None) if is_absent(self.window) else self._run_window(plain, context)
        selection = replace(plain, window=window)
        idle.consider(selection)

        def extract(extractor: GroupExtractor) -> Summary:
            landing = idle.land(selection, extractor.zone) or extractor.land(selection)
            summary = extractor.told(summary_of(landing), landing)
            if watermark and landing.last_date:
                watermark.advance(pendulum.instance(landing.last_date))
            return summary

        return extract

    def _asset(self, number: int, service: str) -> Asset:
        return dossiers_asset(number, service)

    def _requests_at_once(self) -> int:
        return parse_number(self.concurrency, "concurrency", MAX_REQUESTS_AT_ONCE)

    def _explicit_window(self) -> Window | None:
        window = explicit_window(
            created_since=self.created_since,
            created_until=self.created_until,
            updated_since=self.updated_since,
            updated_until=self.updated_until,
        )
        if window and not is_absent(self.window):
            raise DSConfigurationError(f"window={self.window!r} takes the run's own bounds: give it or explicit bounds")
        now = pendulum.now("UTC")
        if window and window.start and window.start >= now:
            raise DSConfigurationError(f"the window {window} has not begun: nothing can be in it yet")
        if window and window.end and window.end > now:
            self.log.warning("the window %s is not over: what comes into it later needs another run", window)
        return window

    def _check_after(self) -> None:
        """A cursor belongs to one group, and what lies before it was read by somebody else."""
        several = parse_groupes(self.groupe_instructeur_number)[1]
        if not is_absent(self.after) and (several or not is_absent(self.window)):
            raise DSConfigurationError("after is a cursor of one group: give it with one group number and no window")

    def _run_window(self, selection: Selection, context: Context) -> tuple[Window, Watermark | None]:
        """The run's own window and, where it is the asset's, what remembers how far it was read."""
        column, lookback = self._run_column(), self._checked_lookback()
        if window := run_window(column, context, lookback):
            check_is_over(window)
            return window, None
        watermark = watermark_of(context, self.outlets, selection, column)
        if watermark is None:
            raise no_window(column)
        return remembered_window(column, context, watermark, lookback), watermark

    def _run_column(self) -> RunColumn:
        if self.window not in ("updated", "created"):
            raise DSConfigurationError(f"window must be 'updated' or 'created': got {self.window!r}")
        return cast("RunColumn", self.window)

    def _checked_lookback(self) -> timedelta:
        lookback: object = self.lookback
        if not isinstance(lookback, timedelta) or lookback < timedelta(0):
            raise DSConfigurationError(f"lookback must be a timedelta of zero or more: got {lookback!r}")
        return lookback


class DSExtractDeletedDossiersOperator(LandingOperator):
    """Reads a group's deletions into the landing zone: the definitive ones and the pending ones, each with a manifest.

    The service dates a deletion back by 14 days or more, so ``deleted_since`` with the last run's date loses some:
    read all, which is the default and cheap, or leave 45 days of overlap. The pending deletions are a snapshot of what
    may still be restored and are always read whole. They are read first: a dossier that is purged meanwhile shows in
    both lists rather than in none.

    :param groupe_instructeur_number: the group, or a list of groups, as for dossiers. (templated)
    :param destination: the landing zone. (templated)
    :param deleted_since: only definitive deletions dated then or later, ISO 8601 with a time zone. (templated)
    :param order: ``ASC`` or ``DESC``, by date of deletion. (templated)
    :param page_size: rows a request, 100 at most. (templated)
    :param on_dossier_error: what becomes of the task where the service lists a dossier that it cannot give. All others
        are landed in any case, its number and the service's reference of the error go to a quarantine part, and the
        next run tries it again. ``"fail"``: the task fails, naming the numbers; ``"quarantine"``: it succeeds, with
        their count in the summary. (templated)
    :param ds_conn_id: the connection. (templated)
    :raises DSConfigurationError: before any request, naming the parameter that cannot work.
    :raises DSQuarantinedError: if dossiers of the one group could not be read; the summary is in the XCom ``landed``.
    :raises DSGroupesFailedError: if some groups of a list failed.
    """

    streams: ClassVar[tuple[str, ...]] = (PENDING_DELETED_DOSSIERS.name, DELETED_DOSSIERS.name)
    template_fields: Sequence[str] = (
        "groupe_instructeur_number",
        "destination",
        "deleted_since",
        "order",
        "page_size",
        "on_dossier_error",
        "ds_conn_id",
    )

    def __init__(
        self,
        *,
        groupe_instructeur_number: int | str | Sequence[int],
        destination: str,
        deleted_since: Any = None,
        order: str = "ASC",
        page_size: int | str = 100,
        on_dossier_error: str = "fail",
        ds_conn_id: str = DSHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.groupe_instructeur_number = groupe_instructeur_number
        self.destination = destination
        self.deleted_since = deleted_since
        self.order = order
        self.page_size = page_size
        self.on_dossier_error = on_dossier_error
        self.ds_conn_id = ds_conn_id

    def execute(self, context: Context) -> Summary | list[Summary]:
        return self._extract(context, self._extraction)

    def _asset(self, number: int, service: str) -> Asset:
        return deleted_dossiers_asset(number, service)

    def _extraction(self, number: int) -> ExtractTask:
        return deletions_of(number, deleted_since=self.deleted_since, order=self.order, page_size=self.page_size)
