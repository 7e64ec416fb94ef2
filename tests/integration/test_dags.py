"""The DAGs in ``dags/``, run in a real Airflow against the sandbox: the service's dossiers land."""

from __future__ import annotations

import ast
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest

from ds_provider.api.transport import retry as retries
from ds_provider.exceptions import DSConfigurationError
from ds_provider.landing import iter_rows
from tests.integration import test_on_new_dossiers, test_warehouse_dags
from tests.support.dag_files import DAGS, load, micros, midnight, shown, states_of

pytestmark = pytest.mark.integration

EXPECTED = {"ds_groupes_fan_out", "ds_demarche_fan_out", "ds_backfill_by_deposit_date"}


def landed(zone: Path, groupe: int, stream: str, window: str = "*") -> list[int]:
    manifests = zone.glob(f"groupe-{groupe}/{stream}/{window}/manifest.json")
    return [row["number"] for path in manifests for row in iter_rows(path.as_uri())]


def test_integration_tests_run_every_dag():
    elsewhere = test_warehouse_dags.EXPECTED | test_on_new_dossiers.EXPECTED
    assert {path.stem for path in DAGS.glob("*.py")} == EXPECTED | elsewhere


def test_fan_out_over_groups_lands_a_day(sandbox, connection, run_dag, tmp_path):
    conf = {"groupes": sandbox.groupes, "destination": tmp_path.as_uri()}
    run = run_dag(load("ds_groupes_fan_out"), logical_date=midnight("2026-11-19"), run_conf=conf)
    assert run.state == "success"
    day = midnight("2026-11-18"), midnight("2026-11-19")
    assert (run.data_interval_start, run.data_interval_end) == day
    for groupe in sandbox.groupes:
        numbers = landed(tmp_path, groupe, "dossiers")
        expected = shown(sandbox, groupe, "updated_at", day[0] - timedelta(minutes=5), day[1])
        assert Counter(numbers) == Counter(expected)
        pending = {d.number for d in sandbox.world.dossiers.values() if d.pending and d.groupe.number == groupe}
        assert Counter(landed(tmp_path, groupe, "pending_deleted_dossiers")) == Counter(pending)
        since = micros(day[0] - timedelta(days=45))
        rows = [row for row in sandbox.world.deleted if row.groupe and row.groupe.number == groupe]
        deleted = [row.number for row in rows if row.deleted_at >= since]
        assert Counter(landed(tmp_path, groupe, "deleted_dossiers")) == Counter(deleted)


def test_fan_out_over_a_demarche_lands_closed_groups_too(sandbox, connection, run_dag, tmp_path):
    conf = {"demarche_number": sandbox.demarche, "destination": tmp_path.as_uri()}
    run = run_dag(load("ds_demarche_fan_out"), logical_date=midnight("2026-11-19"), run_conf=conf)
    assert run.state == "success"
    assert states_of(run)["complete"] == "success"
    assert [groupe.closed for groupe in sandbox.world.demarche.groupes] == [False, False, True]
    for groupe in sandbox.groupes:
        rows = [row.number for row in sandbox.world.deleted if row.groupe and row.groupe.number == groupe]
        assert Counter(landed(tmp_path, groupe, "deleted_dossiers")) == Counter(rows)
        assert list(tmp_path.glob(f"groupe-{groupe}/dossiers/*/manifest.json"))


def test_poison_dossier_fails_the_run_and_hides_no_other(sandbox, connection, run_dag, tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(retries, "FIRST_PAUSE_SECONDS", 0.01)
    day = midnight("2026-11-18"), midnight("2026-11-19")
    bad = sandbox.groupes[0]
    poison = min(shown(sandbox, bad, "updated_at", *day))
    sandbox.faults.set({"poison": {"numbers": [poison]}})
    try:
        conf = {"demarche_number": sandbox.demarche, "destination": tmp_path.as_uri()}
        run = run_dag(load("ds_demarche_fan_out"), logical_date=day[1], run_conf=conf)
    finally:
        sandbox.faults.clear()
    assert run.state == "failed"
    assert "tasks that failed: dossiers_0. " in capfd.readouterr().out
    for groupe in sandbox.groupes:
        expected = shown(sandbox, groupe, "updated_at", day[0] - timedelta(minutes=5), day[1]) - {poison}
        assert Counter(landed(tmp_path, groupe, "dossiers")) == Counter(expected)


def test_months_of_a_backfill_neither_overlap_nor_leave_a_gap(sandbox, connection, run_dag, tmp_path):
    conf = {"groupes": sandbox.groupes, "destination": tmp_path.as_uri()}
    dag = load("ds_backfill_by_deposit_date")
    for month in ("2026-09-01", "2026-10-01", "2026-11-01", "2026-12-01"):
        run = run_dag(dag, logical_date=midnight(month), run_conf=conf)
        assert run.state == "success"
    for groupe in sandbox.groupes:
        expected = shown(sandbox, groupe, "depose_at", midnight("2026-08-01"), midnight("2026-12-01"))
        assert Counter(landed(tmp_path, groupe, "dossiers")) == Counter(expected)


def test_second_run_of_a_month_replaces_its_files(sandbox, connection, run_dag, tmp_path):
    conf = {"groupes": sandbox.groupes[:1], "destination": tmp_path.as_uri()}
    dag = load("ds_backfill_by_deposit_date")
    numbers = []
    for second in (0, 1):
        run_dag(dag, logical_date=midnight("2026-11-01") + timedelta(seconds=second), run_conf=conf)
        numbers.append(Counter(landed(tmp_path, sandbox.groupes[0], "dossiers")))
    assert numbers[0] == numbers[1]
    assert len(list(tmp_path.glob("*/*/*/manifest.json"))) == 1


def code_lines(source: str) -> int:
    """Count the lines after the docstring that are neither empty nor a comment."""
    end = ast.parse(source).body[0].end_lineno
    lines = [line.strip() for line in source.splitlines()[end:]]
    return sum(bool(line) and not line.startswith("#") for line in lines)


@pytest.mark.parametrize("path", sorted(DAGS.glob("*.py")), ids=lambda path: path.stem)
def test_example_is_short_and_explains_itself(path):
    dag = load(path.stem)
    assert code_lines(path.read_text()) <= 50
    assert dag.dag_display_name != dag.dag_id
    assert "To make it yours" in dag.doc_md
    described = {name: param.schema.get("title") and param.description for name, param in dag.params.items()}
    assert all(described.values())


@pytest.mark.parametrize(
    "name", ["ds_warehouse_daily", "ds_warehouse_hourly", "ds_warehouse_backfill", "ds_demarche_fan_out"]
)
def test_placeholder_of_a_demarche_fails_the_first_task_with_what_to_put_there(name):
    dag = load(name)
    (first,) = dag.roots
    first.render_template_fields({"params": dag.params.dump()}, dag.get_template_env())
    with pytest.raises(DSConfigurationError, match=r"^demarche_number must be a number.*<the number of your dém"):
        first.execute({})


@pytest.mark.parametrize("name", ["ds_groupes_fan_out", "ds_backfill_by_deposit_date"])
def test_placeholder_of_groups_fails_with_what_to_put_there(name):
    dag = load(name)
    (first,) = dag.roots
    chosen = first.python_callable(params=dag.params.dump())
    reads = [each for each in dag.tasks if each.is_mapped]
    assert reads
    for read in reads:
        task = read.unmap({"groupe_instructeur_number": chosen[0]})
        with pytest.raises(DSConfigurationError, match=r"^groupe_instructeur_number must be.*<the numbers of"):
            task.execute({})
