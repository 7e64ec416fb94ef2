"""The GraphQL endpoint without its transport: a request's JSON in, the answer's JSON out."""

from __future__ import annotations

from collections import OrderedDict
from random import Random
from typing import Any

import msgspec
from graphql import execute_sync, parse

from ds_provider.sandbox.graphql.complexity import Cost, check_limits
from ds_provider.sandbox.graphql.context import Context
from ds_provider.sandbox.graphql.document import Document, read_document
from ds_provider.sandbox.graphql.execution import Compiler, NullError, Plan, Run
from ds_provider.sandbox.graphql.listings import Populations
from ds_provider.sandbox.graphql.projection import INTROSPECTION
from ds_provider.sandbox.graphql.resolvers import RESOLVERS, type_of
from ds_provider.sandbox.graphql.schema import schema
from ds_provider.sandbox.graphql.variables import read_variables
from ds_provider.sandbox.http.answers import RefusalError, ServerError, internal_error, refusal
from ds_provider.sandbox.http.auth import Token
from ds_provider.sandbox.http.faults import Strike
from ds_provider.sandbox.http.response_faults import null_node
from ds_provider.sandbox.world.clock import Clock
from ds_provider.sandbox.world.content import Content
from ds_provider.sandbox.world.files import Signer
from ds_provider.sandbox.world.world import World

KEPT_PLANS = 128
PLENTY = 1 << 40
JSON = dict[str, Any]


class Api:
    """Answers GraphQL requests about a world at the time of a clock."""

    def __init__(self, world: World, clock: Clock) -> None:
        self.world = world
        self.clock = clock
        self.signer = Signer(world.seed)
        self._content = Content(world)
        self._populations = Populations(world)
        self._plans: OrderedDict[Any, tuple[Plan, Cost]] = OrderedDict()

    def answer(self, body: JSON, token: Token, root: str, strike: Strike) -> JSON:
        """Run the query of a request's body.

        :param root: scheme and host that the client called
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
                return self._run(read_document(query), query, name, given, token, root, now, strike)
            except ServerError as problem:
                raise internal_error() from problem

    def _run(self, document: Document, query: str, name: str | None, given: JSON, token: Token, root: str,
             now: int, strike: Strike) -> JSON:  # fmt: skip
        operation = document.operation(name)
        if _introspects(operation):
            return _introspect(query, name, given)
        variables = read_variables(operation, given)
        plan = self._plan(document, query, operation, variables, strike)
        named_types = document.named_types if name != INTROSPECTION else frozenset(schema().type_map)
        context = Context(
            self.world, self._content, self._populations, self.signer, root, now, token.entitled, named_types,
            strike.poisoned,
        )  # fmt: skip
        return _execute_under(strike, plan, context, variables)

    def _plan(self, document: Document, query: str, operation: Any, variables: JSON, strike: Strike) -> Plan:
        switches = tuple((key, value) for key, value in variables.items() if isinstance(value, bool))
        key = (query, operation.name and operation.name.value, switches)
        if key not in self._plans:
            compiler = Compiler(document, variables, RESOLVERS, type_of)
            root: Any = schema().query_type
            self._plans[key] = compiler.plan(root, [operation.selection_set]), Cost(compiler)
            if len(self._plans) > KEPT_PLANS:
                self._plans.popitem(last=False)
        plan, cost = self._plans[key]
        check_limits(cost.measure(operation, variables), _page_limit(strike))
        return plan


def refuse_stored_query(body: JSON) -> None:
    """:raises RefusalError: with HTTP 400 if the body names a stored query: there are none"""
    if body.get("queryId"):
        told = f'No query with id "{body["queryId"]}": the sandbox stores none, send the text as `query`'
        raise refusal(400, told, "bad_request")


def operation_name(body: JSON) -> str | None:
    """The operation that a body asks for, by its own word or as the only one of its document."""
    given: str | None = body.get("operationName") or None
    try:
        operation = read_document(str(body.get("query"))).operation(given)
    except (RefusalError, ServerError):
        return given
    return operation.name.value if operation.name else None


def read_json_variables(told: Any) -> JSON:
    """Variables as an object, as its JSON text, or blank.

    :raises RefusalError: if they are none of these
    """
    if isinstance(told, str) and told.strip():
        try:
            told = msgspec.json.decode(told)
        except msgspec.DecodeError as problem:
            raise refusal(400, str(problem), "bad_request") from problem
    if not told or (isinstance(told, str) and not told.strip()):
        return {}
    if not isinstance(told, dict):
        raise refusal(400, "Variables are not an object", "bad_request")
    return told


def _page_limit(strike: Strike) -> int | None:
    return strike.faults["complexity"].page_size if "complexity" in strike else None


def _execute_under(strike: Strike, plan: Plan, context: Context, variables: JSON) -> JSON:
    if "timeout_null_root" in strike:
        return _execute(plan, Run(context, variables, fields_left=0, spared=frozenset({"Query"})))
    if "timeout_partial" in strike:
        return _execute_in_part(plan, context, variables, strike.rng)
    whole = _execute(plan, Run(context, variables))
    return null_node(whole, strike.rng) if "null_node" in strike else whole


def _execute_in_part(plan: Plan, context: Context, variables: JSON, rng: Random) -> JSON:
    """Run out of time on the way: half the time whole rows are lost, half the time fields of rows."""
    counted = Run(context, variables, fields_left=PLENTY)
    whole, fields = _execute(plan, counted), PLENTY - (counted.fields_left or 0)
    if not fields:
        return whole
    spares_required = rng.random() < 0.5
    last = fields // 2 if spares_required else fields
    return _execute(plan, Run(context, variables, fields_left=rng.randrange(last), spares_required=spares_required))


def _execute(plan: Plan, run: Run) -> JSON:
    try:
        data = plan.run(None, run, ())
    except NullError:
        data = None
    return {"errors": run.errors, "data": data} if run.errors else {"data": data}


def _introspects(operation: Any) -> bool:
    fields = [node.name.value for node in operation.selection_set.selections if node.kind == "field"]
    return any(name in ("__schema", "__type") for name in fields)


def _introspect(query: str, name: str | None, given: JSON) -> JSON:
    result = execute_sync(schema(), parse(query), variable_values=given, operation_name=name)
    return dict(result.formatted)
