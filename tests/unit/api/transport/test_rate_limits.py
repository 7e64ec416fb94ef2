"""A rate limit says how long to wait, on the server's own clock."""

from __future__ import annotations

import time
from email.utils import formatdate
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds_provider.api.transport.messages import Response
from ds_provider.api.transport.responses import Body, read_response
from ds_provider.exceptions import DSRateLimitedError
from tests.support.flows import response

decoder = msgspec.json.Decoder(Body[dict[str, Any]])

NOW = 1_795_000_000  # an epoch of the server


def refused(exchange: Response) -> DSRateLimitedError:
    with pytest.raises(DSRateLimitedError) as caught:
        read_response(exchange, decoder)
    return caught.value


def too_many(**headers: str) -> Response:
    body = "Calme toi, cowboy ! Tu as dépassé la limite.".encode()
    return response(status=429, body=body, content_type="text/plain", ratelimit_remaining="0", **headers)


@pytest.mark.parametrize("seconds", [0, 1, 37, 60])
def test_wait_lasts_from_the_server_s_date_to_its_reset(seconds):
    assert (
        refused(too_many(ratelimit_reset=str(NOW + seconds), date=formatdate(NOW, usegmt=True))).wait_seconds == seconds
    )


@pytest.mark.parametrize("skew", [-3600.0, -90.0, 90.0, 3600.0])
def test_wait_does_not_depend_on_the_local_clock(monkeypatch, skew):
    monkeypatch.setattr(time, "time", lambda: NOW + skew)
    assert refused(too_many(ratelimit_reset=str(NOW + 25), date=formatdate(NOW, usegmt=True))).wait_seconds == 25


def test_wait_is_zero_for_a_reset_in_the_past():
    assert refused(too_many(ratelimit_reset=str(NOW - 10), date=formatdate(NOW, usegmt=True))).wait_seconds == 0


@pytest.mark.parametrize("date", [{}, {"date": "yesterday"}, {"date": ""}], ids=["none", "no date", "empty"])
def test_wait_uses_the_local_clock_without_a_server_date(monkeypatch, date):
    monkeypatch.setattr(time, "time", lambda: float(NOW))
    assert refused(too_many(ratelimit_reset=str(NOW + 25), **date)).wait_seconds == 25


@pytest.mark.parametrize(
    "reset", [{}, {"ratelimit_reset": ""}, {"ratelimit_reset": "soon"}], ids=["none", "empty", "no number"]
)
def test_wait_is_none_without_a_reset(reset):
    assert refused(too_many(date=formatdate(NOW, usegmt=True), **reset)).wait_seconds is None


def test_wait_is_none_for_a_reset_of_nan():
    assert refused(too_many(date=formatdate(NOW, usegmt=True), ratelimit_reset="nan")).wait_seconds is None


def test_error_keeps_the_status():
    assert refused(too_many()).http_status == 429


@given(st.text(max_size=40), st.text(max_size=40))
def test_error_is_the_same_for_any_headers(reset, date):
    wait = refused(too_many(ratelimit_reset=reset, date=date)).wait_seconds
    assert wait is None or wait >= 0
