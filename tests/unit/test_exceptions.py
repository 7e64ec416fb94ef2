"""Errors form the tree of their docstring, keep their facts in other processes, and show them in their text."""

from __future__ import annotations

import copy
import pickle
import re
from datetime import datetime, timezone

import pytest

from ds_provider import exceptions
from ds_provider.exceptions import (
    FACTS,
    DSAccessError,
    DSConfigurationError,
    DSDestinationError,
    DSError,
    DSGroupesFailedError,
    DSGroupesRefusedError,
    DSNetworkForbiddenError,
    DSNotFoundError,
    DSProxyUnavailableError,
    DSQuarantinedError,
    DSRateLimitedError,
    DSServerError,
    DSStaleError,
    DSTasksFailedError,
    DSTransientError,
    DSTransportError,
    DSWarehouseLockedError,
    LockHolder,
)

_LINE = re.compile(r"^ {4}(?P<tree>[ │├└─]*)(?P<name>DS\w+)", re.MULTILINE)

KNOWN = {
    "connection": "ds_default",
    "demarche_number": 4321,
    "dossier_number": 987,
    "groupe_instructeur_number": 12,
    "stream": "dossiers",
    "window": "created [2026-11-01T00:00:00+00:00, …)",
    "cursor": "MjAyNi0x",
    "code": "internal_server_error",
    "exception_id": "0b6f",
    "http_status": 500,
}


def documented_tree() -> dict[str, str | None]:
    """Return each class in the module's docstring, with its parent there."""
    above: list[tuple[int, str]] = []
    tree: dict[str, str | None] = {}
    for line in _LINE.finditer(exceptions.__doc__ or ""):
        depth, name = len(line["tree"]), line["name"]
        above = [(other, parent) for other, parent in above if other < depth]
        tree[name] = above[-1][1] if above else None
        above.append((depth, name))
    return tree


def family(parent: type[DSError] = DSError) -> list[type[DSError]]:
    return [parent] + [kind for child in parent.__subclasses__() for kind in family(child)]


CLASSES = [kind for kind in family() if kind.__module__ == exceptions.__name__]
FACTUAL = [kind for kind in CLASSES if kind.__init__ is DSError.__init__]
HOLDER = LockHolder(12, "bi", "Metabase", "idle in transaction", datetime(2026, 9, 1, tzinfo=timezone.utc), "dossiers")
SAMPLES = [
    *[kind("what happened", **KNOWN) for kind in FACTUAL],
    DSNetworkForbiddenError("refused", ip="203.0.113.7/32", code="forbidden", http_status=403),
    DSTransportError("broken", sent=False),
    DSProxyUnavailableError("away", sent=False),
    DSRateLimitedError("spent", wait_seconds=12.5, http_status=429),
    DSQuarantinedError("two cannot be read", [101, 102], [{"rows": 1}], **KNOWN),
    DSStaleError("two are stale", [12, 13]),
    DSTasksFailedError("one failed", ["read.dossiers_0"]),
    DSWarehouseLockedError("held", [HOLDER]),
    DSGroupesRefusedError("one of three is refused", {12: DSNotFoundError("gone", **KNOWN)}, [{"rows": 1}]),
    DSGroupesFailedError("two of three failed", {12: DSNotFoundError("gone", **KNOWN), 13: DSTransportError("broken")}),
]


def test_tree_in_the_docstring_is_the_real_one():
    parents = {kind.__name__: kind.__bases__[0].__name__ for kind in CLASSES}
    assert documented_tree() == {**parents, "DSError": None}


def test_each_class_has_a_sample():
    assert {type(sample) for sample in SAMPLES} == set(CLASSES)


@pytest.mark.parametrize("kind", CLASSES)
def test_each_class_has_a_docstring(kind):
    assert kind.__doc__


def facts(error: DSError) -> dict[str, object]:
    known = dict(vars(error))
    if isinstance(error, DSGroupesFailedError):
        known["failures"] = {number: (type(child), facts(child)) for number, child in error.failures.items()}
    return known


@pytest.mark.parametrize("error", SAMPLES, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("again", [lambda error: pickle.loads(pickle.dumps(error)), copy.copy, copy.deepcopy])
def test_error_survives_pickling_and_copying(error, again):
    twin = again(error)
    assert type(twin) is type(error)
    assert twin.args == error.args
    assert facts(twin) == facts(error)
    assert str(twin) == str(error)


@pytest.mark.parametrize("kind", FACTUAL)
def test_text_shows_each_fact(kind):
    text = str(kind("what happened", **KNOWN))
    assert text.startswith("what happened (")
    assert all(str(value) in text for value in KNOWN.values())
    assert all(name.replace("_", " ") in text for name in KNOWN)


@pytest.mark.parametrize("kind", FACTUAL)
def test_text_without_facts_is_the_message(kind):
    assert str(kind("what happened")) == "what happened"


@pytest.mark.parametrize("name", FACTS)
def test_text_shows_one_fact_alone(name):
    assert str(DSError("x", **{name: KNOWN[name]})) == f"x ({name.replace('_', ' ')} {KNOWN[name]})"


def test_facts_are_all_covered():
    assert set(FACTS) == set(KNOWN)


def test_context_is_added_to_known_facts():
    error = DSServerError("failed", code="internal_server_error", exception_id="0b6f", http_status=500)
    returned = error.add_context(groupe_instructeur_number=12, stream="dossiers", window="all", cursor="c")
    assert returned is error
    assert (error.groupe_instructeur_number, error.stream, error.window, error.cursor) == (12, "dossiers", "all", "c")
    assert (error.code, error.exception_id, error.http_status) == ("internal_server_error", "0b6f", 500)


def test_context_does_not_replace_known_facts():
    error = DSError("failed", **KNOWN)
    error.add_context(groupe_instructeur_number=99, stream="other", window="other", cursor="other")
    assert {name: getattr(error, name) for name in FACTS} == KNOWN


def test_context_can_be_added_in_two_steps():
    error = DSError("failed").add_context(cursor="c", stream="dossiers").add_context(groupe_instructeur_number=12)
    assert (error.groupe_instructeur_number, error.stream, error.cursor) == (12, "dossiers", "c")


def test_context_shows_in_the_text():
    assert "groupe instructeur number 12" in str(DSTransportError("broken").add_context(groupe_instructeur_number=12))


def test_errors_are_also_built_in_errors():
    assert issubclass(DSConfigurationError, ValueError)
    assert issubclass(DSDestinationError, OSError)


@pytest.mark.parametrize("kind", CLASSES)
def test_errors_are_never_both_permanent_and_transient(kind):
    assert not (issubclass(kind, DSTransientError) and issubclass(kind, DSAccessError | DSConfigurationError))


def test_failures_of_several_groups_are_kept_by_number():
    failures = {12: DSNotFoundError("gone"), 13: DSTransportError("broken")}
    error = DSGroupesFailedError("two failed", failures)
    failures.clear()
    assert list(error.failures) == [12, 13]
