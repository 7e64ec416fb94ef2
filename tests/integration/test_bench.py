"""The benchmark measures what it says: every row kept where nothing fails, and each row lost told."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from scripts.bench import scenarios, tables
from scripts.bench.scenarios import Contender

pytestmark = pytest.mark.integration

CHECKOUT = Path(__file__).parents[2]
FEW = 120
PROVIDER, HTTPX = Contender("this provider", "provider", 4), Contender("httpx loop", "httpx_loop")


def cells_of(text: str) -> list[list[str]]:
    """The lines of the tables in a text, without the rules below their headings."""
    lines = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("|")]
    return [line for line in lines if set(line) != {"---"}]


@pytest.fixture(scope="module")
def under_faults(tmp_path_factory):
    names = ["null_node", "server_error"]
    return scenarios.faults([PROVIDER, HTTPX], names, FEW, tmp_path_factory.mktemp("bench"))


def test_the_command_prints_a_table_with_ratios_first_and_every_row_kept():
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


def test_processor_time_and_memory_are_those_of_a_reading_that_kept_every_row(tmp_path, monkeypatch):
    monkeypatch.setattr(scenarios, "REPETITIONS", 1)
    for result in scenarios.processor([PROVIDER, HTTPX], FEW, tmp_path):
        assert result.outcome.error is None
        assert result.outcome.rows == result.there
        assert result.spent.megabytes > 1
        assert result.outcome.cpu > 0
        assert 0 < result.outcome.idle_mb <= result.outcome.peak_mb


def test_this_provider_is_never_green_with_rows_lost(under_faults):
    assert not [case for case, found in under_faults.items() if tables.hides_a_loss(found[PROVIDER])]


def test_a_row_that_another_lost_under_a_green_run_is_told(under_faults):
    result = under_faults["null_node", "from page 2 on"][HTTPX]
    assert result.outcome.error is None
    assert 0 < result.outcome.rows < result.there
    told = cells_of(tables.faults(under_faults))
    assert ["null_node", "red", f"**{result.outcome.rows} of {result.there}, green**"] in told
    assert next(line for line in told if line[0] == "httpx loop")[1] != "0"
