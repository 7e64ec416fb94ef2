"""Requests: their bodies, and which of them are repeatable."""

from __future__ import annotations

import json

import pytest
from graphql import GraphQLSyntaxError, OperationDefinitionNode, OperationType, parse
from hypothesis import assume, given
from hypothesis import strategies as st

from ds_provider.api.transport.messages import Request

QUERIES = {
    "plain": "query { __typename }",
    "short": "{ __typename }",
    "in a string": '{ dossier(note: "a mutation of state") { id } }',
    "in a string with an escaped quote": r'{ dossier(note: "a \" mutation \\") { id } }',
    "in a block string": '{ dossier(note: """\na "mutation" {\n""") { id } }',
    "in a block string with escaped quotes": '{ dossier(note: """a \\""" mutation { \\""" b""") { id } }',
    "in a comment": "# no mutation here\n{ __typename }",
    "in a comment at the end": "{ __typename } # mutation { a }",
    "in a comment with quotes": "# it's \" a mutation\n{ __typename }",
    "within a field's name": "{ mutations mutationDate lastmutation _mutation }",
    "within an operation's name": "query getMutations { __typename }",
    "empty strings around": '{ a(b: "", c: """""") }',
}

MUTATIONS = {
    "plain": "mutation { a }",
    "named": "mutation dossierEnvoyerMessage($input: X!) { a(input: $input) { id } }",
    "without blanks": "mutation{a}",
    "after a comment": "# harmless\nmutation { a }",
    "after a comment with a quote": '# a "quote\nmutation { a(b: "x") }',
    "after a comment with a block quote": '# """\nmutation { a(b: """x""") }',
    "after a comment ended by a carriage return": "# harmless\rmutation { a }",
    "after a fragment": "fragment F on X { id }\nmutation { a { ...F } }",
    "after a fragment with a string": 'fragment F on X { id(b: "# ") }\nmutation { a }',
    "after a fragment with escaped quotes": ('fragment F on X { id(b: """\\""" """) }\nmutation { a(b: """x""") }'),
    "after a fragment with a backslash": 'fragment F on X { id(b: "\\\\") }\nmutation { a(b: "x") }',
    "after a query": "query A { b } mutation B { a }",
    "after commas": ",,,mutation { a }",
    "after a byte order mark": "\ufeffmutation { a }",
}


@pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES)
def test_query_is_repeatable_whatever_it_mentions(query):
    parse(query)
    assert Request(query).repeatable


@pytest.mark.parametrize("query", MUTATIONS.values(), ids=MUTATIONS)
def test_mutation_is_not_repeatable(query):
    parse(query)
    assert not Request(query).repeatable


pieces = st.sampled_from(
    [
        "mutation { a }",
        'mutation M { a(b: "x") }',
        'mutation { a(b: """x""") }',
        "query Q { a }",
        'query Q { a(b: "# ") }',
        'fragment F on X { a(b: """\\""" """) }',
        'fragment F on X { a(b: """"mutation" \\""" \\\\""") }',
        'fragment F on X { a(b: "mutation \\" \\\\") }',
        '# "',
        '# """',
        "# mutation",
        "# \\",
        ",",
    ]
)


@given(st.lists(st.tuples(pieces, st.sampled_from(["\n", "\r", "\r\n", " "])), min_size=1, max_size=6))
def test_document_with_a_mutation_is_not_repeatable(parts):
    query = "".join(piece + end for piece, end in parts)
    try:
        definitions = parse(query).definitions
    except GraphQLSyntaxError:
        definitions = ()
    assume(definitions)
    operations = [definition for definition in definitions if isinstance(definition, OperationDefinitionNode)]
    mutates = any(operation.operation is OperationType.MUTATION for operation in operations)
    assert Request(query).repeatable is not mutates


def test_body_has_query_and_variables():
    request = Request("query($number: Int!) { dossier(number: $number) { id } }", {"number": 12, "state": None})
    assert json.loads(request.body) == {"query": request.query, "variables": {"number": 12, "state": None}}


def test_variables_are_empty_by_default():
    assert json.loads(Request("{ __typename }").body)["variables"] == {}


@given(st.dictionaries(st.text(max_size=5), st.none() | st.booleans() | st.integers(-(2**31), 2**31) | st.text()))
def test_body_keeps_any_variables(variables):
    assert json.loads(Request("{ a }", variables).body)["variables"] == variables
