"""Every field of the schema, asked of every dossier by one generated document."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from graphql import get_named_type, is_composite_type, is_interface_type

from ds_provider.sandbox import Sandbox
from ds_provider.sandbox.graphql.schema import schema, serving
from ds_provider.sandbox.options import SERVERS
from tests.support.sandbox_client import NOW, Client

# asked for by the tests of crossed rights: they answer with errors on purpose
REFUSED = {"DossierLinkChamp.dossier"}
ENTRY_POINTS = {
    "Query.demarche": "(number: %(demarche)d)",
    "Query.demarcheDescriptor": "(demarche: {number: %(demarche)d})",
    "Query.dossier": "(number: %(dossier)d)",
    "Query.groupeInstructeur": "(number: %(groupe)d)",
}


class Generator:
    """Writes selections of all fields, no type inside itself in full, and remembers which fields it wrote."""

    def __init__(self, numbers: dict[str, int]) -> None:
        self.numbers = numbers
        self.written: set[str] = set()

    def selection(self, kind: Any, above: frozenset[str] = frozenset()) -> str:
        above |= {kind.name}
        if is_interface_type(kind):
            possible = schema().get_possible_types(kind)
            fields = [f"... on {one.name} {self.selection(one, above)}" for one in possible]
        else:
            fields = [*self._fields(kind, above)]
        return f"{{ __typename {' '.join(fields)} }}"

    def _fields(self, kind: Any, above: frozenset[str]) -> Iterator[str]:
        for name, field in kind.fields.items():
            inner: Any = get_named_type(field.type)
            place = f"{kind.name}.{name}"
            if place in REFUSED:
                continue
            self.written.add(place)
            nested = self._nested(inner, above) if is_composite_type(inner) else ""
            page = "(first: 12)" if "first" in field.args else ""
            # types of an interface have fields of one name and of other types
            yield f"{kind.name}_{name}: {name}{ENTRY_POINTS.get(place, page) % self.numbers} {nested}"

    def _nested(self, kind: Any, above: frozenset[str]) -> str:
        """Select all of a type, but not within itself, and of dossiers once: they are the same in each list."""
        if kind.name in above or (kind.name == "Dossier" and "Dossier.number" in self.written):
            return "{ __typename }"
        return self.selection(kind, above)


@pytest.mark.parametrize("server", SERVERS)
def test_each_field_of_the_schema_is_answered(server: str) -> None:
    with Sandbox(groupes=1, dossiers=12, now=NOW, rate_limit=0, server=server) as sandbox, serving(server):
        client = Client(sandbox)
        dossier = next(iter(client.rows("dossiers")))["number"]
        whole = Generator({"demarche": sandbox.demarche, "groupe": sandbox.groupes[0], "dossier": dossier})
        assert client.ask(f"query {whole.selection(schema().query_type)}")
        fields = {
            f"{name}.{field}"
            for name, kind in schema().type_map.items()
            if not name.startswith("__") and hasattr(kind, "fields") and not is_interface_type(kind)
            for field in kind.fields
            if "input" not in type(kind).__name__.lower()
        }
        assert fields - whole.written == REFUSED
