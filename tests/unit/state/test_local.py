"""Values on this machine are kept for their owner alone, until they are forgotten."""

from __future__ import annotations

import pytest

from ds_provider.state.local import LocalStateStore

KEY = "ds-checkpoint-7-dossiers-updated_20261101T000000Z_open"


@pytest.fixture
def store(tmp_path):
    return LocalStateStore(tmp_path / "kept")


def test_value_is_there_for_the_next_process(store, tmp_path):
    store.set(KEY, {"parts": [1, 2]})
    store.set(KEY, {"parts": [3], "label": "é"})
    assert LocalStateStore(tmp_path / "kept").get(KEY) == {"parts": [3], "label": "é"}
    assert (tmp_path / "kept").stat().st_mode & 0o077 == 0


def test_value_that_was_never_set_is_none(store):
    assert store.get(KEY) is None
    store.delete(KEY)


def test_value_that_is_deleted_is_gone(store):
    store.set(KEY, 1)
    store.set("other", 2)
    store.delete(KEY)
    assert (store.get(KEY), store.get("other")) == (None, 2)


def test_value_that_is_no_json_is_none(store, tmp_path):
    store.set(KEY, 1)
    (tmp_path / "kept" / f"{KEY}.json").write_text("{")
    assert store.get(KEY) is None
