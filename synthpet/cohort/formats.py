"""Formats of images that are not read: how to tell them, and what converts them."""

from pathlib import Path, PurePath

DICOM_FOLDER = "DICOM is not read; convert its folder: dcm2niix -z y <folder>"
MINC = "MINC is not read; convert it: nib-convert x.mnc x.nii.gz"
NRRD = "NRRD is not read; convert it to .nii.gz (3D Slicer)"
META = "MetaImage is not read; convert it to .nii.gz (3D Slicer)"
ECAT = "ECAT is not read; convert it to .nii.gz (TPCCLIB, ecat2nii)"
PAIR = (
    "a pair of .hdr and .img (Analyze or NIfTI) is not read; convert it: nib-convert x.img x.nii.gz, and check "
    "left and right: Analyze does not say which is which"
)
CONVERT = {  # by the end of the name
    ".mgz": "FreeSurfer's format is not read; convert it: mri_convert x.mgz x.nii.gz (or nib-convert)",
    ".mgh": "FreeSurfer's format is not read; convert it: mri_convert x.mgh x.nii.gz (or nib-convert)",
    ".img": PAIR,
    ".mnc": MINC,
    ".nrrd": NRRD,
    ".mha": META,
    ".mhd": META,
    ".v": ECAT,
}
DICOM = (".dcm", ".ima", ".dicom")
BY_CONTENT = {
    b"\0\0\0\x01": CONVERT[".mgh"],
    b"\x89HDF": MINC,
    b"CDF\x01": MINC,
    b"NRRD0": NRRD,
    b"ObjectType": META,
    b"NDims": META,
    b"MATRIX7": ECAT,
    b"PK\x03\x04": "a zip archive; unpack it",
}
NIFTI = (b"n+1\0", b"n+2\0")


def is_nifti(head: bytes) -> bool:
    """Whether the first bytes, uncompressed, are those of a single-file NIfTI image."""
    return head[344:348] == NIFTI[0] or head[4:8] == NIFTI[1]


def is_dicom(head: bytes) -> bool:
    """Whether the first bytes are those of a DICOM file."""
    return head[128:132] == b"DICM"


def other_format(path: Path | PurePath, head: bytes) -> str:
    """What an image of another format is and how to convert it; empty where it may be NIfTI.

    Args:
        path: the file.
        head: its first bytes, compressed or not.
    """
    if is_nifti(head):
        return ""
    suffix = path.suffix.lower()
    if is_dicom(head) or suffix in DICOM:
        return DICOM_FOLDER
    if suffix == ".hdr" or head[344:347] == b"ni1":
        return PAIR
    by_content = next((words for magic, words in BY_CONTENT.items() if head.startswith(magic)), "")
    return CONVERT.get(suffix, by_content)
