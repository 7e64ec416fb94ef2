"""Windows of runs: a partition, a data interval, or what the asset's watermark says."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace

import pendulum
import pytest
from airflow.sdk import Asset
from hypothesis import given
from hypothesis import strategies as st

from ds_provider.exceptions import DSConfigurationError, DSUnauthorizedError
from ds_provider.landing.manifest import read_manifest
from ds_provider.landing.rows import iter_rows
from ds_provider.operators.extract import DSExtractDossiersOperator
from ds_provider.state.watermark import Watermark
from tests.support.operator_service import START, Store, dossiers, from_the_second_page, unauthorized

ASSET = Asset("ds://groupe/7")
KEY = "ds-watermark-updated-7"
DUE = pendulum.instance(START).add(hours=1)


def run(store, due=DUE, **context):
    # each run has a task state of its own; a task that runs again is given the one it had
    given = {"task_state_store": Store(), **context}
    return {"asset_state_store": {ASSET: store}, "dag_run": SimpleNamespace(run_after=due), **given}


def operator(destination, *, groupe=7, outlets=(ASSET,), window="updated", **asked):
    return DSExtractDossiersOperator(
        task_id="t",
        groupe_instructeur_number=groupe,
        destination=destination,
        window=window,
        outlets=list(outlets),
        **asked,
    )


def numbers(summary) -> list[int]:
    return [node["number"] for node in iter_rows(summary["manifest"])]


def at(seconds: int) -> str:
    return (START + timedelta(seconds=seconds)).isoformat()


def test_first_run_reads_from_the_beginning(service, destination):
    service.holds(7, *dossiers(1, 2), *dossiers(3, start=START.replace(year=2012)))
    store = Store()
    summary = operator(destination).execute(run(store))
    assert numbers(summary) == [3, 1, 2]
    assert summary["window"] == ["2010-01-01T00:00:00+00:00", None]
    assert store.known == {KEY: at(2)}


def test_next_run_reads_from_the_watermark_less_the_lookback(service, destination):
    service.holds(7, *dossiers(1, 350, 700, 900))
    store = Store(**{KEY: at(700)})
    summary = operator(destination, lookback=timedelta(minutes=6)).execute(run(store))
    assert numbers(summary) == [350, 700, 900]
    assert summary["window"][0] == at(700)
    assert read_manifest(summary["manifest"]).read_from == at(340)
    assert store.known == {KEY: at(900)}


def test_changes_after_the_run_was_due_are_read_too(service, destination):
    service.holds(7, *dossiers(1, 3599, 3600, 3700))
    store = Store()
    assert numbers(operator(destination).execute(run(store))) == [1, 3599, 3600, 3700]
    assert store.known == {KEY: at(3700)}


def test_empty_run_does_not_move_the_watermark(service, destination):
    store = Store(**{KEY: at(700)})
    assert operator(destination).execute(run(store))["rows"] == 0
    assert store.writes == []


def test_late_run_does_not_move_the_watermark_back(service, destination):
    service.holds(7, *dossiers(1, 7000))
    store = Store(**{KEY: at(7200)})
    summary = operator(destination).execute(run(store))
    assert numbers(summary) == [7000], "the lookback before the watermark"
    assert store.known == {KEY: at(7200)}


@given(st.lists(st.integers(0, 10_000), min_size=1))
def test_watermark_is_the_maximum_of_all_instants(seconds):
    store = Store()
    watermark = Watermark(store, "k")
    for n in seconds:
        watermark.advance(pendulum.instance(START + timedelta(seconds=n)))
    assert watermark.get() == START + timedelta(seconds=max(seconds))


def test_failed_extraction_does_not_move_the_watermark(service, destination):
    service.holds(7, *dossiers(1, 2, 3, 4))
    service.fails(7, from_the_second_page(unauthorized()))
    store = Store(**{KEY: at(0)})
    with pytest.raises(DSUnauthorizedError):
        operator(destination, page_size=2).execute(run(store))
    assert store.writes == []


def test_watermark_moves_after_the_rows_are_published(service, destination):
    service.holds(7, *dossiers(1, 2))

    class Checking(Store):
        def set(self, key, value):
            url = f"{destination}/groupe-7/dossiers/updated_20100101T000000Z_open/manifest.json"
            assert read_manifest(url).rows == 2
            super().set(key, value)

    store = Checking()
    operator(destination).execute(run(store))
    assert store.known == {KEY: at(2)}


def test_descending_order_saves_the_newest_date(service, destination):
    service.holds(7, *dossiers(1, 2, 3, 4, 5))
    store = Store()
    operator(destination, order="DESC", page_size=2).execute(run(store))
    assert list(store.known.values()) == [at(5)]


@pytest.mark.parametrize(
    "interval",
    [
        {"data_interval_start": DUE.subtract(hours=1), "data_interval_end": DUE},
        {"partition_key": "2026-11-01"},
    ],
    ids=["interval", "partition"],
)
def test_run_with_a_window_of_its_own_neither_reads_nor_moves_the_watermark(interval, service, destination):
    service.holds(7, *dossiers(1, 2, 3))
    store = Store(**{KEY: at(2)})
    summary = operator(destination, lookback=timedelta(0)).execute(run(store, **interval))
    assert numbers(summary) == [1, 2, 3]
    assert store.writes == []


def test_explicit_bounds_neither_read_nor_move_the_watermark(service, destination):
    service.holds(7, *dossiers(1, 2, 3))
    store = Store(**{KEY: at(2)})
    made = operator(destination, window=None, updated_since=at(1), updated_until=at(3))
    assert numbers(made.execute(run(store))) == [1, 2]
    assert store.writes == []


def test_lookback_is_read_but_not_part_of_the_window(service, destination):
    service.holds(7, *dossiers(*range(100, 500, 100)))
    interval = {"data_interval_start": at_instant(300), "data_interval_end": at_instant(400)}
    summary = operator(destination, lookback=timedelta(seconds=150), outlets=()).execute(interval)
    assert numbers(summary) == [200, 300]
    assert summary["window"] == [at(300), at(400)]


def at_instant(seconds: int) -> pendulum.DateTime:
    return pendulum.instance(START).add(seconds=seconds)


def test_empty_interval_falls_through_to_the_watermark(service, destination):
    service.holds(7, *dossiers(1, 2))
    store = Store(**{KEY: at(2)})
    context = run(store, data_interval_start=DUE, data_interval_end=DUE)
    assert operator(destination).execute(context)["window"] == [at(2), None]


@pytest.mark.parametrize("column", ["updated", "created"])
def test_watermarks_are_kept_by_group_and_date_column(column, service, destination):
    service.holds(7, *dossiers(1))
    service.holds(8, *dossiers(2))
    store = Store()
    operator(destination, groupe=[7, 8], window=column).execute(run(store))
    assert store.known == {f"ds-watermark-{column}-7": at(1), f"ds-watermark-{column}-8": at(2)}


def test_selections_of_different_rows_do_not_share_a_watermark(service, destination):
    service.holds(7, *dossiers(1, 2))
    store = Store()
    operator(destination, state="accepte").execute(run(store))
    summary = operator(destination, state="refuse").execute(run(store))
    assert summary["window"][0] == "2010-01-01T00:00:00+00:00"


def test_several_asset_outlets_are_refused(service, destination):
    outlets = (ASSET, Asset("ds://other"))
    with pytest.raises(DSConfigurationError, match="several") as caught:
        operator(destination, outlets=outlets).execute(run(Store()))
    assert "ds://other" in str(caught.value)
    assert service.requests == []


@pytest.mark.parametrize("column", ["updated", "created"])
def test_run_without_any_window_is_an_error_that_says_what_to_give(column, service, destination):
    context = {"data_interval_start": DUE, "data_interval_end": DUE}
    with pytest.raises(DSConfigurationError) as caught:
        operator(destination, outlets=(), window=column).execute(context)
    message = str(caught.value)
    for remedy in ("CronDataIntervalTimetable", "asset", "partition", f"{column}_since", f"{column}_until"):
        assert remedy in message
    assert "\n" not in message
    assert service.requests == []


@pytest.mark.parametrize("known", ["yesterday", "2026-11-01T08:00:00", 12])
def test_watermark_that_is_no_instant_is_an_error(known, service, destination):
    with pytest.raises(DSConfigurationError, match=KEY):
        operator(destination).execute(run(Store(**{KEY: known})))
    assert service.requests == []


def test_retried_task_reads_the_window_of_its_first_try(service, destination):
    service.holds(7, *dossiers(1, 2))
    store, state = Store(), Store()
    first = operator(destination).execute(run(store, task_state_store=state))
    again = operator(destination).execute(run(store, task_state_store=state))
    assert (again["window"], again["rows"], again["manifest"]) == (first["window"], first["rows"], first["manifest"])
