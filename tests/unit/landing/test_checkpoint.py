"""A checkpoint or a part that is not what it says is ignored: its pages are read again."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from ds_provider.api.query.parameters import select_dossiers
from ds_provider.landing.gzip_members import pack
from ds_provider.landing.layout import generation_time
from tests.support.landing_pages import MemoryStore, begin, finish, land, page, parts_in, rows_of, writer_at, zone_at

PAGES = [page(1, 2), page(3), page(4, 5)]
NUMBERS = {1, 2, 3, 4, 5}


def resumed_numbers(zone, store, **asked) -> set[int]:
    """Return the numbers of the rows from which the next try resumes."""
    return set(begin(zone, store, **asked).landed)


@pytest.mark.parametrize(
    "asked",
    [{}, {"state": "accepte"}, {"order": "DESC"}, {"includes": {"avis": True}}, {"archived": False}],
    ids=str,
)
def test_checkpoint_of_another_selection_is_ignored(asked, zone, caplog):
    store = MemoryStore()
    begin(zone, store, *PAGES)
    with caplog.at_level("INFO"):
        assert resumed_numbers(zone, store, **asked) == (set() if asked else NUMBERS)
    assert ("another query, window or destination" in caplog.text) is bool(asked)


def test_checkpoint_of_another_destination_is_ignored(zone, tmp_path):
    store = MemoryStore()
    begin(zone, store, *PAGES)
    assert resumed_numbers(zone_at(tmp_path / "other"), store) == set()


@pytest.mark.parametrize("hours", [23, 25])
def test_checkpoint_is_good_for_a_day(hours, zone, monkeypatch):
    store = MemoryStore()
    earlier = generation_time(datetime.now(timezone.utc) - timedelta(hours=hours))
    with monkeypatch.context() as patch:
        patch.setattr("ds_provider.landing.writer.new_generation", lambda: f"{earlier}-00000000")
        writer_at(zone, select_dossiers(7), store).add(page(1))
    assert bool(resumed_numbers(zone, store)) is (hours < 24)


def test_checkpoint_does_not_undo_what_another_run_landed_since(zone, caplog):
    store = MemoryStore()
    begin(zone, store, *PAGES)
    land(zone, page(1))
    with caplog.at_level("INFO"):
        assert resumed_numbers(zone, store) == set()
    assert "another run has landed the same" in caplog.text


@pytest.mark.parametrize("value", [0, "x", [], {}, {"made_by": 1}], ids=repr)
def test_value_that_is_no_checkpoint_does_not_stop_the_extraction(value, zone):
    store = MemoryStore()
    store.save(value)
    writer, _ = finish(zone, store, *PAGES)
    assert set(rows_of(writer.manifest_url)) == NUMBERS


@pytest.mark.parametrize("field", ["made_by", "generation", "previous", "parts", "pages", "read_started_at"])
def test_checkpoint_with_a_field_of_another_type_is_ignored(field, zone):
    store = MemoryStore()
    begin(zone, store, *PAGES)
    store.save({**store.load(), field: {"?": None}})
    assert resumed_numbers(zone, store) == set()


class TestDamagedParts:
    """A part that is not to the byte what was closed is read again, and no other is."""

    @pytest.fixture
    def store(self, zone, one_page_a_part) -> MemoryStore:
        store = MemoryStore()
        begin(zone, store, *PAGES)
        return store

    @pytest.fixture
    def part(self, zone, store):
        return parts_in(zone / "groupe-7/dossiers/full")[1]

    def assert_one_page_again(self, zone, store) -> None:
        writer, again = finish(zone, store, *PAGES)
        assert again == 1
        assert sorted(rows_of(writer.manifest_url)) == sorted(NUMBERS)

    def test_missing_part_is_read_again(self, zone, store, part, caplog):
        part.unlink()
        self.assert_one_page_again(zone, store)
        assert part.name in caplog.text

    @pytest.mark.parametrize("change", [lambda raw: raw[:-1], lambda raw: b"", lambda raw: raw + b"x"])
    def test_part_of_another_length_is_read_again(self, change, zone, store, part, caplog):
        part.write_bytes(change(part.read_bytes()))
        self.assert_one_page_again(zone, store)
        assert part.name in caplog.text

    def test_part_with_any_changed_byte_is_read_again(self, zone, store, part):
        whole = part.read_bytes()
        for at in range(len(whole)):
            part.write_bytes(whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1 :])
            once = MemoryStore()
            once.saved = store.saved[:]
            assert resumed_numbers(zone, once) == NUMBERS - {3}

    def test_part_replaced_by_a_whole_one_of_other_rows_is_read_again(self, zone, store, part):
        part.write_bytes(parts_in(part.parent)[0].read_bytes())
        self.assert_one_page_again(zone, store)


def test_copied_page_of_lines_that_are_no_rows_is_read_again(zone, caplog):
    store = MemoryStore()
    (part,) = parts_in(begin(zone, store, *PAGES[:2]).folder)
    part.write_bytes(part.read_bytes() + pack([b'{"number": "?"}']).stored)
    writer, again = finish(zone, store, *PAGES)
    assert again == 1
    assert set(rows_of(writer.manifest_url)) == NUMBERS
    assert "damaged" in caplog.text
