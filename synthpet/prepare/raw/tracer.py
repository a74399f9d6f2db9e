"""Which tracer a PET shows: by its name, else by its sidecars."""

import re
from pathlib import Path

from synthpet.errors import DataError
from synthpet.prepare.raw.inheritance import read_sidecar
from synthpet.prepare.raw.scan import Scan

_LONG = "fluorodeoxyglucose|fludeoxyglucose|2?fluoro2deoxyd?glucose|2?deoxy2(18f)?fluorod?glucose"
FDG_NAMES = re.compile(rf"(18f|f18)?(fdg|{_LONG})(18f|f18)?")


def why_not_tracer(scan: Scan, root: Path, tracer: str) -> tuple[str, str]:
    """Why a PET is not of the tracer that is wanted.

    Args:
        scan: the PET.
        root: the folder that is read.
        tracer: the one that is wanted, as an entity: ``18FFDG``.

    Returns:
        The reason, empty where it is of the tracer; and a note on its sidecar, empty where all is well.
    """
    of_clinica = {"pet_linear", "preprocessing"} & set(scan.path.parts)  # whose older versions wrote acq-fdg
    named = scan.entities.get("trc") or (scan.entities.get("acq") if of_clinica else None)
    if named:
        return ("" if same_tracer(named, tracer) else f"tracer {named}; expected {tracer}"), ""
    try:
        about = read_sidecar(root / scan.path)
    except DataError as error:
        return "its tracer is unknown: no trc- in its name, and its sidecar cannot be read", str(error)
    words = [str(about[key]) for key in ("TracerName", "TracerRadionuclide") if about.get(key)]
    if any(same_tracer(word, tracer) for word in words):
        return "", ""
    if words:
        return f"tracer {' '.join(words)}; expected {tracer}", ""
    return "its tracer is unknown: no trc- in its name, no TracerName in a sidecar; or name it by pet=", ""


def same_tracer(name: str, wanted: str) -> bool:
    """Whether two names mean one tracer: ``18FFDG``, ``FDG``, ``[18F]FDG`` and ``fluorodeoxyglucose`` do."""
    a, b = (re.sub(r"[^0-9a-z]", "", text.lower()) for text in (name, wanted))
    return a == b or bool(FDG_NAMES.fullmatch(a) and FDG_NAMES.fullmatch(b))
