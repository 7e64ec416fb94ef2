"""Days that the demo runs, and what it says of them."""

from __future__ import annotations

import argparse
import socket
from contextlib import nullcontext
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.demo import home, ui
from scripts.demo.__main__ import OneLineParser, parse_days
from scripts.demo.figures import HEADING, Figures, about, progress
from scripts.demo.home import PARIS, Played, alone
from scripts.processes import airflow_environment, free_port

moments = st.datetimes(
    datetime(2024, 1, 1),  # noqa: DTZ001 - hypothesis wants its bounds naive
    datetime(2040, 1, 1),  # noqa: DTZ001
    timezones=st.just(PARIS),
)


@given(moments, st.integers(1, 90))
def test_demo_plays_each_night_up_to_the_last_one(now, days):
    played = Played.until(now, days)
    assert len(played.nights) == days
    assert played.nights[-1] <= now < played.nights[-1] + timedelta(days=1)
    starts = [played.first, *played.nights]
    assert {(each.hour, each.minute) for each in starts} == {(4, 0)}
    assert [each.date() for each in played.nights] == [each.date() + timedelta(days=1) for each in starts[:-1]]


def test_record_is_what_was_played(monkeypatch, tmp_path):
    monkeypatch.setattr(home, "RECORD", tmp_path / "demo.json")
    assert Played.recorded() is None
    # the clocks change between the two ends
    played = Played.until(datetime(2026, 10, 30, 12, tzinfo=PARIS), 8)
    played.save()
    assert Played.recorded() == played
    assert Played.recorded().world == played.world


@pytest.mark.parametrize("text", ["", "0", "366", "-3", "2.5", "ten", "²", "1e2", " 8"])
def test_wrong_number_of_days_is_refused_in_one_line(text, capsys):
    with pytest.raises(SystemExit) as ended:
        parse_days(OneLineParser(prog="make demo"), text)
    assert ended.value.code == 2
    assert capsys.readouterr().err == f"make demo: DAYS must be a whole number from 1 to 365: got {text!r}\n"


@pytest.mark.parametrize("text", ["1", "8", "365"])
def test_right_number_of_days_is_taken(text):
    assert parse_days(argparse.ArgumentParser(), text) == int(text)


def test_figures_add_up_under_their_heading():
    night = datetime(2026, 11, 24, 4, tzinfo=PARIS)
    line = str(Figures(night, 46, frozenset(range(347)), frozenset(range(2, 351)), 5, 1, 0))
    assert line.split() == ["Tue", "2026-11-24", "46", "347", "4", "2", "349", "5", "1", "0"]
    assert len(line) == len(HEADING)


def test_progress_says_which_day_and_how_long_it_takes():
    assert progress(3, 10, 8.0) == "day 3 of 10, about a minute left"
    assert progress(9, 10, 8.0) == "day 9 of 10, a few seconds left"
    assert progress(10, 10, 8.0) == "day 10 of 10"


@given(st.floats(0, 100_000), st.floats(0, 100_000))
def test_longer_durations_are_never_said_to_be_shorter(one, other):
    words = ["a few seconds", "about half a minute", "about a minute", "about a minute and a half"]
    shorter, longer = (about(seconds) for seconds in sorted((one, other)))
    if longer in words:
        assert words.index(shorter) <= words.index(longer)


def test_web_interface_says_in_one_line_that_there_are_no_runs(monkeypatch, tmp_path):
    monkeypatch.setattr(home, "RECORD", tmp_path / "demo.json")
    for name in ("alone", "interruptible"):
        monkeypatch.setattr(ui, name, lambda *_: nullcontext())
    with pytest.raises(SystemExit) as ended:
        ui.main()
    assert ended.value.code == "make ui: there are no runs to show yet: make demo makes them"


def test_demo_and_its_web_interface_exclude_each_other(monkeypatch, tmp_path):
    monkeypatch.setattr(home, "HOME", tmp_path / "demo")
    refused = pytest.raises(SystemExit, match=r"^make demo: .* is running in this checkout: end it first$")
    with alone("make ui"), refused, alone("make demo"):
        pytest.fail("both at once")
    with alone("make demo"):
        pass


def test_port_that_is_taken_is_replaced_by_a_free_one():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert free_port(port) != port
    assert free_port(port) == port


def test_airflow_of_a_script_knows_nothing_of_another_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "postgres://elsewhere")
    found = airflow_environment(tmp_path, "http://127.0.0.1:8123", {"AIRFLOW__CORE__PARALLELISM": "4"})
    assert "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN" not in found
    assert (found["AIRFLOW_HOME"], found["AIRFLOW__API__PORT"]) == (str(tmp_path), "8123")
    assert found["AIRFLOW__CORE__PARALLELISM"] == "4"
