"""Warehouse in a DuckDB file, which leaves nothing else on the machine."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pytest

from ds_provider.exceptions import DSWarehouseError, DSWarehouseLockedError
from ds_provider.tables.schemas import DOSSIERS, Table
from ds_provider.warehouse.database.destinations import duckdb_file
from ds_provider.warehouse.database.locks import file_lock
from ds_provider.warehouse.database.scratch import scratch_folder
from ds_provider.warehouse.database.store import Warehouse
from ds_provider.warehouse.extracts import LandedExtracts
from ds_provider.warehouse.load.loader import load
from ds_provider.warehouse.load.report import Policy
from tests.support import pauses
from tests.support.store_cases import StoreCases
from tests.support.warehouse_rows import batch, rows_of

WAITING = "ds_provider.warehouse.database.waiting"
CHECKOUT = Path(__file__).parents[4]


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    return Warehouse(duckdb_file(tmp_path / "data.duckdb"), "ds", tmp_path / "work")


class TestDuckDB(StoreCases):
    pass


def test_store_names_the_file_that_cannot_be_created(tmp_path: Path) -> None:
    warehouse = Warehouse(duckdb_file(tmp_path / "nowhere" / "data.duckdb"), "ds", tmp_path / "work")
    with pytest.raises(DSWarehouseError, match=r"data\.duckdb"):
        warehouse.write([batch(DOSSIERS, {"number": 1})])


def test_store_keeps_the_file_open_while_it_writes(warehouse: Warehouse, tmp_path: Path) -> None:
    def is_open() -> bool:
        descriptors = Path("/proc/self/fd").iterdir()
        return str(tmp_path / "data.duckdb") in {os.path.realpath(each) for each in descriptors}

    def rows() -> Iterator[tuple[Table, pa.Table]]:
        yield batch(DOSSIERS, {"number": 1})
        # no job of dlt has begun: each would open the file, and close it
        assert is_open()
        yield batch(DOSSIERS, {"number": 2})

    warehouse.write(rows())
    assert not is_open()


def test_run_removes_scratch_folders_of_killed_runs_only(warehouse: Warehouse, tmp_path: Path) -> None:
    left = tmp_path / "work" / "run-left" / "ds_provider"
    left.mkdir(parents=True)
    (left / "rows.parquet").write_text("secret")
    with scratch_folder(tmp_path / "work") as alive:
        warehouse.write([batch(DOSSIERS, {"number": 1})])
        assert list((tmp_path / "work").iterdir()) == [alive]
    assert list((tmp_path / "work").iterdir()) == []


def test_scratch_folder_is_private_to_its_user(tmp_path: Path) -> None:
    with scratch_folder(tmp_path / "work") as folder:
        assert folder.stat().st_mode & 0o077 == 0


def test_scratch_folder_is_removed_after_use(warehouse: Warehouse) -> None:
    with warehouse.scratch() as folder:
        (folder / "rows").write_text("secret")
        warehouse.write([batch(DOSSIERS, {"number": 1})])
        assert (folder / "rows").exists()
    assert not folder.exists()


_LOADS = """
import sys
from pathlib import Path
from tests.unit.warehouse.database.test_store import *
warehouse = Warehouse(duckdb_file(Path(sys.argv[1]) / "data.duckdb"), "ds", Path(sys.argv[1]) / "work")
"""
_COUNTS_UP = (
    _LOADS
    + """
for _ in range(5):
    with warehouse.locked():
        held = warehouse.read(DOSSIERS, ["number"])["number"].to_pylist()
        warehouse.write([batch(DOSSIERS, {"number": len(held) + 1})])
    warehouse.table_names()
"""
)
_DIES_DURING_A_WRITE = (
    _LOADS
    + """
def rows():
    yield batch(DOSSIERS, {"number": 1})
    os._exit(9)
warehouse.write(rows())
"""
)
_SENDS_NOTHING = (
    _LOADS
    + """
import socket
def refuse(*args, **kwargs):
    raise AssertionError("something is sent")
socket.socket.connect = socket.getaddrinfo = refuse
warehouse.write([batch(DOSSIERS, {"number": 1})])
assert rows_of(warehouse, DOSSIERS, "number") == [(1,)]
assert "airflow" not in sys.modules, "dlt asked Airflow for a variable"
from dlt.common.runtime.anon_tracker import _ANON_TRACKER_ENDPOINT
assert _ANON_TRACKER_ENDPOINT is None
"""
)


def start(script: str, folder: Path, **settings: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT), **settings}
    command = [sys.executable, "-c", script, str(folder)]
    where = folder / "cwd"
    where.mkdir(exist_ok=True)
    return subprocess.Popen(
        command, env=environment, cwd=where, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def test_processes_take_turns_at_the_file(warehouse: Warehouse, tmp_path: Path) -> None:
    processes = [start(_COUNTS_UP, tmp_path) for _ in range(2)]
    for process in processes:
        out, _ = process.communicate(timeout=120)
        assert process.returncode == 0, out
    assert rows_of(warehouse, DOSSIERS, "number") == [(number,) for number in range(1, 11)]


def test_killed_process_leaves_no_lock_and_no_row(warehouse: Warehouse, tmp_path: Path) -> None:
    process = start(_DIES_DURING_A_WRITE, tmp_path)
    out, _ = process.communicate(timeout=120)
    assert process.returncode == 9, out
    assert len(list((tmp_path / "work").iterdir())) == 1
    warehouse.write([batch(DOSSIERS, {"number": 2})])
    assert rows_of(warehouse, DOSSIERS, "number") == [(2,)]
    assert list((tmp_path / "work").iterdir()) == []


def test_run_ignores_dlt_configuration_and_leaves_no_file(tmp_path: Path) -> None:
    """Whatever dlt's own configuration says, wherever dlt looks for it."""
    home, settings = tmp_path / "home", tmp_path / "cwd" / ".dlt"
    home.mkdir()
    settings.mkdir(parents=True)
    misleading = (
        '[runtime]\nlog_level = "DEBUG"\n[schema]\nnaming = "nowhere"\n[destination.duckdb]\ncredentials = "x"\n'
    )
    for name in ("config.toml", "secrets.toml"):
        (settings / name).write_text(misleading)
    before = sorted(settings.iterdir())
    process = start(
        _SENDS_NOTHING,
        tmp_path,
        HOME=str(home),
        DLT_DATA_DIR=str(home / "data"),
        RUNTIME__LOG_LEVEL="DEBUG",
        RUNTIME__DLTHUB_TELEMETRY="true",
        SCHEMA__NAMING="nowhere",
    )
    out, _ = process.communicate(timeout=120)
    assert process.returncode == 0, out
    assert out == ""
    assert list(home.iterdir()) == []
    assert sorted(settings.iterdir()) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "cwd",
        "data.duckdb",
        "data.duckdb.lock",
        "home",
        "work",
    ]
    assert list((tmp_path / "work").iterdir()) == []


def test_write_restores_the_dlt_context_of_its_caller(warehouse: Warehouse) -> None:
    from dlt.common.configuration.container import Container
    from dlt.common.configuration.specs.pluggable_run_context import PluggableRunContext

    had = PluggableRunContext in Container()
    environment = dict(os.environ)
    warehouse.write([batch(DOSSIERS, {"number": 1})])
    assert (PluggableRunContext in Container()) is had
    assert dict(os.environ) == environment


_KEEPS_THE_FILE_OPEN = """
import sys
import duckdb
connection = duckdb.connect(sys.argv[1] + "/data.duckdb")
print("open", flush=True)
sys.stdin.readline()
"""


@contextmanager
def opened_elsewhere(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Keep the file open in a process that knows nothing of our lock, such as a person's client."""
    command = [sys.executable, "-c", _KEEPS_THE_FILE_OPEN, str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        yield process
        process.kill()


def test_reader_waits_for_a_process_that_has_the_file_open(
    warehouse: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    warehouse.write([batch(DOSSIERS, {"number": 1})])
    with opened_elsewhere(tmp_path) as process:

        def close(seconds: float) -> None:
            assert not warehouse._is_locked
            with file_lock(tmp_path / "data.duckdb.lock", "the file"):
                process.communicate("close\n")

        pauses.cut_short(monkeypatch, WAITING, "time", close)
        assert rows_of(warehouse, DOSSIERS, "number") == [(1,)]
    assert f"PID {process.pid}" in caplog.text


def test_load_that_waited_in_vain_names_the_process_that_has_the_file_open(
    warehouse: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{WAITING}.PATIENCE_SECONDS", 0.0)
    with (
        opened_elsewhere(tmp_path) as process,
        pytest.raises(DSWarehouseLockedError, match=rf"data\.duckdb.*PID {process.pid}.*in use by others"),
    ):
        load(warehouse, LandedExtracts(), Policy())
