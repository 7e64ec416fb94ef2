"""Lines that operators log."""

from __future__ import annotations

from collections.abc import Callable

import pytest


@pytest.fixture
def lines(capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """The lines that were logged since the last call, whichever way they went."""

    def read() -> list[str]:
        captured = capfd.readouterr()
        said = [line for line in (captured.out + captured.err).splitlines() if "outside of the Task Runner" not in line]
        said += [record.getMessage() for record in caplog.records]
        caplog.clear()
        return [line.partition("] ")[2].partition(" [airflow")[0] if "[info" in line else line for line in said]

    return read
