"""The groups of a list of which one question shows that there is nothing to read."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING

from ds_provider.api.polling.idle_groups import idle_groupes
from ds_provider.landing.writer import LandingWriter

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

    from ds_provider.api.query.selection import Selection
    from ds_provider.api.transport.client import DSClient


class IdleGroupes:
    """Finds those of the selections of one run that hold nothing, and lands them as a reading of no row would."""

    def __init__(self) -> None:
        self._selections: list[Selection] = []
        self._numbers: set[int] = set()
        self._asked_at: datetime | None = None

    def consider(self, selection: Selection) -> None:
        """Ask about this one too."""
        self._selections.append(selection)

    def find(self, client: DSClient) -> None:
        """Ask the service about all of them.

        :raises DSError: only what is the same for all groups: the token is refused, or there is no API.
        """
        self._asked_at = datetime.now(timezone.utc)
        self._numbers = client.result(idle_groupes(self._selections))

    def land(self, selection: Selection, zone: ObjectStoragePath) -> LandingWriter | None:
        """Publish that an idle group holds nothing; none where the group is to be read.

        :raises DSDestinationError: if the storage refuses.
        """
        if selection.groupe_instructeur_number not in self._numbers:
            return None
        landing = LandingWriter(zone, selection, started=self._asked_at)
        # dossiers that earlier runs could not read are tried again, in whichever window they are
        if landing.pending:
            return None
        landing.publish()
        return landing
