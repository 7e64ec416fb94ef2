"""What the page on personal data says: its queries, against tables and files of a démarche that deletes dossiers."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pytest
from airflow.models.xcom import XComModel
from airflow.utils.session import create_session
from sqlalchemy import select

from ds_provider.api.query.selection import Includes
from ds_provider.constants import DEFAULT_DATASET
from ds_provider.exceptions import DSError
from ds_provider.landing import iter_rows
from ds_provider.operators.extract import DSExtractDeletedDossiersOperator, DSExtractDossiersOperator
from ds_provider.operators.load import DSLoadOperator
from ds_provider.operators.prune import DSPruneLandingOperator
from ds_provider.operators.reconcile import DSReconcileOperator
from ds_provider.sandbox import Sandbox
from ds_provider.tables.schemas import CHILD_TABLES
from ds_provider.task_groups import DSWarehouseDag
from tests.support.databases import Duckdb, all_rows
from tests.support.documents import DOCS, blocks_in, dags_in
from tests.support.life import loaded_dossiers, run, texts_in, tombstones
from tests.support.sandboxes import connect
from tests.support.wholeness import WAREHOUSE

pytestmark = pytest.mark.integration

PAGE = "how_to/personal_data.md"
NOW = datetime(2026, 11, 20, 12, tzinfo=ZoneInfo("Europe/Paris"))
DAY = 86_400
PARTS = dict.fromkeys((f"include_{name}" for name in vars(Includes())), True)
DOSSIER, PERSON = "21010000", "person@example.org"


class Team:
    """The nights of a démarche: its dossiers are read, loaded and pruned.

    :ivar manifests: the summaries of all that has landed.
    """

    def __init__(self, sandbox: Sandbox, home: Path) -> None:
        self.sandbox, self.home, self.zone = sandbox, home, home / "landing"
        self.manifests: list[Any] = []

    def night(self, **parts: bool) -> None:
        arguments = {"groupe_instructeur_number": self.sandbox.groupes, "destination": self.zone.as_uri()}
        self.manifests += run(DSExtractDossiersOperator, window="incremental", **arguments, **(parts or PARTS))
        self.manifests += run(DSExtractDeletedDossiersOperator, **arguments)
        self.load()

    def load(self, **arguments: Any) -> None:
        run(DSLoadOperator, manifests=self.manifests, demarche_number=self.sandbox.demarche, **arguments)
        dataset = {name: arguments[name] for name in arguments.keys() & {"dataset"}}
        run(DSPruneLandingOperator, destination=self.zone.as_uri(), retention=timedelta(days=30), **dataset)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with closing(duckdb.connect(str(self.home / WAREHOUSE))) as warehouse:
            return warehouse.execute(sql).fetchall()

    def counts_of(self, number: int, dataset: str = DEFAULT_DATASET) -> dict[str, int]:
        """Return how many rows of a dossier the page's query finds, by table."""
        sql = query_with("AS found_in").replace(DOSSIER, str(number)).replace(DEFAULT_DATASET, dataset)
        return {name: count for name, count in self.rows(sql) if count}

    def files_with(self, number: int) -> set[str]:
        """Return the streams whose landed files name a dossier, by the page's command."""
        command = query_with("zgrep").replace(DOSSIER, str(number)).replace("/data/ds", str(self.zone))
        found = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
        return {Path(line).parent.parent.name for line in found.stdout.splitlines()}


def query_with(text: str) -> str:
    """Return the page's block that has a text in it."""
    (block,) = (block for block in blocks_in((DOCS / PAGE).read_text(), PAGE) if text in block.text)
    return block.text


@pytest.fixture
def team_at(monkeypatch: pytest.MonkeyPatch) -> Callable[[Team, Path], Team]:
    """Let a team work in another home, in which it finds its tables as they are."""

    def at(team: Team, home: Path) -> Team:
        shutil.copy(team.home / WAREHOUSE, home)
        shutil.copytree(team.zone, home / "landing")
        monkeypatch.setenv("AIRFLOW_HOME", str(home))
        return Team(team.sandbox, home)

    return at


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    """A night, and another one twenty-five days later: the team, and the dossiers that it had loaded before."""
    home = tmp_path_factory.mktemp("personal_data")
    world = Sandbox(seed=17, groupes=3, dossiers=90, now=NOW, rate_limit=0)
    with world as sandbox, pytest.MonkeyPatch.context() as patch:
        connect(sandbox, patch)
        patch.setenv("AIRFLOW_HOME", str(home))
        team = Team(sandbox, home)
        team.night()
        team.rows("CREATE TABLE my_copy AS SELECT * FROM demarches_simplifiees.champs")
        before = set(loaded_dossiers(None))
        sandbox.clock.advance(25 * DAY)
        team.night()
        stages = {number: stone[0] for number, stone in tombstones(None).items() if number in before}
        yield SimpleNamespace(team=team, before=before, stages=stages)


def numbers(lived: SimpleNamespace, stage: str) -> list[int]:
    found = [number for number, each in lived.stages.items() if each == stage]
    assert found
    return found


def test_queries_find_every_row_of_a_dossier(lived: SimpleNamespace) -> None:
    team = lived.team
    children = {table.name for table in CHILD_TABLES}
    assert set(re.findall(r"SELECT '(\w+)'", query_with("AS found_in"))) == {*children, "dossiers", "deleted_dossiers"}
    keys = [f"SELECT dossier_number FROM {DEFAULT_DATASET}.{name}" for name in children - {"labels"}]
    ((number,), *_) = team.rows(" INTERSECT ".join(keys))
    expected = {
        name: len(team.rows(f"SELECT 1 FROM {DEFAULT_DATASET}.{name} WHERE dossier_number = {number}"))
        for name in children
    }
    assert team.counts_of(number) == {name: count for name, count in expected.items() if count} | {"dossiers": 1}
    wide = {
        name
        for (name,) in team.rows("SELECT table_name FROM duckdb_tables() WHERE starts_with(table_name, 'demarche_')")
    }
    assert {name for (name,) in team.rows(query_with("DISTINCT relation"))} == wide


@pytest.mark.parametrize(
    ("role", "address"),
    [
        ("usager", "SELECT usager_email FROM demarches_simplifiees.dossiers"),
        ("agent", "SELECT email FROM demarches_simplifiees.instructeurs"),
        ("expert", "SELECT expert_email FROM demarches_simplifiees.avis"),
    ],
)
def test_query_finds_every_dossier_of_a_person(lived: SimpleNamespace, role: str, address: str) -> None:
    team = lived.team
    person = next(value for (value,) in team.rows(address) if value)
    found = team.rows(query_with(PERSON).replace(PERSON, person.lower()))
    assert role in {each for _, each in found}
    tables = [("dossiers", "number"), *((table.name, "dossier_number") for table in CHILD_TABLES)]
    everywhere = {
        number
        for table, key in tables
        for (number,) in team.rows(
            f"SELECT {key} FROM demarches_simplifiees.{table} AS t WHERE t::TEXT ILIKE '%{person}%'"
        )
    }
    assert {number for number, _ in found} == everywhere


def test_deleted_dossier_is_found_only_as_a_tombstone(lived: SimpleNamespace, team_at: Any, tmp_path: Path) -> None:
    for number in numbers(lived, "deleted"):
        assert lived.team.rows(f"SELECT 1 FROM my_copy WHERE dossier_number = {number}")
        assert lived.team.counts_of(number) == {"deleted_dossiers": 1}
        assert lived.team.files_with(number) <= {"deleted_dossiers", "pending_deleted_dossiers"}
    team = team_at(lived.team, tmp_path)
    team.rows(query_with("my_copy"))
    copied = {number for (number,) in team.rows("SELECT dossier_number FROM my_copy")}
    assert copied == lived.before - set(numbers(lived, "deleted"))


def test_hidden_dossier_is_flagged_or_erased_from_the_tables_alone(lived: SimpleNamespace) -> None:
    lived.team.load(dataset="erasing", on_pending="erase")
    for number in numbers(lived, "pending"):
        assert lived.team.counts_of(number)["champs"]
        assert lived.team.counts_of(number, "erasing") == {"deleted_dossiers": 1}
        assert "dossiers" in lived.team.files_with(number)


def test_default_args_of_the_page_reach_the_tasks_that_erase(tmp_path: Path) -> None:
    (dag,) = dags_in(query_with("on_pending"), tmp_path)
    assert {task.task_id for task in dag.tasks if getattr(task, "on_pending", "") == "erase"} == {
        "load",
        "look_after.reconcile",
    }
    assert dag.get_task("look_after.prune").retention == timedelta(days=7)


def test_view_holds_no_name_and_only_what_is_shown(lived: SimpleNamespace, team_at: Any, tmp_path: Path) -> None:
    team = team_at(lived.team, tmp_path)
    team.rows(query_with("CREATE VIEW"))
    assert {number for (number,) in team.rows("SELECT number FROM pilotage.dossiers")} == set(loaded_dossiers(None))


def test_what_is_deleted_by_hand_comes_back_only_if_it_is_still_read(
    lived: SimpleNamespace, team_at: Any, tmp_path: Path
) -> None:
    team = team_at(lived.team, tmp_path)
    assert team.rows("SELECT * FROM demarches_simplifiees.messages")
    team.rows(query_with("demarches_simplifiees.messages;"))
    number = next(iter(loaded_dossiers(None)))
    team.rows(f"DELETE FROM demarches_simplifiees.dossiers WHERE number = {number}")
    fewer = PARTS | {"include_messages": False}
    team.night(**fewer)
    arguments = {"groupe_instructeur_number": team.sandbox.groupes, "destination": team.zone.as_uri()}
    assert run(DSReconcileOperator, **arguments, **fewer)["missing"] == 1
    assert team.counts_of(number)["dossiers"] == 1
    assert not team.rows("SELECT * FROM demarches_simplifiees.messages")
    assert not team.rows("SELECT * FROM demarches_simplifiees.fichiers WHERE part = 'messages'")


def test_tables_keep_all_when_the_token_loses_the_demarche(
    lived: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = lived.team.rows("SELECT number FROM demarches_simplifiees.dossiers ORDER BY 1")
    lost = lived.team.sandbox.state.tokens.without_rights.value
    value = {"conn_type": "ds", "host": lived.team.sandbox.url, "password": lost}
    monkeypatch.setenv("AIRFLOW_CONN_DS_DEFAULT", json.dumps(value))
    with pytest.raises(DSError, match="unauthorized"):
        lived.team.night()
    assert lived.team.rows("SELECT number FROM demarches_simplifiees.dossiers ORDER BY 1") == held


def test_parts_that_are_left_out_leave_their_tables_empty(lived: SimpleNamespace, tmp_path: Path) -> None:
    none = dict.fromkeys(PARTS, False)
    arguments = {"groupe_instructeur_number": lived.team.sandbox.groupes, "destination": tmp_path.as_uri()}
    landed = run(DSExtractDossiersOperator, **arguments, **none)
    run(DSLoadOperator, manifests=landed, dataset="minimal")
    filled = {table.name for table in CHILD_TABLES if lived.team.rows(f"SELECT 1 FROM minimal.{table.name} LIMIT 1")}
    assert filled == {"fichiers"}
    assert {part for (part,) in lived.team.rows("SELECT part FROM minimal.fichiers")} <= {"attestation", "motivation"}
    always = ("usager_email", "demandeur_nom", "demandeur_prenom", "motivation")
    for column in always:
        assert lived.team.rows(f"SELECT {column} FROM minimal.dossiers WHERE {column} <> ''"), column


def test_dataset_of_a_demarche_goes_in_one_step(lived: SimpleNamespace, team_at: Any, tmp_path: Path) -> None:
    team = team_at(lived.team, tmp_path)
    team.rows(query_with("DROP SCHEMA"))
    left = team.rows(f"SELECT table_name FROM duckdb_tables() WHERE starts_with(schema_name, '{DEFAULT_DATASET}')")
    assert not left


def test_personal_data_is_in_no_xcom_and_no_log(
    lived: SimpleNamespace, run_dag: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Any
) -> None:
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    sandbox, zone = lived.team.sandbox, tmp_path / "landing"
    dag = DSWarehouseDag("personal_data", demarche_number=sandbox.demarche, destination=zone.as_uri(), **PARTS)
    assert run_dag(dag, logical_date=NOW, run_after=NOW).state == "success"
    with create_session() as session:
        values = session.scalars(select(XComModel.value).where(XComModel.dag_id == dag.dag_id)).all()
    logged, pushed = "".join(capfd.readouterr()), json.dumps(values, ensure_ascii=False, default=str)
    assert "loaded 2" in logged
    assert str(sandbox.demarche) in pushed
    rows = [row for path in zone.glob("*/dossiers/*/manifest.json") for row in iter_rows(path.as_uri())]
    assert len(rows) > 100
    texts = personal_texts(rows)
    assert len(texts) > 1000
    assert not [text for text in texts if text in logged or text in pushed]
    addresses = {text for text in texts_in(rows) if text.startswith(sandbox.url.partition("/api")[0])}
    assert len(addresses) > 100
    for name, values in all_rows(Duckdb(tmp_path, monkeypatch)):
        assert not addresses & texts_in(values), name


def personal_texts(rows: list[dict[str, Any]]) -> set[str]:
    """Return addresses and names, and the answers that are long enough to be about one person."""
    found: set[str] = set()
    for row in rows:
        person = row["demandeur"]
        found |= {row["usager"]["email"], person.get("email"), f"{person.get('prenom')} {person.get('nom')}"}
        found |= {each["email"] for each in (*row["instructeurs"], *row["messages"])}
        found |= {each["body"] for each in row["messages"]}
        found |= {each["stringValue"] for each in (*row["champs"], *row["annotations"])}
    return {text for text in found if text and len(text) > 10}
