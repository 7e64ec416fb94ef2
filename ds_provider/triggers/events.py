"""Events from a trigger to its task. The task does not trust them."""

from __future__ import annotations

from typing import Any

from ds_provider import exceptions
from ds_provider.api.polling.watch import Finding
from ds_provider.exceptions import FACTS, DSConfigurationError, DSError

FOUND, FAILED = "found", "failed"

Payload = dict[str, Any]


def found(finding: Finding) -> Payload:
    """Return the payload of a wait that is over."""
    return {"status": FOUND, "finding": finding.to_json()}


def failed(error: DSError) -> Payload:
    """Return the payload of a wait that ended without a finding: the error for its task to raise."""
    facts = {name: value for name in FACTS if (value := getattr(error, name)) is not None}
    return {"status": FAILED, "error": {"kind": type(error).__name__, "message": error.message, "facts": facts}}


def read(event: Any) -> Finding:
    """Return the finding that an event holds.

    :raises DSError: the error with which the wait ended.
    :raises DSConfigurationError: if the event is not of this provider's triggers.
    """
    match event:
        case {"status": "found", "finding": finding}:
            return Finding.from_json(finding)
        case {"status": "failed", "error": {"kind": str(kind), "message": str(message), "facts": dict(facts)}}:
            raise _error(kind, message, facts)
    raise DSConfigurationError(
        f"the task was resumed without an event of this provider's triggers: got {type(event).__name__}"
    )


def _error(kind: str, message: str, facts: dict[str, Any]) -> DSError:
    named = getattr(exceptions, kind, None)
    if not (isinstance(named, type) and issubclass(named, DSError)):
        named = DSError
    return named(message, **{name: facts.get(name) for name in FACTS})
