"""Forty days of a démarche's life, with failed nights, days extracted twice and backfills: then nothing has drifted."""

from __future__ import annotations

from pathlib import Path
from random import Random

from ds_provider.operators.extract import DSExtractDeletedDossiersOperator
from ds_provider.sandbox import Sandbox
from tests.support.databases import Database, all_rows, dossier_numbers
from tests.support.life import Team, Truth, landed_texts, loaded_dossiers, texts_in, tombstones

DAYS = 40


def check_forty_days(sandbox: Sandbox, database: Database, folder: Path) -> None:
    """Play the days, then compare the tables with the sandbox's lists."""
    team = Team(sandbox, folder / "landing", database.conn_id, Random(7))
    play(team)
    counts = team.reconcile(DAYS)
    truth = Truth.of(sandbox)
    # everything is loaded before, so a reconciliation finds only expired dossiers, which are in no list
    assert {name: count for name, count in counts.items() if count and name != "vanished"} == {
        "groupes": 3,
        "shown": len(truth.shown),
        "requests": sum(-(-size // 100) for size in group_sizes(truth)),
    }
    assert loaded_dossiers(database.conn_id) == truth.shown
    stones = tombstones(database.conn_id)
    vanished = {number: stone[1] for number, stone in stones.items() if stone[0] == "vanished"}
    assert {number: stone for number, stone in stones.items() if number not in vanished} == truth.tombstones
    assert vanished.items() <= truth.limbo.items()
    numbers = dossier_numbers(database)
    assert set(truth.limbo) & numbers == set(vanished)
    check_erasure(team, database, truth, numbers)


def play(team: Team) -> None:
    for day in range(DAYS):
        if day == 3:
            team.backfill(-45, 2)
            team.backfill(-100, -30)
        team.night(day)
        if day % 7 == 6:
            team.reconcile(day)
    for day in team.missed:
        team.extract_day(day)
    team.extract(DSExtractDeletedDossiersOperator, DAYS)
    team.load()


def group_sizes(truth: Truth) -> list[int]:
    groupes = [groupe for groupe, _, _ in truth.shown.values()]
    return [groupes.count(groupe) for groupe in set(groupes)]


def check_erasure(team: Team, database: Database, truth: Truth, numbers: set[int]) -> None:
    """Check that no table holds a text of a deleted dossier, nor any file after pruning."""
    deleted = {number for number, stone in truth.tombstones.items() if stone[0] == "deleted"}
    assert not deleted & numbers
    erased = {text for text, numbers in team.texts.items() if numbers <= deleted}
    assert len(erased) > 100
    for table, rows in all_rows(database):
        assert not erased & texts_in(rows), table
    assert erased & landed_texts(team.landing)
    team.prune()
    kept = landed_texts(team.landing)
    assert not erased & kept
    others = {text for text, numbers in team.texts.items() if not numbers & deleted and "http" not in text}
    assert others & kept
