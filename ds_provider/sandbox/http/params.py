"""Parameters of a request as the API's framework reads them: the URL's, and the body's by its content type."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl

import msgspec

from ds_provider.sandbox.graphql.document import Document, read_document
from ds_provider.sandbox.graphql.errors import RefusalError, ServerError, refusal
from ds_provider.sandbox.graphql.schema import is_january
from ds_provider.sandbox.graphql.stored_queries import INTROSPECTION_ID, PUBLIC_OPERATIONS, QUERIES_ID, stored_query
from ds_provider.sandbox.http.answers import internal_error

JSON = dict[str, Any]
JSON_TYPES = {"application/json", "text/x-json", "application/jsonrequest", "application/vnd.api+json"}
# a body without a type counts as a form
FORM_TYPES = {"", "application/x-www-form-urlencoded"}
META_FIELDS = {"__schema", "__type", "__typename"}
# the stored queries' variable was misspelt for years, and both spellings are accepted since
OLD_SPELLING, NEW_SPELLING = "includeAnotations", "includeAnnotations"


def read_params(raw: bytes, content_type: str, url_query: str) -> JSON:
    """Return the parameters of a request; a JSON body that is no object has none of the API's.

    :raises RefusalError: with HTTP 400 if the body is of type JSON and is not JSON
    """
    params: JSON = dict(parse_qsl(url_query, keep_blank_values=True))
    kind = content_type.partition(";")[0].strip().lower()
    if kind in JSON_TYPES and raw.strip():
        try:
            body = msgspec.json.decode(raw)
        except (msgspec.MsgspecError, RecursionError) as problem:
            raise refusal(400, str(problem), "bad_request") from problem
        params |= body if isinstance(body, dict) else {}
    elif kind in FORM_TYPES:
        params |= dict(parse_qsl(raw.decode(errors="replace"), keep_blank_values=True))
    return params


def query_text(params: JSON) -> str | None:
    """Return the GraphQL text that a request sends or names, None if it does neither.

    :raises RefusalError: with HTTP 400 if it names a stored query that does not exist; the server of January 2026
        answers 500, as every server does to a text that is no string
    """
    if not (query_id := params.get("queryId")):
        text = params.get("query")
        if text is not None and not isinstance(text, str):
            raise internal_error()
        return text
    text = stored_query(str(query_id))
    if text is None and is_january():
        raise internal_error()
    if text is None:
        raise refusal(400, f'No query with id "{query_id}"', "bad_request")
    return text


def read_variables_of(params: JSON) -> JSON:
    """Return the variables: an object, the JSON text of one, or blank.

    :raises RefusalError: with HTTP 400 if they are anything else
    """
    given = _decode_variables(params.get("variables"))
    if params.get("queryId") and OLD_SPELLING in given:
        given = {NEW_SPELLING: given[OLD_SPELLING], **given}
    return given


def _decode_variables(value: Any) -> JSON:
    if isinstance(value, str):
        if not value.strip():
            return {}
        try:
            return _decode_variables(msgspec.json.decode(value))
        except (msgspec.MsgspecError, RecursionError) as problem:
            raise refusal(400, str(problem), "graphql_parse_failed") from problem
    if value is not None and not isinstance(value, dict):
        raise refusal(400, f"Unexpected parameter: {msgspec.json.encode(value).decode()}", "bad_request")
    return value or {}


def given_operation(params: JSON) -> str | None:
    """Return the name of an operation that a request gives, None if it gives none."""
    name = params.get("operationName")
    return None if name is None else str(name)


def operation_name(params: JSON) -> str | None:
    """Return the name of the operation that a request asks for: the given one, else that of its only operation."""
    given = given_operation(params)
    try:
        operation = read_document(query_text(params)).operation(given)
    except (RefusalError, ServerError):
        return given
    return operation.name.value if operation.name else None


def is_public(params: JSON) -> bool:
    """Return whether a request is answered without a token.

    Introspection and the forms of published démarches are public. The server of January 2026 also runs the other
    stored queries, whose objects are then hidden, and refuses a text of introspection.
    """
    query_id = params.get("queryId")
    if is_january():
        return bool(query_id)
    if query_id:
        public = query_id == QUERIES_ID and params.get("operationName") in PUBLIC_OPERATIONS
        return query_id == INTROSPECTION_ID or public
    try:
        return _is_introspection(read_document(query_text(params)))
    except RefusalError:
        return False


def _is_introspection(document: Document) -> bool:
    """Return whether a document reads nothing but the schema, in none of its operations."""
    roots = [node for operation in document.operations for node in operation.selection_set.selections]
    return all(node.kind == "field" and node.name.value in META_FIELDS for node in roots)  # type: ignore[attr-defined]
