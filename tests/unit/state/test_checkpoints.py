"""A task keeps how far its readings came from try to try, and forgets it once it has succeeded."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from ds_provider.api.query.parameters import explicit_window, select_deleted_dossiers, select_dossiers
from ds_provider.state.checkpoints import TaskCheckpoints

LOG = logging.getLogger("test")
WHOLE = select_dossiers(7)


class Store:
    """A task's state store, which keeps JSON and may fail."""

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
    """Those of one try."""
    return TaskCheckpoints({"task_state_store": store}, LOG)


def test_the_next_try_finds_what_was_saved_last(store):
    one = checkpoints(store).of(WHOLE)
    assert one.load() is None
    assert one.save({"pages": 1})
    assert one.save({"pages": 2, "parts": []})
    assert checkpoints(store).of(WHOLE).load() == {"pages": 2, "parts": []}


def test_each_group_stream_and_window_has_one_of_its_own(store):
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
        task.of(selection).save({"pages": at})
    again = checkpoints(store)
    assert [again.of(selection).load() for selection in selections] == [{"pages": at} for at in range(len(selections))]
    assert all(key.replace("-", "").replace("_", "").replace(".", "").isalnum() for key in store.values), "URL-safe"


@pytest.mark.parametrize("context", [{}, {"task_state_store": None}], ids=["missing", "none"])
def test_without_a_store_it_says_so_once_and_keeps_nothing(context, caplog):
    with caplog.at_level("INFO"):
        task = TaskCheckpoints(context, LOG)
        assert [task.of(select_dossiers(number)) for number in (7, 8)] == [None, None]
        task.clear()
    assert [record.getMessage() for record in caplog.records] == [
        "this task has no state store: a reading that is interrupted starts afresh"
    ]


def test_a_task_that_succeeded_leaves_nothing(store):
    store.set("another's", 1)
    checkpoints(store).of(WHOLE).save({"pages": 1})
    retry = checkpoints(store)
    retry.of(WHOLE).load()
    retry.of(select_dossiers(8)).save({"pages": 1})
    retry.of(select_dossiers(9)).load()
    store.calls.clear()
    retry.clear()
    assert set(store.values) == {"another's"}
    assert store.calls == ["delete"] * 2, "of what was never there nothing is asked"


@pytest.mark.parametrize("failing", ["get", "set"])
def test_a_store_that_fails_is_told_once_and_left_alone(failing, store, caplog):
    store.failing.add(failing)
    task = checkpoints(store)
    one, other = task.of(WHOLE), task.of(select_dossiers(8))
    for checkpoint in (one, other):
        assert checkpoint.load() is None
        assert checkpoint.save({"pages": 1}) is False
    assert store.calls.count(failing) == 1
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert f"{failing} fails" in caplog.text
    assert task.of(WHOLE) is None


def test_what_was_saved_before_the_store_failed_goes_all_the_same(store):
    task = checkpoints(store)
    one = task.of(WHOLE)
    one.save({"pages": 1})
    store.failing.add("set")
    one.save({"pages": 2})
    task.clear()
    assert store.values == {}


def test_a_checkpoint_that_cannot_go_is_told_and_fails_nothing(store, caplog):
    task = checkpoints(store)
    task.of(WHOLE).save({"pages": 1})
    store.failing.add("delete")
    task.clear()
    assert "clear this task only after a day" in caplog.text
