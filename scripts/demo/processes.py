"""Processes that end with the demo."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PATIENCE_SECONDS = 300
PAUSE_SECONDS = 0.1


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def running(
    command: list[str], log: Path, env: dict[str, str], stdout: int | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A process with its children, ended with the block."""
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=stdout or output, stderr=output, env=env, start_new_session=True)
        try:
            yield process
        finally:
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    for sign in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, sign)
            process.wait(20)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue


def wait_for(what: str, ready: Callable[[], Any], process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until something is true.

    :raises SystemExit: with the end of the log, if the process ends before, or it takes too long.
    """
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        if ready():
            return
        if process.poll() is not None:
            break
        time.sleep(PAUSE_SECONDS)
    tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
    raise SystemExit(f"{what} did not come about; the end of {log}:\n{tail}")
