"""What can go wrong, told so that a person can act on it.

::

    DSError
     ├─ DSConfigurationError     a parameter or a connection that cannot work; nothing was asked of the service
     ├─ DSDestinationError       the landing zone cannot be written or read
     ├─ DSWarehouseError         the warehouse cannot be written or read
     ├─ DSAccessError            a person must act; asking again changes nothing
     │   ├─ DSTokenError               the token itself is refused, whatever is asked
     │   │   ├─ DSTokenUnknownError        the service does not know it
     │   │   ├─ DSTokenExpiredError        its end date has passed
     │   │   └─ DSNetworkForbiddenError    it is locked to other IP addresses
     │   ├─ DSEndpointError            there is no API at the connection's address
     │   ├─ DSUnauthorizedError        the token has no right, or no longer, on what was asked
     │   └─ DSNotFoundError            the service shows nothing under that number
     ├─ DSRequestError           the service refuses the request as it is written
     │   └─ DSComplexityError          it costs more than the service allows; a smaller page may pass
     ├─ DSTransientError         the same request may succeed later
     │   ├─ DSTransportError           no whole answer came back
     │   ├─ DSMalformedAnswerError     an answer that is not the API's
     │   ├─ DSTimeoutError             the service ran out of time, with or without partial data
     │   ├─ DSServerError              the service failed
     │   ├─ DSMaintenanceError         the service is closed for maintenance
     │   ├─ DSRateLimitedError         the token's requests for this minute are spent
     │   ├─ DSIncompletePageError      an answer with holes in it
     │   └─ DSBudgetError              the store in which the token's requests are counted is out of reach
     ├─ DSStaleError             some groups were not loaded for longer than is allowed
     ├─ DSQuarantinedError       some dossiers cannot be read; all others are landed
     └─ DSGroupesFailedError     several groups were asked for and some could not be read
         └─ DSGroupesRefusedError      none of those for a reason that passes by itself

Nothing here imports Airflow, and no message ever holds the token.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

FACTS = (
    "groupe_instructeur_number",
    "stream",
    "window",
    "cursor",
    "code",
    "exception_id",
    "http_status",
)


class DSError(Exception):
    """Any failure of this provider, with the facts that a person needs to find its cause.

    :param message: what happened and, where there is one, the remedy.
    :param groupe_instructeur_number: the group that was being read.
    :param stream: ``dossiers``, ``deleted_dossiers`` or ``pending_deleted_dossiers``.
    :param window: the window that was being read, as text.
    :param cursor: the cursor after which the page was asked for.
    :param code: the API's own error code (``extensions.code``).
    :param exception_id: the API's reference of an internal error: what its support asks for.
    :param http_status: the status of the HTTP answer.
    """

    def __init__(
        self,
        message: str,
        *,
        groupe_instructeur_number: int | None = None,
        stream: str | None = None,
        window: str | None = None,
        cursor: str | None = None,
        code: str | None = None,
        exception_id: str | None = None,
        http_status: int | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.groupe_instructeur_number = groupe_instructeur_number
        self.stream = stream
        self.window = window
        self.cursor = cursor
        self.code = code
        self.exception_id = exception_id
        self.http_status = http_status

    def __str__(self) -> str:
        known = [f"{name.replace('_', ' ')} {value}" for name in FACTS if (value := getattr(self, name)) is not None]
        return f"{self.message} ({', '.join(known)})" if known else self.message

    def locate(
        self,
        *,
        groupe_instructeur_number: int | None = None,
        stream: str | None = None,
        window: str | None = None,
        cursor: str | None = None,
    ) -> DSError:
        """Add where it happened, keeping what is already known, and return the error itself."""
        self.groupe_instructeur_number = self.groupe_instructeur_number or groupe_instructeur_number
        self.stream = self.stream or stream
        self.window = self.window or window
        self.cursor = self.cursor or cursor
        return self


class DSConfigurationError(DSError, ValueError):
    """A parameter or a connection cannot work. The message names it and says what to give instead."""


class DSDestinationError(DSError, OSError):
    """The landing zone cannot be written or read."""


class DSWarehouseError(DSError):
    """The warehouse cannot be written or read. What was merged stays, and merging it again changes nothing."""


class DSAccessError(DSError):
    """The service refuses access. Asking again changes nothing: a person must act."""


class DSTokenError(DSAccessError):
    """The service refuses the token itself, whatever is asked with it."""


class DSTokenUnknownError(DSTokenError):
    """The service does not know the token: mistyped, cut, revoked, or of another server."""


class DSTokenExpiredError(DSTokenError):
    """The token's end date has passed."""


class DSNetworkForbiddenError(DSTokenError):
    """The token may not be used from this IP address.

    :param ip: the address that the service saw, with its prefix length, as it names it.
    """

    def __init__(self, message: str, *, ip: str | None = None, code: str | None = None, http_status: int | None = None):
        super().__init__(message, code=code, http_status=http_status)
        self.ip = ip


class DSEndpointError(DSAccessError):
    """What answers at the connection's address is not the API."""


class DSUnauthorizedError(DSAccessError):
    """The token is good but has no right, or no longer, on the démarche that holds what was asked for."""


class DSNotFoundError(DSAccessError):
    """The service shows nothing under that number: never there, deleted, or hidden."""


class DSRequestError(DSError):
    """The service refuses the request as it is written."""


class DSComplexityError(DSRequestError):
    """The request costs more than the service allows before it even runs it."""


class DSTransientError(DSError):
    """The same request may succeed later. Raised once the provider's own attempts are spent."""


class DSTransportError(DSTransientError):
    """No whole answer came back: connection refused, dropped or timed out, or a body that was cut.

    :param sent: whether the service may have received the request.
    """

    def __init__(self, message: str, *, sent: bool = True) -> None:
        super().__init__(message)
        self.sent = sent


class DSMalformedAnswerError(DSTransientError):
    """The answer is not one of the API's: an HTML page, a cut body, a document of another shape."""


class DSTimeoutError(DSTransientError):
    """The service ran out of time. It says so with HTTP 200 and partial data, which is never kept."""


class DSServerError(DSTransientError):
    """The service, or the proxy before it, failed."""


class DSMaintenanceError(DSTransientError):
    """The service is closed for maintenance."""


class DSRateLimitedError(DSTransientError):
    """The token's requests for the current minute are spent.

    :param wait_seconds: how long until the service accepts requests again, if it said so.
    """

    def __init__(self, message: str, *, wait_seconds: float | None = None, http_status: int | None = None) -> None:
        super().__init__(message, http_status=http_status)
        self.wait_seconds = wait_seconds


class DSIncompletePageError(DSTransientError):
    """The answer has holes: a null where a dossier should be, or a page that leads nowhere."""


class DSBudgetError(DSTransientError):
    """The store that counts the token's requests is out of reach, and without it nothing is asked of the service."""


class DSStaleError(DSError):
    """Some groups were not loaded for longer than is allowed.

    :param groupes: their numbers.
    """

    def __init__(self, message: str, groupes: Sequence[int] = ()) -> None:
        super().__init__(message)
        self.groupes = list(groupes)


class DSQuarantinedError(DSError):
    """The service lists some dossiers that it cannot give; all others are landed.

    :param numbers: of the dossiers.
    :param landed: the summary of what was landed, as the task would have returned it.
    """

    def __init__(self, message: str, numbers: Sequence[int] = (), landed: Sequence[Any] = (), **facts: Any) -> None:
        super().__init__(message, **facts)
        self.numbers = list(numbers)
        self.landed = list(landed)


class DSGroupesFailedError(DSError):
    """Some of the groups of one task could not be read; all others were.

    :param failures: the error of each group that failed, by its number.
    :param landed: the summaries of the others.
    """

    def __init__(
        self, message: str, failures: Mapping[int, DSError] | None = None, landed: Sequence[Any] | None = None
    ) -> None:
        super().__init__(message)
        self.failures = dict(failures or {})
        self.landed = list(landed or ())


class DSGroupesRefusedError(DSGroupesFailedError):
    """Some of the groups of one task are refused, and asking again changes nothing until a person acts."""
