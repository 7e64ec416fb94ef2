"""The benchmark keeps every row without a fault, and reports each lost row."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from scripts.bench import scenarios, tables
from scripts.bench.scenarios import Contender

pytestmark = pytest.mark.integration

CHECKOUT = Path(__file__).parents[3]
FEW = 120
PROVIDER, HTTPX = Contender("this provider", "provider", 4), Contender("httpx loop", "httpx_loop")


def cells_of(text: str) -> list[list[str]]:
    """Return the lines of the tables in a text, without the rules below their headings."""
    lines = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("|")]
    return [line for line in lines if set(line) != {"---"}]


@pytest.fixture(scope="module")
def under_faults(tmp_path_factory):
    names = ["null_node", "server_error"]
    return scenarios.faults([PROVIDER, HTTPX], FEW, tmp_path_factory.mktemp("bench"), names)


def test_command_prints_a_table_with_ratios_first_and_every_row_kept():
    command = [sys.executable, "-m", "scripts.bench", "--contenders", "provider", "httpx"]
    options = ["--scenarios", "latency", "--latency-dossiers", str(FEW)]
    done = subprocess.run([*command, *options], capture_output=True, text=True, check=False, timeout=300, cwd=CHECKOUT)
    assert done.returncode == 0, done.stdout + done.stderr
    heading, first, *others = cells_of(done.stdout)
    assert heading[0].startswith("time ÷ ours")
    assert first[:2] == ["this provider", "1.00"]
    assert "httpx loop" in {name for name, *_ in others}
    (kept,) = {line[-1] for line in (first, *others)}
    assert int(kept) >= 100


def test_processor_scenario_measures_runs_that_kept_every_row(tmp_path, monkeypatch):
    monkeypatch.setattr(scenarios, "REPETITIONS", 1)
    for result in scenarios.processor([PROVIDER, HTTPX], FEW, tmp_path):
        assert result.outcome.error is None
        assert result.outcome.rows == result.there
        assert result.spent.megabytes > 1
        assert result.outcome.cpu > 0
        assert 0 < result.outcome.idle_mb <= result.outcome.peak_mb


def test_provider_is_never_green_with_lost_rows(under_faults):
    assert not [case for case, found in under_faults.items() if tables.hides_a_loss(found[PROVIDER])]


def test_table_reports_the_rows_that_a_green_run_lost(under_faults):
    result = under_faults["null_node", "from page 2 on"][HTTPX]
    assert result.outcome.error is None
    assert 0 < result.outcome.rows < result.there
    lines = cells_of(tables.faults(under_faults))
    assert ["null_node", "red", f"**{result.outcome.rows} of {result.there}, green**"] in lines
    assert next(line for line in lines if line[0] == "httpx loop")[1] != "0"
