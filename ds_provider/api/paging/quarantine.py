"""A dossier that the service lists but cannot give."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from ds_provider.exceptions import DSQuarantinedError

NAMED = 20


class Quarantined(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of such a dossier, for the person who reports it to the service's support.

    :param number: the dossier's.
    :param cursor: the cursor behind which it stands, where it was met in a page.
    :param code: the API's own error code (``extensions.code``).
    :param exception_id: the API's reference of an internal error.
    :param message: what the service said.
    :param dossier: the few fields of it that can be read.
    """

    number: int
    cursor: str | None = None
    code: str | None = None
    exception_id: str | None = None
    message: str
    dossier: dict[str, Any] = {}


def quarantined_error(
    records: Sequence[Quarantined], what_becomes: str, landed: Sequence[Any] = ()
) -> DSQuarantinedError:
    """The error that names such dossiers.

    :param records: at least one.
    :param what_becomes: of them and of the others, for the message.
    :param landed: the summary of what was landed beside them.
    """
    first, numbers = records[0], [record.number for record in records]
    named = ", ".join(map(str, numbers[:NAMED])) + (", …" if len(numbers) > NAMED else "")
    count = f"{len(numbers)} dossiers" if len(numbers) > 1 else "1 dossier"
    return DSQuarantinedError(
        f"the service lists {count} that it cannot give: {named}; {what_becomes}. Of the first: {first.message}",
        numbers,
        landed,
        cursor=first.cursor,
        code=first.code,
        exception_id=first.exception_id,
    )
