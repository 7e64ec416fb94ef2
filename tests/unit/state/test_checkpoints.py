"""Checkpoints of a task outlive its tries, and are deleted once it has succeeded."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from airflow.sdk import ObjectStoragePath

from ds_provider.api.query.parameters import explicit_window, select_deleted_dossiers, select_dossiers
from ds_provider.api.query.selection import Selection
from ds_provider.landing.layout import LandingTarget
from ds_provider.state.checkpoints import TaskCheckpoints

LOG = logging.getLogger("test")
WHOLE = select_dossiers(7)


def key_of(selection: Selection) -> str:
    return LandingTarget.of(ObjectStoragePath("file:///zone"), selection).key


class Store:
    """State store of a task, which keeps JSON and may fail."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}
        self.calls: list[str] = []
        self.failing: set[str] = set()

    def get(self, key: str, default: Any = None) -> Any:
        self._call("get")
        return json.loads(self.values[key]) if key in self.values else default

    def set(self, key: str, value: Any) -> None:
        self._call("set")
        self.values[key] = json.dumps(value)

    def delete(self, key: str) -> None:
        self._call("delete")
        self.values.pop(key, None)

    def _call(self, name: str) -> None:
        self.calls.append(name)
        if name in self.failing:
            raise RuntimeError(f"{name} fails")


@pytest.fixture
def store() -> Store:
    return Store()


def checkpoints(store: Store | None) -> TaskCheckpoints:
    """Return the checkpoints of one try."""
    return TaskCheckpoints({"task_state_store": store}, LOG)


def test_next_try_loads_the_last_checkpoint(store):
    one = checkpoints(store).store_for(key_of(WHOLE))
    assert one.load() is None
    assert one.save({"pages": 1})
    assert one.save({"pages": 2, "parts": []})
    assert checkpoints(store).store_for(key_of(WHOLE)).load() == {"pages": 2, "parts": []}


def test_each_group_stream_and_window_has_its_own_checkpoint(store):
    selections = [
        WHOLE,
        select_dossiers(8),
        select_dossiers(7, state="accepte"),
        select_dossiers(7, window=explicit_window(created_since="2026-11-01T00:00:00Z")),
        select_dossiers(7, window=explicit_window(updated_since="2026-11-01T00:00:00.5Z")),
        select_deleted_dossiers(7),
    ]
    task = checkpoints(store)
    for at, selection in enumerate(selections):
        task.store_for(key_of(selection)).save({"pages": at})
    again = checkpoints(store)
    assert [again.store_for(key_of(selection)).load() for selection in selections] == [
        {"pages": at} for at in range(len(selections))
    ]
    assert all(key.replace("-", "").replace("_", "").replace(".", "").isalnum() for key in store.values), "URL-safe"


@pytest.mark.parametrize("context", [{}, {"task_state_store": None}], ids=["missing", "none"])
def test_task_without_a_store_logs_once_and_keeps_nothing(context, caplog):
    with caplog.at_level("INFO"):
        task = TaskCheckpoints(context, LOG)
        assert [task.store_for(key_of(select_dossiers(number))) for number in (7, 8)] == [None, None]
        task.clear()
    assert [record.getMessage() for record in caplog.records] == [
        "this task has no state store: an extraction that is interrupted starts afresh"
    ]


def test_successful_task_leaves_no_checkpoint(store):
    store.set("another's", 1)
    checkpoints(store).store_for(key_of(WHOLE)).save({"pages": 1})
    retry = checkpoints(store)
    retry.store_for(key_of(WHOLE)).load()
    retry.store_for(key_of(select_dossiers(8))).save({"pages": 1})
    retry.store_for(key_of(select_dossiers(9))).load()
    store.calls.clear()
    retry.clear()
    assert set(store.values) == {"another's"}
    assert store.calls == ["delete"] * 2, "a checkpoint that was never there is not deleted"


@pytest.mark.parametrize("failing", ["get", "set"])
def test_failing_store_is_logged_once_and_not_called_again(failing, store, caplog):
    store.failing.add(failing)
    task = checkpoints(store)
    one, other = task.store_for(key_of(WHOLE)), task.store_for(key_of(select_dossiers(8)))
    for checkpoint in (one, other):
        assert checkpoint.load() is None
        assert checkpoint.save({"pages": 1}) is False
    assert store.calls.count(failing) == 1
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert f"{failing} fails" in caplog.text
    assert task.store_for(key_of(WHOLE)) is None


def test_checkpoint_saved_before_the_store_failed_is_cleared(store):
    task = checkpoints(store)
    one = task.store_for(key_of(WHOLE))
    one.save({"pages": 1})
    store.failing.add("set")
    one.save({"pages": 2})
    task.clear()
    assert store.values == {}


def test_checkpoint_that_cannot_be_deleted_is_logged(store, caplog):
    task = checkpoints(store)
    task.store_for(key_of(WHOLE)).save({"pages": 1})
    store.failing.add("delete")
    task.clear()
    assert "clear this task only after a day" in caplog.text
