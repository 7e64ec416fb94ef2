"""Connections to a sandbox, its lists, and its faults."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from ds_provider.sandbox import Sandbox
from ds_provider.sandbox.http.control import truth
from ds_provider.sandbox.http.faults import NAMES

# the other faults strike certain dossiers or page sizes, or only take time
PASSING_FAULTS = sorted(set(NAMES) - {"poison", "slow", "complexity"})


def connect(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> str:
    """Make a sandbox the connection ``ds_default``, and return this name."""
    # the sandbox allows any number of requests, and no test should wait for the end of a minute
    extra = {"requests_per_minute": 100_000}
    value = {"conn_type": "ds", "host": sandbox.url, "password": sandbox.token, "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_DS_DEFAULT", json.dumps(value))
    return "ds_default"


def shown_numbers(sandbox: Sandbox) -> dict[int, Counter[int]]:
    """Return the numbers of the dossiers that each group shows."""
    groupes = truth(sandbox.state)["groupes"]
    return {groupe["number"]: Counter(row["number"] for row in groupe["dossiers"]) for groupe in groupes}
