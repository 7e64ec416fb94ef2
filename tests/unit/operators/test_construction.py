"""Construction of operators in a DAG: arguments, templates, mapping."""

from __future__ import annotations

import inspect
from datetime import timedelta
from itertools import product

import pendulum
import pytest
from airflow.sdk import DAG

from ds_provider.operators.extract import DSExtractDeletedDossiersOperator, DSExtractDossiersOperator
from ds_provider.operators.freshness import DSFreshnessOperator
from ds_provider.operators.groupes import DSListGroupesOperator
from ds_provider.operators.load import DSLoadOperator
from ds_provider.operators.prune import DSPruneLandingOperator
from ds_provider.operators.reconcile import DSReconcileOperator
from ds_provider.operators.refresh import DSRefreshDossiersOperator

ALL = (
    DSListGroupesOperator,
    DSExtractDossiersOperator,
    DSExtractDeletedDossiersOperator,
    DSRefreshDossiersOperator,
    DSLoadOperator,
    DSReconcileOperator,
    DSPruneLandingOperator,
    DSFreshnessOperator,
)
REQUIRED = {
    DSListGroupesOperator: {"demarche_number": 12},
    DSExtractDossiersOperator: {"groupe_instructeur_number": 7, "destination": "file:///zone"},
    DSExtractDeletedDossiersOperator: {"groupe_instructeur_number": 7, "destination": "file:///zone"},
    DSRefreshDossiersOperator: {"groupe_instructeur_number": 7, "destination": "file:///zone"},
    DSLoadOperator: {"manifests": ["file:///zone/manifest.json"]},
    DSReconcileOperator: {"groupe_instructeur_number": 7, "destination": "file:///zone"},
    DSPruneLandingOperator: {"destination": "file:///zone", "retention": timedelta(days=30)},
    DSFreshnessOperator: {"max_age": timedelta(days=2)},
}


DURATIONS = {"lookback", "retention", "max_age", "erase_vanished_after", "every"}
WITH_INCLUDES = [DSExtractDossiersOperator, DSRefreshDossiersOperator, DSReconcileOperator]
WITH_WAREHOUSE = [
    DSExtractDossiersOperator,
    DSExtractDeletedDossiersOperator,
    DSRefreshDossiersOperator,
    DSLoadOperator,
    DSReconcileOperator,
    DSPruneLandingOperator,
    DSFreshnessOperator,
]


def _has_arguments(kind: type) -> bool:
    return kind.__module__.startswith("ds_provider.") and "__init__" in vars(kind)


def arguments(operator) -> dict[str, inspect.Parameter]:
    """The arguments of this package's classes, in the order of their constructors."""
    constructors = [kind.__init__ for kind in operator.mro() if _has_arguments(kind)]
    parameters = [inspect.signature(inspect.unwrap(each)).parameters.items() for each in constructors]
    return {name: one for each in parameters for name, one in each if one.kind is inspect.Parameter.KEYWORD_ONLY}


def durations(operator) -> dict[str, timedelta]:
    return dict.fromkeys(DURATIONS & set(arguments(operator)), timedelta(days=30))


@pytest.mark.parametrize("operator", ALL)
def test_template_fields_are_arguments_and_attributes(operator):
    made = operator(task_id="t", **REQUIRED[operator])
    for name in operator.template_fields:
        assert name in arguments(operator)
        assert hasattr(made, name)


@pytest.mark.parametrize("operator", ALL)
def test_all_arguments_but_durations_are_templated(operator):
    assert set(arguments(operator)) - set(operator.template_fields) <= DURATIONS | {"map_index_template"}


@pytest.mark.parametrize("operator", ALL)
def test_arguments_are_kept_as_given(operator):
    given = {name: f"{{{{ value_of_{name} }}}}" for name in arguments(operator)} | durations(operator)
    made = operator(task_id="t", **given)
    assert {name: getattr(made, name) for name in given} == given


def test_extract_operators_take_every_variable_of_the_apis_own_query():
    dossiers, deleted = arguments(DSExtractDossiersOperator), arguments(DSExtractDeletedDossiersOperator)
    parts = [
        "champs",
        "annotations",
        "traitements",
        "instructeurs",
        "avis",
        "messages",
        "geometry",
        "labels",
        "corrections",
    ]
    chosen = {"state", "order", "page_size", "after", "archived", "revision", "created_since", "updated_since"}
    assert set(dossiers) >= chosen | {"created_until", "updated_until", "window"} | {f"include_{p}" for p in parts}
    assert set(deleted) >= {"deleted_since", "order", "page_size"}
    assert dossiers["lookback"].default == timedelta(minutes=5)


@pytest.mark.parametrize("operator", ALL)
def test_operators_require_what_they_cannot_do_without(operator):
    required = {name for name, one in arguments(operator).items() if one.default is inspect.Parameter.empty}
    assert required == set(REQUIRED[operator])


@pytest.mark.parametrize("operator", ALL)
def test_operators_are_mapped_in_a_dag(operator):
    name, *rest = REQUIRED[operator]
    with DAG("d", start_date=pendulum.datetime(2026, 11, 1), schedule=None) as dag:
        fixed = {key: REQUIRED[operator][key] for key in rest}
        operator.partial(task_id="t", **fixed).expand(**{name: [1, 2]})
    assert dag.get_task("t").expand_input.value == {name: [1, 2]}


@pytest.mark.parametrize("operator", ALL)
def test_mapped_operators_take_every_argument_and_no_other(operator):
    name, *rest = arguments(operator)
    with DAG("d", start_date=pendulum.datetime(2026, 11, 1), schedule=None):
        fixed = {key: durations(operator).get(key, "{{ x }}") for key in rest}
        mapped = operator.partial(task_id="t", **fixed)
        with pytest.raises(TypeError, match="unexpected keyword argument 'include_champ'"):
            mapped.expand(include_champ=[True])
        mapped.expand(**{name: ["x"]})
        with pytest.raises(TypeError, match="unexpected keyword argument 'include_champ'"):
            operator.partial(task_id="u", **fixed, include_champ=True)


@pytest.mark.parametrize("operator", ALL)
def test_operators_refuse_unknown_arguments(operator):
    with pytest.raises(TypeError, match="include_champ"):
        operator(task_id="t", **REQUIRED[operator], include_champ=True)


@pytest.mark.parametrize("operator", ALL)
@pytest.mark.parametrize("missing", [0, -1])
def test_operators_name_a_required_argument_that_is_missing(operator, missing):
    name = list(REQUIRED[operator])[missing]
    given = {key: value for key, value in REQUIRED[operator].items() if key != name}
    with pytest.raises(TypeError, match=f"missing keyword argument '{name}'"):
        operator(task_id="t", **given)


@pytest.mark.parametrize(
    ("operator", "name"), [*product(WITH_INCLUDES, ["include_messages"]), *product(WITH_WAREHOUSE, ["dataset"])]
)
def test_arguments_of_mixins_are_taken_from_default_args_and_partial(operator, name):
    ours, own = ("ds", "own") if name == "dataset" else ("true", "false")
    with DAG("d", start_date=pendulum.datetime(2026, 11, 1), schedule=None, default_args={name: ours}):
        assert getattr(operator(task_id="t", **REQUIRED[operator]), name) == ours
        assert getattr(operator(task_id="u", **REQUIRED[operator], **{name: own}), name) == own
    with DAG("d", start_date=pendulum.datetime(2026, 11, 1), schedule=None) as dag:
        mapped, *rest = REQUIRED[operator]
        fixed = {key: REQUIRED[operator][key] for key in rest}
        operator.partial(task_id="t", **fixed, **{name: ours}).expand(**{mapped: [1]})
    made = dag.get_task("t").unmap({mapped: 1})
    assert (getattr(made, name), getattr(made, mapped)) == (ours, 1)


def test_groups_flow_from_one_operator_into_the_next():
    with DAG("d", start_date=pendulum.datetime(2026, 11, 1), schedule=None) as dag:
        groupes = DSListGroupesOperator(task_id="groupes", demarche_number=12)
        fixed = {"task_id": "dossiers", "destination": "file:///zone"}
        DSExtractDossiersOperator.partial(**fixed).expand(groupe_instructeur_number=groupes.output)
    assert dag.get_task("groupes").downstream_task_ids == {"dossiers"}


@pytest.mark.parametrize("operator", ALL)
def test_templates_are_rendered(operator):
    given = REQUIRED[operator] | dict.fromkeys(operator.template_fields, "{{ value }}")
    with DAG("d", start_date=pendulum.datetime(2026, 11, 1), schedule=None):
        made = operator(task_id="t", **given)
    made.render_template_fields({"value": "rendered"})
    assert {getattr(made, name) for name in operator.template_fields} == {"rendered"}


def test_native_template_keeps_a_list_a_list():
    with DAG("d", start_date=pendulum.datetime(2026, 11, 1), schedule=None, render_template_as_native_obj=True) as dag:
        made = DSExtractDossiersOperator(
            task_id="t", groupe_instructeur_number="{{ groupes }}", destination="file:///zone", archived="{{ flag }}"
        )
    made.render_template_fields({"groupes": [1, 2], "flag": None, "dag": dag})
    assert (made.groupe_instructeur_number, made.archived) == ([1, 2], None)
