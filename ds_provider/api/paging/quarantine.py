"""Quarantine: dossiers that the service lists but cannot give."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from ds_provider.exceptions import DSError, DSQuarantinedError
from ds_provider.wording import counted, listed


class Quarantined(msgspec.Struct, frozen=True, kw_only=True):
    """Record of such a dossier, for the person who reports it to the service's support.

    :param number: the dossier's number.
    :param cursor: the cursor after which it stands, if it was met in a page.
    :param code: the API's own error code (``extensions.code``).
    :param exception_id: the API's reference of an internal error.
    :param message: the service's message.
    :param dossier: the few fields of it that can be read.
    """

    number: int
    cursor: str | None = None
    code: str | None = None
    exception_id: str | None = None
    message: str
    dossier: dict[str, Any] = {}

    @classmethod
    def of(cls, number: int, error: DSError, **fields: Any) -> Quarantined:
        """Return the record of a dossier that failed with an error."""
        return cls(number=number, code=error.code, exception_id=error.exception_id, message=error.message, **fields)


def quarantined_error(
    records: Sequence[Quarantined], consequence: str, landed: Sequence[Any] = ()
) -> DSQuarantinedError:
    """Return the error that names such dossiers.

    :param records: at least one.
    :param consequence: for them and for the others, for the message.
    :param landed: the summary of what was landed beside them.
    """
    first, numbers = records[0], [record.number for record in records]
    dossiers = counted(len(numbers), "dossier")
    return DSQuarantinedError(
        f"the service lists {dossiers} that it cannot give: {listed(numbers)}; {consequence}. Of the first: "
        f"{first.message}",
        numbers,
        landed,
        cursor=first.cursor,
        code=first.code,
        exception_id=first.exception_id,
    )
