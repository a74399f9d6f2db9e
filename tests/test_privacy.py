"""What a hospital writes into headers, sidecars and tables comes out nowhere: no file, log, page or W&B folder."""

import gzip
import json
import zipfile
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from synthpet.cohort.files import read_tsv, write_tsv
from synthpet.cohort.names import sidecar_path
from tests.conftest import study
from tests.test_training import SMALL

NAME, BIRTH, MRN, FREE, MARKUP = "CANARYNAME", "19480229", "MRN-77441", "CANARYTEXT", "<script>alert(1)</script>"
SECRETS = (NAME, BIRTH, MRN, FREE)
DICOM_LIKE = {"PatientName": NAME, "PatientBirthDate": BIRTH, "PatientID": MRN, "InstitutionName": FREE,
              "StudyDescription": MARKUP}  # fmt: skip


def spoil_image(path: Path) -> None:
    """Put an identity into every free field of a NIfTI header, and into extensions."""
    image = nib.load(path)
    image = nib.Nifti1Image(np.asarray(image.dataobj), image.affine, image.header)
    image.header["descrip"] = f"{NAME} {BIRTH} {MARKUP}".encode()[:79]
    image.header["aux_file"], image.header["intent_name"] = MRN.encode(), FREE.encode()
    image.header["db_name"] = NAME.encode()
    for code in ("comment", "dicom", "xcede"):
        image.header.extensions.append(nib.nifti1.Nifti1Extension(code, json.dumps(DICOM_LIKE).encode()))
    nib.save(image, path)


def spoil(root: Path) -> None:
    """Identities in the header and sidecar of every image, and in columns of participants.tsv that nobody asked for."""
    for path in root.rglob("*.nii.gz"):
        spoil_image(path)
        sidecar = sidecar_path(path)
        known = json.loads(sidecar.read_text()) if sidecar.exists() else {}
        units = {"TracerName": "FDG", "Units": "SUVR"} if path.name.endswith("_pet.nii.gz") else {}
        sidecar.write_text(json.dumps(units | known | DICOM_LIKE))
    table = root / "participants.tsv"
    if table.exists():
        rows = [row | {"name": NAME, "birth_date": BIRTH, "mrn": MRN, "remark": MARKUP} for row in read_tsv(table)]
        write_tsv(table, rows, rows[0])


def found_in(root: Path, words: tuple[str, ...] = SECRETS) -> list[str]:
    """Files below ``root`` that hold a word: in their names, bytes, or bytes once unpacked."""
    wanted = [word.encode() for word in words]
    hits = []
    for path in (p for p in root.rglob("*") if p.is_file() and not p.is_symlink()):
        contents = [path.name.encode(), path.read_bytes()]
        if path.name.endswith(".gz"):
            contents.append(gzip.decompress(contents[1]))
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                contents += [archive.read(name) for name in archive.namelist()]
        hits += [f"{path.relative_to(root)}: {w.decode()}" for w in wanted if any(w in c for c in contents)]
    return hits


@pytest.fixture(scope="module")
def spoilt_root(tmp_path_factory):
    from tests.conftest import write_cohort

    root = tmp_path_factory.mktemp("hospital") / "cohort"
    write_cohort(root)
    about = root / "dataset_description.json"  # as if of real people, whose data are shown the least
    about.write_text(about.read_text().replace('"Simulated": true', '"Simulated": false'))
    spoil(root)
    return root


def test_the_search_finds_what_is_hidden_in_headers(spoilt_root):
    hits = found_in(spoilt_root)
    assert sum(".nii.gz: CANARYNAME" in hit for hit in hits) == len(list(spoilt_root.rglob("*.nii.gz")))


@pytest.fixture(scope="module")
def results(spoilt_root, tmp_path_factory):
    """Everything from training to the patients' pages, W&B offline, in this process; what was said comes along."""
    import contextlib
    import io

    from uad.evaluation.run import ensure_evaluation

    work_dir = tmp_path_factory.mktemp("work")
    # generators of twelve steps are worth nothing: force
    options = [option for option in SMALL if option != "logger=local"]
    options += ["detector=zmap", "normative=completed", "normative.force=true", f"work_dir={work_dir}"]
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        ensure_evaluation(study("uad_evaluate", f"cohort={spoilt_root}", *options))
    (work_dir / "said.txt").write_text(said.getvalue())
    return work_dir


def test_no_identity_comes_out_of_training_synthesis_and_detection(results):
    assert list(results.rglob("*.wandb"))
    assert list(results.rglob("*desc-synthetic_pet.nii.gz"))
    assert list(results.rglob("report.html"))
    assert found_in(results) == []


def test_markup_of_a_header_or_table_runs_in_no_page(results):
    pages = list(results.rglob("*.html"))
    assert pages
    assert not [page for page in pages if MARKUP in page.read_text()]


def test_markup_in_every_text_of_a_page_is_escaped():
    from synthpet.report.html import Page, Section, Table

    page = Page(MARKUP, [Section(MARKUP, [MARKUP, Table((MARKUP,), [[MARKUP]], MARKUP)])], [MARKUP], {MARKUP: MARKUP})
    html = page.render()
    assert MARKUP not in html
    assert html.count("&lt;script&gt;alert(1)") >= 7
