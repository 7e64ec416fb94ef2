"""Comparison of what was landed and loaded with what the sandbox's groups show."""

from __future__ import annotations

from contextlib import closing
from datetime import datetime, timezone
from pathlib import Path

import duckdb

from ds_provider.constants import DEFAULT_DATASET
from ds_provider.landing import iter_rows
from ds_provider.landing.manifest import Manifest, read_manifest
from ds_provider.sandbox import Sandbox
from ds_provider.sandbox.http.control import truth
from tests.support.dag_files import shown

WAREHOUSE = "ds_warehouse.duckdb"
MIN, MAX = datetime(2000, 1, 1, tzinfo=timezone.utc), datetime(2100, 1, 1, tzinfo=timezone.utc)

# number, group, state and date of last change, to the second
Row = tuple[int, int, str, int]


def shown_rows(sandbox: Sandbox) -> set[Row]:
    """Return what the groups show."""
    return {
        (d.number, d.groupe.number, d.state, d.updated_at // 1_000_000)
        for d in sandbox.world.dossiers.values()
        if d.visible and d.groupe.number in sandbox.groupes
    }


def loaded_rows(home: Path) -> set[Row]:
    """Return what the embedded warehouse in an Airflow home holds, but for what is hidden or gone."""
    sql = (
        "select number, groupe_instructeur_number, state, cast(epoch(date_derniere_modification) as bigint) "
        f"from {DEFAULT_DATASET}.dossiers where deletion_stage is null"
    )
    with closing(duckdb.connect(str(home / WAREHOUSE), read_only=True)) as warehouse:
        rows = warehouse.execute(sql).fetchall()
    assert len(rows) == len(set(rows))
    return set(rows)


def expired_numbers(sandbox: Sandbox) -> set[int]:
    """Return the dossiers that no list of the service shows until they are purged."""
    return {number for group in truth(sandbox.state)["groupes"] for number in group["limbo"]}


def assert_tables_are_whole(sandbox: Sandbox, home: Path, groups: set[int] | None = None) -> None:
    """Check that the tables hold what the groups show, and besides only what no list of the service tells of.

    :param groups: those that are to be loaded; all by default.
    """
    loaded = loaded_rows(home)
    visible = {row for row in shown_rows(sandbox) if groups is None or row[1] in groups}
    assert visible
    assert visible - loaded == set()
    assert {number for number, *_ in loaded - visible} <= expired_numbers(sandbox)


def assert_extracts_are_whole(sandbox: Sandbox, zone: Path) -> None:
    """Check that each extract of dossiers holds what its group shows in its window, each dossier once."""
    manifests = [path.as_uri() for path in zone.glob("groupe-*/dossiers/*/manifest.json")]
    assert manifests
    for url in manifests:
        numbers = [row["number"] for row in iter_rows(url)]
        assert len(numbers) == len(set(numbers))
        assert set(numbers) == _shown_in(sandbox, read_manifest(url))


def assert_end(sandbox: Sandbox, home: Path, text: str) -> bool:
    """Check what was loaded, or else landed: of the groups that a text names, or of the whole démarche.

    :returns: false if nothing was.
    """
    named = {number for number in sandbox.groupes if str(number) in text}
    if (home / WAREHOUSE).exists():
        assert_tables_are_whole(sandbox, home, None if str(sandbox.demarche) in text else named)
    elif (home / "landing").exists():
        assert_extracts_are_whole(sandbox, home / "landing")
    else:
        return False
    return True


def _shown_in(sandbox: Sandbox, manifest: Manifest) -> set[int]:
    column = {"created": "depose_at", "updated": "updated_at", None: "depose_at"}[manifest.date_column]
    start = datetime.fromisoformat(manifest.read_from) if manifest.read_from else MIN
    end = (manifest.window or (None, None))[1]
    return shown(
        sandbox, manifest.groupe_instructeur_number, column, start, datetime.fromisoformat(end) if end else MAX
    )
