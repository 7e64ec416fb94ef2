"""Waits for a group's dossiers or deletions without a worker, and the source of events for an ``AssetWatcher``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Any, cast

from airflow.triggers.base import TriggerEvent

from ds_provider.api.polling.seen import SeenRows, moment
from ds_provider.api.polling.watch import (
    Finding,
    Outcome,
    PollResult,
    Watch,
    WatchedStream,
    baseline,
    deletions,
    most_severe,
    remember,
)
from ds_provider.api.query.parameters import is_absent, parse_groupes, select_dossiers
from ds_provider.api.query.selection import DELETED_DOSSIERS, DOSSIERS, PENDING_DELETED_DOSSIERS, Selection
from ds_provider.api.query.windows import Column, Window, parse_instant
from ds_provider.exceptions import DSConfigurationError, DSError, DSTransientError
from ds_provider.hooks.ds import DSHook
from ds_provider.landing.layout import digest
from ds_provider.triggers._events import failed, found
from ds_provider.triggers._poll import POLL_INTERVAL_SECONDS, Look, WatchingTrigger

MAX_NUMBERS_IN_AN_EVENT = 100
# Airflow writes an event to its database a second or two after it was given
SETTLE_SECONDS = 5.0


class _WaitingTrigger(WatchingTrigger):
    """Gives one event: what was found, or why the wait is of no use."""

    async def filter_shared_stream(self, shared_stream: AsyncIterator[Look]) -> AsyncIterator[TriggerEvent]:
        with self.registered():
            async for look in shared_stream:
                # who comes while a look goes on is in the next one
                if self in look and (payload := self._payload(look[self].outcome)):
                    yield TriggerEvent(payload)
                    return

    def _payload(self, outcome: Outcome) -> dict[str, Any] | None:
        if isinstance(outcome, DSError):
            passes = isinstance(outcome, DSTransientError) and not self.is_enough(outcome)
            return None if passes else failed(outcome)
        self.went_well()
        return found(outcome) if outcome else None


class DSDossierTrigger(_WaitingTrigger):
    """Waits until a group has so many dossiers.

    :param groupes: the groups, any one of which is enough.
    :param min_count: how many.
    :param column: ``created`` or ``updated``: the date that ``since`` is about; none for all dossiers.
    :param since: only dossiers dated then or later, ISO 8601.
    :param state: only dossiers in that state.
    :param memories: for each group, what is no news; then ``since`` is not used.
    :param poll_interval: seconds between two looks.
    :param ds_conn_id: the connection.
    """

    def __init__(
        self,
        *,
        groupes: Sequence[int],
        min_count: int = 1,
        column: str | None = None,
        since: str | None = None,
        state: str | None = None,
        memories: Mapping[str, Any] | None = None,
        poll_interval: float = POLL_INTERVAL_SECONDS,
        ds_conn_id: str = DSHook.default_conn_name,
    ) -> None:
        super().__init__(poll_interval=poll_interval, ds_conn_id=ds_conn_id)
        self.groupes = list(groupes)
        self.min_count = min_count
        self.column = column
        self.since = since
        self.state = state
        self.memories = dict(memories or {})
        self._watch = Watch({groupe: [self._list(groupe)] for groupe in self.groupes}, min_count)

    @property
    def watch(self) -> Watch:
        return self._watch

    def _list(self, groupe: int) -> WatchedStream:
        selection = select_dossiers(groupe, state=self.state)
        if self.column is None:
            return WatchedStream(selection)
        column = cast("Column", self.column)
        if memory := self.memories.get(str(groupe)):
            return WatchedStream.remembered(selection, column, SeenRows.from_json(memory))
        window = Window(column, start=parse_instant(self.since, f"{column}_since"))
        return WatchedStream(select_dossiers(groupe, state=self.state, window=window))

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return f"{__name__}.DSDossierTrigger", {
            "groupes": self.groupes,
            "min_count": self.min_count,
            "column": self.column,
            "since": self.since,
            "state": self.state,
            "memories": self.memories,
            "poll_interval": self.poll_interval,
            "ds_conn_id": self.ds_conn_id,
        }


class DSDeletedDossierTrigger(_WaitingTrigger):
    """Waits until a group has so many deletions that are not known, pending or definitive.

    :param memories: by group and list, what is no news.
    :param min_count: how many dossiers.
    :param poll_interval: seconds between two looks.
    :param ds_conn_id: the connection.
    """

    def __init__(
        self,
        *,
        memories: Mapping[str, Mapping[str, Any]],
        min_count: int = 1,
        poll_interval: float = POLL_INTERVAL_SECONDS,
        ds_conn_id: str = DSHook.default_conn_name,
    ) -> None:
        super().__init__(poll_interval=poll_interval, ds_conn_id=ds_conn_id)
        self.memories = {groupe: dict(lists) for groupe, lists in memories.items()}
        self.min_count = min_count
        self._watch = Watch({int(groupe): self._lists(groupe) for groupe in self.memories}, min_count)

    @property
    def watch(self) -> Watch:
        return self._watch

    def _lists(self, groupe: str) -> list[WatchedStream]:
        known = self.memories[groupe]
        streams = (PENDING_DELETED_DOSSIERS, DELETED_DOSSIERS)
        return deletions(int(groupe), {stream.name: SeenRows.from_json(known.get(stream.name)) for stream in streams})

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return f"{__name__}.DSDeletedDossierTrigger", {
            "memories": self.memories,
            "min_count": self.min_count,
            "poll_interval": self.poll_interval,
            "ds_conn_id": self.ds_conn_id,
        }


class DSDossierEventTrigger(WatchingTrigger):
    """Gives an event for each look that shows something new in one of its groups: for an ``AssetWatcher``.

    What is there at the first look of all is no news. What is known since is kept in the asset's state store, so a
    triggerer that restarts goes on from there. An event may be lost or come twice where a triggerer is killed in the
    seconds around it: let the DAG load from where it loaded last, not what the event names. Two assets cannot have
    equal triggers, since Airflow would run one for both: let their ``poll_interval`` differ.

    It looks back five minutes behind the newest change that it knows of a group: one that the service commits later
    than that is no event.

    A group that does not answer, because it is gone or the token has lost its right on it, is one warning in the log
    until it is back; the others go on. Only where none answers, ten looks in a row, does the trigger end.

    The event's payload: ``groupes_instructeurs``, the groups with news; ``count`` of the dossiers; ``numbers`` of the
    newest hundred; ``more``, whether there are more than were counted: of each group, the newest thousand or a few
    more are; ``newest``, the newest date. What is not named, or not counted, is not told again.

    :param groupe_instructeur_number: the group, or a list of groups.
    :param on: ``"updated"`` for each change of a dossier, its deposit and a move into the group included;
        ``"created"`` for deposits alone.
    :param state: only dossiers in that state.
    :param poll_interval: seconds between two looks, 30 at least.
    :param ds_conn_id: the connection.
    """

    supports_triggerer_queue = False

    def __init__(
        self,
        *,
        groupe_instructeur_number: int | str | Sequence[int],
        on: str = "updated",
        state: str | None = None,
        poll_interval: float = POLL_INTERVAL_SECONDS,
        ds_conn_id: str = DSHook.default_conn_name,
    ) -> None:
        super().__init__(poll_interval=poll_interval, ds_conn_id=ds_conn_id)
        if on not in ("created", "updated"):
            raise DSConfigurationError(f"on must be 'created' or 'updated': got {on!r}")
        self.groupe_instructeur_number = parse_groupes(groupe_instructeur_number)[0]
        self.on = on
        self._column = cast("Column", on)
        self.state = None if is_absent(state) else state
        self._selections = {
            groupe: select_dossiers(groupe, state=self.state) for groupe in self.groupe_instructeur_number
        }
        self._memories: dict[int, SeenRows] = {}
        self._lost: set[int] = set()
        self._resume()

    @property
    def watch(self) -> Watch:
        return self._watch

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return f"{__name__}.DSDossierEventTrigger", {
            "groupe_instructeur_number": self.groupe_instructeur_number,
            "on": self.on,
            "state": self.state,
            "poll_interval": self.poll_interval,
            "ds_conn_id": self.ds_conn_id,
        }

    async def filter_shared_stream(self, shared_stream: AsyncIterator[Look]) -> AsyncIterator[TriggerEvent]:
        await self._recall()
        with self.registered():
            async for look in shared_stream:
                if self in look and (finding := await self._finding(look[self])):
                    self._remember(finding)
                    yield TriggerEvent(self._payload(finding))
                    # kept only once the event is safe: it may come twice then, but is not lost
                    await asyncio.sleep(SETTLE_SECONDS)
                    await self._keep(finding.groupes)

    async def _finding(self, seen: PollResult) -> Finding | None:
        """What the groups that answer brought.

        :raises DSError: if none answered too often in a row; the triggerer then starts the trigger again. What lasts
            is treated as what passes: raised at once, it would be asked for again at once.
        """
        errors = {**seen.errors, **await self._begin(besides=seen.errors)}
        error = most_severe(errors.values())
        if error and len(errors) == len(self._selections):
            if self.is_enough(error):
                raise error
            return None
        self.went_well()
        self._warn(errors)
        return seen.finding

    def _warn(self, errors: Mapping[int, DSError]) -> None:
        for groupe in sorted(errors.keys() - self._lost):
            self.log.warning("nothing of groupe instructeur %d is told until it answers: %s", groupe, errors[groupe])
        self._lost = set(errors)

    async def _recall(self) -> None:
        """What was known when this trigger last ran, whichever triggerer ran it."""
        if self.asset_state_store is not None:
            for groupe, selection in self._selections.items():
                if kept := await self.asset_state_store.aget(self._key(selection)):
                    self._memories[groupe] = SeenRows.from_json(kept)
        self._resume()

    async def _begin(self, besides: Iterable[int]) -> dict[int, DSError]:
        """Learn what the groups hold that this trigger has not watched before; the errors of those that do not tell.

        :param besides: groups that are not asked.
        """
        unknown = self._selections.keys() - self._memories.keys() - set(besides)
        if not unknown:
            return {}
        told = await self._baseline(sorted(unknown))
        begun = {groupe: memory for groupe, memory in told.items() if isinstance(memory, SeenRows)}
        self._memories |= begun
        self._resume()
        await self._keep(begun)
        return {groupe: error for groupe, error in told.items() if isinstance(error, DSError)}

    async def _baseline(self, groupes: Sequence[int]) -> Mapping[int, SeenRows | DSError]:
        everything = {one: WatchedStream.remembered(self._selections[one], self._column, SeenRows()) for one in groupes}
        try:
            async with DSHook(self.ds_conn_id).async_client() as client:
                return await client.result(baseline(everything))
        except DSError as error:
            return dict.fromkeys(groupes, error)

    def _remember(self, finding: Finding) -> None:
        for groupe in finding.groupes:
            marks = finding.marks(groupe, DOSSIERS.name)
            selection = self._selections[groupe]
            self._memories[groupe] = remember(self._memories[groupe], selection, marks, finding.looked_at)
        self._resume()

    def _resume(self) -> None:
        """Watch for what is not known by now; nothing is news in a group that has no beginning yet."""
        known = self._memories
        self._watch = Watch(
            {
                groupe: [WatchedStream.remembered(one, self._column, known[groupe])] if groupe in known else []
                for groupe, one in self._selections.items()
            }
        )

    async def _keep(self, groupes: Iterable[int]) -> None:
        if self.asset_state_store is not None:
            for groupe in groupes:
                key, memory = self._key(self._selections[groupe]), self._memories[groupe]
                await self.asset_state_store.aset(key, memory.to_json())

    def _key(self, selection: Selection) -> str:
        key = f"ds-noticed-{self.on}-{selection.groupe_instructeur_number}"
        filters = selection.row_filters()
        return f"{key}-{digest(filters)[:8]}" if filters else key

    def _payload(self, finding: Finding) -> dict[str, Any]:
        marks = {one for groupe in finding.groupes for one in finding.marks(groupe, DOSSIERS.name)}
        newest = sorted(marks, key=lambda one: one[1])[-MAX_NUMBERS_IN_AN_EVENT:]
        return {
            "groupes_instructeurs": sorted(finding.groupes),
            "count": len({number for number, _ in marks}),
            "more": finding.more,
            "numbers": sorted({number for number, _ in newest}),
            "newest": moment(finding.newest[self.on]).isoformat(),
        }
