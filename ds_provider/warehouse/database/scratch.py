"""Scratch folders for rows on their way to the database. None outlives its run."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PREFIX = "run-"


@contextmanager
def scratch_folder(parent: Path) -> Iterator[Path]:
    """Make a folder for the length of a ``with``, for this user alone.

    A process that is killed leaves its folder, with personal data in it: the next run removes it. A lock on the folder
    shows that its run is still alive; the kernel releases it with the process.
    """
    parent.mkdir(parents=True, exist_ok=True)
    folder, descriptor = _make(parent)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(descriptor)


def _make(parent: Path) -> tuple[Path, int]:
    """Return a new folder and the descriptor that holds its lock; the folders of killed runs are removed first."""
    of_parent = os.open(parent, os.O_RDONLY)
    try:
        # one at a time: a folder that is made and not locked yet looks like one that was left
        fcntl.flock(of_parent, fcntl.LOCK_EX)
        for left in parent.glob(f"{_PREFIX}*"):
            _remove_unless_alive(left)
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
        descriptor = os.open(folder, os.O_RDONLY)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        return folder, descriptor
    finally:
        os.close(of_parent)


def _remove_unless_alive(folder: Path) -> None:
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:  # another user's, or gone by now
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder, ignore_errors=True)
    except BlockingIOError:  # its run is alive
        pass
    finally:
        os.close(descriptor)
