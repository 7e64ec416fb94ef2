"""Forms of the sandbox's démarche, read over HTTP: tables, drift, columns."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from ds_provider.api.query import lookups
from ds_provider.api.transport.client import DSClient
from ds_provider.sandbox import Sandbox
from ds_provider.tables.descriptors import describe
from ds_provider.tables.drift import detect_drift
from ds_provider.tables.wide.naming import ColumnRegistry
from ds_provider.tables.wide.pivot import wide_tables
from tests.support.forms import READ_AT

NOW = datetime(2026, 11, 20, 12, tzinfo=ZoneInfo("Europe/Paris"))


@pytest.fixture(scope="module")
def described() -> Iterator[dict[str, Any]]:
    with (
        Sandbox(seed=3, groupes=3, dossiers=5, now=NOW, rate_limit=0) as sandbox,
        DSClient(sandbox.url, sandbox.token, user_agent="tests") as client,
    ):
        yield describe(client.result(lookups.get_revisions(sandbox.demarche)), READ_AT)


def test_all_revisions_and_groups_are_described(described):
    assert described["groupes_instructeurs"].num_rows == 3
    dates = described["revisions"]["date_publication"].to_pylist()
    assert sum(date is None for date in dates) == 1
    assert set(described["champ_descriptors"]["revision_id"].to_pylist()) == set(
        described["revisions"]["id"].to_pylist()
    )


def test_added_and_removed_champs_are_drift(described):
    found = detect_drift(described["champ_descriptors"], described["revisions"])
    changes = {(change.change, change.label) for one in found for change in one.changes}
    assert {("removed", "Nombre d'emplois"), ("added", "Acte"), ("added", "Versements")} <= changes


def test_the_form_that_is_filled_in_has_its_columns(described):
    registry = ColumnRegistry()
    rows = registry.register_form(described).to_pylist()
    kinds = {row["column_name"]: row["kind"] for row in rows}
    assert kinds["montant_demande_centimes"] == "integer"
    assert "json" not in kinds.values()
    assert kinds["emprise_du_projet"] == "text"
    assert kinds["j_atteste_sur_l_honneur"] == "boolean"
    assert "nombre_d_emplois" not in kinds
    main = f"demarche_{rows[0]['demarche_number']}"
    assert [table.name for table in wide_tables(registry)] == [
        main,
        f"{main}_annotations",
        f"{main}_annotations_versements",
        f"{main}_parcelles",
    ]
