"""Locations of landed files."""

from __future__ import annotations

from ds_provider.sync.prune import location_of


def test_location_does_not_depend_on_the_connection():
    assert location_of("memory://a@/zone/x") == location_of("memory://b@/zone/x") != location_of("memory://a@/zone/y")
    assert location_of("file:///zone/x") == location_of("/zone/./x") != location_of("/zone/x/y")
