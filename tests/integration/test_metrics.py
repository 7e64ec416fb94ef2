"""Metrics of a real run, as a StatsD server receives them."""

from __future__ import annotations

import re
import socket
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pendulum
import pytest
from airflow.sdk import DAG
from airflow.sdk.configuration import conf
from airflow.sdk.observability import stats
from airflow.sdk.observability.metrics import stats_utils

from ds_provider.constants import DEFAULT_DATASET
from ds_provider.operators.extract import DSExtractDeletedDossiersOperator, DSExtractDossiersOperator
from ds_provider.operators.freshness import DSFreshnessOperator
from ds_provider.operators.load import DSLoadOperator
from ds_provider.sandbox.http.control import truth

pytestmark = pytest.mark.integration

LINE = re.compile(r"airflow\.(?P<name>ds\.\w+),?(?P<tags>[^:]*):(?P<value>[-\d.]+)\|(?P<kind>\w+)")


class Received:
    """Metrics that arrived: counters are added up, and of a gauge the last value counts."""

    def __init__(self, packets: list[str]) -> None:
        self.counters: Counter[tuple[str, str]] = Counter()
        self.gauges: dict[tuple[str, str], float] = {}
        self.timers: dict[tuple[str, str], list[float]] = {}
        for packet in packets:
            if found := LINE.fullmatch(packet):
                self._add((found["name"], found["tags"]), found["kind"], float(found["value"]))

    def _add(self, key: tuple[str, str], kind: str, value: float) -> None:
        if kind == "c":
            self.counters[key] += int(value)
        elif kind == "g":
            self.gauges[key] = value
        else:
            self.timers.setdefault(key, []).append(value)


@pytest.fixture
def received(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], Received]]:
    """Let Airflow's statistics go to a StatsD server of this test, as its settings say for each task."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        server.bind(("127.0.0.1", 0))
        server.setblocking(False)
        settings = {"on": "True", "host": "127.0.0.1", "port": str(server.getsockname()[1]), "influxdb_enabled": "True"}
        for name, value in settings.items():
            monkeypatch.setenv(f"AIRFLOW__METRICS__STATSD_{name.upper()}", value)
        _initialize()
        yield lambda: Received(list(_packets(server)))
    monkeypatch.undo()
    _initialize()


def _initialize() -> None:
    # as Airflow's task runner does at the start of each task's process
    legacy_names = conf.getboolean("metrics", "legacy_names_on")
    stats.initialize(factory=stats_utils.get_stats_factory(), export_legacy_names=legacy_names)


def _packets(server: socket.socket) -> Iterator[str]:
    while True:
        try:
            yield server.recv(65536).decode()
        except BlockingIOError:
            return


def dag_of(groupes: list[int], destination: str) -> DAG:
    given: Any = {"groupe_instructeur_number": groupes, "destination": destination}
    with DAG("ds_sends_metrics", schedule=None, start_date=pendulum.datetime(2026, 1, 1, tz="Europe/Paris")) as dag:
        dossiers = DSExtractDossiersOperator(task_id="dossiers", on_dossier_error="quarantine", **given)
        deletions = DSExtractDeletedDossiersOperator(task_id="deletions", **given)
        load = DSLoadOperator(task_id="load", manifests=[dossiers.output, deletions.output])
        load >> DSFreshnessOperator(task_id="fresh", max_age=timedelta(days=1))
    return dag


def test_metrics_of_a_run_hold_the_true_numbers(
    received, connection, sandbox, faults, shown, run_dag, tmp_path, monkeypatch, no_pauses
):
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    groupes = sandbox.groupes[:2]
    poison = min(shown[groupes[0]])
    faults.set({"poison": {"numbers": [poison]}, "rate_limited": {"times": 2}})
    before = sandbox.state.served
    run = run_dag(dag_of(groupes, (tmp_path / "landing").as_uri()))
    assert run.state == "success"
    metrics = received()

    counters, of_connection, of_dataset = metrics.counters, "connection=ds_default", f"dataset={DEFAULT_DATASET}"
    assert counters["ds.requests", of_connection] == sandbox.state.served - before
    assert counters["ds.refusals", of_connection] == 2
    lists = {one["number"]: one for one in truth(sandbox.state)["groupes"]}
    for groupe in groupes:
        rows = {
            "dossiers": len(shown[groupe]) - (groupe == groupes[0]),
            "deleted_dossiers": len(lists[groupe]["deleted"]),
            "pending_deleted_dossiers": len(lists[groupe]["pending"]),
        }
        assert {stream: counters["ds.rows", f"group={groupe},stream={stream}"] for stream in rows} == rows
        quarantined = int(groupe == groupes[0])
        assert counters["ds.quarantined", f"group={groupe},stream=dossiers"] == quarantined
        assert metrics.gauges["ds.unread_dossiers", f"group={groupe},{of_dataset}"] == quarantined
        assert 0 <= metrics.gauges["ds.coverage_lag", f"group={groupe},{of_dataset}"] < 600
        covered_until = metrics.gauges["ds.covered_until", f"group={groupe},{of_dataset}"]
        assert abs(covered_until - sandbox.clock.now.timestamp()) < 600
    loaded = sum(len(shown[groupe]) for groupe in groupes) - 1
    assert counters["ds.dossiers_loaded", f"change=new,{of_dataset}"] == loaded
    assert counters["ds.dossiers_loaded", f"change=updated,{of_dataset}"] == 0
    assert counters["ds.dossiers_erased", of_dataset] == 0
    assert metrics.gauges["ds.max_coverage_lag", of_dataset] < 600
    assert len(metrics.timers["ds.load_duration", of_dataset]) == 1
    assert metrics.timers["ds.budget_wait", of_connection]


def test_run_without_a_server_succeeds(connection, sandbox, run_dag, tmp_path, monkeypatch, received):
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    monkeypatch.setenv("AIRFLOW__METRICS__STATSD_HOST", "no-such-host.invalid")
    _initialize()
    run = run_dag(dag_of(sandbox.groupes[:1], (tmp_path / "landing").as_uri()))
    assert run.state == "success"
    assert received().counters == {}
