"""List of a démarche's groups, filtered, in order, in batches."""

from __future__ import annotations

from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds_provider.exceptions import DSConfigurationError, DSNotFoundError
from ds_provider.operators.groupes import DSListGroupesOperator

GROUPES = [
    {"id": "c", "number": 30, "label": "Lyon (Rhône)", "closed": False},
    {"id": "a", "number": 10, "label": "Paris 1", "closed": False},
    {"id": "b", "number": 20, "label": "PARIS 2", "closed": True},
    {"id": "d", "number": 9, "label": "défaut", "closed": False},
]


class Hook:
    groupes = GROUPES
    asked: ClassVar[list[tuple[str, int]]] = []

    def __init__(self, ds_conn_id):
        self.ds_conn_id = ds_conn_id

    def get_groupes(self, number):
        self.asked.append((self.ds_conn_id, number))
        return self.groupes


@pytest.fixture(autouse=True)
def hook(monkeypatch):
    monkeypatch.setattr("ds_provider.operators.groupes.DSHook", Hook)
    monkeypatch.setattr(Hook, "asked", [])
    return Hook


@pytest.mark.parametrize(
    ("asked", "line"),
    [
        ({}, "démarche 12: 4 groups, 1 of them closed"),
        ({"closed": False}, "démarche 12: 3 of 4 groups"),
        ({"label_matches": "lyon"}, "démarche 12: 1 of 4 groups"),
    ],
)
def test_log_says_how_many_groups_were_chosen(asked, line, lines):
    listed(**asked)
    assert [said.strip() for said in lines() if "démarche" in said] == [line]


def listed(**asked):
    return DSListGroupesOperator(task_id="t", **{"demarche_number": 12, **asked}).execute({})


def test_groups_are_listed_in_ascending_order(hook):
    assert listed(demarche_number="12") == [9, 10, 20, 30]
    assert hook.asked == [("ds_default", 12)]
    listed(ds_conn_id="ds_other")
    assert hook.asked[1:] == [("ds_other", 12)]


@pytest.mark.parametrize(
    ("asked", "numbers"),
    [
        ({"closed": True}, [20]),
        ({"closed": "true"}, [20]),
        ({"closed": False}, [9, 10, 30]),
        ({"closed": "False"}, [9, 10, 30]),
        ({"label_matches": "paris"}, [10, 20]),
        ({"label_matches": "^paris 1$"}, [10]),
        ({"label_matches": "RHÔNE"}, [30]),
        ({"label_matches": "paris", "closed": False}, [10]),
    ],
    ids=str,
)
def test_groups_are_filtered_by_the_operator(asked, numbers):
    assert listed(**asked) == numbers


def test_batches_hold_at_most_batch_size_groups():
    assert listed(batch_size=3) == [[9, 10, 20], [30]]
    assert listed(batch_size="4") == [[9, 10, 20, 30]]


@given(st.sets(st.integers(1, 5000), min_size=1, max_size=60), st.integers(1, 70))
def test_batches_hold_every_group_once(numbers, size):
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Hook, "groupes", [{"number": n, "label": "", "closed": False} for n in numbers])
        batches = listed(batch_size=size)
    assert [number for batch in batches for number in batch] == sorted(numbers)
    assert {len(batch) for batch in batches[:-1]} <= {size}
    assert 1 <= len(batches[-1]) <= size


@pytest.mark.parametrize("asked", [{"label_matches": "nowhere"}, {"closed": True, "label_matches": "lyon"}], ids=str)
def test_filters_that_leave_no_group_are_an_error(asked):
    with pytest.raises(DSNotFoundError) as caught:
        listed(**asked)
    assert "12 shows 4 groups" in str(caught.value)
    assert asked["label_matches"] in str(caught.value)
    assert "\n" not in str(caught.value)


def test_demarche_without_groups_is_an_error(monkeypatch):
    monkeypatch.setattr(Hook, "groupes", [])
    with pytest.raises(DSNotFoundError):
        listed()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("label_matches", "("),
        ("label_matches", "[a"),
        ("closed", "perhaps"),
        ("batch_size", 0),
        ("batch_size", "many"),
        ("demarche_number", "x"),
        ("demarche_number", None),
        ("demarche_number", 0),
    ],
)
def test_parameter_that_cannot_work_is_named_before_any_request(name, value, hook):
    with pytest.raises(DSConfigurationError, match=rf"^{name}\b") as caught:
        listed(**{name: value})
    assert "\n" not in str(caught.value)
    assert hook.asked == []
