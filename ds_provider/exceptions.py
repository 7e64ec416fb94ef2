"""Errors of the provider, with messages and facts that a person can act on.

::

    DSError
     ├─ DSConfigurationError     a parameter or a connection cannot work; no request was sent
     ├─ DSDestinationError       the landing zone cannot be written or read
     │   └─ DSDestinationRightsError    the worker may not; a person must grant it
     ├─ DSWarehouseError         the warehouse cannot be written or read
     │   ├─ DSWarehouseLockedError     others use it; the same load may succeed later
     │   └─ DSWarehouseRightsError     its role lacks a right that a person must grant
     ├─ DSAccessError            access is refused; a person must act, another attempt changes nothing
     │   ├─ DSTokenError               the token itself is refused, for any request
     │   │   ├─ DSTokenUnknownError        the service does not know it
     │   │   ├─ DSTokenExpiredError        its end date has passed
     │   │   └─ DSNetworkForbiddenError    it is locked to other IP addresses
     │   ├─ DSEndpointError            there is no API at the connection's address
     │   │   ├─ DSProxyError               the proxy refuses to pass requests on
     │   │   └─ DSCertificateError         the server's certificate is not trusted
     │   ├─ DSUnauthorizedError        the token has no right, or no longer, on the object
     │   └─ DSNotFoundError            the service shows nothing under that number
     ├─ DSRequestError           the service refuses the request as it is written
     │   └─ DSComplexityError          it costs more than the service allows; a smaller page may pass
     ├─ DSUnreadableValueError   the response is whole and holds a value that is no JSON
     ├─ DSTransientError         the same request may succeed later
     │   ├─ DSTransportError           no whole response came back
     │   │   └─ DSProxyUnavailableError    the proxy cannot reach the service
     │   ├─ DSMalformedResponseError   the response is not the API's
     │   ├─ DSTimeoutError             the service ran out of time, with or without partial data
     │   ├─ DSServerError              the service failed
     │   ├─ DSMaintenanceError         the service is closed for maintenance
     │   ├─ DSRateLimitedError         the token's requests for this minute are spent
     │   ├─ DSIncompletePageError      the response has holes
     │   ├─ DSBudgetError              the store that counts the token's requests is out of reach
     │   └─ DSClockError               this worker's clock is wrong
     ├─ DSStaleError             some groups were not loaded for longer than is allowed
     ├─ DSTasksFailedError       some tasks of the run failed: what they were to bring is not loaded
     ├─ DSQuarantinedError       some dossiers cannot be read; all others are landed
     └─ DSGroupesFailedError     some groups of a list could not be read
         └─ DSGroupesRefusedError      none of them can be read before a person acts

The docstring of each says what happened, and what to do about it: the documentation's page of errors is made of them.
Nothing here imports Airflow, and no message ever holds the token.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field, fields
from datetime import datetime, timezone
from typing import Any, TypeVar

E = TypeVar("E", bound="DSError")


@dataclass(eq=False, repr=False)
class DSError(Exception):
    """Base of all errors of the provider, with the facts that a person needs to find the cause.

    :param message: what happened and, if there is one, the remedy.
    :param connection: the id of the Airflow connection whose token was used.
    :param demarche_number: the démarche that was asked for.
    :param dossier_number: the dossier that was asked for.
    :param groupe_instructeur_number: the group that was being read.
    :param stream: ``dossiers``, ``deleted_dossiers`` or ``pending_deleted_dossiers``.
    :param window: the window that was being read, as text.
    :param cursor: the cursor after which the page was requested.
    :param code: the API's own error code (``extensions.code``).
    :param exception_id: the API's reference of an internal error, for its support.
    :param http_status: the status of the HTTP response.
    """

    message: str
    _: KW_ONLY
    connection: str | None = None
    demarche_number: int | None = None
    dossier_number: int | None = None
    groupe_instructeur_number: int | None = None
    stream: str | None = None
    window: str | None = None
    cursor: str | None = None
    code: str | None = None
    exception_id: str | None = None
    http_status: int | None = None

    def __post_init__(self) -> None:
        super().__init__(self.message)

    def __str__(self) -> str:
        known = [f"{name.replace('_', ' ')} {value}" for name in FACTS if (value := getattr(self, name)) is not None]
        return f"{self.message} ({', '.join(known)})" if known else self.message

    def add_context(self: E, **facts: Any) -> E:
        """Add where the error happened, without replacing known facts. Return the error itself."""
        for name, value in facts.items():
            setattr(self, name, getattr(self, name) or value)
        return self


# shown in the text of an error, in this order
FACTS = tuple(fact.name for fact in fields(DSError) if fact.kw_only)


class DSConfigurationError(DSError, ValueError):
    """A parameter or a connection cannot work. The message names it and says what to give instead.

    What to do: change the parameter or the connection as the message says. No request was sent.
    """


class DSDestinationError(DSError, OSError):
    """The landing zone cannot be written or read.

    What to do: check that the place exists, has room, and that the worker may write there; then clear the task.
    What had landed is taken over.
    """


class DSDestinationRightsError(DSDestinationError):
    """The worker has no right to write or read in the landing zone: a person must grant it.

    What to do: give the user that runs the worker the right to write there, or name a place where it has it.
    """


class DSWarehouseError(DSError):
    """The warehouse cannot be written or read. What was merged stays, and merging it again changes nothing.

    What to do: read the database's own reason in the message; once it is mended, clear the task.
    """


@dataclass(frozen=True)
class LockHolder:
    """A transaction that holds tables of the warehouse.

    :param state: such as ``idle in transaction``; null, as ``since``, where the database shows it to other roles only.
    :param since: when the transaction began, with a time zone.
    :param tables: their names.
    """

    pid: int
    user: str | None
    application_name: str | None
    state: str | None
    since: datetime | None
    tables: str

    def __str__(self) -> str:
        since = self.since and f"since {self.since.astimezone(timezone.utc):%Y-%m-%d %H:%M:%S} UTC"
        state = f"{self.state or 'in a state that this role may not see'} {since or ''}".strip()
        return f"pid {self.pid}, user {self.user}, application {self.application_name!r}, {state}, holds {self.tables}"


@dataclass(eq=False, repr=False)
class DSWarehouseLockedError(DSWarehouseError):
    """Others use the warehouse: an open transaction on its tables, or a process that has its file open.

    What to do: wait for the task's retry, or end what the log names: an idle transaction of a BI tool, a client
    that has the DuckDB file open.

    :param holders: the open transactions, where the database tells them.
    """

    holders: Sequence[LockHolder] = ()


class DSWarehouseRightsError(DSWarehouseError):
    """The role lacks a right in the database: a person must grant it.

    What to do: have an administrator of the database grant the rights that the message names.
    """


class DSAccessError(DSError):
    """The service refuses access. Another attempt changes nothing: a person must act.

    What to do: find out from an administrateur of the démarche what changed: the token, its rights, or the object.
    """


class DSTokenError(DSAccessError):
    """The service refuses the token itself, for any request.

    What to do: have an administrateur of the démarche make a new token in the profile on the service, and put it in the
    connection's password.
    """


class DSTokenUnknownError(DSTokenError):
    """The service does not know the token: mistyped, cut, revoked, or of another server.

    What to do: copy the token again, whole and from the right server, into the connection's password; if it was
    revoked, make a new one.
    """


class DSTokenExpiredError(DSTokenError):
    """The token's end date has passed.

    What to do: make a new token in the profile on the service, and put it in the connection's password.
    """


@dataclass(eq=False, repr=False)
class DSNetworkForbiddenError(DSTokenError):
    """The token may not be used from this IP address.

    What to do: add the address that the message names to the token's networks on the service. A new token is
    locked to the first address that uses it: use a fixed address for all workers.

    :param ip: the address from which the request came, with its prefix length, as the service names it.
    """

    ip: str | None = None


class DSEndpointError(DSAccessError):
    """There is no API at the connection's address, or none that can be reached before a person acts.

    What to do: correct the connection's host, or leave it empty for the public service.
    """


class DSProxyError(DSEndpointError):
    """The proxy on the way to the service refuses to pass requests on.

    What to do: correct ``HTTPS_PROXY`` or ``NO_PROXY`` of the workers, or have the proxy let the service's host pass.
    """


class DSCertificateError(DSEndpointError):
    """The certificate of the server is not trusted, or the server wants another way to be called.

    What to do: name the PEM file of your network's certification authority in ``SSL_CERT_FILE``, or use the scheme
    that the message names.
    """


class DSUnauthorizedError(DSAccessError):
    """The token is good but has no right, or no longer, on the démarche of the object that was asked for.

    What to do: have an administrateur of the démarche add the token's owner to its administrateurs, and the owner
    let the token use it, on the profile's page.
    """


class DSNotFoundError(DSAccessError):
    """The service shows nothing under that number: it never existed, or is deleted or hidden.

    What to do: check the number. A group that is gone has to leave the list of groups, its dossiers are in another one.
    """


class DSRequestError(DSError):
    """The service refuses the request as it is written.

    What to do: check the query if it is your own. If it is not, this is a defect of the provider: report it with the
    message.
    """


class DSComplexityError(DSRequestError):
    """The request costs more than the service allows. The service refuses it before running it.

    What to do: give a smaller ``page_size`` or fewer ``include_…``. The provider has tried smaller pages already.
    """


class DSUnreadableValueError(DSError):
    """The response is whole and holds a value that is no JSON, such as NaN. In a page, its dossier is quarantined.

    What to do: report the dossier that the message names to the service's support. All others are read.
    """


class DSTransientError(DSError):
    """Transient failure: the request may succeed later. Raised once the provider's own attempts are spent.

    What to do: nothing at first: the task's retries go on where it stopped. If it lasts, see the kind of error.
    """


@dataclass(eq=False, repr=False)
class DSTransportError(DSTransientError):
    """No whole response came back: the connection was refused, dropped or timed out, or the body was cut.

    What to do: check the network from the worker to the service if the retries fail too.

    :param sent: true if the service may have received the request.
    """

    sent: bool = True


class DSProxyUnavailableError(DSTransportError):
    """The proxy on the way to the service cannot reach it.

    What to do: check that the proxy can reach the service's host if the retries fail too.
    """


class DSMalformedResponseError(DSTransientError):
    """The response is not one of the API's: an HTML page, a cut body, a document of another shape.

    What to do: check the connection's host if it lasts: something else may answer at that address.
    """


class DSTimeoutError(DSTransientError):
    """The service ran out of time. It says so with HTTP 200 and partial data, which is never kept.

    What to do: let the task be tried again, and read in smaller windows or with a smaller ``page_size`` if it lasts.
    """


class DSServerError(DSTransientError):
    """The service, or the proxy before it, failed.

    What to do: let the task be tried again; if it lasts, give the message's exception id to the service's support.
    """


class DSMaintenanceError(DSTransientError):
    """The service is closed for maintenance.

    What to do: wait. With ``DS_RETRY_POLICY`` the next try comes after a quarter of an hour.
    """


@dataclass(eq=False, repr=False)
class DSRateLimitedError(DSTransientError):
    """The token's requests for the current minute are spent.

    What to do: see which other jobs use the token, and lower ``requests_per_minute`` of the connection by what they
    need.

    :param wait_seconds: seconds until the service accepts requests again, if it said so.
    """

    wait_seconds: float | None = None


class DSIncompletePageError(DSTransientError):
    """The response has holes: a null where a dossier should be, or a page that leads nowhere.

    What to do: let the task be tried again; if it lasts, give the facts of the message to the service's support.
    """


class DSBudgetError(DSTransientError):
    """The store that counts the token's requests is out of reach. No request is sent without it.

    What to do: bring the store of the connection's ``budget_url`` back.
    """


class DSClockError(DSTransientError):
    """This worker's clock is wrong by more than can be waited for. Another try may meet another worker.

    What to do: set the clock of the worker by NTP.
    """


@dataclass(eq=False, repr=False)
class DSStaleError(DSError):
    """Some groups were not loaded for longer than is allowed, or their beginning never was.

    What to do: see the runs of the tasks that read and load the named groups. One that is no longer to be read has to
    leave the check's ``groupe_instructeur_number``.

    :param groupes: their numbers.
    """

    groupes: Sequence[int] = ()


@dataclass(eq=False, repr=False)
class DSTasksFailedError(DSError):
    """Some tasks of the run failed, so what they were to bring is not in the tables. Their own logs have the cause.

    What to do: see the logs of the named tasks. Clear them once the cause is mended, or let the next run make up for
    them.

    :param tasks: their ids; that of a mapped one ends with its map index, as in ``read.dossiers_3``.
    """

    tasks: Sequence[str] = ()


@dataclass(eq=False, repr=False)
class DSQuarantinedError(DSError):
    """The service lists some dossiers that it cannot give; all others are landed.

    What to do: give the exception ids in the log to the service's support. With ``on_dossier_error="quarantine"``
    the task accepts such dossiers; each run of the same selection tries them again.

    :param numbers: the numbers of these dossiers.
    :param landed: the summaries of what was landed, as the task would have returned them.
    """

    numbers: Sequence[int] = ()
    landed: Sequence[Any] = ()


@dataclass(eq=False, repr=False)
class DSGroupesFailedError(DSError):
    """Some of the groups of one task could not be read. All others were.

    What to do: see the error of each group in the log, and treat it as that error says. The others have landed.

    :param failures: the error of each group that failed, by the group's number.
    :param landed: the summaries of the other groups.
    """

    failures: Mapping[int, DSError] = field(default_factory=dict)
    landed: Sequence[Any] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        self.failures = dict(self.failures)


class DSGroupesRefusedError(DSGroupesFailedError):
    """Some of the groups of one task are refused. Another attempt changes nothing until a person acts.

    What to do: see the error of each group in the log, and restore the rights or take the group out of the list.
    """
