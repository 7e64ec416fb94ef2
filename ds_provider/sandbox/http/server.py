"""Serving a sandbox: in a thread for tests, in the foreground for the command line."""

from __future__ import annotations

import socket
import threading
from collections import deque
from datetime import datetime
from types import TracebackType

import uvicorn

from ds_provider.sandbox.http.app import create_app
from ds_provider.sandbox.http.faults import Faults
from ds_provider.sandbox.state import Served, State
from ds_provider.sandbox.world.clock import Clock
from ds_provider.sandbox.world.world import World

PATH = "/api/v2/graphql"


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens; port 0 takes any free one.

    :raises OSError: if the address is taken or is not this machine's
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
    host, port = listening.getsockname()[:2]
    shown = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
    return f"http://{f'[{shown}]' if ':' in shown else shown}:{port}{PATH}"


def create_server(state: State) -> uvicorn.Server:
    config = uvicorn.Config(
        create_app(state),
        log_level="error",
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=1,
        server_header=False,
    )
    return uvicorn.Server(config)


class Sandbox:
    """A stand-in for the API, served by a thread within ``with``.

    >>> with Sandbox(seed=1, groupes=3, dossiers=120) as sandbox:
    ...     read(sandbox.url, sandbox.token, sandbox.groupes)

    :param seed: what the world is drawn from
    :param groupes: how many groupes instructeurs; of three or more, the last one is closed
    :param dossiers: how many dossiers each group was given in the 90 days before the start; with three or
        more, each list of each group has rows
    :param now: an aware datetime at which the clock stands still; without it, it starts at the real time
        and runs
    :param rate_limit: requests a minute for each `Authorization` header; 0 for no limit
    :raises ValueError: if a number is too small or `now` has no time zone

    The world lives on as the clock is moved: ``sandbox.clock.advance(86_400)``.
    """

    def __init__(
        self,
        *,
        seed: int = 1,
        groupes: int = 3,
        dossiers: int = 120,
        now: datetime | None = None,
        rate_limit: int = 400,
    ) -> None:
        check_numbers(seed, groupes, dossiers, rate_limit)
        self._state = State.found(seed, groupes, dossiers, Clock(now), rate_limit)
        self._server = create_server(self._state)
        self._socket: socket.socket | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """Where GraphQL is answered, while it is served."""
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
        return self._state.world.demarche.number

    @property
    def other_demarche(self) -> int:
        """A démarche that no token has a right on."""
        return self._state.world.other.number

    @property
    def groupes(self) -> list[int]:
        return [groupe.number for groupe in self._state.world.demarche.groupes]

    @property
    def world(self) -> World:
        """The world as it stands now."""
        self._state.world.advance(self._state.clock.now_micros)
        return self._state.world

    @property
    def clock(self) -> Clock:
        return self._state.clock

    @property
    def faults(self) -> Faults:
        """What goes wrong: ``sandbox.faults.set({"server_error": 0.5})``."""
        return self._state.faults

    @property
    def requests(self) -> deque[Served]:
        """The GraphQL requests answered so far, the last 10 000 of them."""
        return self._state.requests

    @property
    def state(self) -> State:
        """The parts that all this is read from."""
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
    """
    :raises ValueError: naming the number that is too small
    """
    for name, number, least in (
        ("seed", seed, 0),
        ("groupes", groupes, 1),
        ("dossiers", dossiers, 1),
        ("rate-limit", rate_limit, 0),
    ):
        if number < least:
            raise ValueError(f"{name} must be {least} or more, not {number}")
