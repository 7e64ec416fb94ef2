"""Values that clients send: the API takes some that are not of the type, and refuses some that look as if they were."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from graphql import GraphQLInt, GraphQLList, GraphQLNonNull, parse

from ds_provider.sandbox.graphql.errors import RefusalError
from ds_provider.sandbox.graphql.scalars import read_instant
from ds_provider.sandbox.graphql.schema import schema
from ds_provider.sandbox.graphql.variables import InputError, coerce, read_variables
from ds_provider.sandbox.world.clock import micros


def kind_of(name: str) -> Any:
    return schema().type_map[name]


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("2026-09-01", "2026-09-01T00:00:00+02:00"),
        ("2026-12-01", "2026-12-01T00:00:00+01:00"),
        ("2026-09", "2026-09-01T00:00:00+02:00"),
        ("20260901", "2026-09-01T00:00:00+02:00"),
        ("2026-09-01T00:00", "2026-09-01T00:00:00+02:00"),
        (" 2026-09-01 ", "2026-09-01T00:00:00+02:00"),
        ("2026-09-01Z", "2026-09-01T00:00:00+00:00"),
        ("2026-09-01+0200", "2026-09-01T00:00:00+02:00"),
        ("2026-09-01T10:00:00", "2026-09-01T10:00:00+02:00"),
        ("2026-09-01T10:00:00Z", "2026-09-01T10:00:00+00:00"),
        ("2026-09-01t10:00:00z", "2026-09-01T10:00:00+00:00"),
        ("2026-09-01T10:00:00+02", "2026-09-01T10:00:00+02:00"),
        ("2026-09-01T10:00:00-0230", "2026-09-01T10:00:00-02:30"),
        ("2026-09-01T10:00:00.5+02:00", "2026-09-01T10:00:00.500000+02:00"),
        ("2026-09-01T10:00:00.1234567Z", "2026-09-01T10:00:00.123456+00:00"),
        ("2026-09-01T24:00:00Z", "2026-09-02T00:00:00+00:00"),
        ("2026-02-30", "2026-03-02T00:00:00+01:00"),
        ("2026-09-01T10:00:60Z", "2026-09-01T10:01:00+00:00"),
    ],
)
def test_datetime_is_taken_in_each_form_of_the_api(text: str, meaning: str) -> None:
    assert read_instant(text) == micros(datetime.fromisoformat(meaning))


@pytest.mark.parametrize(
    "value",
    [
        "2026-09-01T10:00Z", "2026-09-01T10:00", "2026-09-01T00:00Z", "2026-09-01 10:00:00Z", "2026-W36", "2026-W36-1",
        "2026-244", "2026", "2026-9-1", "2026-13-01", "2026-13", "2026-09-32", "2026-09-01T25:00:00Z", "20261301",
        "2026-09-01T10:00:00,5Z", "2026-09-01T10:00:00+25:00", "20260901T100000Z", "yesterday", "", "\u0662026-09-01",
        1_788_000_000, 2026.0, True, ["2026-09-01"], {"a": 1},
    ],
)  # fmt: skip
def test_datetime_of_another_form_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_instant(value)
    with pytest.raises(InputError, match="Could not coerce value"):
        coerce(value, kind_of("ISO8601DateTime"))


@pytest.mark.parametrize(
    ("name", "value", "taken"),
    [
        ("Int", 2, 2), ("Int", -(1 << 31), -(1 << 31)), ("Float", 2, 2.0), ("Float", 2.5, 2.5), ("ID", 12, "12"),
        ("ID", "x", "x"), ("String", "", ""), ("Boolean", False, False), ("DossierState", "accepte", "accepte"),
        ("FindDemarcheInput", {"number": 3}, {"number": 3}), ("FindDemarcheInput", {"id": "x"}, {"id": "x"}),
    ],
)  # fmt: skip
def test_value_of_its_type_is_taken(name: str, value: Any, taken: Any) -> None:
    assert coerce(value, kind_of(name)) == taken
    assert coerce(None, kind_of(name)) is None


@pytest.mark.parametrize(
    ("name", "value", "explanation"),
    [
        ("Int", 2.0, "Could not coerce value 2.0 to Int"),
        ("Int", "2", 'Could not coerce value "2" to Int'),
        ("Int", True, "Could not coerce value true to Int"),
        ("Int", [1], "Could not coerce value [1] to Int"),
        ("Int", {"a": 1}, "Could not coerce value {a:1} to Int"),
        ("Int", 1 << 31, "Integer out of bounds: 2147483648. \nConsider using GraphQL::Types::BigInt instead."),
        ("Float", "2", 'Could not coerce value "2" to Float'),
        ("String", 5, "Could not coerce value 5 to String"),
        ("ID", 1.5, "Could not coerce value 1.5 to ID"),
        ("Boolean", "true", 'Could not coerce value "true" to Boolean'),
        ("Boolean", 1, "Could not coerce value 1 to Boolean"),
        ("Order", "asc", 'Expected "asc" to be one of: ASC, DESC'),
        ("FindDemarcheInput", 3, "Expected 3 to be a key-value object."),
        ("FindDemarcheInput", {}, "'FindDemarcheInput' requires exactly one argument, but 0 were provided."),
        ("FindDemarcheInput", {"number": 1, "id": "x"},
         "'FindDemarcheInput' requires exactly one argument, but 2 were provided."),
        ("FindDemarcheInput", {"number": None},
         "'FindDemarcheInput' requires exactly one argument, but 'number' was `null`."),
    ],
)  # fmt: skip
def test_value_of_another_type_is_refused(name: str, value: Any, explanation: str) -> None:
    with pytest.raises(InputError) as refused:
        coerce(value, kind_of(name))
    assert refused.value.problems == [{"path": [], "explanation": explanation}]


def test_problem_inside_of_a_value_is_named_with_its_path() -> None:
    (definition,) = parse("query q($d: FindDemarcheInput!) { __typename }").definitions
    with pytest.raises(RefusalError) as refused:
        read_variables(definition, {"d": {"number": "x"}})  # type: ignore[arg-type]
    (error,) = refused.value.body["errors"]
    explanation = 'Could not coerce value "x" to Int'
    assert error == {
        "message": f"Variable $d of type FindDemarcheInput! was provided invalid value for number ({explanation})",
        "locations": [{"line": 1, "column": 9}],
        "extensions": {"value": {"number": "x"}, "problems": [{"path": ["number"], "explanation": explanation}]},
    }


def test_single_value_counts_as_a_list() -> None:
    kind = GraphQLList(GraphQLNonNull(GraphQLInt))
    assert coerce(3, kind) == [3]
    with pytest.raises(InputError) as refused:
        coerce([1, None], kind)
    assert refused.value.problems == [{"path": [1], "explanation": "Expected value to not be null"}]
