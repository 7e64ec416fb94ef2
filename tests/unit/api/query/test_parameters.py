"""Parameters from DAGs and templates are accepted, or refused in one line that names them."""

from __future__ import annotations

import json
from collections import UserList
from datetime import timedelta
from typing import Any

import pendulum
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds_provider.api.query.parameters import (
    MAX_NUMBER,
    explicit_window,
    is_absent,
    parse_flag,
    parse_groupes,
    parse_includes,
    parse_number,
    select_deleted_dossiers,
    select_dossiers,
    select_pending_deleted_dossiers,
    warn_of_lost_deletions,
)
from ds_provider.api.query.selection import DOSSIER_STATES, Includes
from ds_provider.exceptions import DSConfigurationError

SELECTIONS = [select_dossiers, select_deleted_dossiers, select_pending_deleted_dossiers]

NO_NUMBER = {
    "text": "twelve",
    "text with a number": "12a",
    "empty": "",
    "blank": "  ",
    "None": "None",
    "nothing": None,
    "true": True,
    "false": False,
    "negative": -1,
    "negative text": "-1",
    "zero": 0,
    "zero text": "0",
    "float": 12.0,
    "float text": "12.0",
    "too large": MAX_NUMBER + 1,
    "too large text": str(MAX_NUMBER + 1),
    "far too large text": "9" * 5000,
    "superscript": "²",
    "list": [12],
    "dict": {"number": 12},
    "bytes": b"12",
}


def refusal(function: Any, *args: Any, **kwargs: Any) -> str:
    with pytest.raises(DSConfigurationError) as caught:
        function(*args, **kwargs)
    text = str(caught.value)
    assert "\n" not in text
    return text


@pytest.mark.parametrize("value", NO_NUMBER.values(), ids=NO_NUMBER)
def test_invalid_number_is_refused_by_name(value):
    assert refusal(parse_number, value, "demarche_number").startswith("demarche_number must be ")


@pytest.mark.parametrize("value", [12, "12", " 12 ", "012", "\t12\n"])
def test_number_may_be_a_text(value):
    assert parse_number(value, "number") == 12


@pytest.mark.parametrize("zeros", [1, 9, 11, 40])
def test_leading_zeros_change_nothing_or_are_refused(zeros):
    try:
        number = parse_number("0" * zeros + "1234", "number")
    except DSConfigurationError:
        return
    assert number == 1234


@given(st.integers(1, MAX_NUMBER))
def test_each_number_of_the_api_is_accepted(number):
    assert parse_number(number, "number") == parse_number(str(number), "number") == number


@given(st.one_of(st.integers(), st.text(), st.floats(), st.binary(), st.lists(st.integers())))
def test_any_value_is_a_number_or_refused(value):
    try:
        number = parse_number(value, "number")
    except DSConfigurationError:
        assert refusal(parse_number, value, "number").startswith("number must be ")
    else:
        assert number == int(value)
        assert 0 < number <= MAX_NUMBER


@pytest.mark.parametrize("select", SELECTIONS)
@pytest.mark.parametrize("value", NO_NUMBER.values(), ids=NO_NUMBER)
def test_selection_needs_a_group(select, value):
    assert refusal(select, value).startswith("groupe_instructeur_number must be ")


GROUPES = {
    "number": (12, [12], False),
    "text": ("12", [12], False),
    "list": ([12, 13], [12, 13], True),
    "tuple": ((12, 13), [12, 13], True),
    "list of texts": (["12", " 13"], [12, 13], True),
    "text of a list": ("[12, 13]", [12, 13], True),
    "text of a list of texts": (' ["12", "13"] ', [12, 13], True),
    "list of one": ([12], [12], True),
    "text of a list of one": ("[12]", [12], True),
    "twice the same": ([13, 12, "13"], [13, 12], True),
    "results of mapped tasks": (UserList([12, 13]), [12, 13], True),
}


@pytest.mark.parametrize(("value", "numbers", "several"), GROUPES.values(), ids=GROUPES)
def test_groups_are_parsed_from_one_or_several(value, numbers, several):
    assert parse_groupes(value) == (numbers, several)


@pytest.mark.parametrize(
    "value",
    [
        [],
        (),
        "[]",
        "[12",
        "[12,]",
        "[[12]]",
        [[12]],
        [12, "x"],
        [12, None],
        [12, True],
        [12, 0],
        [12, 1.5],
        "[12, 1.5]",
        "[true]",
        "[NaN]",
        "12, 13",
        "",
        None,
        {},
        {"number": 12},
        b"12",
        True,
        12.0,
    ],
    ids=repr,
)
def test_invalid_group_is_refused_by_name(value):
    assert refusal(parse_groupes, value).startswith("groupe_instructeur_number ")


def test_invalid_item_of_a_list_is_shown():
    assert "'douze'" in refusal(parse_groupes, [12, "douze"])


@given(st.lists(st.integers(1, MAX_NUMBER), min_size=1, max_size=5))
def test_rendered_list_is_the_list(numbers):
    assert parse_groupes(json.dumps(numbers)) == parse_groupes(numbers)


@pytest.mark.parametrize("value", [True, "true", "True", " TRUE ", "1", 1, "yes"])
def test_flag_is_true(value):
    assert parse_flag(value, "archived") is True


@pytest.mark.parametrize("value", [False, "false", "False", " FALSE ", "0", 0, "no"])
def test_flag_is_false(value):
    assert parse_flag(value, "archived") is False


@pytest.mark.parametrize("value", [None, "", "  ", "None"])
def test_flag_is_absent(value):
    assert parse_flag(value, "archived") is None
    assert is_absent(value)


@pytest.mark.parametrize("value", ["maybe", "oui", 2, -1, [], [True], {}, b"true", 1.5], ids=repr)
def test_invalid_flag_is_refused_by_name(value):
    assert refusal(parse_flag, value, "archived").startswith("archived must be true or false")


@pytest.mark.parametrize("name", vars(Includes()))
def test_invalid_include_is_refused_by_its_parameter(name):
    assert refusal(parse_includes, {name: "perhaps"}).startswith(f"include_{name} must be ")


def test_includes_keep_the_api_s_defaults():
    assert parse_includes({"avis": "true", "champs": "", "labels": None}) == Includes(avis=True)


def test_unknown_include_is_refused():
    with pytest.raises((TypeError, DSConfigurationError), match="chmaps"):
        parse_includes({"chmaps": False})


@pytest.mark.parametrize("select", SELECTIONS)
@pytest.mark.parametrize("size", [0, 101, -1, "0", "101", MAX_NUMBER, MAX_NUMBER + 1])
def test_page_size_out_of_bounds_is_refused_with_the_bounds(select, size):
    assert refusal(select, 7, page_size=size).startswith("page_size must be between 1 and 100")


@pytest.mark.parametrize("select", SELECTIONS)
@pytest.mark.parametrize("size", ["many", True, 1.5, [100]])
def test_invalid_page_size_is_refused_by_name(select, size):
    assert refusal(select, 7, page_size=size).startswith("page_size must be a number")


@pytest.mark.parametrize("select", SELECTIONS)
@pytest.mark.parametrize(("size", "taken"), [(1, 1), ("100", 100), (None, 100), ("", 100), ("None", 100)])
def test_page_size_is_accepted(select, size, taken):
    assert select(7, page_size=size).page_size == taken


@pytest.mark.parametrize("select", SELECTIONS)
@pytest.mark.parametrize(("order", "taken"), [("desc", "DESC"), (" ASC ", "ASC"), (None, "ASC"), ("", "ASC")])
def test_order_is_accepted(select, order, taken):
    assert select(7, order=order).order == taken


@pytest.mark.parametrize("select", SELECTIONS)
@pytest.mark.parametrize("order", ["up", "ASCENDING", 1, True, ["ASC"]])
def test_unknown_order_is_refused_by_name(select, order):
    assert refusal(select, 7, order=order).startswith("order must be 'ASC' or 'DESC'")


@pytest.mark.parametrize("state", DOSSIER_STATES)
def test_each_state_of_a_submitted_dossier_is_accepted(state):
    assert select_dossiers(7, state=f" {state} ").state == state


@pytest.mark.parametrize("state", ["brouillon", "ACCEPTE", "accepté", "all"])
def test_unknown_state_is_refused_with_the_known_ones(state):
    text = refusal(select_dossiers, 7, state=state)
    assert text.startswith("state must be one of ")
    assert all(known in text for known in DOSSIER_STATES)


@pytest.mark.parametrize("name", ["state", "revision", "after"])
@pytest.mark.parametrize("value", [12, True, ["accepte"], b"accepte"], ids=repr)
def test_invalid_text_is_refused_by_name(name, value):
    assert refusal(select_dossiers, 7, **{name: value}).startswith(f"{name} must be a text")


@pytest.mark.parametrize("name", ["state", "revision", "after", "archived"])
@pytest.mark.parametrize("value", [None, "", " ", "None"])
def test_template_that_renders_to_nothing_is_absent(name, value):
    assert getattr(select_dossiers(7, **{name: value}), name) is None


BOUNDS = ["created_since", "created_until", "updated_since", "updated_until"]
INSTANT = "2026-11-01T00:00:00+01:00"


@pytest.mark.parametrize("name", BOUNDS)
@pytest.mark.parametrize("value", ["2026-11-01T00:00:00", "2026-11-01", "yesterday", 20261101, True], ids=repr)
def test_invalid_bound_is_refused_by_name(name, value):
    assert refusal(explicit_window, **{name: value}).startswith(f"{name} ")


@pytest.mark.parametrize("created", BOUNDS[:2])
@pytest.mark.parametrize("updated", BOUNDS[2:])
def test_bounds_on_both_columns_are_refused(created, updated):
    text = refusal(explicit_window, **{created: INSTANT, updated: INSTANT})
    assert "created_since/created_until" in text
    assert "updated_since/updated_until" in text


@pytest.mark.parametrize("column", ["created", "updated"])
@pytest.mark.parametrize("end", [INSTANT, "2026-10-31T23:59:59+01:00"])
def test_empty_window_is_refused_by_its_bounds(column, end):
    text = refusal(explicit_window, **{f"{column}_since": INSTANT, f"{column}_until": end})
    assert f"{column}_since" in text
    assert f"{column}_until" in text


@pytest.mark.parametrize("name", BOUNDS)
def test_one_bound_is_a_window_on_its_column(name):
    column, side = name.split("_")
    window = explicit_window(**{name: INSTANT})
    assert window.date_column == column
    assert (window.start is None, window.end is None) == (side == "until", side == "since")


def test_window_is_none_without_bounds():
    assert explicit_window() is None
    assert explicit_window(created_since="", created_until="None", updated_since=None, updated_until=" ") is None


def test_deletions_are_bounded_on_their_own_date():
    assert select_deleted_dossiers(7, deleted_since=INSTANT).window.date_column == "deleted"
    assert select_deleted_dossiers(7, deleted_since="").window is None
    assert refusal(select_deleted_dossiers, 7, deleted_since="2026-11-01").startswith("deleted_since ")


@pytest.mark.parametrize("days", [0, 1, 14, 44.9])
def test_bound_that_loses_deletions_is_a_warning_with_a_safe_one(days, caplog):
    now = pendulum.now("UTC")
    warn_of_lost_deletions(now - timedelta(days=days))
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert "deleted_since=" in record.getMessage()
    assert f"from {now.subtract(days=45).isoformat()[:16]}" in record.getMessage()


@pytest.mark.parametrize("given", [None, "", timedelta(days=45), timedelta(days=400)])
def test_bound_that_loses_no_deletion_is_no_warning(given, caplog):
    warn_of_lost_deletions(pendulum.now("UTC") - given if given else given)
    assert caplog.records == []


def test_pending_deletions_have_no_window():
    assert select_pending_deleted_dossiers(7).window is None
