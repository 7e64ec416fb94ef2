"""Drift in the demo: each dossier that the tables list differently from the sandbox."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import duckdb
import pytest

from ds_provider.constants import DEFAULT_DATASET
from scripts.demo.drift import drift

MODIFIED = 1_790_000_000_123_456
TRUTH = {
    "groupes": [
        {
            "number": 7,
            "dossiers": [
                {"number": 1, "state": "accepte", "updated_at": MODIFIED},
                {"number": 2, "state": "en_construction", "updated_at": MODIFIED},
            ],
            "pending": [{"number": 3, "state": "en_construction", "reason": "user_request"}],
            "deleted": [{"number": 4, "state": "refuse", "reason": "expired"}],
            "limbo": [5],
        },
        {"number": 8, "dossiers": [], "pending": [], "deleted": [], "limbo": []},
    ],
    "deleted_without_groupe": [{"number": 6, "state": "refuse", "reason": "user_removed"}],
}


@pytest.fixture
def warehouse() -> Iterator[duckdb.DuckDBPyConnection]:
    """Tables without drift."""
    with duckdb.connect() as connection:
        connection.execute(f"""
            create schema {DEFAULT_DATASET};
            use {DEFAULT_DATASET};
            create table dossiers as
                select number, 7 as groupe_instructeur_number, state, deletion_stage,
                    to_timestamp({MODIFIED // 1_000_000}) as date_derniere_modification
                from (values (1, 'accepte', null), (2, 'en_construction', null), (3, 'en_construction', 'pending'),
                    (5, 'accepte', 'vanished')) as loaded (number, state, deletion_stage);
            create table deleted_dossiers as
                select number, 7 as groupe_instructeur_number, stage, reason
                from (values (3, 'pending', 'user_request'), (4, 'deleted', 'expired'), (5, 'vanished', null))
                    as stones (number, stage, reason);
            create table champs as select number as dossier_number from dossiers;
        """)
        yield connection


def test_equal_lists_have_no_drift(warehouse):
    assert drift(TRUTH, warehouse) == {}


@pytest.mark.parametrize(
    ("number", "change"),
    [
        (1, "delete from champs where dossier_number = 1; delete from dossiers where number = 1"),
        (1, "update dossiers set state = 'refuse' where number = 1"),
        (1, "update dossiers set groupe_instructeur_number = 8 where number = 1"),
        (1, "update dossiers set date_derniere_modification = to_timestamp(1790000001) where number = 1"),
        (2, "update dossiers set deletion_stage = 'pending' where number = 2"),
        (3, "update dossiers set deletion_stage = null where number = 3"),
        (3, "delete from deleted_dossiers where number = 3"),
        (4, "update deleted_dossiers set reason = 'manager_request' where number = 4"),
        (4, "update deleted_dossiers set stage = 'pending' where number = 4"),
        (4, "insert into champs values (4)"),
        (5, "update dossiers set deletion_stage = null where number = 5"),
        (6, "insert into deleted_dossiers values (6, 7, 'deleted', 'user_removed')"),
        (9, "insert into dossiers values (9, 7, 'accepte', null, now())"),
    ],
)
def test_drift_finds_each_difference(warehouse, number, change):
    warehouse.execute(change)
    assert set(drift(TRUTH, warehouse)) == {number}


def test_drift_finds_a_dossier_that_moved(warehouse):
    truth: dict[str, Any] = copy.deepcopy(TRUTH)
    here, there = truth["groupes"]
    there["dossiers"].append(here["dossiers"].pop())
    assert set(drift(truth, warehouse)) == {2}
