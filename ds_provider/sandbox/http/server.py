"""A sandbox's server and the class that runs it in a thread."""

from __future__ import annotations

import socket
import threading
from collections import deque
from datetime import datetime
from types import TracebackType

import uvicorn

from ds_provider.sandbox.http.app import create_app
from ds_provider.sandbox.http.faults import Faults
from ds_provider.sandbox.http.state import ServedRequest, State
from ds_provider.sandbox.options import SEPTEMBER, SERVERS
from ds_provider.sandbox.world.clock import Clock
from ds_provider.sandbox.world.world import World

PATH = "/api/v2/graphql"


def listen(host: str, port: int) -> socket.socket:
    """Open a socket that listens.

    :param port: port number; 0 for any free port
    :raises OSError: if the address is in use or does not belong to this machine
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen(128)
    except OSError:
        listening.close()
        raise
    return listening


def url_of(listening: socket.socket) -> str:
    """Return the URL of the GraphQL endpoint on a socket."""
    host, port = listening.getsockname()[:2]
    shown = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
    return f"http://{f'[{shown}]' if ':' in shown else shown}:{port}{PATH}"


def create_server(state: State) -> uvicorn.Server:
    """Create the HTTP server over a sandbox's state."""
    config = uvicorn.Config(
        create_app(state),
        log_level="error",
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=1,
        server_header=False,
        # the answers carry the sandbox's own time
        date_header=False,
    )
    return uvicorn.Server(config)


class Sandbox:
    """A stand-in for the API, served by a thread inside a ``with`` block.

    >>> with Sandbox(seed=1, groupes=3, dossiers=120) as sandbox:
    ...     read(sandbox.url, sandbox.token, sandbox.groupes)

    :param seed: seed of the world's random values
    :param groupes: number of groups; of three or more, the last one is closed
    :param dossiers: number of dossiers deposited in each group in the 90 days before the start; with three or
        more, each list of each group has rows
    :param now: time-zone aware datetime at which the clock stands still; without it, the clock starts at the
        real time and runs
    :param rate_limit: requests per minute for each `Authorization` header; 0 for no limit
    :param server: age of the server that it answers as: ``2026-01`` lacks the fields that are newer
    :raises ValueError: if a number is too small, `now` has no time zone or there is no such server

    The world changes as the clock is moved: ``sandbox.clock.advance(86_400)``.
    """

    def __init__(
        self,
        *,
        seed: int = 1,
        groupes: int = 3,
        dossiers: int = 120,
        now: datetime | None = None,
        rate_limit: int = 400,
        server: str = SEPTEMBER,
    ) -> None:
        check_numbers(seed, groupes, dossiers, rate_limit)
        if server not in SERVERS:
            raise ValueError(f"server is one of {', '.join(SERVERS)}, not {server}")
        self._state = State.create(seed, groupes, dossiers, Clock(now), rate_limit, server)
        self._server = create_server(self._state)
        self._socket: socket.socket | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """URL of the GraphQL endpoint, inside the ``with`` block."""
        if self._socket is None:
            raise RuntimeError("the sandbox is served within `with` only")
        return url_of(self._socket)

    @property
    def token(self) -> str:
        """A token with a right on the démarche."""
        return self._state.tokens.main.value

    @property
    def tokens(self) -> dict[str, str]:
        """All tokens: `main`, `expired`, `ip_locked` and `without_rights`."""
        return self._state.tokens.named()

    @property
    def demarche(self) -> int:
        """Number of the démarche."""
        return self._state.world.demarche.number

    @property
    def other_demarche(self) -> int:
        """Number of a démarche that no token has a right on."""
        return self._state.world.other.number

    @property
    def groupes(self) -> list[int]:
        """Numbers of the démarche's groups."""
        return [groupe.number for groupe in self._state.world.demarche.groupes]

    @property
    def world(self) -> World:
        """The world at the clock's present time."""
        self._state.world.advance(self._state.clock.now_micros)
        return self._state.world

    @property
    def clock(self) -> Clock:
        """The sandbox's clock, which can be moved forward."""
        return self._state.clock

    @property
    def faults(self) -> Faults:
        """The faults in force: ``sandbox.faults.set({"server_error": 0.5})``."""
        return self._state.faults

    @property
    def requests(self) -> deque[ServedRequest]:
        """The last 10 000 GraphQL requests that were answered, oldest first."""
        return self._state.requests

    @property
    def state(self) -> State:
        """The parts that these properties are read from."""
        return self._state

    def __enter__(self) -> Sandbox:
        self._socket = listen("127.0.0.1", 0)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, name="ds-sandbox", daemon=True
        )
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.should_exit = True
        if self._thread is not None:
            self._thread.join(timeout=10)
        if self._socket is not None:
            self._socket.close()


def check_numbers(seed: int, groupes: int, dossiers: int, rate_limit: int) -> None:
    """Check a sandbox's numbers.

    :raises ValueError: if one is too small; the message names it
    """
    for name, number, minimum in (
        ("seed", seed, 0),
        ("groupes", groupes, 1),
        ("dossiers", dossiers, 1),
        ("rate-limit", rate_limit, 0),
    ):
        if number < minimum:
            raise ValueError(f"{name} must be {minimum} or more, not {number}")
