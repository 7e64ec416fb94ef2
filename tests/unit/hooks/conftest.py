from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import ThreadingHTTPServer

import pytest

from tests.support.hook_service import TOKEN, Service


@pytest.fixture
def service(monkeypatch) -> Iterator[Service]:
    service = Service()
    server = ThreadingHTTPServer(("127.0.0.1", 0), service.handler())
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    host = f"http://127.0.0.1:{server.server_port}"
    for name in ("DS_DEFAULT", "DS_OTHER"):
        connection = {"conn_type": "ds", "password": TOKEN, "host": host}
        monkeypatch.setenv(f"AIRFLOW_CONN_{name}", json.dumps(connection))
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    yield service
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch) -> None:
    monkeypatch.setattr("ds_provider.api.transport.client.time.sleep", lambda seconds: None)
