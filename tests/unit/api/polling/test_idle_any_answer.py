"""Any response to a batch of groups: a group is idle only if the response shows it."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.support.batched_groups import ask, found, selection
from tests.support.flows import response

IN_THE_WINDOW, BEHIND_IT, NO_INSTANT = "2026-11-01T09:00:03+01:00", "2026-11-01T09:00:20+01:00", "2026-11-01T09:00:20"
OF_ONE_GROUP = ["unauthorized", "not_found", "invalid_null"]

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


def some(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """An object in which any of these fields is missing or of another kind; or no such object."""
    optional = {name: value | value | json_values for name, value in fields.items()}
    objects = st.fixed_dictionaries({}, optional=optional)
    return objects | objects | json_values


nodes = some(number=st.integers(1, 9), dateDerniereModification=st.sampled_from([IN_THE_WINDOW, BEHIND_IT, NO_INSTANT]))
groupes = some(dossiers=some(pageInfo=some(hasNextPage=st.booleans()), nodes=st.lists(nodes, max_size=2)))
paths = st.lists(st.sampled_from(["g0", "g1", "dossiers", "nodes", 0]), max_size=3)
messages = st.sampled_from(["Timeout on X.y", "not found"])
errors = some(message=messages, path=paths, extensions=some(code=st.sampled_from([*OF_ONE_GROUP, "timeout"])))
bodies = some(data=some(g0=groupes, g1=groupes), errors=st.lists(errors, max_size=2))


@given(bodies)
def test_only_a_group_that_is_whole_and_without_a_row_in_the_window_is_idle(body):
    drive = ask([selection(1), selection(2)], lambda request: response(body))

    for groupe in found(drive):
        alias, other = ("g0", "g1") if groupe == 1 else ("g1", "g0")
        shown = body["data"][alias]["dossiers"]
        first = [node["dateDerniereModification"] for node in shown["nodes"][:1]]
        assert first == [BEHIND_IT] or (first == [] and shown["pageInfo"]["hasNextPage"] is False)
        for error in body.get("errors") or ():
            assert error["path"][0] == other
            assert error["extensions"]["code"] in OF_ONE_GROUP
