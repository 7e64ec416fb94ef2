"""Variables and fragments of a document: which operation or fragment uses which, and which are used by none."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from graphql.language import (
    DocumentNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    OperationDefinitionNode,
    VariableDefinitionNode,
    VariableNode,
    Visitor,
    visit,
)

Path = list[str]
# records an error: its message, nodes, code and path, and more about it
Fail = Callable[..., None]
Definition = OperationDefinitionNode | FragmentDefinitionNode


def repeated(nodes: Iterable[Any], key: Callable[[Any], Any]) -> Iterator[tuple[Any, list[Any]]]:
    """Yield what several nodes share, with these nodes."""
    groups: dict[Any, list[Any]] = defaultdict(list)
    for node in nodes:
        groups[key(node)].append(node)
    return ((shared, found) for shared, found in groups.items() if len(found) > 1)


class Usages:
    """Collects uses while a document is walked, and reports what is missing or superfluous at its end."""

    def __init__(self) -> None:
        self._entered: list[tuple[Definition, Path]] = []
        self._declared: dict[str, VariableDefinitionNode] = {}
        self._variables: dict[int, dict[str, tuple[VariableNode, Definition, Path]]] = defaultdict(dict)
        self._spreads: dict[int, list[tuple[FragmentSpreadNode, Path]]] = defaultdict(list)

    def enter(self, node: Definition, path: Path) -> None:
        """Begin an operation or a fragment, to which the uses that follow belong."""
        self._entered.append((node, list(path)))
        if isinstance(node, OperationDefinitionNode):
            self._declared = {each.variable.name.value: each for each in node.variable_definitions or ()}

    def declaration(self, node: VariableNode) -> VariableDefinitionNode | None:
        """Return where a variable is declared in the last operation, None if it is not."""
        return self._declared.get(node.name.value)

    def variables(self, value: Any, path: Path) -> None:
        """Count the variables in a value."""
        found = _VariableCollector()
        visit(value, found)
        owner = self._entered[-1][0]
        for node in found.nodes:
            self._variables[id(owner)][node.name.value] = (node, owner, list(path))

    def spread(self, node: FragmentSpreadNode, path: Path) -> None:
        """Count a use of a fragment."""
        self._spreads[id(self._entered[-1][0])].append((node, list(path)))

    def report_variables(self, fail: Fail) -> None:
        """Report variables that are declared and not used, or used and not declared."""
        for node, path in self._entered:
            if isinstance(node, OperationDefinitionNode):
                self._report_variables(node, path, fail)

    def _report_variables(self, node: OperationDefinitionNode, path: Path, fail: Fail) -> None:
        used: dict[str, tuple[VariableNode, Definition, Path]] = {}
        for definition in [node, *self._reached(node)]:
            used |= self._variables[id(definition)]
        declared = [each.variable.name.value for each in node.variable_definitions or ()]
        for name in dict.fromkeys(declared):
            if name not in used:
                message = f"Variable ${name} is declared by {_name(node)} but not used"
                fail(message, node, "variableNotUsed", path, variableName=name)
        for name, (variable, owner, where) in used.items():
            if name not in declared:
                message = f"Variable ${name} is used by {_name(owner)} but not declared"
                fail(message, variable, "variableNotDefined", where, variableName=name)

    def _reached(self, start: Definition) -> list[Definition]:
        """Return the fragments that a definition spreads, those in fragments included."""
        by_name = {each.name.value: each for each, _ in self._entered if isinstance(each, FragmentDefinitionNode)}
        out: dict[str, Definition] = {}
        waiting: list[Definition] = [start]
        while waiting:
            for spread, _ in self._spreads[id(waiting.pop())]:
                name = spread.name.value
                if name in by_name and name not in out:
                    out[name] = by_name[name]
                    waiting.append(by_name[name])
        return list(out.values())

    def report_fragments(self, fail: Fail) -> None:
        """Report fragments that are not defined, not used, or spread inside of themselves."""
        fragments = [(node, path) for node, path in self._entered if isinstance(node, FragmentDefinitionNode)]
        spreads = [each for node, _ in self._entered for each in self._spreads[id(node)]]
        defined = {node.name.value for node, _ in fragments}
        spread_names = {spread.name.value for spread, _ in spreads}
        for spread, path in spreads:
            if (name := spread.name.value) not in defined:
                message = f"Fragment {name} was used, but not defined"
                fail(message, spread, "useAndDefineFragment", path, fragmentName=name)
        for node, path in fragments:
            if (name := node.name.value) not in spread_names and self._is_resolved(node, defined):
                message = f"Fragment {name} was defined, but not used"
                fail(message, node, "useAndDefineFragment", path, fragmentName=name)
        for node, path in fragments:
            if self._is_circular(node):
                name = node.name.value
                message = f"Fragment {name} contains an infinite loop"
                fail(message, node, "infiniteLoop", path, fragmentName=name)

    def _is_circular(self, node: Definition) -> bool:
        """Return whether a fragment spreads itself, or one that does."""
        return any(each is other for each in (node, *self._reached(node)) for other in self._reached(each))

    def _is_resolved(self, node: Definition, defined: set[str]) -> bool:
        """Return whether all that a fragment spreads is known: if not, it is not called unused."""
        spreads = (spread for each in (node, *self._reached(node)) for spread, _ in self._spreads[id(each)])
        return not self._is_circular(node) and all(spread.name.value in defined for spread in spreads)


def check_definitions(fail: Fail, tree: DocumentNode) -> None:
    """Report fragments and operations of the same name, and an operation that needs one."""
    fragments = [each for each in tree.definitions if isinstance(each, FragmentDefinitionNode)]
    for name, nodes in repeated(fragments, lambda node: node.name.value):
        fail(f'Fragment name "{name}" must be unique', nodes, "fragmentNotUnique", [], fragmentName=name)
    operations = [each for each in tree.definitions if isinstance(each, OperationDefinitionNode)]
    unnamed: list[Any] = [each for each in operations if each.name is None]
    if unnamed and len(operations) > 1:
        message = "Operation name is required when multiple operations are present"
        fail(message, unnamed, "uniquelyNamedOperations", [])
    for name, nodes in repeated([each for each in operations if each.name], lambda node: node.name.value):
        message = f'Operation name "{name}" must be unique'
        fail(message, nodes, "uniquelyNamedOperations", [], operationName=name)


def _name(node: Definition) -> str:
    if node.name is not None:
        return node.name.value
    return f"anonymous {node.operation.value}"


class _VariableCollector(Visitor):
    def __init__(self) -> None:
        super().__init__()
        self.nodes: list[VariableNode] = []

    def enter_variable(self, node: VariableNode, *_: Any) -> None:
        self.nodes.append(node)
