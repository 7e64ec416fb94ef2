"""Constants are checked when the DAG is parsed, and templates when the task runs, of each operator and sensor."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import jinja2
import pendulum
import pytest
from airflow.sdk import DAG, BaseOperator, XComArg

from ds_provider.exceptions import DSConfigurationError
from ds_provider.operators.extract import DSExtractDeletedDossiersOperator, DSExtractDossiersOperator
from ds_provider.operators.freshness import DSFreshnessOperator
from ds_provider.operators.groupes import DSListGroupesOperator
from ds_provider.operators.load import DSLoadOperator
from ds_provider.operators.prune import DSPruneLandingOperator
from ds_provider.operators.reconcile import DSReconcileOperator
from ds_provider.operators.refresh import DSRefreshDossiersOperator
from ds_provider.parameter_checks import is_constant, is_nothing
from ds_provider.sensors.dossiers import DSDeletedDossierSensor, DSDossierSensor
from ds_provider.triggers.dossiers import DSDeletedDossierTrigger, DSDossierEventTrigger, DSDossierTrigger

GROUP = {"groupe_instructeur_number": 7}
LANDED = GROUP | {"destination": "file:///zone"}
REQUIRED: dict[Any, dict[str, Any]] = {
    DSListGroupesOperator: {"demarche_number": 12},
    DSExtractDossiersOperator: LANDED,
    DSExtractDeletedDossiersOperator: LANDED,
    DSRefreshDossiersOperator: LANDED,
    DSReconcileOperator: LANDED,
    DSLoadOperator: {"manifests": ["file:///zone/manifest.json"]},
    DSPruneLandingOperator: {"destination": "file:///zone", "retention": timedelta(days=30)},
    DSFreshnessOperator: {"max_age": timedelta(days=2)},
    DSDossierSensor: GROUP,
    DSDeletedDossierSensor: GROUP,
}
TEMPLATED = [(kind, name) for kind in REQUIRED for name in kind.template_fields]
NOTHING = [None, "", " \n", "None", [None, None], [[None], []], jinja2.Undefined(name="x")]


def executed(task: Any) -> None:
    task.execute({"task_state_store": {}, "asset_state_store": {}})


def in_dag(**options: Any) -> DAG:
    return DAG("d", start_date=pendulum.datetime(2026, 11, 1), schedule=None, **options)


@pytest.mark.parametrize("value", NOTHING, ids=repr)
@pytest.mark.parametrize(("kind", "name"), TEMPLATED)
def test_template_that_renders_to_nothing_is_an_error(kind, name, value):
    with in_dag(render_template_as_native_obj=True, template_undefined=jinja2.Undefined) as dag:
        task = kind(task_id="t", **REQUIRED[kind] | {name: "{{ value }}"})
    task.render_template_fields({"value": value, "dag": dag})
    with pytest.raises(DSConfigurationError, match=rf"^{name} was given and renders to nothing.*leave") as caught:
        executed(task)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("kind", "name"), TEMPLATED)
def test_template_that_renders_to_no_text_is_an_error(kind, name):
    with in_dag():
        for template in ("{{ none }}", "{{ '' }}", "{% if false %}7{% endif %}"):
            task = kind(task_id=f"t{hash(template)}", **REQUIRED[kind] | {name: template})
            task.render_template_fields({})
            with pytest.raises(DSConfigurationError, match=rf"^{name} was given and renders to nothing"):
                executed(task)


@pytest.mark.parametrize(("kind", "name"), TEMPLATED)
def test_template_of_a_mapped_task_that_renders_to_nothing_is_an_error(kind, name):
    other = next(field for field in kind.template_fields if field != name)
    fixed = {**REQUIRED[kind], name: "{{ none }}"}
    mapped = fixed.pop(other, "7")
    with in_dag() as dag:
        kind.partial(task_id="t", **fixed).expand(**{other: [mapped]})
    task = dag.get_task("t").unmap({other: mapped})
    task.render_template_fields({})
    with pytest.raises(DSConfigurationError, match=rf"^{name} was given and renders to nothing"):
        executed(task)


def lazy(*items: Any) -> Iterator[Any]:
    yield from items


@pytest.mark.parametrize("value", [[], (), [[], []], 0, False, "0", [None, 7], {}, "none", ["None", "x"]], ids=repr)
def test_values_that_are_something(value):
    assert not is_nothing(value)


def test_values_that_can_be_read_once_are_not_read():
    value = lazy(None)
    assert not is_nothing(value)
    assert list(value) == [None]


NAIVE = datetime(2026, 11, 1)  # noqa: DTZ001
NO_FLAG = ["perhaps", 2, "oui"]
NO_INSTANT = [NAIVE, "2026-11-01", "yesterday", 20261101, "2026-11-01T08:00:00", "2026-13-01T00:00:00Z"]
NO_NUMBER = ["x", 0, -1, True, 1.5, 2**31]
CANNOT_WORK: dict[str, list[Any]] = {
    "groupe_instructeur_number": [*NO_NUMBER, [], [7, "x"], "[7,", {"a": 1}],
    "demarche_number": NO_NUMBER,
    "destination": ["zone", "s3://bucket//x", "file://zone", "s3://None/x", 7, "./zone"],
    "manifests": [None, 7, {"rows": 1}, [None], ["None"], "[7"],
    "window": ["deleted", "Updated", 7],
    "lookback": [timedelta(minutes=-5), 300, "5m", None],
    "retention": [timedelta(0), timedelta(days=-1), 30, None],
    "max_age": [timedelta(0), 28, None],
    "erase_vanished_after": [timedelta(0), 45, None],
    "every": [timedelta(0), timedelta(hours=36), 7],
    **dict.fromkeys(("created_since", "created_until", "updated_since", "updated_until", "deleted_since"), NO_INSTANT),
    "state": ["accepté", "brouillon", "ACCEPTE", 7],
    "archived": NO_FLAG,
    "closed": NO_FLAG,
    "require_full_history": NO_FLAG,
    "revision": [7],
    "order": ["up", 1],
    "page_size": [0, 101, -1, "many"],
    "after": ["abc", 5],
    "concurrency": [0, 17, "many"],
    "on_dossier_error": ["ignore", "skip", None],
    "on_pending": ["keep", None],
    "on_deleted": ["keep", None],
    "label_matches": ["(", "[a"],
    "batch_size": [0, "many"],
    "min_count": [0, 1001, "many"],
    "poke_interval": [5, "60", timedelta(seconds=5), float("nan")],
    "dataset": ["Ds", "9ds", "d s", 7],
    "warehouse_conn_id": [7],
    "ds_conn_id": [7, None],
    **{name: NO_FLAG for name in DSExtractDossiersOperator.template_fields if name.startswith("include_")},
}
WRONG = [
    (kind, name, value)
    for kind in REQUIRED
    for name in {**dict.fromkeys(kind.template_fields), **kind.checks}
    for value in CANNOT_WORK[name]
]


@pytest.mark.parametrize("kind", REQUIRED)
def test_each_templated_parameter_has_its_check(kind):
    assert set(kind.template_fields) <= {*kind.checks, *kind.together}


@pytest.mark.parametrize(("kind", "name", "value"), WRONG, ids=repr)
def test_constant_that_cannot_work_is_an_error_at_the_dags_line(kind, name, value):
    with in_dag(), pytest.raises(DSConfigurationError, match=rf"\b{name}\b") as caught:
        kind(task_id="t", **REQUIRED[kind] | {name: value})
    assert "\n" not in str(caught.value)
    assert f'(File "{__file__}", line ' in str(caught.value)


@pytest.mark.parametrize("kind", REQUIRED)
@pytest.mark.parametrize("nothing", ["", " ", "None"])
def test_constant_of_nothing_is_an_error(kind, nothing):
    for name in kind.template_fields:
        with pytest.raises(DSConfigurationError, match=rf"^{name} was given and renders to nothing"):
            kind(task_id="t", **REQUIRED[kind] | {name: nothing})


@pytest.mark.parametrize(("kind", "name", "value"), WRONG[:: len(WRONG) // 40], ids=repr)
def test_constant_of_mapped_tasks_is_an_error_at_the_dags_line(kind, name, value):
    if name in ("created_since", "updated_since") and kind is DSDossierSensor:
        pytest.skip("it is checked with the other bound")
    with in_dag(), pytest.raises(DSConfigurationError, match=rf"\b{name}\b.*{re.escape(__file__)}"):
        kind.partial(task_id="t", **{name: value})


@pytest.mark.parametrize(("kind", "name"), TEMPLATED)
def test_constant_of_mapped_tasks_that_is_nothing_is_an_error(kind, name):
    with in_dag(), pytest.raises(DSConfigurationError, match=rf"^{name} was given and renders to nothing"):
        kind.partial(task_id="t", **{name: "None"})


@pytest.mark.parametrize(("kind", "name", "value"), WRONG[:: len(WRONG) // 40], ids=repr)
def test_mapped_task_is_made_before_its_parameters_are_checked(kind, name, value):
    with in_dag() as dag:
        fixed = {key: each for key, each in REQUIRED[kind].items() if key != name}
        kind.partial(task_id="t", **fixed).expand(**{name: [value]})
    if name == "poke_interval":
        pytest.skip("Airflow's sensor needs a number")
    with pytest.raises(DSConfigurationError, match=rf"\b{name}\b"):
        executed(dag.get_task("t").unmap({name: value}))


@pytest.mark.parametrize(("kind", "name"), TEMPLATED)
def test_template_and_result_are_left_for_the_run(kind, name):
    with in_dag():
        result = XComArg(BaseOperator(task_id="other"))
        for number, value in enumerate(("{{ x }}", "{% x %}", result)):
            made = kind(task_id=f"t{number}", **REQUIRED[kind] | {name: value})
            assert getattr(made, name) == value


BOUND = "2026-11-01T00:00:00Z"
BEFORE = "2026-10-01T00:00:00Z"
CURSOR = b64encode(b"2026-09-03T10:00:00.000000Z;3").decode()


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        (DSExtractDossiersOperator, {"updated_since": BOUND, "created_since": BOUND}),
        (DSExtractDossiersOperator, {"updated_since": BOUND, "updated_until": BEFORE}),
        (DSExtractDossiersOperator, {"updated_since": BOUND, "window": "updated"}),
        (DSExtractDossiersOperator, {"after": CURSOR, "window": "updated"}),
        (DSExtractDossiersOperator, {"state": "accepte", "window": "incremental"}),
        (DSExtractDeletedDossiersOperator, {"deleted_since": BOUND, "window": "incremental"}),
        (DSDossierSensor, {"updated_since": BOUND, "created_since": "watermark"}),
    ],
)
def test_constants_that_cannot_go_together_are_an_error_at_the_dags_line(kind, given):
    with pytest.raises(DSConfigurationError, match=rf"(updated_since|window).*{re.escape(__file__)}"):
        kind(task_id="t", **REQUIRED[kind], **given)


@pytest.mark.parametrize(
    ("kind", "given", "name"),
    [
        (DSDossierEventTrigger, {"groupe_instructeur_number": "x"}, "groupe_instructeur_number"),
        (DSDossierEventTrigger, {**GROUP, "on": "deleted"}, "on"),
        (DSDossierEventTrigger, {**GROUP, "state": "accepté"}, "state"),
        (DSDossierEventTrigger, {**GROUP, "poll_interval": 5}, "poll_interval"),
        (DSDossierEventTrigger, {**GROUP, "ds_conn_id": None}, "ds_conn_id"),
        (DSDossierTrigger, {"groupe_instructeur_number": []}, "groupe_instructeur_number"),
        (DSDossierTrigger, {"groupe_instructeur_number": [7], "min_count": 0}, "min_count"),
        (DSDossierTrigger, {"groupe_instructeur_number": [7], "on": "deleted"}, "on"),
        (DSDossierTrigger, {"groupe_instructeur_number": [7], "since": "yesterday", "on": "created"}, "since"),
        (DSDeletedDossierTrigger, {"seen": {}, "min_count": 1001}, "min_count"),
    ],
)
def test_trigger_that_cannot_work_is_an_error_at_the_dags_line(kind, given, name):
    with pytest.raises(DSConfigurationError, match=rf"^{name}\b.*{__file__}"):
        kind(**given)


@pytest.mark.parametrize("value", [None, "warehouse", 7, [7, "8"], timedelta(1), NAIVE, {"a": 1}, range(3)], ids=repr)
def test_value_of_the_dag_is_a_constant(value):
    assert is_constant(value)


@pytest.mark.parametrize("value", ["{{ x }}", "{% x %}", ["{{ x }}"], {"a": ["{{ x }}"]}], ids=repr)
def test_template_is_no_constant(value):
    assert not is_constant(value)


def test_value_that_can_be_read_once_is_no_constant():
    assert not is_constant(lazy())
    assert not is_constant([lazy()])


def test_result_of_another_task_is_no_constant():
    result = XComArg(BaseOperator(task_id="t"))
    assert not is_constant(result)
    assert not is_constant([[result], "x"])
