"""Assets in a real Airflow: the DAGs that their events start, and the values that they keep."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pendulum
import pytest
from airflow.sdk import DAG, Asset, BaseOperator, Context

from ds_provider.asset_events import AssetChange, add_outlets, advance_loaded_watermarks, emit_changes, loaded_watermark
from ds_provider.assets import dossiers_asset, table_asset

pytestmark = pytest.mark.integration

DATASET = "for_the_tests_of_assets"
DOSSIERS, AVIS = (table_asset(table, dataset=DATASET) for table in ("dossiers", "avis"))
WIDE = table_asset("demarche_7", dataset=DATASET)
SANDBOX = "http://127.0.0.1:9999/api/v2/graphql"
START = pendulum.datetime(2026, 1, 1, tz="Europe/Paris")


class LoadsRows(BaseOperator):
    """Emits as a load does: rows of a group in some tables, then how far the group is loaded."""

    def __init__(self, *, rows: int, day: int = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.rows = rows
        self.day = day
        add_outlets(self, [DOSSIERS, AVIS])

    def execute(self, context: Context) -> str | None:
        emit_changes(
            self, context, [(DOSSIERS, AssetChange(self.rows)), (AVIS, AssetChange(0)), (WIDE, AssetChange(self.rows))]
        )
        advance_loaded_watermarks(context, DOSSIERS, {7: pendulum.datetime(2026, 11, self.day, tz="UTC")})
        watermark = loaded_watermark(context, DOSSIERS, 7)
        known = watermark.get() if watermark else None
        return known.to_date_string() if known else None


class ExtractsGroup(BaseOperator):
    """Emits as an extraction does: it learns at run time which service it reads."""

    def __init__(self, *, host: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.host = host

    def execute(self, context: Context) -> None:
        emit_changes(
            self, context, [(dossiers_asset(7, self.host), AssetChange(1)), (dossiers_asset(8), AssetChange(0))]
        )


class Consumers:
    """DAGs scheduled on one asset each, and the runs that Airflow queues for them."""

    def __init__(self, session: Any, serialise: Any) -> None:
        self._session = session
        self._serialise = serialise

    def schedule_on(self, dag_id: str, asset: Any) -> None:
        from airflow.models.dag import DagModel

        with DAG(dag_id, schedule=[asset], start_date=START) as dag:
            BaseOperator(task_id="consume")
        self._serialise(dag)
        self._session.get(DagModel, dag_id).is_paused = False
        self._session.commit()

    def queued(self) -> set[str]:
        from airflow.models.asset import AssetDagRunQueue

        return {queue.target_dag_id for queue in self._session.query(AssetDagRunQueue)}

    def events(self) -> dict[str, dict[str, Any]]:
        from airflow.models.asset import AssetEvent

        return {event.uri: event.extra for event in self._session.query(AssetEvent)}

    def clear(self) -> None:
        from airflow.models.asset import AssetDagRunQueue, AssetEvent

        for model in (AssetDagRunQueue, AssetEvent):
            self._session.query(model).delete()
        self._session.commit()


@pytest.fixture
def consumers(serialise: Any) -> Iterator[Consumers]:
    from airflow.utils.session import create_session

    with create_session() as session:
        consumers = Consumers(session, serialise)
        consumers.schedule_on("on_dossiers", DOSSIERS)
        consumers.schedule_on("on_avis", AVIS)
        consumers.schedule_on("on_wide", WIDE)
        consumers.schedule_on("on_groupe", dossiers_asset(7))
        consumers.schedule_on("on_other_groupe", dossiers_asset(8))
        consumers.schedule_on("on_sandbox", dossiers_asset(7, SANDBOX))
        consumers.clear()
        yield consumers
        consumers.clear()


def dag_of(dag_id: str, operator: type[BaseOperator], **parameters: Any) -> DAG:
    with DAG(dag_id, schedule=None, start_date=START) as dag:
        operator(task_id="task", **parameters)
    return dag


def returned(run: Any) -> Any:
    return run.get_task_instance("task").xcom_pull(task_ids="task")


def test_rows_start_only_the_dags_on_their_tables(run_dag, consumers):
    assert run_dag(dag_of("loads_rows", LoadsRows, rows=3, outlets=[WIDE])).state == "success"
    assert consumers.queued() == {"on_dossiers", "on_wide"}
    extra = {"rows": 3, "erased": 0, "groupes_instructeurs": 1, "window": None}
    assert consumers.events() == {DOSSIERS.uri: extra, WIDE.uri: extra}


def test_asset_is_found_by_its_name_or_its_uri_and_not_by_a_second_name(run_dag, consumers):
    host = "http://127.0.0.1:9998/api/v2/graphql"
    asset = dossiers_asset(7, host)
    consumers.schedule_on("on_asset", asset)
    consumers.schedule_on("on_name", Asset.ref(name=asset.name))
    consumers.schedule_on("on_uri", Asset.ref(uri=asset.uri))
    consumers.schedule_on("on_second_name", Asset(uri=asset.uri))
    consumers.clear()
    assert run_dag(dag_of("extracts_group", ExtractsGroup, host=host, outlets=[asset])).state == "success"
    assert consumers.queued() == {"on_asset", "on_name", "on_uri"}


def test_load_without_rows_starts_no_dag_and_the_next_rows_do(run_dag, consumers):
    assert run_dag(dag_of("loads_rows", LoadsRows, rows=0, outlets=[WIDE])).state == "success"
    assert consumers.queued() == set()
    assert consumers.events() == {}
    assert run_dag(dag_of("loads_rows", LoadsRows, rows=1, outlets=[WIDE])).state == "success"
    assert consumers.queued() == {"on_dossiers", "on_wide"}


def test_watermark_of_a_group_outlives_the_run_and_never_goes_back(run_dag, consumers):
    known = [returned(run_dag(dag_of("loads_rows", LoadsRows, rows=0, day=day))) for day in (5, 9, 7)]
    assert known == ["2026-11-05", "2026-11-09", "2026-11-09"]


def test_mapped_task_emits_its_rows(run_dag, consumers):
    with DAG("loads_mapped", schedule=None, start_date=START) as dag:
        LoadsRows.partial(task_id="task", outlets=[DOSSIERS, AVIS]).expand(rows=[0, 2])
    assert run_dag(dag).state == "success"
    assert consumers.queued() == {"on_dossiers"}


def test_event_of_a_group_names_the_host_of_its_service(run_dag, consumers):
    outlets = [dossiers_asset(7), dossiers_asset(8), dossiers_asset(7, SANDBOX)]
    assert run_dag(dag_of("extracts_group", ExtractsGroup, host=SANDBOX, outlets=outlets)).state == "success"
    assert consumers.queued() == {"on_sandbox"}
    consumers.clear()
    public = "https://demarche.numerique.gouv.fr/api/v2/graphql"
    assert run_dag(dag_of("extracts_group", ExtractsGroup, host=public, outlets=outlets)).state == "success"
    assert consumers.queued() == {"on_groupe"}
