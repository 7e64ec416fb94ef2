from __future__ import annotations

from collections.abc import Iterator

import pytest

from ds_provider.sandbox import Sandbox
from tests.support.sandbox_client import NOW, Client


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """Serve one world per module, whose clock stands still."""
    with Sandbox(seed=1, groupes=3, dossiers=60, now=NOW, rate_limit=0) as served:
        yield served


@pytest.fixture(scope="module")
def client(sandbox: Sandbox) -> Client:
    return Client(sandbox)
