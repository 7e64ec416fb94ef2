"""The sandbox's own controls under ``/sandbox/``: they are not part of the API it stands in for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ds_provider.sandbox.http.state import State
from ds_provider.sandbox.world.clock import moment
from ds_provider.sandbox.world.dossier import Groupe

JSON = dict[str, Any]
CLOCK_SETTINGS = {"now", "advance_seconds", "running"}


def routes(state: State) -> list[Route]:
    """Return the routes that describe the sandbox and change it.

    * ``GET state``: time, groups with their counts, tokens, faults, number of requests
    * ``GET truth``: the dossiers of each list, with dates in microseconds
    * ``POST clock``: see :func:`set_clock`
    * ``POST faults``: an object of faults by name, which replaces the faults in force
    """
    return [
        Route("/sandbox/state", _get(lambda: describe(state)), methods=["GET"]),
        Route("/sandbox/truth", _get(lambda: truth(state)), methods=["GET"]),
        Route("/sandbox/clock", _post(state, lambda settings: set_clock(state, settings)), methods=["POST"]),
        Route("/sandbox/faults", _post(state, state.faults.set), methods=["POST"]),
    ]


def _get(read: Callable[[], JSON]) -> Callable[[Request], Any]:
    async def endpoint(request: Request) -> Response:
        return _json(200, read())

    return endpoint


def _post(state: State, change: Callable[[JSON], None]) -> Callable[[Request], Any]:
    async def endpoint(request: Request) -> Response:
        try:
            change(msgspec.json.decode(await request.body(), type=JSON))
        except (ValueError, TypeError) as problem:
            return _json(400, {"error": str(problem)})
        return _json(200, describe(state))

    return endpoint


def _json(status: int, body: JSON) -> Response:
    return Response(msgspec.json.encode(body), status, media_type="application/json")


def set_clock(state: State, settings: JSON) -> None:
    """Move the clock, start it or stop it.

    ``now`` (ISO 8601 with an offset) moves the clock to an instant and stops it, ``advance_seconds`` moves it
    forward, ``running`` starts it (true) or stops it (false).

    :raises ValueError: if a setting does not exist or would move the clock back
    """
    if unknown := set(settings) - CLOCK_SETTINGS:
        raise ValueError(f"no such order: {', '.join(sorted(unknown))}")
    if "now" in settings:
        state.clock.move_to(datetime.fromisoformat(str(settings["now"]).replace("Z", "+00:00")))
    if "advance_seconds" in settings:
        state.clock.advance(float(settings["advance_seconds"]))
    if "running" in settings:
        (state.clock.run if settings["running"] else state.clock.freeze)()


def describe(state: State) -> JSON:
    """Return a sandbox's present state: its time, groups, tokens, faults and number of requests."""
    lists = truth(state)
    counted = ("dossiers", "pending", "deleted")
    groups = [{**group, **{name: len(group[name]) for name in counted}} for group in lists["groupes"]]
    return {
        "now": lists["now"],
        "running": state.clock.running,
        "demarche": state.world.demarche.number,
        "groupes": groups,
        "tokens": state.tokens.named(),
        "faults": {name: _readable(asdict(fault)) for name, fault in state.faults.current.items()},
        "requests": state.served,
        "refusals": state.refused,
    }


def _readable(fault: JSON) -> JSON:
    return {**fault, "numbers": sorted(fault["numbers"])}


def truth(state: State) -> JSON:
    """Return the dossiers of each list at this instant. All dates are microseconds since the epoch."""
    with state.world.lock:
        now = state.clock.now_micros
        state.world.advance(now)
        demarche, other = state.world.demarche, state.world.other
        return {
            "now": moment(now).isoformat(),
            "now_micros": now,
            "demarche": demarche.number,
            "other_demarche": other.number,
            "groupes": [_group_truth(state, groupe) for groupe in demarche.groupes],
            "deleted_without_groupe": _deleted(state, None),
            "other_groupes": [_group_truth(state, groupe) for groupe in other.groupes],
        }


def _group_truth(state: State, groupe: Groupe) -> JSON:
    dossiers = sorted(groupe.dossiers.values(), key=lambda dossier: dossier.number)
    limbo = [d.number for d in dossiers if not d.visible and not d.pending]
    return {
        "number": groupe.number,
        "label": groupe.label,
        "closed": groupe.closed,
        "dossiers": [
            {
                "number": d.number,
                "state": d.state,
                "archived": d.archived,
                "revision": d.revision,
                "depose_at": d.depose_at,
                "updated_at": d.updated_at,
            }
            for d in dossiers
            if d.visible
        ],
        "pending": [
            {"number": d.number, "state": d.state, "reason": d.hidden_by_reason, "pending_at": d.pending_at}
            for d in dossiers
            if d.pending
        ],
        "deleted": _deleted(state, groupe),
        "limbo": limbo,
    }


def _deleted(state: State, groupe: Groupe | None) -> list[JSON]:
    return [
        {"number": row.number, "state": row.state, "reason": row.reason, "deleted_at": row.deleted_at}
        for row in state.world.deleted
        if row.groupe is groupe
    ]
