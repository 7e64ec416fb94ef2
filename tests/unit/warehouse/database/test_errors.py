"""A failure is told in one line, without what must not be told."""

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


def test_the_root_is_told() -> None:
    assert redacted_reason(wrapped(KeyError("x"), "a long story")) == "KeyError: 'x'"


def test_only_the_first_line_is_told() -> None:
    assert redacted_reason(ValueError("\n  could not\nDETAIL: Jean Valjean")) == "ValueError: could not"


def test_an_error_without_a_text_is_its_name() -> None:
    assert redacted_reason(TimeoutError()) == "TimeoutError"


def test_a_value_that_was_refused_is_not_told() -> None:
    assert redacted_reason(InvalidTextError('invalid: "Jean "V" 24601" at 3')) == ("InvalidTextError: invalid: … at 3")


def test_names_are_told_where_no_value_is() -> None:
    assert redacted_reason(LookupError('relation "ds.x" does not exist')).endswith('relation "ds.x" does not exist')


@given(st.text("abc/@", min_size=4), st.text("xyz :"), st.text("xyz :\n"))
def test_no_secret_is_told(secret: str, before: str, after: str) -> None:
    assert secret not in redacted_reason(KeyError(f"{before}{secret}{after}"), [secret])


def test_no_part_of_an_address_before_its_host_is_told() -> None:
    assert "hunter2" not in redacted_reason(ValueError("connect postgresql://jean:hunter2@h/db failed"))


def test_a_circle_of_errors_has_an_end() -> None:
    one, other = ValueError("one"), ValueError("other")
    one.__context__, other.__context__ = other, one
    assert redacted_reason(one).startswith("ValueError: ")
