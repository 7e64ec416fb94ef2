"""The floor, not a contender: bytes off the wire, boundaries of the rows, gzip. No check, no retry, nothing else."""

from __future__ import annotations

import gzip
import http.client
import json
from urllib.parse import urlsplit

import msgspec

from scripts.bench.jobs import GZIP_LEVEL, Job


class PageInfo(msgspec.Struct, rename="camel"):
    has_next_page: bool
    end_cursor: str | None


class Connection(msgspec.Struct, rename="camel"):
    page_info: PageInfo
    nodes: list[msgspec.Raw]


class Groupe(msgspec.Struct):
    dossiers: Connection


class Data(msgspec.Struct, rename="camel"):
    groupe_instructeur: Groupe


class Answer(msgspec.Struct):
    data: Data


decoder = msgspec.json.Decoder(Answer)


def read(job: Job) -> None:
    url = urlsplit(job.url)
    headers = {
        "Authorization": f"Bearer {job.token}",
        "Content-Type": "application/json",
        "Accept-Encoding": "gzip",
    }
    wire = http.client.HTTPConnection(url.netloc, timeout=60)
    cursor, more = None, True
    with gzip.open(job.file, "wb", GZIP_LEVEL) as file:
        while more:
            wire.request("POST", url.path, json.dumps(job.body(cursor)), headers)
            answer = decoder.decode(gzip.decompress(wire.getresponse().read()))
            connection = answer.data.groupe_instructeur.dossiers
            file.writelines(bytes(node) + b"\n" for node in connection.nodes)
            more, cursor = connection.page_info.has_next_page, connection.page_info.end_cursor
