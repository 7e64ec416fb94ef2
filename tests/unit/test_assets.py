"""An asset's name and URI are public: DAGs refer to them, and Airflow keeps its state under its name."""

from __future__ import annotations

import inspect
import subprocess
import sys
from urllib.parse import quote, unquote, urlsplit

import pytest
from airflow.sdk import Asset, AssetAlias, Connection
from hypothesis import given
from hypothesis import strategies as st

from ds_provider.assets import TABLES, deleted_dossiers_asset, dossiers_asset, is_ours, table_asset
from ds_provider.exceptions import DSConfigurationError
from ds_provider.hooks.connection import client_settings
from ds_provider.hooks.warehouse import DSWarehouseHook
from ds_provider.tables import schemas

# what Airflow's own check of a connection's id lets through
CONN_IDS = st.from_regex(r"\A[\w#!()\-.:/\\]{1,40}\Z")


def test_uris_do_not_change() -> None:
    dossiers, deleted = dossiers_asset(12345), deleted_dossiers_asset(12345)
    assert dossiers.uri == "ds://demarche.numerique.gouv.fr/groupes-instructeurs/12345/dossiers"
    assert deleted.uri == "ds://demarche.numerique.gouv.fr/groupes-instructeurs/12345/deleted_dossiers"
    assert table_asset("dossiers").uri == "ds-warehouse://~/demarches_simplifiees/dossiers"
    named = table_asset("demarche_12345_annotations", warehouse_conn_id="Entrepot_1", dataset="ds")
    assert named.uri == "ds-warehouse://Entrepot_1/ds/demarche_12345_annotations"


def test_names_are_short_and_do_not_change() -> None:
    sandbox = "http://127.0.0.1:9999/api/v2/graphql"
    named = table_asset("demarche_12345_annotations", warehouse_conn_id="Entrepot_1", dataset="ds")
    assert dossiers_asset(12345).name == "ds/12345/dossiers"
    assert deleted_dossiers_asset("12345").name == "ds/12345/deleted_dossiers"
    assert dossiers_asset(12345, sandbox).name == "ds/127.0.0.1:9999/12345/dossiers"
    assert table_asset("dossiers").name == "demarches_simplifiees.dossiers"
    assert named.name == "Entrepot_1/ds.demarche_12345_annotations"


@pytest.mark.parametrize("asset", [dossiers_asset(1), deleted_dossiers_asset("1"), table_asset("champs")])
def test_assets_are_in_one_group_of_airflow_s_list(asset: Asset) -> None:
    assert asset.group == "demarches-simplifiees"


@pytest.mark.parametrize(
    "host",
    [
        "demarche.numerique.gouv.fr",
        " Demarche.Numerique.gouv.fr ",
        "https://demarche.numerique.gouv.fr",
        "https://demarche.numerique.gouv.fr/api/v2/graphql",
        "https://demarche.numerique.gouv.fr:443/api/v2/graphql",
    ],
)
def test_host_is_one_for_each_form_of_its_address(host: str) -> None:
    assert dossiers_asset(7, host) == dossiers_asset(7)


def test_group_of_two_services_is_two_assets() -> None:
    hosts = ["demarche.numerique.gouv.fr", "http://127.0.0.1:9999/api/v2/graphql", "http://127.0.0.1:9998", "[::1]:80"]
    assert len({dossiers_asset(7, host).uri for host in hosts}) == len(hosts)


@pytest.mark.parametrize(
    "host", ["", "https://", "a b", "http://user:s3cret@host/", "ftp://host", "host?x=s3cret", None, 7, b"s3cret"]
)
def test_invalid_host_is_refused_and_not_shown(host: object) -> None:
    with pytest.raises(DSConfigurationError, match="host must be") as refused:
        dossiers_asset(7, host)  # type: ignore[arg-type]
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize("number", [0, -1, True, "x", "", "007", 1.5, None, "{{ params.groupe }}"])
def test_invalid_group_is_refused(number: object) -> None:
    with pytest.raises(DSConfigurationError, match="groupe_instructeur_number"):
        dossiers_asset(number)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "table", ["dossier", "Dossiers", "", "loads", "demarche_", "demarche_x", "dossiers; drop", None, 7, ["dossiers"]]
)
def test_unknown_table_is_refused(table: object) -> None:
    with pytest.raises(DSConfigurationError, match="table must be one of dossiers, "):
        table_asset(table)  # type: ignore[arg-type]


@pytest.mark.parametrize("dataset", ["", "a/b", "a b", "1a", "{{ x }}", None, 7])
def test_invalid_dataset_is_refused(dataset: object) -> None:
    with pytest.raises(DSConfigurationError, match="dataset"):
        table_asset("dossiers", dataset=dataset)  # type: ignore[arg-type]


@given(CONN_IDS, CONN_IDS)
def test_connections_are_different_warehouses_and_none_is_the_embedded_one(one: str, other: str) -> None:
    first, second = (table_asset("dossiers", warehouse_conn_id=conn_id) for conn_id in (one, other))
    assert (first == second) == (one == other)
    assert first != table_asset("dossiers")
    assert unquote(urlsplit(first.uri).netloc) == one
    # Airflow writes a URI down in its own way: what it had changed there would be another asset elsewhere
    assert first.uri == f"ds-warehouse://{quote(one, safe='')}/demarches_simplifiees/dossiers"
    assert first.uri.isascii()
    assert first.name.isascii()


def test_tables_of_data_have_an_asset() -> None:
    names = [table.name for table in schemas.TABLES]
    assert [name for name in names if name not in TABLES] == ["champ_columns", "reconciliations", "loads"]
    assert set(TABLES) <= set(names)


def test_is_ours_recognises_the_provider_s_assets() -> None:
    assert is_ours(table_asset("avis"))
    assert is_ours(dossiers_asset(3))
    for other in (Asset("ds"), Asset("dossiers"), Asset("s3://ds/dossiers"), AssetAlias("ds"), "ds://x/y"):
        assert not is_ours(other)


def test_defaults_are_those_of_the_hooks() -> None:
    hook = inspect.signature(DSWarehouseHook).parameters["dataset"].default
    assert inspect.signature(table_asset).parameters["dataset"].default == hook
    public = urlsplit(client_settings(Connection(conn_id="ds", password="x"))["url"]).netloc
    assert dossiers_asset(7) == dossiers_asset(7, public)


def test_assets_import_nothing_of_the_warehouse() -> None:
    code = "import sys; before = set(sys.modules); import ds_provider.assets; print(*(set(sys.modules) - before))"
    done = subprocess.run(
        [sys.executable, "-c", "import airflow.sdk;" + code], capture_output=True, text=True, check=True
    )
    ours = {name for name in done.stdout.split() if name.startswith("ds_provider")}
    assert ours == {"ds_provider.assets", "ds_provider.constants", "ds_provider.exceptions"}
    assert not {name.partition(".")[0] for name in done.stdout.split()} & {"pyarrow", "dlt", "duckdb"}
