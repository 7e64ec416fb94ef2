"""Metrics go through Airflow's statistics, fail no task, and are all in the documentation."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.observability import stats

from ds_provider import metrics
from ds_provider.api.transport.usage import Usage
from ds_provider.metrics import METRICS
from ds_provider.warehouse.coverage import Coverage
from ds_provider.warehouse.load.report import LoadReport

PAGE = Path(__file__).parents[2] / "docs" / "how_to" / "monitoring.md"
NOW = datetime(2026, 11, 20, 12, tzinfo=timezone.utc)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Any, dict[str, str]]]:
    """Name, value and tags of each metric that Airflow was given."""
    found: list[tuple[str, Any, dict[str, str]]] = []
    for kind in ("incr", "gauge", "timing"):
        monkeypatch.setattr(stats, kind, lambda name, value, tags: found.append((name, value, tags)))
    return found


def test_page_lists_all_metrics():
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("| `ds.")]
    assert rows == [
        f"| `{one.name}` | {one.kind} | {', '.join(f'`{tag}`' for tag in one.tags)} | {one.meaning} |"
        for one in METRICS
    ]


def test_each_metric_has_a_name_of_its_own_below_ds():
    names = [metric.name for metric in METRICS]
    assert all(name.startswith("ds.") for name in names)
    assert len(set(names)) == len(names)
    assert {metric for metric in vars(metrics).values() if isinstance(metric, metrics.Metric)} == set(METRICS)


def test_usage_is_sent_with_its_zeros(sent):
    metrics.send_usage(Usage(requests=3, refusals=0, budget_wait=1.5), "ds_default")
    tags = {"connection": "ds_default"}
    assert sent == [
        ("ds.requests", 3, tags),
        ("ds.refusals", 0, tags),
        ("ds.budget_wait", timedelta(seconds=1.5), tags),
    ]


def test_load_is_sent_by_what_dossiers_are_to_the_tables(sent):
    metrics.send_loaded(LoadReport(rows=Counter(dossiers=6), new=1, updated=2, erased=4), "schema")
    assert sent == [
        ("ds.dossiers_loaded", 1, {"change": "new", "dataset": "schema"}),
        ("ds.dossiers_loaded", 2, {"change": "updated", "dataset": "schema"}),
        ("ds.dossiers_loaded", 3, {"change": "unchanged", "dataset": "schema"}),
        ("ds.dossiers_erased", 4, {"dataset": "schema"}),
    ]


def test_freshness_is_sent_for_each_group_and_for_the_oldest(sent):
    hour = timedelta(hours=1)
    groups = {
        7: Coverage(7, None, NOW - hour, NOW),
        # a clock may be ahead
        8: Coverage(8, None, NOW + hour, NOW),
        9: Coverage(9, None, None, NOW - 2 * hour),
        # no longer among those that must be fresh
        10: Coverage(10, None, None, NOW - 9 * hour),
    }
    metrics.send_freshness(groups, [7, 8, 9, 11], {8: [81, 82]}, NOW, "schema")
    by_group = {(name, tags.get("group")): value for name, value, tags in sent}
    assert by_group == {
        ("ds.covered_until", "7"): round((NOW - hour).timestamp()),
        ("ds.coverage_lag", "7"): 3600,
        ("ds.covered_until", "8"): round((NOW + hour).timestamp()),
        ("ds.coverage_lag", "8"): 0,
        ("ds.unread_dossiers", "7"): 0,
        ("ds.unread_dossiers", "8"): 2,
        ("ds.unread_dossiers", "9"): 0,
        ("ds.unread_dossiers", "10"): 0,
        ("ds.max_coverage_lag", None): 7200,
    }
    assert all(tags["dataset"] == "schema" for _, _, tags in sent)


def test_metric_that_cannot_be_sent_is_a_warning(monkeypatch, lines):
    def fail(*args: Any, **kwargs: Any) -> None:
        raise OSError("no route")

    monkeypatch.setattr(stats, "incr", fail)
    metrics.REQUESTS.send(1, "ds_default")
    assert any("the metric ds.requests is not sent: OSError: no route" in line for line in lines())


def test_metrics_cost_no_import_before_the_first_is_sent():
    import subprocess
    import sys

    code = "import sys, ds_provider.metrics; sys.exit('airflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
