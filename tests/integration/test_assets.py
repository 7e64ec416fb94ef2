"""What a real Airflow makes of the assets: whom it wakes, whom it lets sleep, and what it remembers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pendulum
import pytest
from airflow.sdk import DAG, Asset, BaseOperator, Context

from ds_provider.asset_events import Change, advance_loaded_upto, declare, emit, loaded_upto
from ds_provider.assets import dossiers_asset, table_asset

pytestmark = pytest.mark.integration

DATASET = "for_the_tests_of_assets"
DOSSIERS, AVIS = (table_asset(table, dataset=DATASET) for table in ("dossiers", "avis"))
WIDE = table_asset("demarche_7", dataset=DATASET)
SANDBOX = "http://127.0.0.1:9999/api/v2/graphql"
START = pendulum.datetime(2026, 1, 1, tz="Europe/Paris")


class LoadsRows(BaseOperator):
    """As a load does: so many rows of a group into some tables, and then how far it came."""

    def __init__(self, *, rows: int, day: int = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.rows = rows
        self.day = day
        declare(self, [DOSSIERS, AVIS])

    def execute(self, context: Context) -> str | None:
        emit(self, context, [(DOSSIERS, Change(self.rows)), (AVIS, Change(0)), (WIDE, Change(self.rows))])
        advance_loaded_upto(context, DOSSIERS, {7: pendulum.datetime(2026, 11, self.day, tz="UTC")})
        watermark = loaded_upto(context, DOSSIERS, 7)
        known = watermark.get() if watermark else None
        return known.to_date_string() if known else None


class ReadsGroupe(BaseOperator):
    """As an extraction does: it learns only when it runs which service it reads."""

    def __init__(self, *, host: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.host = host

    def execute(self, context: Context) -> None:
        emit(self, context, [(dossiers_asset(7, self.host), Change(1)), (dossiers_asset(8), Change(0))])


class Consumers:
    """DAGs that wait for one asset each, and what Airflow lays down for its scheduler to run."""

    def __init__(self, session: Any, serialise: Any) -> None:
        self._session = session
        self._serialise = serialise

    def wait_for(self, dag_id: str, asset: Asset) -> None:
        from airflow.models.dag import DagModel

        with DAG(dag_id, schedule=[asset], start_date=START) as dag:
            BaseOperator(task_id="consume")
        self._serialise(dag)
        self._session.get(DagModel, dag_id).is_paused = False
        self._session.commit()

    def woken(self) -> set[str]:
        from airflow.models.asset import AssetDagRunQueue

        return {queued.target_dag_id for queued in self._session.query(AssetDagRunQueue)}

    def events(self) -> dict[str, dict[str, Any]]:
        from airflow.models.asset import AssetEvent

        return {event.uri: event.extra for event in self._session.query(AssetEvent)}

    def clear(self) -> None:
        from airflow.models.asset import AssetDagRunQueue, AssetEvent

        for model in (AssetDagRunQueue, AssetEvent):
            self._session.query(model).delete()
        self._session.commit()


@pytest.fixture
def consumers(run_dag: Any) -> Iterator[Consumers]:
    from airflow.utils.session import create_session

    with create_session() as session:
        consumers = Consumers(session, lambda dag: run_dag(dag))
        consumers.wait_for("on_dossiers", DOSSIERS)
        consumers.wait_for("on_avis", AVIS)
        consumers.wait_for("on_wide", WIDE)
        consumers.wait_for("on_groupe", dossiers_asset(7))
        consumers.wait_for("on_other_groupe", dossiers_asset(8))
        consumers.wait_for("on_sandbox", dossiers_asset(7, SANDBOX))
        consumers.clear()
        yield consumers
        consumers.clear()


def dag_of(dag_id: str, operator: type[BaseOperator], **parameters: Any) -> DAG:
    with DAG(dag_id, schedule=None, start_date=START) as dag:
        operator(task_id="task", **parameters)
    return dag


def returned(run: Any) -> Any:
    return run.get_task_instance("task").xcom_pull(task_ids="task")


def test_rows_wake_what_waits_for_their_tables_and_for_no_other(run_dag, consumers):
    assert run_dag(dag_of("loads_rows", LoadsRows, rows=3, outlets=[WIDE])).state == "success"
    assert consumers.woken() == {"on_dossiers", "on_wide"}
    extra = {"rows": 3, "erased": 0, "groupes_instructeurs": 1, "window": None}
    assert consumers.events() == {DOSSIERS.uri: extra, WIDE.uri: extra}


def test_where_no_row_came_nobody_is_woken_and_the_next_rows_wake_again(run_dag, consumers):
    assert run_dag(dag_of("loads_rows", LoadsRows, rows=0, outlets=[WIDE])).state == "success"
    assert consumers.woken() == set()
    assert consumers.events() == {}
    assert run_dag(dag_of("loads_rows", LoadsRows, rows=1, outlets=[WIDE])).state == "success"
    assert consumers.woken() == {"on_dossiers", "on_wide"}


def test_how_far_a_group_is_loaded_outlives_the_run_and_never_goes_back(run_dag, consumers):
    seen = [returned(run_dag(dag_of("loads_rows", LoadsRows, rows=0, day=day))) for day in (5, 9, 7)]
    assert seen == ["2026-11-05", "2026-11-09", "2026-11-09"]


def test_a_mapped_task_tells_of_its_rows_too(run_dag, consumers):
    with DAG("loads_mapped", schedule=None, start_date=START) as dag:
        LoadsRows.partial(task_id="task", outlets=[DOSSIERS, AVIS]).expand(rows=[0, 2])
    assert run_dag(dag).state == "success"
    assert consumers.woken() == {"on_dossiers"}


def test_a_group_is_told_under_the_host_of_the_service_that_was_read(run_dag, consumers):
    outlets = [dossiers_asset(7), dossiers_asset(8), dossiers_asset(7, SANDBOX)]
    assert run_dag(dag_of("reads_groupe", ReadsGroupe, host=SANDBOX, outlets=outlets)).state == "success"
    assert consumers.woken() == {"on_sandbox"}
    consumers.clear()
    public = "https://demarche.numerique.gouv.fr/api/v2/graphql"
    assert run_dag(dag_of("reads_groupe", ReadsGroupe, host=public, outlets=outlets)).state == "success"
    assert consumers.woken() == {"on_groupe"}
