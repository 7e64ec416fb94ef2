"""A team that keeps a warehouse of the sandbox's démarche, and whose nights sometimes fail."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from isal import igzip

from ds_provider.exceptions import DSError
from ds_provider.hooks.warehouse import DSWarehouseHook
from ds_provider.landing import iter_rows
from ds_provider.landing.manifest import read_manifest
from ds_provider.operators.extract import DSExtractDeletedDossiersOperator, DSExtractDossiersOperator
from ds_provider.operators.load import DSLoadOperator
from ds_provider.operators.prune import DSPruneLandingOperator
from ds_provider.operators.reconcile import DSReconcileOperator
from ds_provider.operators.refresh import DSRefreshDossiersOperator
from ds_provider.sandbox import Sandbox
from ds_provider.sandbox.http.control import truth
from ds_provider.tables.schemas import DELETED_DOSSIERS, DOSSIERS
from tests.support.operator_service import Store, Ti

# the clocks go back on the twenty-ninth day
START = datetime(2025, 9, 28, tzinfo=ZoneInfo("Europe/Paris"))
PARTS = dict.fromkeys(("include_messages", "include_avis", "include_labels", "include_corrections"), True)

_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_MIN_LENGTH = 12


@dataclass
class Team:
    """Does by hand what the daily DAG does.

    :param landing: a folder with a landing zone for each week, so that one week's files can be loaded after the next's.
    :param conn_id: the warehouse's connection.
    :ivar missed: the days whose extraction failed.
    :ivar to_load: the summaries of all that has landed and is not loaded.
    :ivar texts: each text that landed, with the numbers of its dossiers.
    """

    sandbox: Sandbox
    landing: Path
    conn_id: str | None
    rng: Random
    missed: list[int] = field(default_factory=list)
    to_load: list[Any] = field(default_factory=list)
    texts: dict[str, set[int]] = field(default_factory=dict)
    _known_generations: set[str] = field(default_factory=set)

    def night(self, day: int) -> None:
        """Run a day, ten minutes after its end."""
        self.sandbox.clock.move_to(_midnight(day + 1) + timedelta(minutes=10))
        if self.rng.random() < 0.2:
            self._fail_night(day)
            return
        days = [day, *self.missed]
        if self.rng.random() < 0.3:
            days.append(self.rng.randrange(day + 1))
        self.missed.clear()
        self.rng.shuffle(days)
        for each in days:
            self.extract_day(each)
        self.extract(DSExtractDeletedDossiersOperator, day)
        self.extract(
            DSRefreshDossiersOperator, day, max_age=timedelta(days=12), warehouse_conn_id=self.conn_id, **PARTS
        )
        if self.rng.random() < 0.5:
            self.load(everything=self.rng.random() < 0.5)

    def extract_day(self, day: int) -> None:
        interval = {"data_interval_start": _midnight(day), "data_interval_end": _midnight(day + 1)}
        self.extract(DSExtractDossiersOperator, day, interval, window="updated", **PARTS)

    def backfill(self, since: int, until: int) -> None:
        """Extract the dossiers deposited from one day to another, counted from the start."""
        bounds = {"created_since": _midnight(since).isoformat(), "created_until": _midnight(until).isoformat()}
        self.extract(DSExtractDossiersOperator, 0, **bounds, **PARTS)

    def load(self, *, everything: bool = True) -> None:
        """Load what has landed, or a part of it, in any order."""
        self.rng.shuffle(self.to_load)
        count = len(self.to_load) if everything else self.rng.randint(1, len(self.to_load))
        chosen, self.to_load = self.to_load[:count], self.to_load[count:]
        run(DSLoadOperator, manifests=chosen, demarche_number=self.sandbox.demarche, warehouse_conn_id=self.conn_id)

    def reconcile(self, day: int) -> dict[str, int]:
        arguments = {"groupe_instructeur_number": self.sandbox.groupes, "destination": self._zone(day), **PARTS}
        counts: dict[str, int] = run(DSReconcileOperator, warehouse_conn_id=self.conn_id, **arguments)
        self._collect_texts(self._manifests())
        return counts

    def prune(self) -> None:
        for zone in sorted(self.landing.iterdir()):
            arguments = {"destination": f"file://{zone}", "retention": timedelta(days=30)}
            run(DSPruneLandingOperator, warehouse_conn_id=self.conn_id, **arguments)

    def extract(self, kind: type, day: int, context: dict[str, Any] | None = None, **more: Any) -> None:
        arguments = {"groupe_instructeur_number": self.sandbox.groupes, "destination": self._zone(day), **more}
        summaries = run(kind, context, **arguments)
        self.to_load.append(summaries)
        self._collect_texts(summary["manifest"] for summary in summaries)

    def _fail_night(self, day: int) -> None:
        self.missed.append(day)
        self.sandbox.faults.set({"maintenance": 1.0})
        with pytest.raises(DSError):
            self.extract_day(day)
        self.sandbox.faults.clear()

    def _zone(self, day: int) -> str:
        return f"file://{self.landing}/{day // 7}"

    def _manifests(self) -> Iterator[str]:
        return (f"file://{path}" for path in self.landing.rglob("dossiers/*/manifest.json"))

    def _collect_texts(self, manifests: Iterable[str]) -> None:
        for manifest in manifests:
            generation = read_manifest(manifest).generation
            if "deleted_dossiers" in manifest or generation in self._known_generations:
                continue
            self._known_generations.add(generation)
            for row in iter_rows(manifest):
                for text in texts_in(row):
                    self.texts.setdefault(text, set()).add(row["number"])


def run(kind: type, context: dict[str, Any] | None = None, **arguments: Any) -> Any:
    """Execute an operator."""
    return kind(task_id="t", **arguments).execute({"ti": Ti(), "task_state_store": Store(), **(context or {})})


def loaded_dossiers(conn_id: str | None) -> dict[int, tuple[int, str, int]]:
    """Return group, state and date of last change of each dossier in the table without a deletion stage."""
    columns = ["number", "groupe_instructeur_number", "state", "date_derniere_modification", "deletion_stage"]
    rows = DSWarehouseHook(conn_id).warehouse().read(DOSSIERS, columns).to_pylist()
    return {
        row["number"]: (row[columns[1]], row["state"], int(row[columns[3]].timestamp()))
        for row in rows
        if row["deletion_stage"] is None
    }


def tombstones(conn_id: str | None) -> dict[int, tuple[str, int, str, str | None, int | None]]:
    """Return stage, group, state, reason and date of each row of ``deleted_dossiers``."""
    rows = DSWarehouseHook(conn_id).warehouse().read(DELETED_DOSSIERS, list(DELETED_DOSSIERS.columns)).to_pylist()
    return {
        row["number"]: (
            row["stage"],
            row["groupe_instructeur_number"],
            row["state"],
            row["reason"],
            row["date_supression"] and int(row["date_supression"].timestamp()),
        )
        for row in rows
    }


@dataclass
class Truth:
    """The sandbox's lists at this instant, in the form of the functions above."""

    shown: dict[int, tuple[int, str, int]] = field(default_factory=dict)
    tombstones: dict[int, tuple[str, int, str, str | None, int | None]] = field(default_factory=dict)
    limbo: dict[int, int] = field(default_factory=dict)

    @classmethod
    def of(cls, sandbox: Sandbox) -> Truth:
        lists = cls()
        for groupe in truth(sandbox.state)["groupes"]:
            number = groupe["number"]
            for one in groupe["dossiers"]:
                lists.shown[one["number"]] = (number, one["state"], one["updated_at"] // 1_000_000)
            for stage in ("pending", "deleted"):
                for one in groupe[stage]:
                    date = one[f"{stage}_at"] // 1_000_000
                    lists.tombstones[one["number"]] = (stage, number, one["state"], one["reason"], date)
            lists.limbo |= dict.fromkeys(groupe["limbo"], number)
        return lists


def texts_in(value: Any) -> set[str]:
    """Return the texts in a value, at any depth, without dates, states and types."""
    texts = set()
    pending = [value]
    while pending:
        value = pending.pop()
        if isinstance(value, str):
            if value.startswith(("{", "[")):
                pending.append(msgspec.json.decode(value))
            elif len(value) >= _MIN_LENGTH and not _DATE.match(value):
                texts.add(value)
        elif isinstance(value, (list, tuple)):
            pending.extend(value)
        elif isinstance(value, dict):
            pending.extend(value.values())
    return texts


def landed_texts(landing: Path) -> set[str]:
    """Return the texts in all files of dossiers, listed in a manifest or not."""
    files = [path for path in landing.rglob("*.gz") if "deleted_dossiers" not in str(path)]
    lines = (line for path in files for line in igzip.open(path).read().splitlines())
    return {text for line in lines for text in texts_in(msgspec.json.decode(line))}


def _midnight(day: int) -> datetime:
    return START + timedelta(days=day)
