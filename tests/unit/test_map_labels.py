"""Labels of mapped tasks: groups as people know them, short enough for Airflow, and no error in any case."""

from __future__ import annotations

import pytest
from airflow.sdk import DAG, BaseOperator, task_group
from hypothesis import given
from hypothesis import strategies as st
from jinja2.nativetypes import NativeEnvironment

from ds_provider.map_labels import MAX_LABEL, demarches_label, groups_label
from ds_provider.operators.extract import DSExtractDeletedDossiersOperator, DSExtractDossiersOperator
from ds_provider.operators.load import DSLoadOperator
from ds_provider.sensors.dossiers import DSDossierSensor
from tests.support.operator_service import unauthorized
from tests.support.operator_warehouse import context
from tests.unit.operators.test_construction import ALL, REQUIRED

LABELS = {1: "Rhône", 2: "Ain", 3: "Préfecture de police"}


@pytest.mark.parametrize(
    ("groups", "label"),
    [
        (3, "Préfecture de police (3)"),
        ("3", "Préfecture de police (3)"),
        ([1], "Rhône (1)"),
        (9, "group 9"),
        ([1, 2], "2 groups: Rhône, Ain"),
        ("[1, 2]", "2 groups: Rhône, Ain"),
        ([1, 2, 3, 9], "4 groups: Rhône, Ain, Préfecture de police, …"),
        ([9, 1], "2 groups: 9, Rhône"),
        ([[1], [2, 9]], "3 groups: Rhône, Ain, 9"),
    ],
)
def test_label_names_the_groups_as_far_as_they_are_known(groups, label):
    assert groups_label(groups, LABELS) == label


@given(st.one_of(st.none(), st.text(), st.integers(), st.lists(st.integers())), st.text())
def test_label_never_raises_and_fits_airflow_s_column(groups, label):
    numbers = groups if isinstance(groups, list) else [groups]
    labels = dict.fromkeys((number for number in numbers if isinstance(number, int)), label)
    assert len(groups_label(groups, labels)) <= MAX_LABEL
    assert len(demarches_label(groups)) <= MAX_LABEL


@given(st.one_of(st.integers(), st.lists(st.integers()), st.text()), st.one_of(st.none(), st.text(min_size=1)))
def test_label_stays_a_text_where_templates_render_to_objects_of_python(groups, label):
    numbers = groups if isinstance(groups, list) else [groups]
    labels = dict.fromkeys((number for number in numbers if isinstance(number, int)), label)
    rendered = NativeEnvironment().from_string("{{ label }}").render(label=groups_label(groups, labels))
    assert isinstance(rendered, str)


@pytest.mark.parametrize("operator", ALL)
def test_mapped_operator_has_a_label_and_the_user_s_own_wins(operator):
    name, value = next(iter(REQUIRED[operator].items()))
    others = {key: one for key, one in REQUIRED[operator].items() if key != name}
    with DAG("labels", schedule=None, default_args={"map_index_template": "of the DAG"}):
        ours = operator.partial(task_id="t", **others).expand(**{name: [value]})
        given = operator.partial(task_id="u", map_index_template="mine", **others).expand(**{name: [value]})
    assert (ours.map_index_template, given.map_index_template) == ("of the DAG", "mine")
    with DAG("plain", schedule=None):
        plain = operator.partial(task_id="t", **others).expand(**{name: [value]})
    assert plain.map_index_template == "{{ task.map_label }}"
    assert operator(task_id="t", **REQUIRED[operator]).map_label


def test_task_of_a_mapped_group_has_a_label(destination):
    @task_group
    def each(groupe):
        DSExtractDossiersOperator(task_id="inner", groupe_instructeur_number=groupe, destination=destination)

    with DAG("labels", schedule=None) as dag:
        each.expand(groupe=[1, 2])
    assert dag.get_task("each.inner").map_index_template == "{{ task.map_label }}"


@pytest.mark.parametrize("kind", [DSExtractDossiersOperator, DSExtractDeletedDossiersOperator])
def test_label_is_known_once_a_group_is_read_and_of_a_failed_one_stays_a_number(world, destination, kind):
    task = kind(task_id="e", groupe_instructeur_number=[7, 8], destination=destination)
    assert task.map_label == "2 groups: 7, 8"
    world.service.fails(8, lambda request: unauthorized())
    with pytest.raises(Exception, match="1 of 2"):
        task.execute(context())
    assert task.map_label == "2 groups: défaut, 8"


def test_load_is_labelled_by_its_demarche_or_by_the_groups_that_it_loaded(world, destination):
    summary = DSExtractDossiersOperator(task_id="e", groupe_instructeur_number=7, destination=destination).execute({})
    assert DSLoadOperator(task_id="l", manifests=summary, demarche_number=12).map_label == "démarche 12"
    loading = DSLoadOperator(task_id="l", manifests=summary)
    assert loading.map_label == "demarches_simplifiees"
    loading.execute(context())
    assert loading.map_label == "défaut (7)"


def test_sensor_is_labelled_by_its_groups():
    sensor = DSDossierSensor(task_id="s", groupe_instructeur_number=7)
    assert isinstance(sensor, BaseOperator)
    assert sensor.map_label == "group 7"
