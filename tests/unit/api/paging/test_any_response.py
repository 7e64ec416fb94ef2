"""Any response is whole data or an error of the provider."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds_provider.api.paging.reader import read
from ds_provider.api.query import lookups
from ds_provider.api.query.parameters import select_dossiers
from ds_provider.api.query.selection import Includes
from ds_provider.api.transport.flows import Send
from ds_provider.api.transport.messages import Response
from ds_provider.api.transport.responses import Body, read_response
from ds_provider.exceptions import DSError, DSMalformedResponseError, DSServerError
from tests.support.flows import Drive, response

decoder = msgspec.json.Decoder(Body[dict[str, Any]])

statuses = st.one_of(st.integers(100, 599), st.sampled_from([200, 200, 400, 401, 403, 429, 500, 503]))
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
errors = st.fixed_dictionaries(
    {},
    optional={
        "message": st.one_of(st.sampled_from(["Timeout on X.y", "not found", ""]), json_values),
        "path": st.one_of(st.just(["a", "champs", 1, "dossier"]), json_values),
        "extensions": st.one_of(
            st.fixed_dictionaries({"code": st.one_of(st.sampled_from(["unauthorized", "timeout"]), json_values)}),
            json_values,
        ),
    },
)
graphql_bodies = st.fixed_dictionaries(
    {},
    optional={
        "data": st.one_of(json_values, st.dictionaries(st.text(max_size=5), json_values, max_size=3)),
        "errors": st.one_of(st.lists(errors, max_size=3), json_values),
        "error": json_values,
    },
)
bodies = st.one_of(
    st.binary(max_size=200),
    st.one_of(json_values, graphql_bodies).map(lambda value: json.dumps(value).encode()),
    graphql_bodies.map(lambda value: json.dumps(value).encode()[:-3]),
)
headers = st.dictionaries(
    st.sampled_from(["content-type", "date", "ratelimit-reset", "location"]), st.text(max_size=20), max_size=4
)

NESTED = b"[" * 100_000
TOO_DEEP = {
    "data": b'{"data":{"a":' + NESTED,
    "after data": b'{"data":{},"x":' + NESTED,
    "errors": b'{"errors":[{"extensions":{"a":' + NESTED,
    "only": NESTED,
}


@given(statuses, headers, bodies)
def test_any_response_is_whole_or_an_error_of_the_provider(status, headers, body):
    try:
        data = read_response(Response(status, headers, body), decoder)
    except DSError:
        return
    sent = json.loads(body)
    assert status == 200
    assert isinstance(data, dict)
    assert list(sent["data"]) == list(data)
    assert all(error["extensions"]["code"] == "unauthorized" for error in sent.get("errors") or ())
    assert all(error["path"][-1] == "dossier" for error in sent.get("errors") or ())


@pytest.mark.parametrize("body", TOO_DEEP.values(), ids=TOO_DEEP)
@pytest.mark.parametrize(("status", "expected"), [(200, DSMalformedResponseError), (500, DSServerError)])
def test_response_that_is_nested_too_deep_raises(status, expected, body):
    with pytest.raises(expected):
        read_response(Response(status, {}, body), decoder)


LOOKUPS = {
    "check_token": lookups.check_token,
    "groupes": lambda: lookups.get_groupes(1),
    "dossier": lambda: lookups.get_dossier(1, Includes()),
    "descriptor": lambda: lookups.get_demarche_descriptor(1),
    "revisions": lambda: lookups.get_revisions(1),
    "page": lambda: read(select_dossiers(7, page_size=2)),
}
roots = st.sampled_from(["demarche", "dossier", "demarcheDescriptor", "groupeInstructeur"])
connections = st.fixed_dictionaries(
    {
        "nodes": st.lists(st.fixed_dictionaries({"number": st.integers(1, 9) | json_values}) | json_values, max_size=3),
        "pageInfo": st.fixed_dictionaries(
            {
                "hasNextPage": st.just(False),
                "hasPreviousPage": st.booleans() | json_values,
                "startCursor": st.none() | st.text(max_size=3),
                "endCursor": st.none() | st.text(max_size=3) | json_values,
            }
        ),
    }
)
fields = st.dictionaries(
    st.sampled_from(["groupeInstructeurs", "revisions", "dossiers", "number"]), json_values | connections, max_size=3
)
shapes = st.dictionaries(roots, json_values | fields, max_size=2)


class EndlessError(Exception):
    """Raised if a flow sends requests without end."""


@pytest.mark.parametrize("make", LOOKUPS.values(), ids=LOOKUPS)
@given(data=shapes)
def test_any_data_ends_in_a_result_or_an_error_of_the_provider(make, data):
    asked: list[Send] = []

    def respond(request):
        asked.append(request)
        if len(asked) > 50:
            raise EndlessError
        return response({"data": data})

    drive = Drive(make(), respond)
    assert isinstance(drive.error, DSError) or (drive.error is None and drive.results), repr(drive.error)
