"""What one request brings to its resolvers."""

from __future__ import annotations

from dataclasses import dataclass

from ds_provider.sandbox.graphql.listings import Populations
from ds_provider.sandbox.world import files
from ds_provider.sandbox.world.content import Content
from ds_provider.sandbox.world.files import Attachment, Signer
from ds_provider.sandbox.world.french import JSON
from ds_provider.sandbox.world.world import World


@dataclass(frozen=True)
class Context:
    """:ivar root: scheme and host that the client called: links are made with it
    :ivar now: the sandbox's present, in microseconds
    :ivar entitled: whether the token has a right on the démarche
    :ivar named_types: the types that the document's fragments name
    :ivar poisoned: numbers of dossiers that the server does not survive
    """

    world: World
    content: Content
    populations: Populations
    signer: Signer
    root: str
    now: int
    entitled: bool
    named_types: frozenset[str]
    poisoned: frozenset[int] = frozenset()

    def file(self, file: Attachment) -> JSON:
        """A file as the API shows it, with a link of its own."""
        checksum, size = ("", "0") if file.pseudo else files.checksum(file.key)
        return {
            "url": self.root + self.signer.path(file, self.now),
            "filename": file.filename,
            "contentType": file.content_type,
            "checksum": checksum,
            "byteSizeBigInt": size,
            "createdAt": file.created_at,
            "virusScanResult": files.scan_result(file, self.now),
        }

    def shown(self, attachments: list[Attachment]) -> list[JSON]:
        """Those that no virus was found in."""
        return [self.file(file) for file in attachments if files.shown(file, self.now)]
