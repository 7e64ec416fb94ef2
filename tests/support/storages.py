"""Storages that fail on command."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
from airflow.sdk import ObjectStoragePath
from airflow.sdk.io.store import attach
from fsspec.implementations.local import LocalFileSystem
from fsspec.implementations.memory import MemoryFileSystem


class Killed(BaseException):
    """End of the process: nothing catches it."""


class Faults:
    """Counts what is done to a storage, and raises at the chosen step and, if asked, at all that follow."""

    def __init__(self) -> None:
        self.steps: list[str] = []
        self._at: int | None = None
        self._error: BaseException | None = None

    def arm(self, at: int, error: BaseException) -> None:
        """Fail at the step of that number, from 0 on, and at each later one: a dead process does no more."""
        self.steps, self._at, self._error = [], at, error

    def disarm(self) -> None:
        self._at = None

    def step(self, name: str) -> None:
        self.steps.append(name)
        if self._error is not None and self._at is not None and len(self.steps) > self._at:
            raise self._error


class _FaultyFile:
    def __init__(self, file: Any, faults: Faults) -> None:
        self._file, self._faults = file, faults

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def __enter__(self) -> _FaultyFile:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def write(self, data: bytes) -> int:
        # the first half is there when the process ends
        self._file.write(data[: len(data) // 2])
        self._file.flush()
        self._faults.step("write")
        self._file.write(data[len(data) // 2 :])
        return len(data)

    def close(self) -> None:
        self._faults.step("close")
        self._file.close()


def make_faulty(monkeypatch: pytest.MonkeyPatch) -> Faults:
    """Make every step that changes the local file system one that can fail."""
    faults = Faults()
    whole_open = LocalFileSystem.open

    def open_faulty(self: LocalFileSystem, path: str, mode: str = "rb", **options: Any) -> Any:
        if "w" not in mode:
            return whole_open(self, path, mode, **options)
        faults.step("open")
        return _FaultyFile(whole_open(self, path, mode, **options), faults)

    monkeypatch.setattr(LocalFileSystem, "open", open_faulty)
    for name in ("mv", "rm", "rm_file", "makedirs", "mkdir", "pipe_file"):
        monkeypatch.setattr(LocalFileSystem, name, _counted(getattr(LocalFileSystem, name), name, faults))
    return faults


def _counted(do: Callable[..., Any], name: str, faults: Faults) -> Callable[..., Any]:
    def counted(*args: Any, **options: Any) -> Any:
        faults.step(name)
        return do(*args, **options)

    return counted


class Upload(io.BytesIO):
    """Upload that becomes an object when it is closed, as S3's and Google's clients do it."""

    def __init__(self, bucket: Bucket, path: str) -> None:
        super().__init__()
        self._bucket, self._path = bucket, path

    def write(self, data: Any) -> int:
        self._bucket.faults.step("write")
        return super().write(data)

    def close(self) -> None:
        if not self.closed:
            self._bucket.put(self._path, self.getvalue())
        super().close()


class Bucket(MemoryFileSystem):
    """Object store: objects are replaced whole, there are no folders, and listings are cached."""

    cachable = False

    def __init__(self) -> None:
        super().__init__()
        self.store, self.pseudo_dirs, self.faults = {}, [""], Faults()
        self._listings: dict[Any, Any] = {}

    def put(self, path: str, data: bytes) -> None:
        self.faults.step("put")
        self.put_elsewhere(path, data)
        self.invalidate_cache()

    def put_elsewhere(self, path: str, data: bytes) -> None:
        """Write as another process does, without this one's cache knowing of it."""
        with super()._open(path, "wb") as file:
            file.write(data)

    def ls(self, path: str, detail: bool = True, **options: Any) -> Any:
        key = (self._strip_protocol(path), detail)
        if key not in self._listings:
            self._listings[key] = super().ls(path, detail, **options)
        return self._listings[key]

    def invalidate_cache(self, path: str | None = None) -> None:
        self._listings.clear()

    def _open(self, path: str, mode: str = "rb", **options: Any) -> Any:
        path = self._strip_protocol(path)
        if mode != "wb":
            return io.BytesIO(super()._open(path, mode, **options).getvalue())
        return Upload(self, path)

    def pipe_file(self, path: str, value: bytes, mode: str = "overwrite", **options: Any) -> None:
        self.put(self._strip_protocol(path), value)


def bucket_zone(name: str) -> tuple[ObjectStoragePath, Bucket]:
    """Return a zone on a fresh object store, which Airflow knows under the name of a connection, and the store."""
    bucket = Bucket()
    store = attach("memory", name)
    store.fs = bucket
    return ObjectStoragePath(f"memory://{name}@/zone"), bucket
