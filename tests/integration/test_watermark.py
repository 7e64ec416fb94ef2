"""A run without a window of its own continues where the last one ended: the task's asset keeps the watermark."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pendulum
import pytest
from airflow.sdk import DAG, Asset

from ds_provider.landing import iter_rows
from ds_provider.operators.extract import DSExtractDossiersOperator
from ds_provider.sandbox import Sandbox
from tests.support.documents import blocks, dags_in, of_reader
from tests.support.sandboxes import connect
from tests.support.wholeness import shown_rows

pytestmark = pytest.mark.integration

PARIS = ZoneInfo("Europe/Paris")


def dag_over(groupe: int, destination: str) -> DAG:
    with DAG("ds_watermark", schedule=None, start_date=pendulum.datetime(2026, 1, 1, tz="Europe/Paris")) as dag:
        DSExtractDossiersOperator(
            task_id="dossiers",
            groupe_instructeur_number=groupe,
            destination=destination,
            window="updated",
            outlets=[Asset("ds_watermark_dossiers")],
        )
    return dag


def manifests(zone: Path) -> list[str]:
    return [path.as_uri() for path in sorted(zone.glob("*/dossiers/*/manifest.json"))]


def numbers(url: str) -> Counter[int]:
    return Counter(row["number"] for row in iter_rows(url))


def test_files_of_the_documented_dag_hold_what_the_group_shows_after_each_night(monkeypatch, run_dag, tmp_path):
    first = datetime(2026, 11, 16, tzinfo=PARIS)
    zone = tmp_path / "landing"
    with Sandbox(seed=17, groupes=1, dossiers=40, now=first, rate_limit=0) as sandbox:
        connect(sandbox, monkeypatch)
        (block,) = (block for block in blocks() if "def my_files" in block.text)
        (dag,) = dags_in(of_reader(block.text, sandbox, zone.as_uri()), tmp_path)
        for night in (first, first + timedelta(days=1), first + timedelta(days=4)):
            sandbox.clock.move_to(night)
            assert run_dag(dag, run_after=night, logical_date=night).state == "success"
            latest: dict[int, tuple[str, str]] = {}
            for url in manifests(zone):
                for row in iter_rows(url):
                    version = row["dateDerniereModification"], row["state"]
                    latest[row["number"]] = max(version, latest.get(row["number"], version))
            truth = {number: state for number, _, state, _ in shown_rows(sandbox)}
            assert {number: latest[number][1] for number in truth} == truth


def test_second_run_extracts_only_later_changes(monkeypatch, run_dag, tmp_path):
    before, after = (datetime(2026, 11, day, 12, tzinfo=PARIS) for day in (10, 13))
    with Sandbox(seed=5, groupes=1, dossiers=60, now=before, rate_limit=0) as sandbox:
        value = f'{{"conn_type": "ds", "host": "{sandbox.url}", "password": "{sandbox.token}"}}'
        monkeypatch.setenv("AIRFLOW_CONN_DS_DEFAULT", value)
        dag = dag_over(sandbox.groupes[0], tmp_path.as_uri())

        assert run_dag(dag).state == "success"
        (first,) = manifests(tmp_path)
        everything = {d.number for d in sandbox.world.dossiers.values() if d.visible}
        assert set(numbers(first)) == everything

        sandbox.clock.move_to(after)
        assert run_dag(dag).state == "success"
        (second,) = set(manifests(tmp_path)) - {first}
        since = round(before.timestamp() * 1_000_000)
        changed = {d.number for d in sandbox.world.dossiers.values() if d.visible and d.updated_at >= since}
        assert changed <= set(numbers(second))
        assert len(numbers(second)) < len(everything), "the second run did not extract the group in full"


def test_failed_run_does_not_move_the_watermark(monkeypatch, run_dag, tmp_path):
    now = datetime(2026, 11, 10, 12, tzinfo=PARIS)
    with Sandbox(seed=6, groupes=1, dossiers=60, now=now, rate_limit=0) as sandbox:
        value = f'{{"conn_type": "ds", "host": "{sandbox.url}", "password": "%s"}}'
        dag = dag_over(sandbox.groupes[0], tmp_path.as_uri())
        dag.dag_id = "ds_watermark_failing"
        dag.task_dict["dossiers"].outlets = [Asset("ds_watermark_failing")]

        monkeypatch.setenv("AIRFLOW_CONN_DS_DEFAULT", value % sandbox.tokens["without_rights"])
        assert run_dag(dag).state == "failed"
        assert manifests(tmp_path) == []

        monkeypatch.setenv("AIRFLOW_CONN_DS_DEFAULT", value % sandbox.token)
        assert run_dag(dag).state == "success"
        (landed,) = manifests(tmp_path)
        assert set(numbers(landed)) == {d.number for d in sandbox.world.dossiers.values() if d.visible}
