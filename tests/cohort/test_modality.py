"""Kinds of images: their names on disk, their scale, who has which."""

import re
from pathlib import Path

import numpy as np
import pytest

from synthpet.cohort import Cohort, write_image
from synthpet.cohort.modality import SCALINGS, modality, modality_names
from synthpet.cohort.names import image_path, measured_modality, modality_of
from synthpet.errors import DataError, UsageError

ON_DISK = {  # a contract: users' finished results lie under these names
    "t1w": "anat/sub-01_space-S_res-3mm_desc-preproc_T1w",
    "flair": "anat/sub-01_space-S_res-3mm_desc-preproc_FLAIR",
    "brain_mask": "anat/sub-01_space-S_res-3mm_desc-brain_mask",
    "gm": "anat/sub-01_space-S_res-3mm_label-GM_probseg",
    "wm": "anat/sub-01_space-S_res-3mm_label-WM_probseg",
    "csf": "anat/sub-01_space-S_res-3mm_label-CSF_probseg",
    "lesion_mask": "anat/sub-01_space-S_res-3mm_label-lesion_mask",
    "pet": "pet/sub-01_trc-18FFDG_space-S_res-3mm_desc-suvr_pet",
    "expected_pet": "pet/sub-01_trc-18FFDG_space-S_res-3mm_desc-expected_pet",
    "withheld_pet": "pet/sub-01_trc-18FFDG_space-S_res-3mm_desc-withheld_pet",
    "synthetic_pet": "pet/sub-01_trc-18FFDG_space-S_res-3mm_desc-synthetic_pet",
    "resampled_pet": "pet/sub-01_trc-18FFDG_space-S_res-3mm_desc-syntheticresampled_pet",
    "uncertainty": "pet/sub-01_trc-18FFDG_space-S_res-3mm_desc-uncertainty_pet",
    "uncertainty_pet": "pet/sub-01_trc-18FFDG_space-S_res-3mm_desc-uncertainty_pet",
    "synthetic_flair": "anat/sub-01_space-S_res-3mm_desc-synthetic_FLAIR",
    "resampled_t1w": "anat/sub-01_space-S_res-3mm_desc-syntheticresampled_T1w",
    "t1w_acq-B": "anat/sub-01_acq-B_space-S_res-3mm_desc-preproc_T1w",
    "withheld_t1w_acq-B": "anat/sub-01_acq-B_space-S_res-3mm_desc-withheld_T1w",
    "pet_rec-osem_trc-18FFLT": "pet/sub-01_trc-18FFLT_rec-osem_space-S_res-3mm_desc-suvr_pet",
}


@pytest.mark.parametrize("kind", ON_DISK)
def test_every_kind_has_its_name_on_disk(kind):
    path = image_path("sub-01", kind, res="3mm", space="S")
    assert path.as_posix() == f"sub-01/{ON_DISK[kind]}.nii.gz"


@pytest.mark.parametrize("kind", ["t2w", "synthetic_t2w", "t1w_acq", "t1w_acq-../B", "t1w_site-B", ""])
def test_what_is_no_kind_is_refused_and_never_leads_elsewhere(kind):
    with pytest.raises(UsageError, match=r"expected one of flair, pet, t1w"):
        image_path("sub-01", kind, res="3mm")


@pytest.mark.parametrize("name", ["t1w", "flair", "pet", "t1w_acq-B", "pet_trc-18FFLT_rec-osem"])
def test_a_name_on_disk_says_the_modality_and_a_derived_one_says_none(name):
    assert modality_of(image_path("sub-01", name, res="3mm")) == name == measured_modality(name).name
    assert modality_of(image_path("sub-01", f"synthetic_{name}", res="3mm")) is None
    assert measured_modality(f"synthetic_{name}") is measured_modality("brain_mask") is None
    assert modality_of(Path("sub-01/anat/sub-01_T1w.nii.gz")) is None


@pytest.mark.parametrize("name", modality_names())
def test_every_modality_is_described(name):
    found = modality(name)
    assert found.scaling in SCALINGS
    assert found.zero in ("outside", "unmeasured")
    assert all((found.words, found.unit, found.colours))
    assert found == modality(name)
    assert re.fullmatch(r"[a-z0-9]+", name)


def test_images_are_scaled_as_their_modality_says(shared_cohort):
    mask = shared_cohort.load_mask("sub-00")
    np.testing.assert_array_equal(shared_cohort.load_image("sub-00", "pet"), shared_cohort.load("sub-00", "pet"))
    t1w = shared_cohort.load_image("sub-00", "t1w")
    np.testing.assert_array_equal(t1w, shared_cohort.load_t1w("sub-00"))
    np.testing.assert_allclose(np.percentile(t1w[mask], [1, 99]), [0, 1], atol=1e-5)
    np.testing.assert_array_equal(modality("flair").scaled(t1w, mask), modality("t1w").scaled(t1w, mask))
    with pytest.raises(DataError, match="E_CONSTANT FLAIR"):
        modality("flair").scaled(np.ones_like(t1w), mask)


def give(cohort: Cohort, participant_id: str, name: str) -> None:
    write_image(cohort.path(participant_id, name), cohort.load(participant_id, "t1w"), cohort.grid)


def test_a_cohort_says_which_modalities_it_has(cohort):
    assert cohort.modalities == ("pet", "t1w")
    give(cohort, "sub-05", "flair")
    give(cohort, "sub-07", "t1w_acq-B")
    give(cohort, "sub-07", "synthetic_flair")
    write_image(cohort.root / image_path("sub-07", "pet_rec-x", res="9mm"), cohort.load("sub-07", "t1w"), cohort.grid)
    assert cohort.modalities == ("flair", "pet", "t1w", "t1w_acq-B")


def test_who_is_paired_follows_from_the_translation(cohort):
    for name in ("sub-01", "sub-03", "sub-04", "sub-06", "sub-07"):  # one of them held out, one a patient
        give(cohort, name, "flair")

    def names(sources: tuple[str, ...], target: str) -> list[str]:
        return [subject.participant_id for subject in cohort.pairs(sources, target)]

    assert cohort.pairs(("t1w",), "pet") == cohort.select("paired")
    assert names(("t1w", "flair"), "pet") == ["sub-01", "sub-03"]
    assert names(("t1w",), "flair") == ["sub-01", "sub-03", "sub-04"]
    assert names(("t1w",), "t1w_acq-B") == []


def test_a_pet_of_any_kind_is_0_where_nothing_was_measured_and_a_t1_is_left_alone(cohort):
    padded = cohort.load("sub-00", "t1w") + np.float32(0.5)
    padded[:, :, -4:] = 7.0
    for name in ("pet", "pet_rec-osem", "t1w_acq-B"):
        write_image(cohort.path("sub-00", name), padded, cohort.grid)
    assert not cohort.load("sub-00", "pet")[:, :, -4:].any()
    assert not cohort.load("sub-00", "pet_rec-osem")[:, :, -4:].any()
    assert (cohort.load("sub-00", "t1w_acq-B")[:, :, -4:] == 7).all()
