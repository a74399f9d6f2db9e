"""Whether a PET is corrected for attenuation: by the words of its path, else by its sidecars."""

import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from synthpet.cohort.words import plain

NOT_CORRECTED = re.compile(
    r"(pet|stat|dyn)?(nac|(no|non|un|wo|without)(mr|mu|m|ct)?ac|noattenuationcorrection|nonattenuationcorrected|uncorr|"
    r"uncorrected)(pet|stat|dyn)?"
)
KEYS = ("AttenuationCorrection", "AttenuationCorrectionMethod")  # of BIDS and of dcm2niix
SERIES = ("SeriesDescription", "ProtocolName", "ReconMethodName", "ReconstructionMethod")  # free text of the scanner
NONE = ("none", "no", "n", "false", "0", "off", "nac", "non", "without", "uncorrected")


def named_uncorrected(path: PurePosixPath | str, leave_out: str = "") -> str:
    """The word of a path, or of a pattern, that says so: ``NAC`` of ``rec-NAC``; empty where there is none.

    Args:
        path: below the folder that is read.
        leave_out: a person's id, whose letters mean nothing.
    """
    words = re.findall(r"[0-9A-Za-z]+", str(path).removesuffix(".gz").removesuffix(".nii"))
    own = {leave_out, leave_out.removeprefix("sub-")}
    return next((word for word in words if word not in own and NOT_CORRECTED.fullmatch(word.casefold())), "")


def said_uncorrected(about: Mapping[str, Any]) -> str:
    """What of a sidecar says that nothing was corrected, as ``key: value``; empty where nothing does.

    Args:
        about: the sidecar: BIDS, dcm2niix, or DICOM's ``CorrectedImage`` (which lists ATTN where it was done).
    """
    for key in KEYS:
        value = plain(str(about[key])) if about.get(key) is not None else ""
        if value and (value in NONE or value.startswith(("no ", "not ", "non ", "without "))):
            return f"{key}: {str(about[key])[:40]}"
    done = about.get("CorrectedImage")
    if isinstance(done, list) and done and not any("attn" in str(step).casefold() for step in done):
        return "CorrectedImage without ATTN"
    for key in SERIES:
        found = named_uncorrected(str(about.get(key) or "")[:400])
        if found:
            return f"{key} with {found}"
    return ""
