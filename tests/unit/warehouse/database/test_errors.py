"""Reasons of database errors show neither secrets nor values."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ds_provider.warehouse.database.errors import redacted_reason


class DataError(Exception):
    """As each driver has its own."""


class InvalidTextError(DataError):
    pass


def wrapped(inner: Exception, text: str) -> Exception:
    try:
        try:
            raise inner
        except Exception as error:
            raise RuntimeError(text) from error
    except RuntimeError as outer:
        return outer


def test_reason_is_that_of_the_root_error() -> None:
    assert redacted_reason(wrapped(KeyError("x"), "a long story")) == "KeyError: 'x'"


def test_reason_is_the_first_line_only() -> None:
    assert redacted_reason(ValueError("\n  could not\nDETAIL: Jean Valjean")) == "ValueError: could not"


def test_reason_of_an_error_without_text_is_its_class() -> None:
    assert redacted_reason(TimeoutError()) == "TimeoutError"


def test_reason_hides_the_refused_value() -> None:
    assert redacted_reason(InvalidTextError('invalid: "Jean "V" 24601" at 3')) == ("InvalidTextError: invalid: … at 3")


def test_reason_keeps_quoted_names_without_values() -> None:
    assert redacted_reason(LookupError('relation "ds.x" does not exist')).endswith('relation "ds.x" does not exist')


@given(st.text("abc/@", min_size=4), st.text("xyz :"), st.text("xyz :\n"))
def test_reason_hides_secrets(secret: str, before: str, after: str) -> None:
    assert secret not in redacted_reason(KeyError(f"{before}{secret}{after}"), [secret])


def test_reason_hides_the_user_info_of_a_url() -> None:
    assert "hunter2" not in redacted_reason(ValueError("connect postgresql://jean:hunter2@h/db failed"))


def test_reason_ends_on_a_circle_of_errors() -> None:
    one, other = ValueError("one"), ValueError("other")
    one.__context__, other.__context__ = other, one
    assert redacted_reason(one).startswith("ValueError: ")
