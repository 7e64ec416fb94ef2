"""A template that renders to nothing is an error that names its parameter, of each operator and sensor."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import jinja2
import pendulum
import pytest
from airflow.sdk import DAG

from ds_provider.exceptions import DSConfigurationError
from ds_provider.operators.extract import DSExtractDeletedDossiersOperator, DSExtractDossiersOperator
from ds_provider.operators.freshness import DSFreshnessOperator
from ds_provider.operators.groupes import DSListGroupesOperator
from ds_provider.operators.load import DSLoadOperator
from ds_provider.operators.prune import DSPruneLandingOperator
from ds_provider.operators.reconcile import DSReconcileOperator
from ds_provider.operators.refresh import DSRefreshDossiersOperator
from ds_provider.parameter_checks import is_nothing
from ds_provider.sensors.dossiers import DSDeletedDossierSensor, DSDossierSensor

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


@pytest.mark.parametrize("kind", REQUIRED)
def test_parameter_of_none_was_not_given(kind):
    task = kind(task_id="t", **REQUIRED[kind])
    assert set(task._given) == {name for name in kind.template_fields if getattr(task, name) is not None}


def lazy(*items: Any) -> Iterator[Any]:
    yield from items


@pytest.mark.parametrize("value", [[], (), [[], []], 0, False, "0", [None, 7], {}, "none", ["None", "x"]], ids=repr)
def test_values_that_are_something(value):
    assert not is_nothing(value)


def test_values_that_can_be_read_once_are_not_read():
    value = lazy(None)
    assert not is_nothing(value)
    assert list(value) == [None]
