"""Digests that are computed again exactly when a file may have changed."""

import hashlib
import os
import time
from pathlib import Path

import pytest

from depthlens.provenance import fingerprints
from depthlens.provenance.fingerprints import Fingerprints


@pytest.fixture
def file(tmp_path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(b"content")
    return path


@pytest.fixture
def read(monkeypatch) -> list[str]:
    """Paths whose bytes were read."""
    found = []

    def sha256(path):
        found.append(str(path))
        return hashlib.sha256(Path(path).read_bytes()).hexdigest()

    monkeypatch.setattr(fingerprints, "sha256", sha256)
    monkeypatch.setattr(fingerprints, "_SETTLED_NANOSECONDS", 0)
    return found


def of(path: Path, known: dict) -> tuple[str | None, dict]:
    time.sleep(0.02)  # the clock of a file system ticks
    found = Fingerprints(known)
    return found.of([str(path)]).get(str(path)), found.known


def test_a_file_is_read_once(file, read):
    digest, known = of(file, {})
    assert digest == hashlib.sha256(b"content").hexdigest()
    assert of(file, known) == (digest, known)
    assert read == [str(file)]


@pytest.mark.parametrize("how", ["in place", "replaced"])
def test_other_bytes_of_the_same_size_and_date_are_noticed(file, read, how):
    before, known = of(file, {})
    dates = file.stat()
    if how == "replaced":
        file.unlink()
    file.write_bytes(b"CONTENT")
    os.utime(file, ns=(dates.st_atime_ns, dates.st_mtime_ns))
    after, _ = of(file, known)
    assert after == hashlib.sha256(b"CONTENT").hexdigest() != before


def test_a_file_that_has_just_changed_is_read_again(file, read, monkeypatch):
    monkeypatch.setattr(fingerprints, "_SETTLED_NANOSECONDS", 10**12)
    _, known = of(file, {})
    of(file, known)
    assert len(read) == 2


def test_a_file_that_is_gone_has_no_digest_and_is_forgotten(file, read):
    _, known = of(file, {})
    file.unlink()
    assert of(file, known) == (None, {})
    assert of(file.parent, {}) == (None, {})
