"""Groups that an event source watches, and what it has seen of each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, cast

from ds_provider.api.polling.seen import SeenRows
from ds_provider.api.polling.watch import Finding, Watch, WatchedStream, add_seen, baseline
from ds_provider.api.query.parameters import select_dossiers
from ds_provider.api.query.selection import DOSSIERS
from ds_provider.api.query.windows import DateColumn
from ds_provider.exceptions import DSError
from ds_provider.hooks.ds import DSHook
from ds_provider.state.keys import state_key


class WatchedGroups:
    """Groups, each with the rows that are not new.

    :param numbers: of the groups.
    :param date_column: the date that makes a row new.
    :param state: only dossiers in that state.
    """

    def __init__(self, numbers: Sequence[int], date_column: str, state: str | None) -> None:
        self._date_column = cast("DateColumn", date_column)
        self._selections = {number: select_dossiers(number, state=state) for number in numbers}
        self._seen: dict[int, SeenRows] = {}

    @property
    def watch(self) -> Watch:
        """Wait for new rows. Nothing is new in a group that has no baseline yet."""
        known = self._seen.keys()
        return Watch({number: [self._stream(number)] if number in known else [] for number in self._selections})

    async def load(self, store: Any) -> None:
        """Take up what was seen when the trigger last ran, in whichever triggerer.

        :param store: the asset's state store, if the trigger has an asset.
        """
        if store is not None:
            for number in self._selections:
                if value := await store.aget(self._key(number)):
                    self._seen[number] = SeenRows.from_json(value)

    async def begin(self, ds_conn_id: str, store: Any, failed: Iterable[int]) -> dict[int, DSError]:
        """Learn what the groups hold that were not watched before. Return the errors of those that cannot be read.

        :param failed: groups that are not asked.
        """
        unknown = sorted(self._selections.keys() - self._seen.keys() - set(failed))
        if not unknown:
            return {}
        try:
            async with DSHook(ds_conn_id).async_client() as client:
                results = await client.result(baseline({number: self._stream(number) for number in unknown}))
        except DSError as error:
            return dict.fromkeys(unknown, error)
        begun = {number: seen for number, seen in results.items() if isinstance(seen, SeenRows)}
        self._seen |= begun
        await self.save(store, begun)
        return {number: error for number, error in results.items() if isinstance(error, DSError)}

    def add(self, finding: Finding) -> None:
        """Add what a finding holds to the rows that are not new."""
        for number in finding.groups:
            versions = finding.versions(number, DOSSIERS.name)
            self._seen[number] = add_seen(self._seen[number], self._selections[number], versions, finding.polled_at)

    async def save(self, store: Any, numbers: Iterable[int]) -> None:
        """Keep what was seen of these groups."""
        if store is not None:
            for number in numbers:
                await store.aset(self._key(number), self._seen[number].to_json())

    def _stream(self, number: int) -> WatchedStream:
        seen = self._seen.get(number, SeenRows())
        return WatchedStream.unseen(self._selections[number], self._date_column, seen)

    def _key(self, number: int) -> str:
        filters = self._selections[number].row_filters()
        return state_key("ds-event-seen", self._date_column, number, filters=filters)
