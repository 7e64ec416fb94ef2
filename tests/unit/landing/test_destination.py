"""A destination is proved before anything is asked of the service, and what is wrong with it is one line."""

from __future__ import annotations

import errno

import pytest
from airflow.sdk import ObjectStoragePath
from fsspec.implementations.local import LocalFileSystem

from ds_provider.exceptions import DSConfigurationError, DSDestinationError
from ds_provider.landing.storage import open_destination, parse_destination, storage_errors
from ds_provider.retry_policy import PERMANENT_ERRORS


@pytest.mark.parametrize("given", ["", None, "data/ds", "./ds", "~/ds", "C:\\ds", "://x", 12, b"/data"], ids=repr)
def test_destination_that_is_no_url_is_refused_by_name(given, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DSConfigurationError, match=r"^destination\b.*") as caught:
        open_destination(given)
    assert "\n" not in str(caught.value)
    assert repr(given) in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("given", ["nosuch://bucket/ds", "s4://conn@bucket/ds"])
def test_unknown_storage_is_refused_by_name(given):
    with pytest.raises(DSConfigurationError, match=r"^destination\b") as caught:
        open_destination(given)
    assert "\n" not in str(caught.value)
    assert given in str(caught.value)


@pytest.mark.parametrize("scheme", ["file://", ""])
def test_absolute_path_works_with_and_without_its_scheme(scheme, tmp_path):
    zone = open_destination(f"{scheme}{tmp_path}/new/ds")
    assert str(zone) == f"file://{tmp_path}/new/ds"
    (zone / "x").write_bytes(b"1")
    assert (tmp_path / "new/ds/x").read_bytes() == b"1"


NOT_MEANT = [
    "s3://bucket//x",
    "s3://bucket/x//",
    "s3://bucket/x//y",
    "s3://bucket/None/x",
    "s3://bucket/x/None",
    "s3://None/x",
    "s3://None@bucket/x",
    "s3://@bucket/x",
    "s3://conn@/x",
    "s3:///x",
    "s3://",
    "s3:// /x",
    "s3://bucket/ /x",
    "s3://bucket/../x",
    "s3://bucket/./x",
    "s3://bucket\\x",
    "s3://s3://bucket/x",
    "gs://bucket//x",
    "abfs:///x",
    "file:////{folder}",
    "file:///{folder}//x",
    "file:///{folder}/None",
    "file:///{folder}/../x",
    "file:///{folder}\\x",
    "file:///{folder}/x\n/y",
    "file://relative/x",
    "file://",
    "file:///",
    "file:///.",
    "/",
    "//{folder}",
    "/{folder}//x",
]


@pytest.mark.parametrize("given", NOT_MEANT)
def test_destination_with_a_part_that_is_not_meant_is_refused(given, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    given = given.format(folder=str(tmp_path).removeprefix("/"))
    with pytest.raises(DSConfigurationError, match=r"^destination\b") as caught:
        open_destination(given)
    assert "\n" not in str(caught.value)
    assert repr(given) in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("given", ["file://{}/a/", " file://{}/a ", "{}/a/", "file://{}/a"])
def test_slash_at_the_end_of_a_destination_is_no_other_place(given, tmp_path):
    assert str(open_destination(given.format(tmp_path))) == f"file://{tmp_path}/a"


@pytest.mark.parametrize("url", ["s3://bucket", "s3://conn@bucket/a b/é", "gs://bucket/a/..b", "file:///a/None.d/x"])
def test_destination_is_parsed_as_it_is(url):
    assert parse_destination(url) == parse_destination(f"{url}/") == url


PACKAGES = {
    "s3": r"apache-airflow-providers-amazon\[s3fs\]",
    "s3a": r"apache-airflow-providers-amazon\[s3fs\]",
    "gs": "apache-airflow-providers-google",
    "gcs": "apache-airflow-providers-google",
    "abfs": "apache-airflow-providers-microsoft-azure",
    "abfss": "apache-airflow-providers-microsoft-azure",
    "adl": "apache-airflow-providers-microsoft-azure",
}


@pytest.mark.parametrize("scheme", PACKAGES)
def test_storage_without_its_provider_names_the_package(scheme):
    with pytest.raises(DSConfigurationError, match=f"install {PACKAGES[scheme]}"):
        open_destination(f"{scheme}://bucket/ds")


def test_provider_without_its_library_names_the_package(monkeypatch):
    def refuse(*args):
        raise ImportError("s3fs is not there")

    monkeypatch.setattr(ObjectStoragePath, "fs", property(refuse))
    with pytest.raises(DSConfigurationError, match=rf"s3fs is not there.*install {PACKAGES['s3']}"):
        open_destination("s3://bucket/ds")


def test_write_probe_leaves_no_trace(tmp_path):
    open_destination(f"file://{tmp_path}/ds")
    assert list((tmp_path / "ds").iterdir()) == []


def test_path_below_a_file_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(DSDestinationError, match=r"^destination .*cannot be written") as caught:
        open_destination(f"file://{tmp_path}/file/ds")
    assert "\n" not in str(caught.value)
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize(
    ("error", "needs_a_person"),
    [(PermissionError("not permitted"), True), (OSError(errno.EROFS, "read only"), True), (OSError("full"), False)],
    ids=repr,
)
def test_storage_on_which_the_worker_has_no_right_is_not_tried_again(error, needs_a_person):
    with pytest.raises(DSDestinationError) as caught, storage_errors("it cannot be written"):
        raise error
    assert isinstance(caught.value, PERMANENT_ERRORS) == needs_a_person


@pytest.mark.parametrize("error", [PermissionError("read only"), RuntimeError("of the storage's own kind")], ids=repr)
def test_storage_that_refuses_writes_is_an_error_at_once(error, tmp_path, monkeypatch):
    def refuse(*args, **kwargs):
        raise error

    monkeypatch.setattr(LocalFileSystem, "open", refuse)
    with pytest.raises(DSDestinationError, match=str(error)):
        open_destination(f"file://{tmp_path}/ds")


@pytest.mark.parametrize("error", [ConnectionError("unreachable"), RuntimeError("no credentials now")], ids=repr)
def test_storage_out_of_reach_is_no_fault_of_the_parameter(error, tmp_path, monkeypatch):
    def refuse(*args, **kwargs):
        raise error

    monkeypatch.setattr(ObjectStoragePath, "fs", property(refuse))
    with pytest.raises(DSDestinationError, match=str(error)):
        open_destination(f"file://{tmp_path}/ds")


def test_connection_of_the_destination_that_is_missing_is_named(monkeypatch):
    with pytest.raises(DSConfigurationError, match="no_such_connection"):
        open_destination("s3://no_such_connection@bucket/ds")
