"""The GraphQL endpoint without its transport: from a request's JSON to the answer's JSON."""

from __future__ import annotations

from collections import OrderedDict
from random import Random
from typing import Any

import msgspec
from graphql import execute_sync, parse

from ds_provider.sandbox.graphql.complexity import Cost, check_limits
from ds_provider.sandbox.graphql.context import Context
from ds_provider.sandbox.graphql.document import Document, read_document
from ds_provider.sandbox.graphql.errors import RefusalError, ServerError, refusal
from ds_provider.sandbox.graphql.execution import Compiler, Execution, NullFieldError, Plan
from ds_provider.sandbox.graphql.listings import Listings
from ds_provider.sandbox.graphql.projection import INTROSPECTION
from ds_provider.sandbox.graphql.resolvers import RESOLVERS, type_of
from ds_provider.sandbox.graphql.schema import listed_schema, schema
from ds_provider.sandbox.graphql.variables import read_variables
from ds_provider.sandbox.http.answers import internal_error
from ds_provider.sandbox.http.auth import Token
from ds_provider.sandbox.http.faults import RequestFaults
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

    def answer(self, body: JSON, token: Token, root: str, faults: RequestFaults) -> JSON:
        """Execute the query of a request's body.

        :param root: scheme and host that the client called
        :param faults: faults that hit the request
        :raises RefusalError: if the request as a whole is refused
        """
        query, name = body.get("query"), body.get("operationName") or None
        if not isinstance(query, str) or not query.strip():
            raise refusal(400, "No query string was present", "bad_request")
        given = read_json_variables(body.get("variables"))
        with self.world.lock:
            now = self.clock.now_micros
            self.world.advance(now)
            try:
                return self._run(read_document(query), query, name, given, token, root, now, faults)
            except ServerError as problem:
                raise internal_error() from problem

    def _run(self, document: Document, query: str, name: str | None, given: JSON, token: Token, root: str,
             now: int, faults: RequestFaults) -> JSON:  # fmt: skip
        operation = document.operation(name)
        if _is_introspection(operation):
            return _introspect(query, name, given)
        variables = read_variables(operation, given)
        plan = self._plan(document, query, operation, variables, faults)
        named_types = document.named_types if name != INTROSPECTION else frozenset(schema().type_map)
        context = Context(
            self.world, self._content, self._listings, self.signer, root, now, token.entitled, named_types,
            faults.poisoned,
        )  # fmt: skip
        return _execute_with(faults, plan, context, variables)

    def _plan(self, document: Document, query: str, operation: Any, variables: JSON, faults: RequestFaults) -> Plan:
        switches = tuple((key, value) for key, value in variables.items() if isinstance(value, bool))
        key = (query, operation.name and operation.name.value, switches)
        if key not in self._plans:
            compiler = Compiler(document, variables, RESOLVERS, type_of)
            root: Any = schema().query_type
            self._plans[key] = compiler.plan(root, [operation.selection_set]), Cost(compiler)
            if len(self._plans) > MAX_CACHED_PLANS:
                self._plans.popitem(last=False)
        plan, cost = self._plans[key]
        check_limits(cost.measure(operation, variables), _page_limit(faults))
        return plan


def refuse_stored_query(body: JSON) -> None:
    """Refuse a body that names a stored query: the sandbox has none.

    :raises RefusalError: with HTTP 400
    """
    if body.get("queryId"):
        message = f'No query with id "{body["queryId"]}": the sandbox stores none, send the text as `query`'
        raise refusal(400, message, "bad_request")


def operation_name(body: JSON) -> str | None:
    """Return the name of the operation that a body asks for: the given one, else that of its only operation."""
    given: str | None = body.get("operationName") or None
    try:
        operation = read_document(str(body.get("query"))).operation(given)
    except (RefusalError, ServerError):
        return given
    return operation.name.value if operation.name else None


def read_json_variables(value: Any) -> JSON:
    """Read variables that are an object, the JSON text of an object, or blank.

    :raises RefusalError: with HTTP 400 if they are anything else
    """
    if isinstance(value, str) and value.strip():
        try:
            value = msgspec.json.decode(value)
        except msgspec.DecodeError as problem:
            raise refusal(400, str(problem), "bad_request") from problem
    if not value or (isinstance(value, str) and not value.strip()):
        return {}
    if not isinstance(value, dict):
        raise refusal(400, "Variables are not an object", "bad_request")
    return value


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
    result = execute_sync(listed_schema(), parse(query), variable_values=given, operation_name=name)
    return dict(result.formatted)
