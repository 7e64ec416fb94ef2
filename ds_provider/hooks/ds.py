"""From an Airflow connection to the API."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, closing, contextmanager
from typing import Any

import msgspec
from airflow.sdk import BaseHook
from airflow.sdk.log import amask_secret, mask_secret

from ds_provider.api.paging.iterator import locate
from ds_provider.api.paging.quarantine import Quarantined, quarantined_error
from ds_provider.api.paging.reader import read
from ds_provider.api.query import lookups
from ds_provider.api.query.parameters import (
    explicit_window,
    parse_includes,
    parse_number,
    parts_of,
    select_deleted_dossiers,
    select_dossiers,
    select_pending_deleted_dossiers,
)
from ds_provider.api.query.selection import Selection
from ds_provider.api.transport.client import AsyncDSClient, DSClient
from ds_provider.api.transport.messages import Request
from ds_provider.exceptions import DSError
from ds_provider.hooks.connection import client_settings, endpoint, secrets_in

# Airflow itself gives up a connection test after a minute, without a word
TEST_TIMEOUT_SECONDS = 10.0


class DSHook(BaseHook):
    """Holds the connection to Démarches simplifiées and its token.

    The token is the connection's password. The host is the public service's unless it is given: a host name, or a
    whole URL such as ``http://127.0.0.1:9999/api/v2/graphql``. Three extras:

    - ``read_timeout``: seconds to wait for an answer, 90 by default.
    - ``requests_per_minute``: what all tasks that use the token may ask together, 300 by default. The public service
      allows 400. A task that finds the budget spent waits.
    - ``budget_url``: where these requests are counted. By default a file in Airflow's home, which the tasks of one
      machine share; with workers on several, ``redis://…`` or ``postgresql://…``, or ``sqlite:///path`` for another
      file.

    :param ds_conn_id: the connection's id.
    """

    conn_name_attr = "ds_conn_id"
    default_conn_name = "ds_default"
    conn_type = "ds"
    hook_name = "Démarches simplifiées"

    def __init__(self, ds_conn_id: str = default_conn_name, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.ds_conn_id = ds_conn_id

    @property
    def endpoint(self) -> str:
        """The URL of the API.

        :raises DSConfigurationError: if the connection cannot work.
        """
        return endpoint(self.get_connection(self.ds_conn_id))

    @contextmanager
    def client(self) -> Iterator[DSClient]:
        """The blocking driver of the engine, open for the length of a ``with``.

        :raises DSConfigurationError: if the connection cannot work.
        """
        with DSClient(**self._settings()) as client:
            yield client

    @asynccontextmanager
    async def async_client(self) -> AsyncIterator[AsyncDSClient]:
        """The driver of the same engine for an event loop, open for the length of an ``async with``.

        :raises DSConfigurationError: if the connection cannot work.
        """
        settings = client_settings(await self.aget_connection(self.ds_conn_id))
        await amask_secret(secrets_in(settings))
        async with AsyncDSClient(**settings) as client:
            yield client

    def test_connection(self) -> tuple[bool, str]:
        """Ask the service whether it takes the token, and say what is wrong if not."""
        try:
            settings = self._settings()
            with closing(settings["budget"]) as budget:
                budget.check()
            # someone waits for this one request: it goes out even where the minute's are spent
            with DSClient(**settings | {"read_timeout": TEST_TIMEOUT_SECONDS, "budget": None}) as client:
                client.result(lookups.ping())
        except DSError as error:
            return False, str(error)
        return True, "The service answers and accepts the token."

    def run(self, query: str, variables: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The ``data`` of any GraphQL operation, whole.

        :param query: the operation. A mutation is never sent a second time unless the service cannot have run it.
        :param variables: its variables.
        :raises DSError: the subclass that tells what the answer is instead.
        """
        with self.client() as client:
            return client.result(lookups.run(Request(query, variables or {})))

    def get_groupes(self, demarche_number: int) -> list[dict[str, Any]]:
        """The groupes instructeurs of a démarche, closed ones included: ``id``, ``number``, ``label``, ``closed``.

        :raises DSError: if the démarche is not there or not for this token.
        """
        number = parse_number(demarche_number, "demarche_number")
        with self.client() as client:
            return client.result(lookups.groupes(number))

    def get_dossier(self, number: int, **includes: bool) -> dict[str, Any]:
        """One dossier, wherever its group, with the fields of a group's pages.

        :param number: the dossier's number.
        :param includes: its parts, as ``include_champs=``, ``include_messages=``…
        :raises DSNotFoundError: if it is hidden, deleted, or never was: the API does not tell these apart.
        """
        flow = lookups.dossier(parse_number(number, "number"), parse_includes(parts_of(includes)))
        with self.client() as client:
            return client.result(flow)

    def get_demarche_descriptor(self, number: int) -> dict[str, Any]:
        """A démarche's description and the form of its current revision.

        :raises DSNotFoundError: if the API shows none under that number.
        """
        flow = lookups.demarche_descriptor(parse_number(number, "number"))
        with self.client() as client:
            return client.result(flow)

    def get_revisions(self, demarche_number: int) -> dict[str, Any]:
        """A démarche's groups and all revisions of its form, as the API sends them.

        The keys are ``number``, ``groupeInstructeurs`` and ``revisions``; a revision has its ``champDescriptors`` and
        ``annotationDescriptors``. The one that has no ``datePublication`` is in the making.

        :raises DSNotFoundError: if the API shows no démarche under that number.
        :raises DSError: if the démarche is not for this token.
        """
        number = parse_number(demarche_number, "demarche_number")
        with self.client() as client:
            return client.result(lookups.revisions(number))

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
        """A group's dossiers, page by page, as the API sends them.

        The parameters are those of :class:`~ds_provider.operators.extract.DSExtractDossiersOperator`.

        :param includes: the parts of a dossier, as ``include_champs=``, ``include_messages=``…
        :raises DSError: before the first page if a parameter cannot work; later with the cursor that was reached.
        :raises DSQuarantinedError: after all others, naming the dossiers that the service lists but cannot give.
        """
        window = explicit_window(
            created_since=created_since,
            created_until=created_until,
            updated_since=updated_since,
            updated_until=updated_until,
        )
        selection = select_dossiers(
            groupe_instructeur_number,
            window=window,
            state=state,
            archived=archived,
            revision=revision,
            order=order,
            page_size=page_size,
            after=after,
            includes=parts_of(includes),
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
        """A group's definitive deletions.

        :param deleted_since: only those dated then or later. The service dates a deletion back by 14 days or more:
            ``deletedSince = last run`` loses deletions, so leave 45 days of overlap or read all.
        """
        selection = select_deleted_dossiers(
            groupe_instructeur_number, deleted_since=deleted_since, order=order, page_size=page_size, after=after
        )
        return self._iterate(selection)

    def iter_pending_deleted_dossiers(
        self, groupe_instructeur_number: int, *, order: str = "ASC", page_size: int = 100, after: str | None = None
    ) -> Iterator[dict[str, Any]]:
        """A group's pending deletions, all of them: a snapshot of what may still be restored."""
        selection = select_pending_deleted_dossiers(
            groupe_instructeur_number, order=order, page_size=page_size, after=after
        )
        return self._iterate(selection)

    def _settings(self) -> dict[str, Any]:
        settings = client_settings(self.get_connection(self.ds_conn_id))
        mask_secret(secrets_in(settings))
        return settings

    def _iterate(self, selection: Selection) -> Iterator[dict[str, Any]]:
        unreadable: list[Quarantined] = []
        with self.client() as client:
            for page in client.iterate(read(selection)):
                unreadable += page.quarantined
                for row in page.rows:
                    yield msgspec.json.decode(row.raw)
        if unreadable:
            raise locate(quarantined_error(unreadable, "all others were given"), selection, None)
