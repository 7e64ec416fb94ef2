"""Memory: no more than a few pages are held at a time, however large the group."""

from __future__ import annotations

import json
import logging
import tracemalloc

import httpx

from ds_provider.api.query.parameters import select_dossiers
from ds_provider.api.transport.client import DSClient
from ds_provider.landing.storage import open_destination
from ds_provider.state.checkpoints import TaskCheckpoints
from ds_provider.sync.extract import GroupExtractor
from ds_provider.sync.progress import GroupProgress

# each dossier's number is kept, so that none is given twice, and copied now and then
BYTES_OF_A_NUMBER = 50
DATE = "2026-11-01T00:00:00+01:00"


def serve(pages: int):
    def answer(request: httpx.Request) -> httpx.Response:
        after = int(json.loads(request.content)["variables"].get("after", 0))
        rows = range(after * 100, after * 100 + 100)
        nodes = [{"number": n + 1, "dateDepot": DATE, "champs": [str(n) * 200]} for n in rows]
        info = {
            "hasNextPage": after + 1 < pages,
            "hasPreviousPage": after > 0,
            "startCursor": str(after),
            "endCursor": str(after + 1),
        }
        data = {"groupeInstructeur": {"dossiers": {"nodes": nodes, "pageInfo": info}}}
        return httpx.Response(200, json={"data": data})

    return httpx.MockTransport(answer)


def peak(pages: int, zone: str) -> int:
    log = logging.getLogger("test")
    with DSClient("http://test/", "token", user_agent="test", transport=serve(pages)) as client:
        tracemalloc.start()
        extractor = GroupExtractor(client, open_destination(zone), log, TaskCheckpoints({}, log))
        landing = extractor.land(select_dossiers(7), GroupProgress(log, 7))
        _, highest = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert landing.rows == 100 * pages
    return highest


def test_memory_does_not_grow_with_the_group(tmp_path):
    # Python frees the pages that are done with now and then: what counts is that it settles
    few, many = peak(50, (tmp_path / "few").as_uri()), peak(200, (tmp_path / "many").as_uri())
    numbers = 15_000 * BYTES_OF_A_NUMBER
    assert many < 1.5 * few + numbers
