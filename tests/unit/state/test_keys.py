"""Keys of state stores: readable, and distinct for distinct filters."""

from __future__ import annotations

from ds_provider.state.keys import state_key


def test_key_joins_its_parts():
    assert state_key("ds-seen", "dossiers", "updated", 7) == "ds-seen-dossiers-updated-7"


def test_empty_filters_leave_no_trace_in_the_key():
    assert state_key("ds-seen", 7, filters={}) == state_key("ds-seen", 7, filters=None) == "ds-seen-7"


def test_each_filter_has_its_own_key_whatever_their_order():
    accepted = state_key("ds-seen", 7, filters={"state": "accepte", "archived": False})
    assert accepted == state_key("ds-seen", 7, filters={"archived": False, "state": "accepte"})
    assert accepted != state_key("ds-seen", 7, filters={"state": "accepte"})
    assert accepted.startswith("ds-seen-7-")
