"""Triggers that wait for a group's dossiers or deletions, and the source of events for an ``AssetWatcher``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from functools import partial
from typing import Any, cast

from airflow.triggers.base import TriggerEvent

from ds_provider.api.polling.seen import SeenRows, instant
from ds_provider.api.polling.watch import (
    MAX_NUMBERS,
    Finding,
    PollResult,
    Watch,
    WatchedStream,
    deletion_streams,
    most_severe,
)
from ds_provider.api.query.parameters import parse_choice, parse_groupes, parse_number, parse_state, select_dossiers
from ds_provider.api.query.selection import DELETED_DOSSIERS, DOSSIERS, PENDING_DELETED_DOSSIERS
from ds_provider.api.query.windows import DateColumn, Window, parse_instant
from ds_provider.exceptions import DSError
from ds_provider.hooks.ds import DSHook
from ds_provider.parameter_checks import naming_the_line
from ds_provider.triggers._groups import WatchedGroups
from ds_provider.triggers.polling import POLL_INTERVAL_SECONDS, PollingTrigger, PollResults, WaitingTrigger
from ds_provider.wording import counted, lasted

MAX_NUMBERS_IN_EVENT = 100
# Airflow writes an event to its database a second or two after it was given
SETTLE_SECONDS = 5.0

parse_on = partial(parse_choice, choices=("created", "updated"))
parse_min_count = partial(parse_number, maximum=MAX_NUMBERS)


class DSDossierTrigger(WaitingTrigger):
    """Waits until a group has enough dossiers.

    :param groupe_instructeur_number: the groups, any one of which is enough.
    :param min_count: how many dossiers.
    :param on: ``"created"`` or ``"updated"``: the date that ``since`` is about; without it all dossiers count.
    :param since: only dossiers dated then or later, ISO 8601.
    :param state: only dossiers in that state.
    :param seen: for each group, the rows that are not new; then ``since`` is not used.
    :param poll_interval: seconds between two polls.
    :param ds_conn_id: the connection.
    :param so_far: how far the wait was when it began, for the log.
    """

    def __init__(
        self,
        *,
        groupe_instructeur_number: Sequence[int],
        min_count: int = 1,
        on: str | None = None,
        since: str | None = None,
        state: str | None = None,
        seen: Mapping[str, Any] | None = None,
        poll_interval: float = POLL_INTERVAL_SECONDS,
        ds_conn_id: str = DSHook.default_conn_name,
        so_far: str | None = None,
    ) -> None:
        super().__init__(poll_interval=poll_interval, ds_conn_id=ds_conn_id, so_far=so_far)
        with naming_the_line():
            self.groupe_instructeur_number = parse_groupes(groupe_instructeur_number)[0]
            self.min_count = parse_min_count(min_count, "min_count")
            self.on = None if on is None else parse_on(on, "on")
            self.state = parse_state(state)
            parse_instant(since, "since")
        self.since = since
        self.seen = dict(seen or {})
        self._watch = Watch({group: [self._stream(group)] for group in self.groupe_instructeur_number}, min_count)

    def _stream(self, group: int) -> WatchedStream:
        date_column = cast("DateColumn", self.on)
        seen = self.seen.get(str(group)) if self.on else None
        if seen:
            return WatchedStream.unseen(select_dossiers(group, state=self.state), date_column, SeenRows.from_json(seen))
        window = Window(date_column, start=parse_instant(self.since, f"{self.on}_since")) if self.on else None
        return WatchedStream(select_dossiers(group, state=self.state, window=window))


class DSDeletedDossierTrigger(WaitingTrigger):
    """Waits until a group has enough new deletions, pending or definitive.

    :param seen: by group and stream, the deletions that are not new.
    :param min_count: how many dossiers.
    :param poll_interval: seconds between two polls.
    :param ds_conn_id: the connection.
    :param so_far: how far the wait was when it began, for the log.
    """

    def __init__(
        self,
        *,
        seen: Mapping[str, Mapping[str, Any]],
        min_count: int = 1,
        poll_interval: float = POLL_INTERVAL_SECONDS,
        ds_conn_id: str = DSHook.default_conn_name,
        so_far: str | None = None,
    ) -> None:
        super().__init__(poll_interval=poll_interval, ds_conn_id=ds_conn_id, so_far=so_far)
        self.seen = {group: dict(streams) for group, streams in seen.items()}
        with naming_the_line():
            self.min_count = parse_min_count(min_count, "min_count")
        self._watch = Watch({int(group): self._streams(group) for group in self.seen}, min_count)

    def _streams(self, group: str) -> list[WatchedStream]:
        seen = self.seen[group]
        names = (PENDING_DELETED_DOSSIERS.name, DELETED_DOSSIERS.name)
        return deletion_streams(int(group), {name: SeenRows.from_json(seen.get(name)) for name in names})


class DSDossierEventTrigger(PollingTrigger):
    """Gives an event for each poll that shows something new in one of its groups: for an ``AssetWatcher``.

    What is there at the very first poll is not new. What was seen since is kept in the asset's state store, so a
    triggerer that restarts goes on from there. An event may be lost or come twice if a triggerer is killed in the
    seconds around it: let the DAG load from where it loaded last, not what the event names. Two assets cannot have
    equal triggers, since Airflow would run one for both: let their ``poll_interval`` differ.

    It looks back five minutes from the newest change that it has seen of a group: a change that the service commits
    later than that is no event.

    A group that cannot be read, because it is gone or the token has lost its right on it, is one warning in the log
    until it is back; the others go on. The trigger ends only if no group can be read, ten polls in a row.

    The event's payload: ``groupes_instructeurs``, the groups with new rows; ``count`` of the dossiers; ``numbers`` of
    the newest hundred; ``more``, true if there are more than were counted: of each group, the newest thousand or a few
    more are; ``newest``, the newest date. A dossier that is not named, or not counted, is in no later event.

    :param groupe_instructeur_number: the group, or a list of groups.
    :param on: ``"updated"`` for each change of a dossier, its deposit and a move into the group included;
        ``"created"`` for deposits alone.
    :param state: only dossiers in that state.
    :param poll_interval: seconds between two polls, 30 at least.
    :param ds_conn_id: the connection.
    :raises DSConfigurationError: if a parameter cannot work.
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
        with naming_the_line():
            self.groupe_instructeur_number = parse_groupes(groupe_instructeur_number)[0]
            self.on = parse_on(on, "on")
            self.state = parse_state(state)
        self._groups = WatchedGroups(self.groupe_instructeur_number, on, self.state)
        self._unreadable: set[int] = set()

    @property
    def watch(self) -> Watch:
        """Wait for new rows in the groups, by what was seen so far."""
        return self._groups.watch

    async def filter_shared_stream(self, shared_stream: AsyncIterator[PollResults]) -> AsyncIterator[TriggerEvent]:
        """Yield an event for each finding.

        :raises DSError: if no group could be read, ten polls in a row.
        """
        groups = counted(len(self.groupe_instructeur_number), "group")
        self.log.info("watching %s for what is %s, polls every %s", groups, self.on, lasted(self.poll_interval))
        await self._groups.load(self.asset_state_store)
        with self.registered():
            async for results in shared_stream:
                if self in results and (finding := await self._finding(results[self])):
                    self._groups.add(finding)
                    yield TriggerEvent(self._payload(finding))
                    # kept only once the event is safe: it may come twice then, but is not lost
                    await asyncio.sleep(SETTLE_SECONDS)
                    await self._groups.save(self.asset_state_store, finding.groups)

    async def _finding(self, result: PollResult) -> Finding | None:
        """Return the new rows of the groups that can be read.

        :raises DSError: if none could be read too often in a row; the triggerer then starts the trigger again. An error
            that lasts is treated as one that passes: raised at once, it would be met again at once.
        """
        begun = await self._groups.begin(self.ds_conn_id, self.asset_state_store, failed=result.errors)
        errors = {**result.errors, **begun}
        error = most_severe(errors.values())
        if error and len(errors) == len(self.groupe_instructeur_number):
            if self.failures.record(error, self.log):
                raise error
            return None
        self.failures.reset()
        self._warn(errors)
        return result.finding

    def _warn(self, errors: Mapping[int, DSError]) -> None:
        for group in sorted(errors.keys() - self._unreadable):
            self.log.warning("no events of group %d until it can be read again: %s", group, errors[group])
        self._unreadable = set(errors)

    def _payload(self, finding: Finding) -> dict[str, Any]:
        versions = {version for group in finding.groups for version in finding.versions(group, DOSSIERS.name)}
        newest = sorted(versions, key=lambda version: version[1])[-MAX_NUMBERS_IN_EVENT:]
        return {
            "groupes_instructeurs": sorted(finding.groups),
            "count": len({number for number, _ in versions}),
            "more": finding.more,
            "numbers": sorted({number for number, _ in newest}),
            "newest": instant(finding.newest[self.on]).isoformat(),
        }
