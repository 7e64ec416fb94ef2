"""Hook to the API of Démarches simplifiées."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, closing, contextmanager
from typing import Any, TypeVar

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowNotFoundException
from airflow.sdk.log import amask_secret, mask_secret

from ds_provider.api.paging.quarantine import Quarantined, quarantined_error
from ds_provider.api.paging.reader import read
from ds_provider.api.paging.rows import decode_node, repaired_message
from ds_provider.api.query import lookups, parameters
from ds_provider.api.query.selection import Selection
from ds_provider.api.transport.client import AsyncDSClient, DSClient
from ds_provider.api.transport.clock import ServiceClock
from ds_provider.api.transport.flows import Flow
from ds_provider.api.transport.messages import Request
from ds_provider.constants import DEFAULT_CONN_ID
from ds_provider.exceptions import DSError
from ds_provider.hooks.connection import client_settings, endpoint, secrets_in
from ds_provider.hooks.lookup import afind_connection, find_connection
from ds_provider.metrics import send_usage

T = TypeVar("T")

# Airflow itself gives up a connection test after a minute, without a word
TEST_TIMEOUT_SECONDS = 10.0


class DSHook(BaseHook):
    """Read from the API of Démarches simplifiées, with the token of an Airflow connection.

    The token is the connection's password, and all that it must have:
    ``AIRFLOW_CONN_DS_DEFAULT='{"conn_type": "ds", "password": "<token>"}'``. The host is the public service's by
    default. Another one is a host name, or a whole URL such as ``http://127.0.0.1:9999/api/v2/graphql``.

    Three fields of the extra are optional:

    - ``read_timeout``: seconds to wait for a response, 60 to 3600; 90 by default.
    - ``requests_per_minute``: limit for all tasks that use the token, taken together; 300 by default. The public
      service allows 400. A task waits while the minute's requests are spent.
    - ``budget_url``: where these requests are counted. By default it is a file in Airflow's home, which the tasks of
      one machine share. With workers on several machines, give ``redis://…`` or ``postgresql://…``.
      ``sqlite:///path`` is another file.

    ::

        hook = DSHook()
        for groupe in hook.get_groupes(12345):
            for dossier in hook.iter_dossiers(groupe["number"], updated_since="2026-11-01T00:00:00+01:00"):
                print(dossier["number"], dossier["state"])

    A failed request is sent again where that may help and does no harm. What is raised in the end is a subclass of
    :class:`~ds_provider.exceptions.DSError`, which :mod:`ds_provider.exceptions` lists.

    :ivar clock: the service's time, by the answers to this hook's clients.
    :param ds_conn_id: the connection's id.
    """

    conn_name_attr = "ds_conn_id"
    default_conn_name = DEFAULT_CONN_ID
    conn_type = "ds"
    hook_name = "Démarches simplifiées"

    def __init__(self, ds_conn_id: str = default_conn_name, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.ds_conn_id = ds_conn_id
        self.clock = ServiceClock()

    @property
    def endpoint(self) -> str:
        """URL of the API.

        :raises DSConfigurationError: if the connection cannot work.
        """
        return endpoint(find_connection(self, self.ds_conn_id))

    @contextmanager
    def client(self) -> Iterator[DSClient]:
        """Open a blocking client for the length of a ``with``.

        It drives the flows of :mod:`ds_provider.api`, which the other methods are made of.

        :raises DSConfigurationError: if the connection cannot work.
        """
        with DSClient(**self._settings(), clock=self.clock) as client:
            try:
                yield client
            finally:
                send_usage(client.usage, self.ds_conn_id)

    @asynccontextmanager
    async def async_client(self) -> AsyncIterator[AsyncDSClient]:
        """Open a client of an event loop for the length of an ``async with``. It drives the same flows.

        :raises DSConfigurationError: if the connection cannot work.
        """
        settings = client_settings(await afind_connection(self, self.ds_conn_id))
        await amask_secret(secrets_in(settings))
        async with AsyncDSClient(**settings, clock=self.clock) as client:
            try:
                yield client
            finally:
                send_usage(client.usage, self.ds_conn_id)

    def test_connection(self) -> tuple[bool, str]:
        """Send one request and check that the service accepts the token.

        :returns: true with a confirmation, or false with the reason.
        """
        try:
            settings = self._settings()
            with closing(settings["budget"]) as budget:
                budget.check()
            # someone waits for this one request: it goes out even if the minute's requests are spent
            with DSClient(**settings | {"read_timeout": TEST_TIMEOUT_SECONDS, "budget": None}) as client:
                client.result(lookups.check_token())
        except (DSError, AirflowNotFoundException) as error:
            return False, str(error)
        return True, "The service answers and accepts the token."

    def run(self, query: str, variables: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Run any GraphQL operation and return its ``data``.

        :param query: the operation. A mutation is sent again only if the service cannot have run it.
        :param variables: its variables.
        :raises DSError: if the response is not whole. Partial data is never returned.
        """
        return self._result(lookups.run(Request(query, variables or {})))

    def get_groupes(self, demarche_number: int) -> list[dict[str, Any]]:
        """Return the groups (groupes instructeurs) of a démarche, closed ones included.

        :param demarche_number: the démarche's number.
        :returns: a dict for each group, with ``id``, ``number``, ``label`` and ``closed``.
        :raises DSNotFoundError: if the API shows no démarche under that number.
        :raises DSUnauthorizedError: if the token has no right on the démarche.
        """
        return self._result(lookups.get_groupes(parameters.parse_number(demarche_number, "demarche_number")))

    def get_dossier(self, number: int, **includes: bool) -> dict[str, Any]:
        """Return one dossier, with the same fields as :meth:`iter_dossiers`, whatever its group.

        :param number: the dossier's number.
        :param includes: the parts to read, such as ``include_champs=False`` or ``include_messages=True``.
        :raises DSNotFoundError: if it is hidden, deleted, or never existed. The API does not distinguish these.
        """
        parts = parameters.parse_includes(parameters.includes_of(includes))
        return self._result(lookups.get_dossier(parameters.parse_number(number, "number"), parts))

    def get_demarche_descriptor(self, number: int) -> dict[str, Any]:
        """Return the description of a démarche, with the form of its current revision.

        :param number: the démarche's number.
        :raises DSNotFoundError: if the API shows no démarche under that number.
        """
        return self._result(lookups.get_demarche_descriptor(parameters.parse_number(number, "number")))

    def get_revisions(self, demarche_number: int) -> dict[str, Any]:
        """Return the groups of a démarche and all revisions of its form, as the API sends them.

        A revision without a ``datePublication`` is a draft.

        :param demarche_number: the démarche's number.
        :returns: ``number``, ``groupeInstructeurs`` and ``revisions``. Each revision has its ``champDescriptors`` and
            ``annotationDescriptors``.
        :raises DSNotFoundError: if the API shows no démarche under that number.
        :raises DSUnauthorizedError: if the token has no right on the démarche.
        """
        return self._result(lookups.get_revisions(parameters.parse_number(demarche_number, "demarche_number")))

    def iter_dossiers(
        self,
        groupe_instructeur_number: int,
        *,
        created_since: object = None,
        created_until: object = None,
        updated_since: object = None,
        updated_until: object = None,
        state: str | None = None,
        archived: bool | None = None,
        revision: str | None = None,
        order: str = "ASC",
        page_size: int = 100,
        after: str | None = None,
        **includes: bool,
    ) -> Iterator[dict[str, Any]]:
        """Yield the dossiers of a group, as the API sends them. A page is requested when its first row is wanted.

        Instants are ISO 8601 texts with a time zone, or aware datetimes. The bounds are on one date, of deposit or of
        last change. Without bounds the whole group is read.

        :param groupe_instructeur_number: the group's number.
        :param created_since: deposited at that instant or later.
        :param created_until: deposited before that instant.
        :param updated_since: last changed at that instant or later.
        :param updated_until: last changed before that instant.
        :param state: ``en_construction``, ``en_instruction``, ``accepte``, ``refuse`` or ``sans_suite``.
        :param archived: only archived dossiers, or only the others; both by default.
        :param revision: only dossiers on that revision of the form, by its API id.
        :param order: ``ASC`` or ``DESC``, by date of last change with bounds on it, otherwise by date of deposit.
        :param page_size: rows a request, 1 to 100.
        :param after: a cursor of the same selection. Reading begins after it.
        :param includes: the parts to read, such as ``include_champs=False`` or ``include_messages=True``.
        :raises DSConfigurationError: before any request, naming the parameter that cannot work.
        :raises DSQuarantinedError: after all other rows, naming the dossiers that the service lists but cannot give.
        :raises DSError: if a page cannot be read, with the cursor that was reached.
        """
        window = parameters.explicit_window(
            created_since=created_since,
            created_until=created_until,
            updated_since=updated_since,
            updated_until=updated_until,
        )
        selection = parameters.select_dossiers(
            groupe_instructeur_number,
            window=window,
            state=state,
            archived=archived,
            revision=revision,
            order=order,
            page_size=page_size,
            after=after,
            includes=parameters.includes_of(includes),
        )
        return self._iterate(selection)

    def iter_deleted_dossiers(
        self,
        groupe_instructeur_number: int,
        *,
        deleted_since: object = None,
        order: str = "ASC",
        page_size: int = 100,
        after: str | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Yield the definitive deletions of a group.

        :param groupe_instructeur_number: the group's number.
        :param deleted_since: only those dated at that instant or later, ISO 8601 with a time zone. The service dates a
            deletion back by 14 days or more, so the last run's date loses deletions. Leave an overlap of 45 days, or
            read all, which is the default. A later one is a warning.
        :param order: ``ASC`` or ``DESC``, by date of deletion.
        :param page_size: rows a request, 1 to 100.
        :param after: a cursor of the same selection. Reading begins after it.
        :raises DSConfigurationError: before any request, naming the parameter that cannot work.
        :raises DSError: if a page cannot be read, with the cursor that was reached.
        """
        parameters.warn_of_lost_deletions(deleted_since)
        selection = parameters.select_deleted_dossiers(
            groupe_instructeur_number, deleted_since=deleted_since, order=order, page_size=page_size, after=after
        )
        return self._iterate(selection)

    def iter_pending_deleted_dossiers(
        self, groupe_instructeur_number: int, *, order: str = "ASC", page_size: int = 100, after: str | None = None
    ) -> Iterator[dict[str, Any]]:
        """Yield all pending deletions of a group: a snapshot of the dossiers that may still be restored.

        The parameters and errors are those of :meth:`iter_deleted_dossiers`.
        """
        return self._iterate(
            parameters.select_pending_deleted_dossiers(
                groupe_instructeur_number, order=order, page_size=page_size, after=after
            )
        )

    def _settings(self) -> dict[str, Any]:
        settings = client_settings(find_connection(self, self.ds_conn_id))
        mask_secret(secrets_in(settings))
        return settings

    def _result(self, flow: Flow[T]) -> T:
        with self.client() as client:
            return client.result(flow)

    def _iterate(self, selection: Selection) -> Iterator[dict[str, Any]]:
        quarantined: list[Quarantined] = []
        with self.client() as client:
            for page in client.iterate(read(selection)):
                quarantined += page.quarantined
                if page.repaired:
                    self.log.warning(repaired_message(page.repaired))
                for row in page.rows:
                    yield decode_node(row.raw)
        if quarantined:
            raise selection.add_context(quarantined_error(quarantined, "all others were given"))
