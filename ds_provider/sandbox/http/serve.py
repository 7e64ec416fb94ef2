"""Serve a sandbox in the foreground, for the command line."""

from __future__ import annotations

import json
import signal
import socket
from argparse import ArgumentParser, Namespace

from ds_provider.sandbox.http.server import check_numbers, create_server, listen, url_of
from ds_provider.sandbox.http.state import State
from ds_provider.sandbox.world.clock import Clock


def serve(arguments: Namespace, parser: ArgumentParser) -> None:
    """Print the line that says where the sandbox listens, and serve until SIGINT or SIGTERM."""
    try:
        check_numbers(arguments.seed, arguments.groupes, arguments.dossiers, arguments.rate_limit)
        listening = listen(arguments.host, arguments.port)
    except (ValueError, OverflowError) as problem:
        parser.error(str(problem))
    except OSError as problem:
        parser.exit(1, f"sandbox: cannot listen on {arguments.host}:{arguments.port}: {problem.strerror}\n")
    _run(arguments, listening)


def _run(arguments: Namespace, listening: socket.socket) -> None:
    state = State.create(
        arguments.seed,
        arguments.groupes,
        arguments.dossiers,
        Clock(arguments.now),
        arguments.rate_limit,
        arguments.server,
    )
    ready = {
        "url": url_of(listening),
        "token": state.tokens.main.value,
        "demarche": state.world.demarche.number,
        "groupes": [groupe.number for groupe in state.world.demarche.groupes],
    }
    server = create_server(state)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)  # uvicorn raises the signal again once it has stopped
    print(json.dumps(ready), flush=True)
    server.run(sockets=[listening])
