"""The sandbox's own executor against graphql-core's, over the same resolvers."""

from __future__ import annotations

import re
from typing import Any

import pytest
from graphql import execute_sync, get_named_type, parse

from ds_provider.sandbox import Sandbox
from ds_provider.sandbox.graphql.context import Context
from ds_provider.sandbox.graphql.document import read_document
from ds_provider.sandbox.graphql.execution import Compiler, Execution
from ds_provider.sandbox.graphql.resolvers import RESOLVERS, type_of
from ds_provider.sandbox.graphql.schema import schema
from ds_provider.sandbox.world.clock import iso_second
from tests.support.sandbox_client import page_query
from tests.support.sandbox_documents import FULL_PAGE

NESTED = """
query nested($number: Int!, $yes: Boolean!, $no: Boolean!) {
  a: groupeInstructeur(number: $number) { ...Twice label @skip(if: $yes) id @include(if: $no) }
  b: groupeInstructeur(number: $number) { ...Twice ... on GroupeInstructeurWithDossiers { closed @include(if: $yes) } }
}
fragment Twice on GroupeInstructeurWithDossiers {
  number
  dossiers(first: 5) { nodes { number demandeur { id } } }
  dossiers(first: 5) { nodes { state demandeur { ... on PersonnePhysique { nom } ... on Demandeur { is: __typename } } }
                       edges { cursor node { id champs { ... on Champ { label } ... on YesNoChamp { value } } } } }
  deletedDossiers(first: 3) { nodes { reason dateSupression } pageInfo { endCursor } }
}
"""
LINKS = page_query("dossiers", "number champs { id ... on DossierLinkChamp { dossier { number state } } }")
INCOMPLETE = page_query("dossiers", "number demandeur { ... on PersonneMorale { siret siegeSocial } }")


class Reference:
    """graphql-core with the sandbox's resolvers."""

    def __init__(self, context: Context) -> None:
        self.execution = Execution(context, {})

    def resolve(self, source: Any, info: Any, **arguments: Any) -> Any:
        given = {name: value for name, value in arguments.items() if value is not None}
        resolver = RESOLVERS.get(f"{info.parent_type.name}.{info.field_name}")
        value = resolver(source, self.execution.context, given) if resolver is not None else source[info.field_name]
        named = get_named_type(info.return_type)
        return iso_second(value) if named.name == "ISO8601DateTime" and value is not None else value

    def answer(self, query: str, variables: dict[str, Any]) -> Any:
        return execute_sync(
            schema(),
            parse(query),
            variable_values=variables,
            field_resolver=self.resolve,
            type_resolver=lambda value, info, kind: type_of(value, self.execution),
        )


@pytest.mark.parametrize("query", [FULL_PAGE, NESTED, LINKS, INCOMPLETE])
def test_executor_answers_as_graphql_core_does(sandbox: Sandbox, query: str) -> None:
    variables = {"number": sandbox.groupes[0], "first": 40}
    if query is NESTED:
        variables = {"number": sandbox.groupes[0], "yes": True, "no": False}
    document = read_document(query)
    api = sandbox.state.api
    context = Context(
        api.world, api._content, api._listings, api.signer, "http://x", sandbox.clock.now_micros, True,
        document.named_types,
    )  # fmt: skip
    root: Any = schema().query_type
    plan = Compiler(document, variables, RESOLVERS, type_of).plan(root, [document.operation(None).selection_set])
    execution = Execution(context, variables)
    answer = plan.run(None, execution, ())
    reference = Reference(context).answer(query, variables)
    assert without_links(answer) == without_links(reference.data)
    assert sorted(map(str, (error["path"] for error in execution.errors))) == sorted(
        str(error.path) for error in reference.errors or ()
    )
    if query in (LINKS, INCOMPLETE):
        assert execution.errors


def without_links(data: Any) -> str:
    return re.sub(r"http://x/files/[^']*", "", repr(data))
