"""Storage: how a landing zone is opened, and what a file system and an object store do differently."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING
from uuid import uuid4

from ds_provider.exceptions import DSConfigurationError, DSDestinationError, DSDestinationRightsError

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

_EXAMPLE = "file:///data/ds or s3://my_conn@bucket/ds"
_URL = re.compile(r"(?:(?P<scheme>[a-z][a-z0-9+.-]*)://|(?=/))(?P<path>.*)", re.DOTALL)
_CANNOT_BE_MEANT = re.compile(r"|None|\.\.?|\s.*|.*\s|.*[\\\x00-\x1f\x7f].*", re.DOTALL)

_AMAZON = "apache-airflow-providers-amazon[s3fs]"
_GOOGLE = "apache-airflow-providers-google"
_AZURE = "apache-airflow-providers-microsoft-azure"
# the provider of each file system that Airflow does not bring
_PACKAGES = {
    **dict.fromkeys(("s3", "s3a"), _AMAZON),
    **dict.fromkeys(("gs", "gcs"), _GOOGLE),
    **dict.fromkeys(("abfs", "abfss", "adl"), _AZURE),
}


def open_destination(destination: object) -> ObjectStoragePath:
    """Return the landing zone at a URL, proved writable by writing to it.

    :raises DSConfigurationError: if it is no URL that Airflow's object storage knows, or its connection is missing.
    :raises DSDestinationError: if nothing can be written there, or the storage is out of reach.
    """
    from airflow.sdk import ObjectStoragePath
    from airflow.sdk.exceptions import AirflowNotFoundException

    url = parse_destination(destination)
    with storage_errors(f"destination {destination!r} cannot be opened"):
        try:
            zone = ObjectStoragePath(url)
            zone.fs  # noqa: B018 - the file system is found, and its connection asked for, on first use
        except (ValueError, ImportError) as error:
            raise DSConfigurationError(
                f"destination {destination!r} cannot be used: {error}{_remedy(url, error)}"
            ) from None
        except AirflowNotFoundException as error:
            raise DSConfigurationError(f"destination {destination!r} cannot be used: {error}") from None
    _prove_writable(zone)
    return zone


def parse_destination(value: object, parameter: str = "destination") -> str:
    """Return the URL of a landing zone, without a slash at its end.

    :raises DSConfigurationError: if it is no URL of a whole path, or has a part that cannot be meant: an empty one, as
        of a template that renders to nothing, would land elsewhere.
    """
    found = _URL.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        raise DSConfigurationError(f"{parameter} must be a URL such as {_EXAMPLE}: got {value!r}")
    scheme, path = found["scheme"] or "file", found["path"].removesuffix("/")
    root, *parts = path.split("/")
    if scheme == "file" and (root or not parts):
        raise DSConfigurationError(f"{parameter} needs a whole path, as in file:///data/ds: got {value!r}")
    places = parts if scheme == "file" else [*root.split("@", 1), *parts]
    if any(_CANNOT_BE_MEANT.fullmatch(place) for place in places):
        raise DSConfigurationError(
            f"{parameter} has an empty part or one that is no name (None, '..', a backslash, a space at an end): got "
            f"{value!r}, correct it or the template in it"
        )
    return f"{scheme}://{path}"


def _remedy(url: str, error: Exception) -> str:
    is_missing = isinstance(error, ImportError) or "No filesystem registered" in str(error)
    package = _PACKAGES.get(url.partition("://")[0]) if is_missing else None
    return f"; install {package}, whose file system it needs" if package else ""


def _prove_writable(zone: ObjectStoragePath) -> None:
    probe = zone / f".writable-{uuid4().hex}"
    with storage_errors(f"destination {zone} cannot be written"):
        make_folder(zone)
        with probe.open("wb") as file:
            file.write(b"")
        probe.unlink()


@contextmanager
def storage_errors(failure: str) -> Iterator[None]:
    """Raise every error of a storage as one of this provider's.

    :param failure: what cannot be done, and where.
    :raises DSDestinationError: with the storage's own error as its reason.
    """
    try:
        yield
    except (DSConfigurationError, DSDestinationError):
        raise
    except Exception as error:  # noqa: BLE001 - every storage has errors of its own
        is_refused = isinstance(error, PermissionError) or getattr(error, "errno", None) == errno.EROFS
        kind = DSDestinationRightsError if is_refused else DSDestinationError
        raise kind(f"{failure}: {type(error).__name__}: {error}") from None


def is_local(path: ObjectStoragePath) -> bool:
    """Return true if bytes are there as they are written, and not only once the file is closed."""
    return path.protocol in ("", "file")


def make_folder(folder: ObjectStoragePath) -> None:
    """Create a folder where the storage has such things; buckets do not, and must not be created by accident."""
    if is_local(folder):
        folder.mkdir(parents=True, exist_ok=True)


def names_in(folder: ObjectStoragePath) -> list[str]:
    """Return the names in a folder, sorted; none if there is no such folder."""
    # other processes write here: a listing that some storages cache is of no use
    folder.fs.invalidate_cache(folder.path)
    try:
        return sorted(path.name for path in folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []


def remove_file(path: ObjectStoragePath) -> None:
    """Remove a file, unless another process did."""
    with suppress(FileNotFoundError):
        path.unlink()


def replace_file(target: ObjectStoragePath, content: bytes, scratch: ObjectStoragePath) -> None:
    """Write a file in one step: an object store replaces an object whole, a file system renames.

    :param scratch: where a local file is written before it is renamed.
    """
    written = scratch if is_local(target) else target
    written.fs.pipe_file(written.path, content)
    if written is scratch:
        written.fs.mv(written.path, target.path)
