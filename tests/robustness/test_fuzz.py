"""Mutated headers, streams, tables, sidecars, checkpoints, arrays: a listed error, or exactly what the file says."""

import gzip
import io
import json
import struct

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from synthpet.cohort import Cohort, read_image
from synthpet.cohort.images import read_frames, read_grid
from synthpet.cohort.marks import is_synthetic_image
from synthpet.errors import DataError
from synthpet.learning.checkpoints import sealed
from synthpet.learning.model_files import read_arrays, read_checkpoint
from synthpet.prepare.pet import read_pet
from synthpet.prepare.raw.participants import read_participants
from tests.robustness.conftest import GRID, asymmetric, plain

FAST, SLOW = 60, 2600  # mutations of each kind, in every run and among the slow tests
CONTENT = plain()
GEOMETRY = {"dim": (40, 16), "datatype": (70, 2), "bitpix": (72, 2), "vox_offset": (108, 4)}  # offset and length
SCALE, FORMS = range(112, 120), range(252, 328)


def mutated(content: bytes, change: list[tuple[int, int]]) -> bytes:
    """Bytes at positions replaced."""
    found = bytearray(content)
    for position, value in change:
        found[position % len(found)] = value
    return bytes(found)


def said_by(content: bytes) -> np.ndarray:
    """The voxels as the header of a single-file float32 NIfTI says, by ``struct`` alone, in the file's order."""
    slope, inter = struct.unpack_from("<ff", content, 112)
    stored = np.frombuffer(content, "<f4", offset=352).reshape(GRID.shape, order="F")
    return stored if not slope or slope != slope else stored * np.float32(slope) + np.float32(inter)


def check_header(save, change):
    """One header with a few bytes changed: refused, or the voxels are those that the mutated header says."""
    content = mutated(CONTENT[:352], change) + CONTENT[352:]
    path = save(content)
    try:
        data, grid = read_image(path)
    except DataError as error:
        assert str(error).startswith("E_")
        return
    for start, length in GEOMETRY.values():  # shape, kind and place of the voxels have to be untouched
        used = 8 if start == 40 else length  # of dim, the axes that are there
        assert content[start : start + used] == CONTENT[start : start + used]
    expected = said_by(content)
    if all(content[k] == CONTENT[k] for k in (*range(76, 92), *FORMS)):
        np.testing.assert_allclose(data, expected, rtol=1e-6)
        assert grid.matches(GRID)
    else:  # both forms have to have moved together, or one has been switched off
        assert sorted(data.ravel()) == pytest.approx(sorted(expected.ravel()))
        assert sorted(grid.shape) == sorted(GRID.shape)


def check_compressed(save, change):
    """One compressed file with a few bytes changed: refused, or nothing that matters was hit."""
    path = save(b"")
    path = path.with_suffix(".nii.gz")
    path.write_bytes(mutated(gzip.compress(CONTENT, mtime=0), change))
    for read in (read_image, read_frames, read_grid, is_synthetic_image, lambda p: read_pet(p, "sub-01")):
        try:
            found = read(path)
        except DataError as error:
            assert str(error).startswith("E_")
            continue
        if read is read_image:
            np.testing.assert_array_equal(found[0], asymmetric())


HEADER_BYTE = st.one_of(
    st.integers(0, 351),
    st.sampled_from([k for s, n in GEOMETRY.values() for k in range(s, s + n)]),
    st.sampled_from(SCALE),
)
BYTES = st.lists(st.tuples(HEADER_BYTE, st.integers(0, 255)), min_size=1, max_size=4)
ANYWHERE = st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=3)
TABLE = b"participant_id\tgroup\trole\tage\nsub-00\tcontrol\tpaired\t30\nsub-01\tpatient\tpatient\tn/a\n"
PIECES = (
    b"\t",
    b"\n",
    b"\r\n",
    b'"',
    b"\0",
    b"\xff",
    "é".encode(),
    b"sub-00",
    b"../../x",
    b"n/a",
    b",",
    b" ",
    b"1e999",
)
EDITS = st.lists(
    st.tuples(st.integers(0, len(TABLE)), st.integers(0, 6), st.sampled_from(PIECES)), min_size=1, max_size=4
)


def check_table(save, change):
    """A table with pieces put in and taken out: refused, or ids that stay below the folder, each once."""
    text = TABLE
    for position, taken, piece in change:
        text = text[:position] + piece + text[position + taken :]
    path = save(text, "participants.tsv")
    image = path.parent / "sub-00" / "anat" / "sub-00_space-X_res-5mm_desc-preproc_T1w.nii.gz"
    image.parent.mkdir(parents=True, exist_ok=True)
    image.touch()
    for read in (Cohort.open, lambda folder: read_participants(folder / "participants.tsv")):
        try:
            found = read(path.parent)
        except DataError as error:
            assert str(error).startswith("E_")
            continue
        ids = [s.participant_id for s in found.subjects] if isinstance(found, Cohort) else list(found.rows)
        assert len(ids) == len(set(ids)) and all(i.isascii() and i[4:].isalnum() and "/" not in i for i in ids if i[4:])


VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=5,
)
KEYS = ("TracerName", "Units", "FrameDuration", "FrameTimesStart", "InjectionStart", "Synthetic", "Simulated")
SIDECARS = st.tuples(
    st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=4), st.integers(0, 200), st.binary(max_size=2)
)


def check_sidecar(save, change):
    """A sidecar with values of any kind, and bytes put into its text: refused, or the PET as it is without."""
    about, position, junk = change
    text = json.dumps(about).encode()
    path = save(plain())
    path.with_suffix(".json").write_bytes(text[:position] + junk + text[position:])
    is_synthetic_image(path)
    try:
        found = read_pet(path, "sub-01")
    except DataError as error:
        assert str(error).startswith("E_")
        return
    np.testing.assert_allclose(found.data, asymmetric(), rtol=1e-6)


def written_checkpoint() -> bytes:
    content = io.BytesIO()
    torch.save({"state_dict": {"weight": torch.from_numpy(asymmetric()), "step": torch.tensor(7)}, "epoch": 1}, content)
    return sealed(content.getvalue())


def written_arrays() -> bytes:
    content = io.BytesIO()
    np.savez(content, weight=asymmetric(), step=np.array(7))
    return content.getvalue()


CHECKPOINT, ARRAYS = written_checkpoint(), written_arrays()


def accepted(read, path):
    """What is read; None where it is refused by a listed error."""
    try:
        return read(path)
    except DataError as error:
        assert str(error).startswith("E_")
        return None


def check_checkpoint(save, change):
    """A checkpoint with a few bytes changed: refused, or exactly what was saved."""
    found = accepted(read_checkpoint, save(mutated(CHECKPOINT, change), "last.ckpt"))
    if found is None:
        return
    assert found["epoch"] == 1 and int(found["state_dict"]["step"]) == 7
    np.testing.assert_array_equal(found["state_dict"]["weight"].numpy(), asymmetric())


def check_arrays(save, change):
    """Arrays of a detector with a few bytes changed: refused, or exactly what was saved under the same or no name."""
    found = accepted(read_arrays, save(mutated(ARRAYS, change), "arrays.npz")) or {}
    expected = {"weight": asymmetric(), "step": np.array(7)}
    for name in set(found) & set(expected):
        np.testing.assert_array_equal(found[name], expected[name])


KINDS = [
    pytest.param(check_header, BYTES, id="headers"),
    pytest.param(check_compressed, ANYWHERE, id="streams"),
    pytest.param(check_table, EDITS, id="tables"),
    pytest.param(check_sidecar, SIDECARS, id="sidecars"),
    pytest.param(check_checkpoint, ANYWHERE, id="checkpoints"),
    pytest.param(check_arrays, ANYWHERE, id="arrays"),
]


@pytest.mark.parametrize("n", [FAST, pytest.param(SLOW, marks=pytest.mark.slow)])
@pytest.mark.parametrize(("check", "mutations"), KINDS)
def test_mutated(save, check, mutations, n):
    @settings(max_examples=n, deadline=2000, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    @given(mutations)
    def hold(change):
        check(save, change)

    hold()
