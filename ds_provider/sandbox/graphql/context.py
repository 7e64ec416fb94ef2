"""Context that one request passes to its resolvers."""

from __future__ import annotations

from dataclasses import dataclass

from ds_provider.sandbox.graphql.listings import Listings
from ds_provider.sandbox.world import files
from ds_provider.sandbox.world.content import Content
from ds_provider.sandbox.world.files import Attachment, Signer
from ds_provider.sandbox.world.french import JSON
from ds_provider.sandbox.world.world import World


@dataclass(frozen=True)
class Context:
    """The world, and the facts of one request.

    :ivar root: scheme and host that the client called, for links
    :ivar now: present time of the sandbox, in microseconds since the epoch
    :ivar entitled: whether the token has a right on the démarche
    :ivar named_types: types that the document's fragments name
    :ivar poisoned: numbers of dossiers on which the server crashes
    """

    world: World
    content: Content
    listings: Listings
    signer: Signer
    root: str
    now: int
    entitled: bool
    named_types: frozenset[str]
    poisoned: frozenset[int] = frozenset()

    def file(self, file: Attachment) -> JSON:
        """Return a file as the API shows it, with a new link."""
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

    def visible_files(self, attachments: list[Attachment]) -> list[JSON]:
        """Return the files in which no virus was found."""
        return [self.file(file) for file in attachments if files.is_visible(file, self.now)]
