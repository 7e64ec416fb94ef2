from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from ds_provider.warehouse.differences import Differences, DossierState, compare

NOON = datetime(2026, 11, 1, 12, tzinfo=timezone.utc)
LATER = NOON + timedelta(seconds=1)


def sight(groupe: int = 1, state: str = "accepte", modified: datetime = NOON, stage: str | None = None) -> DossierState:
    return DossierState(groupe, state, modified, stage)


@pytest.mark.parametrize(
    ("shown", "held", "kind"),
    [
        (sight(), sight(), None),
        (sight(), None, "missing"),
        (sight(groupe=2, modified=LATER), sight(), "moved"),
        (sight(modified=LATER), sight(), "stale"),
        (sight(state="refuse"), sight(), "stale"),
        (sight(), sight(modified=LATER), None),  # loaded while it was looked at
        (sight(groupe=2), sight(modified=LATER), None),
        (sight(), sight(stage="pending"), "restored"),
        (sight(), sight(stage="vanished"), "restored"),
        (sight(), sight(stage="deleted"), None),
        (None, sight(), "absent"),
        (None, sight(stage="pending"), None),
        (None, sight(groupe=3), None),  # of a group that was not looked at
    ],
)
def test_each_difference_has_its_name(shown: DossierState | None, held: DossierState | None, kind: str | None) -> None:
    found = compare({5: shown} if shown else {}, {5: held} if held else {}, groupes={1, 2})
    assert found == Differences(**{kind: {5}} if kind else {})
    assert found.to_read == ({5} if kind and kind != "absent" else set())
