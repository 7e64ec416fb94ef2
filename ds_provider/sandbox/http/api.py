"""The GraphQL endpoint without its transport: from a request's JSON to the answer's JSON."""

from __future__ import annotations

from collections import OrderedDict
from random import Random
from typing import Any

from graphql import execute_sync

from ds_provider.sandbox.graphql.complexity import Cost, check_limits
from ds_provider.sandbox.graphql.context import Context
from ds_provider.sandbox.graphql.document import Document, read_document
from ds_provider.sandbox.graphql.errors import ServerError
from ds_provider.sandbox.graphql.execution import Compiler, Execution, NullFieldError, Plan
from ds_provider.sandbox.graphql.listings import Listings
from ds_provider.sandbox.graphql.parsing import parse_document
from ds_provider.sandbox.graphql.projection import INTROSPECTION
from ds_provider.sandbox.graphql.resolvers import RESOLVERS, type_of
from ds_provider.sandbox.graphql.schema import listed_schema, schema
from ds_provider.sandbox.graphql.variables import read_variables
from ds_provider.sandbox.http.answers import internal_error
from ds_provider.sandbox.http.auth import Token
from ds_provider.sandbox.http.faults import RequestFaults
from ds_provider.sandbox.http.params import given_operation, query_text, read_variables_of
from ds_provider.sandbox.http.response_faults import null_node
from ds_provider.sandbox.world.clock import Clock
from ds_provider.sandbox.world.content import Content
from ds_provider.sandbox.world.files import Signer
from ds_provider.sandbox.world.world import World

MAX_CACHED_PLANS = 128
UNLIMITED = 1 << 40
JSON = dict[str, Any]


class Api:
    """Answers GraphQL requests about a world at the time of a clock."""

    def __init__(self, world: World, clock: Clock) -> None:
        self.world = world
        self.clock = clock
        self.signer = Signer(world.seed)
        self._content = Content(world)
        self._listings = Listings(world)
        self._plans: OrderedDict[Any, tuple[Plan, Cost]] = OrderedDict()

    def answer(self, params: JSON, token: Token, root: str, faults: RequestFaults) -> JSON:
        """Execute the query that a request sends or names.

        :param params: the request's parameters: `query` or `queryId`, `variables`, `operationName`
        :param root: scheme and host that the client called
        :param faults: faults that hit the request
        :raises RefusalError: if the request as a whole is refused
        """
        name, query = given_operation(params), query_text(params)
        given = read_variables_of(params)
        document = read_document(query)
        with self.world.lock:
            now = self.clock.now_micros
            self.world.advance(now)
            try:
                return self._run(document, name, given, token, root, now, faults)
            except ServerError as problem:
                raise internal_error() from problem

    def _run(self, document: Document, name: str | None, given: JSON, token: Token, root: str,
             now: int, faults: RequestFaults) -> JSON:  # fmt: skip
        operation = document.operation(name)
        if _is_introspection(operation):
            return _introspect(document.text, name, given)
        variables = read_variables(operation, given)
        plan = self._plan(document, operation, variables, faults)
        named_types = document.named_types if name != INTROSPECTION else frozenset(schema().type_map)
        context = Context(
            self.world, self._content, self._listings, self.signer, root, now, token.entitled, named_types,
            faults.poisoned,
        )  # fmt: skip
        return _execute_with(faults, plan, context, variables)

    def _plan(self, document: Document, operation: Any, variables: JSON, faults: RequestFaults) -> Plan:
        switches = tuple((key, value) for key, value in variables.items() if isinstance(value, bool))
        key = (document.text, operation.name and operation.name.value, switches)
        if key not in self._plans:
            compiler = Compiler(document, variables, RESOLVERS, type_of)
            root: Any = schema().query_type
            self._plans[key] = compiler.plan(root, [operation.selection_set]), Cost(compiler)
            if len(self._plans) > MAX_CACHED_PLANS:
                self._plans.popitem(last=False)
        plan, cost = self._plans[key]
        check_limits(cost.measure(operation, variables), _page_limit(faults))
        return plan


def _page_limit(faults: RequestFaults) -> int | None:
    return faults.by_name["complexity"].page_size if "complexity" in faults else None


def _execute_with(faults: RequestFaults, plan: Plan, context: Context, variables: JSON) -> JSON:
    if "timeout_null_root" in faults:
        return _execute(plan, Execution(context, variables, fields_left=0, exempt_types=frozenset({"Query"})))
    if "timeout_partial" in faults:
        return _execute_in_part(plan, context, variables, faults.rng)
    answer = _execute(plan, Execution(context, variables))
    return null_node(answer, faults.rng) if "null_node" in faults else answer


def _execute_in_part(plan: Plan, context: Context, variables: JSON, rng: Random) -> JSON:
    """Execute until the time runs out on the way. In half of the cases rows are lost, in the others fields of rows."""
    counted = Execution(context, variables, fields_left=UNLIMITED)
    answer, fields = _execute(plan, counted), UNLIMITED - (counted.fields_left or 0)
    if not fields:
        return answer
    keeps_required = rng.random() < 0.5
    left = rng.randrange(fields // 2 if keeps_required else fields)
    return _execute(plan, Execution(context, variables, fields_left=left, keeps_required=keeps_required))


def _execute(plan: Plan, execution: Execution) -> JSON:
    try:
        data = plan.run(None, execution, ())
    except NullFieldError:
        data = None
    return {"errors": execution.errors, "data": data} if execution.errors else {"data": data}


def _is_introspection(operation: Any) -> bool:
    fields = [node.name.value for node in operation.selection_set.selections if node.kind == "field"]
    return any(name in ("__schema", "__type") for name in fields)


def _introspect(query: str, name: str | None, given: JSON) -> JSON:
    result = execute_sync(listed_schema(), parse_document(query), variable_values=given, operation_name=name)
    return dict(result.formatted)
