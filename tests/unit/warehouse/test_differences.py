from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from ds_provider.warehouse.differences import Differences, DossierState, compare

NOON = datetime(2026, 11, 1, 12, tzinfo=timezone.utc)
LATER = NOON + timedelta(seconds=1)


def state_of(
    group: int = 1, state: str = "accepte", modified: datetime = NOON, stage: str | None = None
) -> DossierState:
    return DossierState(group, state, modified, stage)


@pytest.mark.parametrize(
    ("shown", "held", "kind"),
    [
        (state_of(), state_of(), None),
        (state_of(), None, "missing"),
        (state_of(group=2, modified=LATER), state_of(), "moved"),
        (state_of(modified=LATER), state_of(), "stale"),
        (state_of(state="refuse"), state_of(), "stale"),
        (state_of(), state_of(modified=LATER), None),  # a later version was loaded during the scan
        (state_of(group=2), state_of(modified=LATER), None),
        (state_of(), state_of(stage="pending"), "restored"),
        (state_of(), state_of(stage="vanished"), "restored"),
        (state_of(), state_of(stage="deleted"), None),
        (None, state_of(), "absent"),
        (None, state_of(stage="pending"), None),
        (None, state_of(group=3), None),  # of a group that was not scanned
    ],
)
def test_compare_names_each_difference(shown: DossierState | None, held: DossierState | None, kind: str | None) -> None:
    found = compare({5: shown} if shown else {}, {5: held} if held else {}, groups={1, 2})
    assert found == Differences(**{kind: {5}} if kind else {})
    assert found.to_read == ({5} if kind and kind != "absent" else set())
