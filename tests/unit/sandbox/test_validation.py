"""Documents that do not fit the schema: the messages, codes and paths are graphql-ruby's."""

from __future__ import annotations

from typing import Any

import pytest
from graphql import GraphQLError, parse, validate
from hypothesis import given
from hypothesis import strategies as st

from ds_provider.sandbox.graphql.document import read_document
from ds_provider.sandbox.graphql.errors import RefusalError
from ds_provider.sandbox.graphql.parsing import parse_document
from ds_provider.sandbox.graphql.schema import schema
from ds_provider.sandbox.graphql.spelling import distance, similarity, suggestions
from ds_provider.sandbox.graphql.validation import validate_document

NUMBERS = "nodes { number }"
CASES = [
    ("{ demarche(number: 1) { nope } }",
     "Field 'nope' doesn't exist on type 'Demarche'", "undefinedField", ["query", "demarche", "nope"]),
    ("query q { d: demarche(number: 1) { titl } }",
     "Field 'titl' doesn't exist on type 'Demarche' (Did you mean `title`?)", "undefinedField",
     ["query q", "d", "titl"]),
    ("{ demarche(number: 1) }",
     "Field must have selections (field 'demarche' returns Demarche but has no selections. "
     "Did you mean 'demarche { ... }'?)", "selectionMismatch", ["query", "demarche"]),
    ("{ demarche(number: 1) { title { x } } }",
     "Selections can't be made on scalars (field 'title' returns String but has selections [\"x\"])",
     "selectionMismatch", ["query", "demarche", "title"]),
    ("{ demarche { title } }",
     "Field 'demarche' is missing required arguments: number", "missingRequiredArguments", ["query", "demarche"]),
    ("{ demarche(number: 1, foo: 2) { title } }",
     "Field 'demarche' doesn't accept argument 'foo'", "argumentNotAccepted", ["query", "demarche", "foo"]),
    ('{ demarche(number: "1") { title } }',
     "Argument 'number' on Field 'demarche' has an invalid value (\"1\"). Expected type 'Int!'.",
     "argumentLiteralsIncompatible", ["query", "demarche", "number"]),
    ("{ demarche(number: 1, number: 2) { title } }",
     'There can be only one argument named "number"', "argumentNotUnique", ["query", "demarche"]),
    ("query q($n: Int!) { demarche(number: 1) { title } }",
     "Variable $n is declared by q but not used", "variableNotUsed", ["query q"]),
    ("{ demarche(number: $n) { title } }",
     "Variable $n is used by anonymous query but not declared", "variableNotDefined", ["query", "demarche", "number"]),
    ("query q($n: Int!, $n: Int!) { demarche(number: $n) { title } }",
     'There can only be one variable named "n"', "variableNotUnique", ["query q"]),
    ("query q($n: Int) { demarche(number: $n) { title } }",
     "Nullability mismatch on variable $n and argument number (Int / Int!)", "variableMismatch",
     ["query q", "demarche", "number"]),
    ("query q($n: Sttring!) { demarche(number: $n) { title } }",
     "Sttring isn't a defined input type (on $n) (Did you mean `String`?)", "variableRequiresValidType", ["query q"]),
    ('query q($n: Int! = "x") { demarche(number: $n) { title } }',
     "Default value for $n doesn't match type Int!", "defaultValueInvalidType", ["query q"]),
    ("{ demarche(number: 1) { ...F } }",
     "Fragment F was used, but not defined", "useAndDefineFragment", ["query", "demarche", "... F"]),
    ("{ __typename } fragment F on Demarche { title }",
     "Fragment F was defined, but not used", "useAndDefineFragment", ["fragment F"]),
    ("{ demarche(number: 1) { ...F } } fragment F on Demarche { title ...F }",
     "Fragment F contains an infinite loop", "infiniteLoop", ["fragment F"]),
    ("{ demarche(number: 1) { ...G } } fragment F on Demarche { title ...F } fragment G on Demarche { ...F }",
     "Fragment F contains an infinite loop", "infiniteLoop", ["fragment F"]),
    ("{ __typename } fragment F on Demarche { ...G }",
     "Fragment G was used, but not defined", "useAndDefineFragment", ["fragment F", "... G"]),
    ("{ demarche(number: 1) { ...F } } fragment F on Dossier { id }",
     "Fragment F on Dossier can't be spread inside Demarche", "cannotSpreadFragment", ["query", "demarche", "... F"]),
    ("{ demarche(number: 1) { ... on Dossier { id } } }",
     "Fragment on Dossier can't be spread inside Demarche", "cannotSpreadFragment",
     ["query", "demarche", "... on Dossier"]),
    ("{ demarche(number: 1) { ... on Nowhere { id } } }",
     "No such type Nowhere, so it can't be a fragment condition", "undefinedType",
     ["query", "demarche", "... on Nowhere"]),
    ("{ demarche(number: 1) { ... on String { id } } }",
     "Invalid fragment on type String (must be Union, Interface or Object)", "fragmentOnNonCompositeType",
     ["query", "demarche", "... on String"]),
    ("{ demarche(number: 1) { ...F } } fragment F on Demarche { id } fragment F on Demarche { id }",
     'Fragment name "F" must be unique', "fragmentNotUnique", []),
    ("{ demarche(number: 1) { id @nope } }",
     "Directive @nope is not defined", "undefinedDirective", ["query", "demarche", "id"]),
    ("{ demarche(number: 1) { id @include(if: true) @include(if: true) } }",
     'The directive "include" can only be used once at this location.', "directiveNotUniqueForLocation",
     ["query", "demarche", "id"]),
    ("query q @skip(if: true) { __typename }",
     "'@skip' can't be applied to queries (allowed: fields, fragment spreads, inline fragments)",
     "directiveCannotBeApplied", ["query q"]),
    ("query q { __typename } query q { __typename }",
     'Operation name "q" must be unique', "uniquelyNamedOperations", []),
    ("{ __typename } query q { __typename }",
     "Operation name is required when multiple operations are present", "uniquelyNamedOperations", []),
    ("subscription s { x }",
     "Schema is not configured for subscriptions", "missingSubscriptionConfiguration", ["subscription s"]),
    ("{ demarche(number: 1) { a: title a: id } }",
     "Field 'a' has a field conflict: title or id?", "fieldConflict", []),
    (f"{{ demarche(number: 1) {{ dossiers(first: 1) {{ {NUMBERS} }} dossiers(first: 2) {{ {NUMBERS} }} }} }}",
     "Field 'dossiers' has an argument conflict: {first:\"1\"} or {first:\"2\"}?", "fieldConflict", []),
    ("{ demarcheDescriptor(demarche: {number: 1, id: \"x\"}) { id } }",
     "OneOf Input Object 'FindDemarcheInput' must specify exactly one key.", "invalidOneOfInputObject",
     ["query", "demarcheDescriptor", "demarche"]),
    ("type X { a: Int } { __typename }",
     "Query cannot contain schema definitions", "queryContainsSchemaDefinitions", []),
]  # fmt: skip


def errors_of(query: str) -> list[dict[str, Any]]:
    return validate_document(schema(), parse_document(query))


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("nope", 'Expected one of SCHEMA, SCALAR, TYPE, ENUM, INPUT, UNION, INTERFACE, actual: IDENTIFIER ("nope")'
         " at [1, 1]"),
        ("}", 'Expected one of SCHEMA, SCALAR, TYPE, ENUM, INPUT, UNION, INTERFACE, actual: RCURLY ("}") at [1, 1]'),
        ("query {", 'Expected NAME, actual: (none) ("") at [1, 7]'),
        ("query { # comment", 'Expected NAME, actual: (none) (" # comment") at [1, 7]'),
        ("query q", 'Expected LCURLY, actual: (none) ("") at [1, 7]'),
        ("{\n  demarche(number: ) { id } }", 'Expected VALUE, actual: RPAREN (")") at [2, 20]'),
        ("{ demarche(number 1) { id } }", 'Expected COLON, actual: INT ("1") at [1, 19]'),
        ("query ($n Int) { a }", 'Expected COLON, actual: IDENTIFIER ("Int") at [1, 11]'),
        ("{ ...F } fragment F Demarche { id }", 'Expected ON, actual: IDENTIFIER ("Demarche") at [1, 21]'),
        ('{ a(b: "c) }', "Expected string or block string, but it was malformed"),
    ],
)  # fmt: skip
def test_syntax_error_has_the_message_and_place_of_the_api(query: str, message: str) -> None:
    with pytest.raises(RefusalError) as refused:
        read_document(query)
    (error,) = refused.value.body["errors"]
    assert (refused.value.status, error["message"]) == (200, message)
    if " at [" in message:
        line, column = message.rpartition(" at [")[2].rstrip("]").split(", ")
        assert error["locations"] == [{"line": int(line), "column": int(column)}]


@pytest.mark.parametrize(
    ("query", "message", "path"),
    [
        ("{ }", "(anonymous query returns Query but has no selections. Did you mean ' { ... }'?)", ["query"]),
        ("query q {}", "(query 'q' returns Query but has no selections. Did you mean 'q { ... }'?)", ["query q"]),
        ("{ demarche(number: 1) {} }",
         "(field 'demarche' returns Demarche but has no selections. Did you mean 'demarche { ... }'?)",
         ["query", "demarche"]),
    ],
)  # fmt: skip
def test_empty_selection_is_no_syntax_error(query: str, message: str, path: list[str]) -> None:
    (error,) = errors_of(query)
    assert (error["message"], error["path"]) == (f"Field must have selections {message}", path)
    assert error["extensions"]["code"] == "selectionMismatch"


@pytest.mark.parametrize(
    ("query", "message", "code", "path"), CASES, ids=[case[2] + str(i) for i, case in enumerate(CASES)]
)
def test_error_has_the_message_code_and_path_of_the_api(query: str, message: str, code: str, path: list[str]) -> None:
    error = errors_of(query)[0]
    assert (error["message"], error["extensions"]["code"], error["path"]) == (message, code, path)
    assert error["locations"][0]["line"] == 1


def test_fields_of_one_name_may_be_of_different_types() -> None:
    query = """query q($n: Int!) { dossier(number: $n) { champs {
        ... on TextChamp { value } ... on CheckboxChamp { value } ... on MultipleDropDownListChamp { value: values }
        ... on PieceJustificativeChamp { value: files { filename } } } } }"""
    assert validate(schema(), parse(query))
    assert errors_of(query) == []


def test_several_errors_come_in_the_order_of_the_document() -> None:
    found = errors_of("query q($x: Int) { demarche(number: 1) { b nope } dossier { id } autre }")
    assert [error["extensions"].get("fieldName", error["extensions"]["code"]) for error in found] == [
        "b",
        "nope",
        "missingRequiredArguments",
        "autre",
        "variableNotUsed",
    ]


def test_operation_is_looked_for_before_the_document_is_validated() -> None:
    document = read_document("query a { nope } query b { nope }")
    for name, message in ((None, "An operation name is required"), ("c", 'No operation named "c"')):
        with pytest.raises(RefusalError) as refused:
            document.operation(name)
        assert refused.value.body == {"errors": [{"message": message}]}
    with pytest.raises(RefusalError) as refused:
        document.operation("a")
    assert [error["extensions"]["code"] for error in refused.value.body["errors"]] == ["undefinedField"] * 2


names = st.sampled_from(["title", "id", "number", "nope", "state", "dossiers", "__typename", "labels"])
fields = st.recursive(
    st.tuples(names, st.sampled_from(["", "(first: 1)", "(number: 1)", "(first: $n)", " @include(if: true)"])).map(
        "".join
    ),
    lambda inner: st.lists(inner, min_size=1, max_size=3).map(
        lambda each: f"demarche(number: 1) {{ {' '.join(each)} ... on Demarche {{ dossiers {{ nodes {{ id }} }} }} }}"
    ),
    max_leaves=8,
)


@given(st.lists(fields, min_size=1, max_size=3).map(" ".join))
def test_validator_refuses_what_graphql_core_refuses(selection: str) -> None:
    """Where no two fields differ in type alone, both take and refuse the same documents."""
    query = f"query q {{ {selection} }}"
    try:
        tree = parse(query)
    except GraphQLError:
        return
    expected = [one for one in validate(schema(), tree) if "they return conflicting types" not in one.message]
    assert bool(errors_of(query)) is bool(expected)


@given(st.text("abcdeé", max_size=8), st.text("abcdeé", max_size=8))
def test_distances_are_symmetric_and_zero_for_the_same_word(one: str, other: str) -> None:
    assert distance(one, other) == distance(other, one) <= max(len(one), len(other))
    assert (distance(one, other) == 0) is (one == other)
    assert 0 <= similarity(one, other) <= 1


@pytest.mark.parametrize(
    ("word", "expected"),
    [("dossier", ["dossiers"]), ("groupeInstructeur", ["groupeInstructeurs"]), ("zzz", []), ("statte", ["state"])],
)
def test_suggestions_are_the_known_names_like_a_word(word: str, expected: list[str]) -> None:
    assert suggestions(word, ["title", "state", "dossiers", "groupeInstructeurs"]) == expected


TOKENS = """{ } ( ) : $ @ ! ... = [ ] demarche number dossiers nodes champs id title query fragment on F $n 1 1.5 true
null "x" Demarche Int TextChamp ACCEPTE @include(if:true) {number:1} # ,"""


def checked(text: str) -> list[dict[str, Any]]:
    try:
        return list(read_document(text).errors)
    except RefusalError as refused:
        return list(refused.body["errors"])


@given(st.lists(st.sampled_from(TOKENS.split()), max_size=25).map(" ".join))
def test_any_text_is_a_document_or_refused_in_the_form_of_the_api(text: str) -> None:
    allowed = {"message", "locations", "path", "extensions"}
    assert all({"message"} <= set(error) <= allowed for error in checked(text))
