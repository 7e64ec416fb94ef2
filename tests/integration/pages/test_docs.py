"""Code blocks of the documentation run as they stand, with the reader's own numbers and folder, to their end.

Those that are DAGs are run by ``test_docs_dags.py``.
"""

from __future__ import annotations

import ast
import json
import shlex
from collections.abc import Callable, Iterator
from configparser import ConfigParser
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import pytest
import yaml
from airflow.cli.cli_parser import get_parser
from airflow.configuration import conf
from airflow.models.connection import Connection
from airflow.models.xcom import XComModel
from airflow.sdk import DAG
from airflow.utils.session import create_session
from sqlalchemy import select

from ds_provider.assets import table_asset
from ds_provider.constants import PUBLIC_HOST
from ds_provider.hooks.ds import DSHook
from ds_provider.hooks.warehouse import DSWarehouseHook
from ds_provider.operators.extract import DSExtractDossiersOperator
from ds_provider.sandbox import Sandbox
from scripts.docs.discovery import classes
from scripts.docs.docstrings import docstring_of
from tests.support import documents
from tests.support.documents import (
    CHECKOUT,
    Block,
    blocks,
    copy_airflow_db,
    dags_in,
    is_as_printed,
    of_reader,
    printed_after,
    run_commands,
)
from tests.support.operator_service import Store
from tests.support.wholeness import WAREHOUSE, assert_end

pytestmark = pytest.mark.integration

SNIPPETS = documents.snippets()
COMMANDS = documents.run_by_language("sh")
QUERIES = documents.run_by_language("sql")
DATA = [*documents.run_by_language("json"), *documents.run_by_language("yaml")]
SETTINGS = documents.run_by_language("ini")
READ = ("text",)


def pages_of(found: list[Block]) -> list[str]:
    return sorted({block.page for block in found})


def block_with(page: str, text: str) -> Block:
    (block,) = (block for block in blocks() if block.page == page and text in block.text)
    return block


# ── each block is run, or says why not


@documents.parametrize("block", blocks())
def test_each_block_is_run_or_says_why_not(block: Block) -> None:
    if block.mark == "run by":
        file, _, test = block.why.partition("::")
        source = (CHECKOUT / file).read_text()
        assert Path(block.page).name in source, f"{file} does not read {block.page}"
        assert not test or test in {one.name for one in ast.walk(ast.parse(source)) if isinstance(one, ast.FunctionDef)}
    elif block.mark == "not run":
        assert len(block.why) > 10, "a reason is given"
    else:
        runs = block in [*documents.dags(), *SNIPPETS, *COMMANDS, *QUERIES, *DATA, *SETTINGS]
        assert runs or block.mark == "prints" or block.language in READ, "no test runs blocks of this language"


# ── the service, and what is loaded of it


# arguments of each operator, in the order of a pipeline
ARGUMENTS: dict[str, dict[str, Any]] = {
    "DSListGroupesOperator": {},
    "DSExtractDossiersOperator": {"include_avis": True, "include_messages": True, "include_labels": True},
    "DSExtractDeletedDossiersOperator": {},
    "DSLoadOperator": {},
    "DSRefreshDossiersOperator": {"max_age": timedelta(days=1)},
    "DSReconcileOperator": {},
    "DSPruneLandingOperator": {"retention": timedelta(days=30)},
    "DSFreshnessOperator": {"max_age": timedelta(days=2)},
    "DSCompleteOperator": {},
}


@pytest.fixture(scope="module")
def pipeline(
    readers_sandbox: Sandbox, run_dag: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SimpleNamespace]:
    """All operators, run one after another in a real Airflow: the home with the warehouse, and the run."""
    home = tmp_path_factory.mktemp("pipeline")
    kinds = {kind.__name__: kind for kind in classes("operators")}
    shared = {"destination": (home / "landing").as_uri(), "demarche_number": readers_sandbox.demarche}
    with pytest.MonkeyPatch.context() as patch, DAG("every_operator", schedule=None) as dag:
        patch.setenv("AIRFLOW_HOME", str(home))
        tasks: dict[str, Any] = {}
        for name, arguments in ARGUMENTS.items():
            extracts = [task.output for task in tasks.values() if "Extract" in task.task_id]
            given = {**shared, "groupe_instructeur_number": readers_sandbox.groupes, "manifests": extracts}
            taken = {key: given[key] for key in given.keys() & docstring_of(kinds[name]).params}
            tasks[name] = kinds[name](task_id=name, **taken, **arguments)
        for before, after in zip(tasks.values(), list(tasks.values())[1:], strict=False):
            before >> after
        run = run_dag(dag, logical_date=readers_sandbox.clock.now, run_after=readers_sandbox.clock.now)
        assert run.state == "success"
        yield SimpleNamespace(home=home, run=run)


# ── blocks by their language


@documents.parametrize("page", pages_of(SNIPPETS))
def test_python_runs(page: str, reader: Callable[[str], str], capsys: pytest.CaptureFixture[str]) -> None:
    """The blocks of a page go on from each other."""
    scope: dict[str, Any] = {"__name__": "__main__"}
    for block in (block for block in SNIPPETS if block.page == page):
        exec(compile(reader(block.text), block.id, "exec"), scope)
        output, printed = capsys.readouterr().out, printed_after(block)
        assert printed is None or is_as_printed(reader(printed), output)


@documents.parametrize("page", pages_of(COMMANDS))
def test_commands_end_with_what_the_page_says(
    page: str, airflow_db: None, readers_sandbox: Sandbox, reader: Callable[[str], str], tmp_path: Path
) -> None:
    """The blocks of a page go on from each other, in one shell, and its DAGs are in the folder of DAGs."""
    found = [block for block in COMMANDS if block.page == page]
    scripts = [reader(block.text) for block in found]
    dags = {f"block_{block.position}.py": reader(block.text) for block in documents.dags() if block.page == page}
    (tmp_path / "dags").mkdir()
    for name, text in dags.items():
        (tmp_path / "dags" / name).write_text(text)
    copy_airflow_db(tmp_path)
    for block, output in zip(found, run_commands(scripts, tmp_path), strict=True):
        printed = printed_after(block)
        assert printed is None or is_as_printed(reader(printed), output), output
    assert_end(readers_sandbox, tmp_path, "\n".join([*scripts, *dags.values()]))


@documents.parametrize("block", QUERIES)
def test_query_finds_rows(block: Block, pipeline: SimpleNamespace, reader: Callable[[str], str]) -> None:
    with closing(duckdb.connect(str(pipeline.home / WAREHOUSE), read_only=True)) as warehouse:
        assert warehouse.execute(reader(block.text)).fetchall()


@documents.parametrize("block", DATA)
def test_data_can_be_read_and_connects_if_it_is_a_connection(
    block: Block, reader: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    value = yaml.safe_load(reader(block.text))
    if isinstance(value, dict) and "conn_type" in value:
        monkeypatch.setenv("AIRFLOW_CONN_DOCUMENTED", json.dumps(value))
        if value["conn_type"] == "ds":
            assert settings_of("documented")
        else:
            assert DSWarehouseHook("documented").warehouse()


@documents.parametrize("block", SETTINGS)
def test_settings_are_known_to_airflow(block: Block) -> None:
    given = ConfigParser()
    given.read_string(block.text)
    assert given.sections()
    for section in given.sections():
        known = conf.configuration_description[section]["options"]
        assert set(given[section]) <= set(known)


# ── blocks with a test of their own


def test_sensor_finds_dossiers(reader: Callable[[str], str], readers_sandbox: Sandbox) -> None:
    block = block_with("reference/sensors.md", "DSDossierSensor(")
    scope: dict[str, Any] = {}
    exec(reader(block.text).replace("DSDossierSensor(\n", "sensor = DSDossierSensor(\n", 1), scope)
    sensor = scope["sensor"]
    sensor.created_since, sensor.deferrable = "2026-01-01T00:00:00+01:00", False
    found = sensor.poke({"task_state_store": Store()})
    assert found.is_done
    assert found.xcom_value["count"] >= sensor.min_count


def test_dag_after_each_load_prints_what_was_loaded(
    reader: Callable[[str], str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (dag,) = dags_in(reader(block_with("reference/assets.md", "after_each_load").text), tmp_path)
    event = SimpleNamespace(extra={"rows": 3, "covered_until": "2026-11-20T11:00:00+00:00"})
    dag.get_task("report").python_callable(triggering_asset_events={table_asset("dossiers"): [event]})
    assert "3 dossiers until 2026-11-20" in capsys.readouterr().out


def test_watched_dag_fails_without_a_fresh_warehouse_alone(
    pipeline: SimpleNamespace,
    reader: Callable[[str], str],
    run_dag: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text, at = reader(block_with("how_to/monitoring.md", "ds_watched").text), pipeline.run.logical_date
    states = {}
    for home in (tmp_path, pipeline.home):
        monkeypatch.setenv("AIRFLOW_HOME", str(home))
        (dag,) = dags_in(text, tmp_path)
        # Airflow 3.3 does not run a DAG twice in a test that has a deadline
        dag.deadline, dag.dag_id = None, f"watched_{len(states)}"
        states[home] = run_dag(dag, logical_date=at, run_after=at).state
    assert states == {tmp_path: "failed", pipeline.home: "success"}


def test_manifest_has_the_fields_that_the_page_shows(
    reader: Callable[[str], str], readers_sandbox: Sandbox, tmp_path: Path
) -> None:
    shown = json.loads(reader(block_with("reference/landing_zone.md", "schema_version").text))
    operator = DSExtractDossiersOperator(
        task_id="x", groupe_instructeur_number=readers_sandbox.groupes[0], destination=tmp_path.as_uri()
    )
    (file,) = tmp_path.glob("*/dossiers/full/manifest.json") if operator.execute({}) else ()
    landed = json.loads(file.read_text())
    assert list(landed) == list(shown)
    assert {type(landed[key]) for key in landed} == {type(shown[key]) for key in shown}
    assert [list(part) for part in landed["parts"]] == [list(part) for part in shown["parts"]]


# Airflow's own command uses a name that it deprecates
@pytest.mark.filterwarnings("ignore::airflow.utils.deprecation_tools.DeprecatedImportWarning")
def test_three_forms_are_the_same_connection(
    airflow_db: None, readers_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = "reference/connections.md"
    forms = [block.text for block in blocks() if block.page == page and block.language == "sh" and block.mark]
    as_json, as_uri, command = (of_reader(text, readers_sandbox, "").strip() for text in forms)
    expected = f"https://{PUBLIC_HOST}/api/v2/graphql", readers_sandbox.token
    for form, token in ((as_json, readers_sandbox.token), (as_uri, readers_sandbox.token.replace("=", "%3D"))):
        monkeypatch.setenv(
            "AIRFLOW_CONN_DS_DEFAULT", form.partition("=")[2].strip("'").replace(readers_sandbox.token, token)
        )
        assert form.startswith("export AIRFLOW_CONN_DS_DEFAULT='")
        assert settings_of("ds_default") == expected
    # under another name: other tests of this process have the default connection in their environment
    arguments = get_parser().parse_args(shlex.split(command.replace("ds_default", "ds_added"))[1:])
    arguments.func(arguments)
    with create_session() as session:
        (added,) = session.scalars(select(Connection).where(Connection.conn_id == "ds_added"))
        assert (added.conn_type, added.host, added.password) == ("ds", None, readers_sandbox.token)


def settings_of(conn_id: str) -> tuple[str, str]:
    settings = DSHook(conn_id)._settings()
    return settings["url"], settings["token"]


# ── what the reference says of operators


def returned(run: Any) -> Iterator[tuple[str, str]]:
    """Yield the operators of a run, with each key of the dictionaries that they return."""
    with create_session() as session:
        query = select(XComModel).where(XComModel.dag_id == run.dag_id, XComModel.key == "return_value")
        for row in session.scalars(query):
            for one in row.value if isinstance(row.value, list) else [row.value]:
                yield from ((row.task_id, key) for key in one) if isinstance(one, dict) else ()


def test_reference_names_each_key_of_what_operators_return(pipeline: SimpleNamespace) -> None:
    texts = {kind.__name__: docstring_of(kind).returns for kind in classes("operators")}
    # a refresh has what an extraction has, and more
    texts["DSRefreshDossiersOperator"] += texts["DSExtractDossiersOperator"]
    keys = set(returned(pipeline.run))
    assert len(keys) > 30
    assert {(name, key) for name, key in keys if f"``{key}``" not in texts[name]} == set()


def test_each_operator_leaves_the_xcoms_that_the_reference_lists(pipeline: SimpleNamespace) -> None:
    with create_session() as session:
        query = select(XComModel.task_id, XComModel.key).where(XComModel.dag_id == pipeline.run.dag_id)
        # Airflow keeps the URLs of links there too
        pushed = {tuple(row) for row in session.execute(query) if not row.key.startswith("_link_")}
    listed = {
        (kind.__name__, key)
        for kind in classes("operators")
        for key in (*docstring_of(kind).xcoms, *(["return_value"] if docstring_of(kind).returns else []))
    }
    assert pushed == listed
