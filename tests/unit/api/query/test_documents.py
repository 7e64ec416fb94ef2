"""Each operation is a whole GraphQL document, and a dossier has the same fields in all of them."""

from __future__ import annotations

from importlib.resources import files

import pytest
from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    OperationDefinitionNode,
    OperationType,
    Visitor,
    parse,
    print_ast,
    validate,
    visit,
)

from ds_provider.api.query import documents
from ds_provider.sandbox.graphql.schema import schema

SCHEMA = schema()

NAMES = sorted(
    entry.name.removesuffix(".graphql")
    for entry in files(documents).iterdir()
    if entry.name.endswith(".graphql") and not entry.name.startswith("fragments_")
)
# the server picks a type of these by the fragments it finds
CHOOSING = ("Champ", "Demandeur")


def parsed(name: str) -> DocumentNode:
    return parse(documents.load(name))


def operation(name: str) -> OperationDefinitionNode:
    (found,) = (node for node in parsed(name).definitions if isinstance(node, OperationDefinitionNode))
    return found


def fragments(name: str) -> dict[str, str]:
    nodes = [node for node in parsed(name).definitions if isinstance(node, FragmentDefinitionNode)]
    texts = {node.name.value: print_ast(node) for node in nodes}
    assert len(texts) == len(nodes), "a fragment is there twice"
    return texts


class Seen(Visitor):
    """Spreads, type conditions and fields of a document."""

    def __init__(self) -> None:
        super().__init__()
        self.spreads: set[str] = set()
        self.types: set[str] = set()
        self.fields: list[str] = []

    def enter_fragment_spread(self, node: FragmentSpreadNode, *_: object) -> None:
        self.spreads.add(node.name.value)

    def enter_inline_fragment(self, node: InlineFragmentNode, *_: object) -> None:
        self.types.add(node.type_condition.name.value)

    def enter_field(self, node: FieldNode, *_: object) -> None:
        self.fields.append(node.name.value)


def seen(name: str) -> Seen:
    visitor = Seen()
    visit(parsed(name), visitor)
    return visitor


def implementations(interface: str) -> set[str]:
    return {kind.name for kind in SCHEMA.get_implementations(SCHEMA.type_map[interface]).objects}


def test_operations_exist():
    assert {"dossiers", "dossier", "deleted_dossiers", "pending_deleted_dossiers", "groupes", "ping"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_operation_is_valid(name):
    assert validate(SCHEMA, parsed(name)) == []


@pytest.mark.parametrize("name", NAMES)
def test_operation_is_one_named_query(name):
    found = operation(name)
    assert found.operation is OperationType.QUERY
    assert found.name is not None


@pytest.mark.parametrize("name", NAMES)
def test_operation_has_the_fragments_that_it_spreads_and_no_other(name):
    assert set(fragments(name)) == seen(name).spreads


@pytest.mark.parametrize("name", NAMES)
def test_operation_asks_for_one_connection_at_most(name):
    """The service adds up the cost of all connections of a request before it runs it."""
    connections = {"dossiers", "deletedDossiers", "pendingDeletedDossiers"}
    assert sum(field in connections for field in seen(name).fields) <= 1


@pytest.mark.parametrize("name", NAMES)
def test_operation_asks_for_nodes_and_no_edges(name):
    """With edges, the service loads the champs dossier by dossier."""
    assert "edges" not in seen(name).fields


@pytest.mark.parametrize("interface", CHOOSING)
@pytest.mark.parametrize("name", ["dossiers", "dossier"])
def test_each_type_has_its_fragment(name, interface):
    """The server gives a champ the type of a fragment that it finds, so a missing one changes what lands."""
    assert implementations(interface) <= seen(name).types


def test_dossier_has_the_same_arguments_alone_and_in_a_page():
    page = fragments("dossiers")
    page.pop("PageInfoFields")
    assert fragments("dossier") == page


def test_dossier_has_the_same_parts_alone_and_in_a_page():
    def includes(name: str) -> dict[str, str]:
        variables = {node.variable.name.value: node for node in operation(name).variable_definitions}
        return {name: print_ast(node) for name, node in variables.items() if name.startswith("include")}

    assert includes("dossier") == includes("dossiers") != {}


def test_revisions_ask_for_no_list_of_countries():
    assert "PaysChampDescriptor" in seen("demarche_descriptor").types
    with_options = {
        "DropDownListChampDescriptor",
        "LinkedDropDownListChampDescriptor",
        "MultipleDropDownListChampDescriptor",
    }
    assert seen("revisions").types == {"RepetitionChampDescriptor"} | with_options


@pytest.mark.parametrize("name", NAMES)
def test_operation_has_no_comment(name):
    assert "#" not in documents.load(name)
