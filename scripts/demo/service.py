"""The stand-in for the API, its clock, and what is true in it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any

from scripts.demo.processes import free_port, running


class Sandbox:
    """A sandbox in a process of its own.

    :param start: where its clock stands still at first.
    """

    def __init__(self, stack: ExitStack, log: Path, start: datetime) -> None:
        options = ["--port", str(free_port()), "--seed", "7", "--groupes", "3", "--dossiers", "150"]
        command = [sys.executable, "-m", "ds_provider.sandbox", *options, "--now", start.isoformat()]
        # through a pipe: the line holds the token, which is to be on no disk
        process = stack.enter_context(running(command, log, dict(os.environ), stdout=subprocess.PIPE))
        ready = process.stdout.readline() if process.stdout else b""
        if not ready:
            raise SystemExit(f"the sandbox did not start: see {log}")
        world = json.loads(ready)
        self.url, self.token = world["url"], world["token"]
        self.demarche, self.groupes = world["demarche"], world["groupes"]

    def move_clock(self, now: datetime) -> None:
        self._ask("clock", json.dumps({"now": now.isoformat()}).encode())

    def truth(self) -> dict[str, Any]:
        """Who is in which list now."""
        return self._ask("truth")

    def _ask(self, what: str, body: bytes | None = None) -> dict[str, Any]:
        url = self.url.removesuffix("/api/v2/graphql") + f"/sandbox/{what}"
        request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            told: dict[str, Any] = json.load(answer)
        return told
