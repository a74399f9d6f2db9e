"""Bad images, by the numbers of ROBUSTNESS.md: refused with their own code, or read as what they are."""

import gzip
import itertools
import os
import resource
import time

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 - customary

from synthpet.cohort import Grid, read_image
from synthpet.cohort.images import read_frames, read_grid, read_remark
from synthpet.errors import DataError, UsageError
from synthpet.plausibility.measures import measure_header
from synthpet.prepare.pet import read_pet
from tests.robustness.conftest import GRID, asymmetric, plain

NAN, INF = float("nan"), float("inf")


def refused(path, code, **options):
    with pytest.raises(DataError, match=f"^{code} ") as error:
        read_image(path, **options)
    assert str(path) in str(error.value) and "expected" in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("keep", [0.5, 0.99, -8, -1], ids=["A01-50%", "A01-99%", "A01-8bytes", "A01-1byte"])
def test_a_cut_stream_is_refused(save, keep):
    raw = gzip.compress(plain(), mtime=0)
    path = save(b"")
    path = path.rename(path.with_suffix(".nii.gz"))
    path.write_bytes(raw[: int(len(raw) * keep) if keep > 0 else keep])
    refused(path, "E_TRUNCATED")


@pytest.mark.parametrize("seed", [0], ids=["A02"])
def test_each_of_100_flipped_bytes_is_refused(save, seed):
    path = save(plain(), "image.nii.gz")
    raw = path.read_bytes()
    for position in np.random.default_rng(seed).choice(np.arange(10, len(raw)), 100, replace=False):
        path.write_bytes(raw[:position] + bytes([raw[position] ^ 0x10]) + raw[position + 1 :])
        with pytest.raises(DataError, match=r"^E_"):
            read_image(path)


def test_a03_a_plain_image_that_is_too_short_is_refused_with_both_numbers(save):
    content = plain()
    assert f"{len(content) - 5:,} bytes; expected {len(content):,}" in refused(save(content[:-5]), "E_TRUNCATED")


def test_a03_and_one_that_is_too_long(save):
    refused(save(plain() + b"\0"), "E_SIZE")


@pytest.mark.parametrize(
    ("content", "name", "code"),
    [
        pytest.param(b"", "x.nii", "E_EMPTY", id="A04-empty"),
        pytest.param(b"version https://git-lfs.github.com/spec/v1\n", "x.nii", "E_POINTER", id="A04-lfs"),
        pytest.param(b"../../.git/annex/objects/Wx/0j/MD5E-s1.nii.gz", "x.nii", "E_POINTER", id="A04-annex"),
        pytest.param(b"\n<!DOCTYPE html>", "x.nii", "E_NOT_NIFTI", id="A04-web-page"),
        pytest.param(b"P5 200 200 255 " * 90, "x.nii", "E_NOT_NIFTI", id="A04-another-format"),
    ],
)
def test_what_is_no_image_has_its_own_hint(save, content, name, code):
    refused(save(content, name), code)


def test_a04_plain_named_gz_and_the_reverse(save, tmp_path):
    (tmp_path / "x.nii.gz").write_bytes(plain())
    assert "rename it to .nii" in refused(tmp_path / "x.nii.gz", "E_NOT_GZIP")
    (tmp_path / "y.nii").write_bytes(gzip.compress(plain(), mtime=0))
    assert "rename it to .nii.gz" in refused(tmp_path / "y.nii", "E_NOT_NIFTI")


def test_a04_a_pipe_a_folder_and_a_dead_link_do_not_hang(tmp_path):
    os.mkfifo(tmp_path / "pipe.nii")
    (tmp_path / "folder.nii").mkdir()
    (tmp_path / "link.nii").symlink_to(tmp_path / ".git" / "annex" / "nothing.nii")
    refused(tmp_path / "pipe.nii", "E_NOT_FILE")
    refused(tmp_path / "folder.nii", "E_NOT_FILE")
    refused(tmp_path / "link.nii", "E_POINTER")


def test_a05_not_finite_is_counted(save):
    data = asymmetric()
    data[0, 0, :3] = NAN, INF, -INF
    assert "n=3" in refused(save(plain(data)), "E_NONFINITE")


RGB = np.zeros(GRID.shape, [("R", "u1"), ("G", "u1"), ("B", "u1")])


@pytest.mark.parametrize(
    ("data", "code"),
    [
        pytest.param(np.stack([asymmetric()] * 6, -1), "E_DIM", id="A07-six-frames"),
        pytest.param(asymmetric()[..., 0], "E_DIM", id="A07-2D"),
        pytest.param(asymmetric().astype(np.complex64), "E_DTYPE", id="A07-complex"),
        pytest.param(RGB, "E_DTYPE", id="A07-RGB"),
    ],
)
def test_what_is_not_one_real_volume_is_refused(save, data, code):
    message = refused(save(plain(data)), code)
    assert code != "E_DIM" or data.ndim != 4 or "6 frames" in message


def test_a07_one_frame_is_a_volume(save):
    np.testing.assert_array_equal(read_image(save(plain(asymmetric()[..., None])))[0], asymmetric())


@pytest.mark.parametrize(("slope", "inter"), [(INF, 0), (1e-30, 0), (1e20, 0), (2, NAN), (2, INF)], ids="A08-{}".format)
def test_a_scale_that_is_none_is_refused(save, slope, inter):
    refused(save(plain(scl_slope=slope, scl_inter=inter)), "E_SCALE")


@pytest.mark.parametrize("slope", [0, NAN], ids="A08-{}".format)
def test_no_scale_means_stored_values_but_not_where_they_fill_the_range_of_integers(save, slope):
    np.testing.assert_array_equal(read_image(save(plain(scl_slope=slope)))[0], asymmetric())
    scaled = (asymmetric() / asymmetric().max() * 32767).astype(np.int16)
    with pytest.raises(DataError, match=r"^E_SCALE sub-01"):
        read_pet(save(plain(scaled, scl_slope=slope)), "sub-01")
    assert read_pet(save(plain(scaled, scl_slope=0.1, scl_inter=0)), "sub-01").data.max() == pytest.approx(3276.7)


def test_a09_values_that_no_unit_has_are_refused(save):
    refused(save(plain(asymmetric() * 1e9)), "E_RANGE")
    refused(save(plain(scl_slope=1e11)), "E_RANGE")
    refused(save(plain(datatype=8)), "E_RANGE")  # real numbers read as integers


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"srow_x": [0, 0, 0, 0]}, id="A10-singular"),
        pytest.param({"srow_y": [0, NAN, 0, 0]}, id="A10-nan"),
        pytest.param({"pixdim": [1, 2, 0, 2, 1, 1, 1, 1]}, id="A10-zero-pixdim"),
        pytest.param({"quatern_b": 3}, id="A10-no-quaternion"),
        pytest.param({"srow_x": [2000, 0, 0, 0]}, id="A10-micrometres"),
        pytest.param({"qform_code": 0, "srow_x": [2, 0, 0, 1e6]}, id="A10-far-away"),
    ],
)
def test_an_affine_that_maps_nowhere_is_refused(save, fields):
    refused(save(plain(**fields)), "E_AFFINE")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        pytest.param({"srow_x": [2, 0, 0, -5.9]}, "1.1 mm", id="A11-shift"),
        pytest.param({"srow_x": [-2, 0, 0, 5]}, "left and right swapped", id="A11-flip"),
        pytest.param({"quatern_b": np.sin(np.deg2rad(1.5))}, "3.0 degrees", id="A11-turn"),
    ],
)
def test_two_places_are_refused_unless_one_is_chosen(save, fields, words):
    path = save(plain(**fields))
    assert words in refused(path, "E_XFORM_CONFLICT")
    (a, qform), (b, sform) = (read_image(path, xform=xform) for xform in ("qform", "sform"))
    assert not (qform.matches(sform) and np.array_equal(a, b))
    with pytest.raises(UsageError, match="sform, qform"):
        read_image(path, xform="other")


def test_a11_less_than_a_millimetre_is_one_place(save):
    read_image(save(plain(srow_x=[2, 0, 0, -6.5])))


def test_a11_without_orientation(save):
    refused(save(plain(sform_code=0, qform_code=0)), "E_NO_ORIENTATION")


def test_a12_all_48_orders_and_directions_of_the_axes_are_one_image(tmp_path):
    path = tmp_path / "turned.nii"
    for axes, flips in itertools.product(itertools.permutations(range(3)), itertools.product((1, -1), repeat=3)):
        turn = nib.orientations.ornt_transform(
            nib.io_orientation(GRID.matrix), np.column_stack([axes, flips]).astype(float)
        )
        image = nib.Nifti1Image(asymmetric(), GRID.matrix).as_reoriented(turn)
        image.set_qform(image.affine, code=1)
        path.write_bytes(image.to_bytes())
        for data, grid in (read_image(path), (next(read_frames(path).each([0]))[1], read_grid(path))):
            np.testing.assert_array_equal(data, asymmetric())
            assert grid.matches(GRID)


def test_a13_what_simpleitk_writes_in_lps_keeps_its_side(tmp_path):
    image = sitk.GetImageFromArray(asymmetric().transpose())
    image.SetSpacing(GRID.spacing_mm)
    image.SetOrigin([7, 9, -11])  # LPS
    image.SetDirection([-1, 0, 0, 0, -1, 0, 0, 0, 1])
    sitk.WriteImage(image, str(tmp_path / "lps.nii.gz"))
    data, grid = read_image(tmp_path / "lps.nii.gz")
    assert grid.matches(GRID)
    bright = np.argwhere(data > 3) @ grid.matrix[:3, :3].T + grid.matrix[:3, 3]
    assert (bright[:, 0] > 0).all()


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(Grid.of((8, 8, 9), GRID.matrix), id="A14-one-voxel"),
        pytest.param(Grid.of((9, 8, 7), GRID.matrix), id="A14-shape"),
        pytest.param(Grid.of(GRID.shape, GRID.matrix @ np.diag([1.01, 1.01, 1.01, 1])), id="A14-spacing"),
    ],
)
def test_another_grid_is_refused_with_both(save, other):
    message = refused(save(plain()), "E_GRID", grid=other)
    assert str(GRID) in message and str(other) in message


def bomb(shape: tuple[int, ...], n_bytes: int) -> bytes:
    """A header that promises ``shape``, and zeros."""
    header = nib.Nifti1Header(plain()[:348], check=False)
    header["dim"] = [3, *shape, 1, 1, 1, 1]
    compressor = __import__("zlib").compressobj(9, wbits=31)
    parts = [compressor.compress(header.binaryblock + bytes(4))]
    parts += [compressor.compress(bytes(1 << 22)) for _ in range(n_bytes >> 22)]
    return b"".join([*parts, compressor.flush()])


@pytest.mark.parametrize(
    ("shape", "code"),
    [
        pytest.param((7, 8, 9), "E_SIZE", id="A18-small-by-its-header"),
        pytest.param((640, 640, 640), "E_TOO_BIG", id="A18-honest"),
        pytest.param((30000, 30000, 30000), "E_TOO_BIG", id="A18-30000"),
    ],
)
def test_a_bomb_is_refused_fast_and_in_little_memory(tmp_path, shape, code):
    path = tmp_path / "bomb.nii.gz"
    path.write_bytes(bomb(shape, 1 << 28))
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    refused(path, code)
    assert time.process_time() - start < 5
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # kB


def test_a30_spaces_and_accents_in_a_path_that_cannot_be_written(save, tmp_path):
    folder = tmp_path / "Hôpital Édouard, élève 1"
    folder.mkdir()
    path = save(plain(), "image.nii.gz").rename(folder / "sujet n° 1.nii.gz")
    folder.chmod(0o555)
    np.testing.assert_array_equal(read_image(path)[0], asymmetric())
    folder.chmod(0o755)


def other_formats(folder):
    """A file each of formats that scanners and programs write, by the words that tell it."""
    data = asymmetric()
    nib.save(nib.MGHImage(data, GRID.matrix), folder / "T1.mgz")
    nib.save(nib.MGHImage(data, GRID.matrix), folder / "T1.mgh")
    nib.save(nib.AnalyzeImage(data, GRID.matrix), folder / "analyze.hdr")
    nib.save(nib.Nifti1Pair(data, GRID.matrix), folder / "pair.hdr")
    (folder / "IM0001").write_bytes(b"\0" * 128 + b"DICM" + bytes(9000))
    (folder / "a.nrrd").write_bytes(b"NRRD0005" + bytes(900))
    (folder / "renamed.nii.gz").write_bytes((folder / "T1.mgz").read_bytes())
    (folder / "renamed.nii").write_bytes((folder / "T1.mgh").read_bytes())
    pairs = dict.fromkeys(("analyze.hdr", "analyze.img", "pair.hdr", "pair.img"), "nib-convert")
    surfer = dict.fromkeys(("T1.mgz", "T1.mgh", "renamed.nii.gz", "renamed.nii"), "mri_convert")
    return {**pairs, **surfer, "IM0001": "dcm2niix", "a.nrrd": "Slicer"}


def test_other_formats_are_named_with_what_converts_them(tmp_path):
    from uad.new_patient.images import check_files

    for name, tool in other_formats(tmp_path).items():
        assert tool in refused(tmp_path / name, "E_NOT_NIFTI")
        with pytest.raises(DataError, match=f"E_NOT_NIFTI .*{tool}"):
            check_files(t1w=tmp_path / name)
    assert "dcm2niix" in refused(tmp_path, "E_NOT_FILE")


@pytest.mark.parametrize("name", ["T1.NII.GZ", "T1.Nii.gz"])
def test_an_ending_in_capitals_is_an_ending(save, tmp_path, name):
    path = save(plain(), "x.nii.gz").rename(tmp_path / name)
    np.testing.assert_array_equal(read_image(path)[0], asymmetric())


def dialects():
    """The same picture as other writers of NIfTI put it down."""
    data, second = asymmetric(), nib.Nifti2Image(asymmetric(), GRID.matrix)
    second.set_sform(GRID.matrix, 1)
    second.set_qform(GRID.matrix, 1)
    big = nib.Nifti1Image(data.astype(">f8"), GRID.matrix, nib.Nifti1Header(endianness=">"))
    big.set_data_dtype(">f8")
    big.set_sform(GRID.matrix, 1)
    big.set_qform(GRID.matrix, 1)
    pixdim = nib.Nifti1Header(plain()[:348])["pixdim"].copy()
    metres = plain(**{f"srow_{axis}": GRID.matrix[k] / 1000 for k, axis in enumerate("xyz")}, qform_code=0,
                   pixdim=np.append(1, pixdim[1:] / 1000), xyzt_units=1)  # fmt: skip
    return {
        "NIfTI-2": second.to_bytes(),
        "big-endian": big.to_bytes(),
        "pixdim[0] = 0": plain(pixdim=np.append(0, pixdim[1:])),
        "pixdim[0] = NaN": plain(pixdim=np.append(NAN, pixdim[1:])),
        "negative pixdim": plain(pixdim=np.append(1, -pixdim[1:])),
        "qform alone": plain(sform_code=0),
        "sform alone": plain(qform_code=0),
        "metres": metres,
        "said to be metres": plain(xyzt_units=1),
    }


@pytest.mark.parametrize("dialect", dialects())
def test_every_dialect_of_nifti_is_the_same_picture_for_reader_and_quality_control(save, dialect):
    path = save(dialects()[dialect], "x.nii.gz")
    data, grid = read_image(path)
    np.testing.assert_array_equal(data, asymmetric())
    assert grid.matches(GRID)
    assert measure_header(path) == {"qform_sform_mm": pytest.approx(0, abs=1e-3), "sides_conflict": 0}
    assert bool(read_remark(path)) == (dialect == "said to be metres")


def test_sides_that_disagree_are_seen_in_nifti_2_as_well(save):
    image = nib.Nifti2Image(asymmetric(), GRID.matrix)
    image.set_sform(np.diag([-1, 1, 1, 1]) @ GRID.matrix, 1)
    image.set_qform(GRID.matrix, 1)
    assert measure_header(save(image.to_bytes()))["sides_conflict"] == 1
