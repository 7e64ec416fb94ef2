"""What a file system and an object store do differently."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath


def is_local(path: ObjectStoragePath) -> bool:
    """Whether bytes are there as they are written, and not only once the file is closed."""
    return path.protocol in ("", "file")


def make_folder(folder: ObjectStoragePath) -> None:
    """Create a folder where the storage has such things; buckets do not, and must not be created by accident."""
    if is_local(folder):
        folder.mkdir(parents=True, exist_ok=True)


def names_in(folder: ObjectStoragePath) -> list[str]:
    """The names in a folder, sorted; none where there is no such folder."""
    # other processes write here: a listing that some storages remember is of no use
    folder.fs.invalidate_cache(folder.path)
    try:
        return sorted(path.name for path in folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []


def replace_file(target: ObjectStoragePath, content: bytes, scratch: ObjectStoragePath) -> None:
    """Write a file in one step: an object store replaces an object whole, a file system renames.

    :param scratch: where a local file is written before it is renamed.
    """
    written = scratch if is_local(target) else target
    written.fs.pipe_file(written.path, content)
    if written is scratch:
        written.fs.mv(written.path, target.path)
