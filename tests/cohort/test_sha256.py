"""The hash of a file that is read again and again."""

import hashlib
import os
import time

import pytest

from synthpet.cohort import files
from synthpet.cohort.files import sha256, write_text


def digest(text):
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.fixture
def settled(tmp_path):
    """A file that this process has hashed and remembers."""
    path = write_text(tmp_path / "a.txt", "one")
    before = time.time() - 60
    os.utime(path, (before, before))
    found = path.stat()
    state = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
    files._DIGESTS[path] = (state, "remembered")
    return path


def test_an_unchanged_file_is_not_read_again(settled):
    assert sha256(settled) == "remembered"


def test_a_replaced_file_of_the_same_size_is_read_again(settled):
    write_text(settled, "two")
    assert sha256(settled) == digest("two")


def test_a_file_changed_in_place_is_read_again_even_if_its_time_is_put_back(settled):
    found = settled.stat()
    while settled.stat().st_ctime_ns == found.st_ctime_ns:  # the disk's clock ticks now and then
        with settled.open("r+") as stream:
            stream.write("two")
        os.utime(settled, ns=(found.st_atime_ns, found.st_mtime_ns))
    assert sha256(settled) == digest("two")


def test_a_file_that_has_just_changed_is_not_remembered(tmp_path):
    path = write_text(tmp_path / "a.txt", "one")
    assert sha256(path) == digest("one")
    assert path not in files._DIGESTS


def test_a_settled_file_is_remembered(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "SETTLED_S", -1.0)
    path = write_text(tmp_path / "a.txt", "one")
    assert sha256(path) == digest("one") == files._DIGESTS[path][1]
