"""Servers on this machine: with a certificate of its own over TLS, and a proxy that answers CONNECT."""

from __future__ import annotations

import datetime
import ipaddress
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

DAY = datetime.timedelta(days=1)


def self_signed(folder: Path, address: str = "127.0.0.1", days: tuple[int, int] = (-1, 1)) -> Path:
    """Return a PEM file with a certificate of an address and its key.

    :param days: when it begins and ends to be valid, from now on.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, address)])
    now = datetime.datetime.now(datetime.timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + days[0] * DAY)
        .not_valid_after(now + days[1] * DAY)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / "server.pem"
    form = serialization.Encoding.PEM
    plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    file.write_bytes(key.private_bytes(form, *plain) + certificate.public_bytes(form))
    return file


class _Service(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        body = b'{"data": {"__typename": "Query"}}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serve(certificate: Path | None = None, *, wants_client: bool = False) -> Iterator[int]:
    """Serve the API's shortest response, and return the port.

    :param wants_client: whether it wants a certificate of the client too.
    """
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Service)
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        if wants_client:
            context.verify_mode, context.maximum_version = ssl.CERT_REQUIRED, ssl.TLSVersion.TLSv1_2
            context.load_verify_locations(certificate)
        # each connection's handshake in its own thread
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class Proxy:
    """Proxy that refuses each CONNECT with a status, or connects.

    :ivar asked: the first line of each request.
    """

    def __init__(self, status: int | None) -> None:
        self.asked: list[str] = []
        self._status = status
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._socket.close()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(client,), daemon=True).start()

    def _answer(self, client: socket.socket) -> None:
        with client, client.makefile("rb") as lines:
            self.asked.append(lines.readline().decode().strip())
            while lines.readline().strip():
                pass
            if self._status is not None:
                client.sendall(f"HTTP/1.1 {self._status} As it says\r\nContent-Length: 0\r\n\r\n".encode())
                return
            address, _, port = self.asked[-1].split()[1].rpartition(":")
            with socket.create_connection((address, int(port))) as server:
                client.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
                back = threading.Thread(target=_copy, args=(server, client), daemon=True)
                back.start()
                _copy(client, server)
                back.join()


def _copy(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass


@contextmanager
def proxy(status: int | None = None) -> Iterator[Proxy]:
    """Run a proxy. It connects, without a status."""
    running = Proxy(status)
    try:
        yield running
    finally:
        running.close()
