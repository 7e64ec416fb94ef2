"""A refusal for too many requests says how long to wait, on the server's own clock."""

from __future__ import annotations

import time
from email.utils import formatdate
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds_provider.api.transport.messages import Response
from ds_provider.api.transport.responses import Body, read_answer
from ds_provider.exceptions import DSRateLimitedError
from tests.support.flows import reply

decoder = msgspec.json.Decoder(Body[dict[str, Any]])

NOW = 1_795_000_000  # an epoch of the server


def refused(exchange: Response) -> DSRateLimitedError:
    with pytest.raises(DSRateLimitedError) as caught:
        read_answer(exchange, decoder)
    return caught.value


def too_many(**headers: str) -> Response:
    body = "Calme toi, cowboy ! Tu as dépassé la limite.".encode()
    return reply(status=429, body=body, content_type="text/plain", ratelimit_remaining="0", **headers)


@pytest.mark.parametrize("seconds", [0, 1, 37, 60])
def test_the_wait_lasts_from_the_server_s_date_to_its_reset(seconds):
    assert (
        refused(too_many(ratelimit_reset=str(NOW + seconds), date=formatdate(NOW, usegmt=True))).wait_seconds == seconds
    )


@pytest.mark.parametrize("skew", [-3600.0, -90.0, 90.0, 3600.0])
def test_a_clock_that_is_wrong_here_changes_nothing(monkeypatch, skew):
    monkeypatch.setattr(time, "time", lambda: NOW + skew)
    assert refused(too_many(ratelimit_reset=str(NOW + 25), date=formatdate(NOW, usegmt=True))).wait_seconds == 25


def test_a_reset_that_has_passed_is_no_negative_wait():
    assert refused(too_many(ratelimit_reset=str(NOW - 10), date=formatdate(NOW, usegmt=True))).wait_seconds == 0


@pytest.mark.parametrize("date", [{}, {"date": "yesterday"}, {"date": ""}], ids=["none", "no date", "empty"])
def test_without_a_server_date_this_machine_s_clock_is_taken(monkeypatch, date):
    monkeypatch.setattr(time, "time", lambda: float(NOW))
    assert refused(too_many(ratelimit_reset=str(NOW + 25), **date)).wait_seconds == 25


@pytest.mark.parametrize(
    "reset", [{}, {"ratelimit_reset": ""}, {"ratelimit_reset": "soon"}], ids=["none", "empty", "no number"]
)
def test_without_a_reset_no_wait_is_made_up(reset):
    assert refused(too_many(date=formatdate(NOW, usegmt=True), **reset)).wait_seconds is None


def test_a_reset_that_is_not_a_number_is_none():
    assert refused(too_many(date=formatdate(NOW, usegmt=True), ratelimit_reset="nan")).wait_seconds is None


def test_the_status_is_told():
    assert refused(too_many()).http_status == 429


@given(st.text(max_size=40), st.text(max_size=40))
def test_whatever_the_headers_hold_it_is_the_same_refusal(reset, date):
    wait = refused(too_many(ratelimit_reset=reset, date=date)).wait_seconds
    assert wait is None or wait >= 0
