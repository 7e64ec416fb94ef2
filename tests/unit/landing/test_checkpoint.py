"""A checkpoint or a part that is not what it says is left alone: what it stood for is read again."""

from __future__ import annotations

from datetime import timedelta

import pytest

from ds_provider.api.query.parameters import select_dossiers
from ds_provider.landing.gzip_members import pack
from ds_provider.landing.writer import LandingWriter
from tests.support.landing_pages import Kept, begun, finished, landed, page, parts_in, rows_of, zone_at

PAGES = [page(1, 2), page(3), page(4, 5)]
NUMBERS = {1, 2, 3, 4, 5}


def numbers_after(zone, kept, **asked) -> set[int]:
    """What the next try takes over."""
    return set(begun(zone, kept, **asked).landed)


@pytest.mark.parametrize(
    "asked",
    [{}, {"state": "accepte"}, {"order": "DESC"}, {"includes": {"avis": True}}, {"archived": False}],
    ids=str,
)
def test_only_a_checkpoint_of_the_same_selection_is_taken(asked, zone, caplog):
    kept = Kept()
    begun(zone, kept, *PAGES)
    with caplog.at_level("INFO"):
        assert numbers_after(zone, kept, **asked) == (set() if asked else NUMBERS)
    assert ("another query, window or destination" in caplog.text) is bool(asked)


def test_a_checkpoint_of_another_destination_is_left_alone(zone, tmp_path):
    kept = Kept()
    begun(zone, kept, *PAGES)
    assert numbers_after(zone_at(tmp_path / "other"), kept) == set()


@pytest.mark.parametrize("hours", [23, 25])
def test_a_checkpoint_is_good_for_a_day(hours, zone):
    kept = Kept()
    landing = LandingWriter(zone, select_dossiers(7), kept)
    landing._started -= timedelta(hours=hours)
    landing.add(page(1))
    assert bool(numbers_after(zone, kept)) is (hours < 24)


def test_what_another_run_landed_since_is_not_undone(zone, caplog):
    kept = Kept()
    begun(zone, kept, *PAGES)
    landed(zone, page(1))
    with caplog.at_level("INFO"):
        assert numbers_after(zone, kept) == set()
    assert "another run has landed the same" in caplog.text


@pytest.mark.parametrize("value", [0, "x", [], {}, {"made_by": 1}], ids=repr)
def test_a_checkpoint_that_is_none_does_not_stop_the_reading(value, zone):
    kept = Kept()
    kept.save(value)
    landing, _ = finished(zone, kept, *PAGES)
    assert set(rows_of(landing.manifest_url)) == NUMBERS


@pytest.mark.parametrize("field", ["made_by", "generation", "previous", "parts", "pages", "read_started_at"])
def test_a_checkpoint_with_a_field_of_another_kind_is_left_alone(field, zone):
    kept = Kept()
    begun(zone, kept, *PAGES)
    kept.save({**kept.load(), field: {"?": None}})
    assert numbers_after(zone, kept) == set()


class TestDamagedParts:
    """What is not to the byte what was closed is read again, and only that."""

    @pytest.fixture
    def kept(self, zone, one_page_a_part) -> Kept:
        kept = Kept()
        begun(zone, kept, *PAGES)
        return kept

    @pytest.fixture
    def part(self, zone, kept):
        return parts_in(zone / "groupe-7/dossiers/whole")[1]

    def assert_one_page_again(self, zone, kept) -> None:
        landing, again = finished(zone, kept, *PAGES)
        assert again == 1
        assert sorted(rows_of(landing.manifest_url)) == sorted(NUMBERS)

    def test_one_that_is_gone(self, zone, kept, part, caplog):
        part.unlink()
        self.assert_one_page_again(zone, kept)
        assert part.name in caplog.text

    @pytest.mark.parametrize("change", [lambda raw: raw[:-1], lambda raw: b"", lambda raw: raw + b"x"])
    def test_one_that_is_shorter_or_longer(self, change, zone, kept, part, caplog):
        part.write_bytes(change(part.read_bytes()))
        self.assert_one_page_again(zone, kept)
        assert part.name in caplog.text

    def test_one_with_any_byte_changed(self, zone, kept, part):
        whole = part.read_bytes()
        for at in range(len(whole)):
            part.write_bytes(whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1 :])
            once = Kept()
            once.saved = kept.saved[:]
            assert numbers_after(zone, once) == NUMBERS - {3}

    def test_a_whole_file_of_other_rows(self, zone, kept, part):
        part.write_bytes(parts_in(part.parent)[0].read_bytes())
        self.assert_one_page_again(zone, kept)


def test_a_page_whose_rows_are_none_is_read_again(zone, caplog):
    kept = Kept()
    (part,) = parts_in(begun(zone, kept, *PAGES[:2]).folder)
    part.write_bytes(part.read_bytes() + pack([b'{"number": "?"}']).stored)
    landing, again = finished(zone, kept, *PAGES)
    assert again == 1
    assert set(rows_of(landing.manifest_url)) == NUMBERS
    assert "damaged" in caplog.text
