"""Which tracer a PET shows: by its name, else by what public converters write into sidecars."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from synthpet.prepare.raw.scan import Scan

_FLUORO = r"(fluoro?|fluo|fluro|flu|fluor)"
_GLUCOSE = r"(d?glucose|glukose|dglucopyranose)"
_LONG = rf"(2?{_FLUORO}(2?deoxy|desoxy|2desoxy|dexoy){_GLUCOSE}|fludeoxyglucose|2?deoxy2(18f|f18)?{_FLUORO}{_GLUCOSE})"
_ISOTOPE = r"(18f|f18|18fluorine|fluorine18|18fluor|fluor18)"
_BESIDE = r"(pet|brain|injection|solution|tracer)"
FDG = re.compile(rf"{_BESIDE}*{_ISOTOPE}*2?{_ISOTOPE}*((18)?(fdg|{_LONG})({_ISOTOPE}|{_BESIDE})*)+")
# Of BIDS, PET2BIDS and dcm2niix, which copies the scanner's words: "FDG -- fluorodeoxyglucose"
TRACER_KEYS = ("TracerName", "Radiopharmaceutical", "RadiopharmaceuticalName", "Tracer", "TracerRadionuclide")
SEQUENCES = ("RadiopharmaceuticalInformationSequence", "RadiopharmaceuticalCodeSequence")
SERIES_KEYS = ("SeriesDescription", "ProtocolName")
UNSAID = ("", "na", "none", "unknown", "other", "solution", "tracer", "pet", "radiopharmaceutical")
OTHER = re.compile(
    r"av45|av1451|florbet|amyvid|vizamyl|neuraceq|flutemetamol|nav4694|azd?\d|pib|pittsburgh|flortaucipir|tauvid|t807|mk6240|"
    r"pi2620|ro948|dopa|fluoroethyl|fluorothymidine|fmiso|methionine|raclopride|fallypride|dasb|cimbi|way100|"
    r"flumazenil|pk11195|pbr\d|dpa714|ucb|synvest|water|h2o|ammonia|choline|psma|dota|rubidium|pe2i|carfentanil|sch23390|"
    r"mppf|fdgal|^(18f|f18)?(fet|flt|fmz|naf|fes|met)$"
)
OTHER_NUCLIDE = re.compile(r"c11|11c|carbon11|o15|15o|n13|13n|ga68|68ga|rb82|82rb|cu64|zr89|i124|tc99")
UNKNOWN = "its tracer is unknown"


def why_not_tracer(scan: Scan, about: Mapping[str, Any] | None, tracer: str) -> str:
    """Why a PET is not of the tracer that is wanted; empty where it is; begins with ``UNKNOWN`` where nobody can say.

    Args:
        scan: the PET.
        about: its sidecars; None: they cannot be read.
        tracer: the one that is wanted, as an entity: ``18FFDG``.
    """
    of_clinica = {"pet_linear", "preprocessing"} & set(scan.path.parts)  # whose older versions wrote acq-fdg
    named = scan.entities.get("trc") or (scan.entities.get("acq") if of_clinica else None)
    if named:
        return "" if same_tracer(named, tracer) else f"tracer {named}; expected {tracer}"
    if any(same_tracer(scan.entities.get(entity, ""), tracer) for entity in ("acq", "desc", "rec")):
        return ""
    if about is None:
        return f"{UNKNOWN}: no trc- in its name, and its sidecar cannot be read"
    words = [word for word in _words(about) if _letters(word) not in UNSAID]
    names = [word for word in words if not re.fullmatch(_ISOTOPE, _letters(word))]
    series = re.findall(r"[0-9A-Za-z]+", " ".join(str(about.get(key) or "") for key in SERIES_KEYS)[:400])
    if any(same_tracer(word, tracer) for word in names or series):
        return ""
    if any(OTHER.search(_letters(word)) or OTHER_NUCLIDE.search(_letters(word)) for word in words):
        return f"tracer {' '.join(words)[:60]}; expected {tracer}"
    if names:
        return f"{UNKNOWN}: {' '.join(names)[:60]!r} is not a known name of {tracer}; or name it by pet="
    return f"{UNKNOWN}: no trc- in its name, no TracerName in a sidecar; or name it by pet="


def _words(about: Mapping[str, Any]) -> Iterator[str]:
    """Every word of a sidecar that names the tracer or its radionuclide."""
    yield from (str(about[key]) for key in TRACER_KEYS if isinstance(about.get(key), str))
    for key in SEQUENCES:
        items = about.get(key)
        for item in items if isinstance(items, list) else [items]:
            if isinstance(item, dict):
                yield from _words(item)
                yield from (str(item[k]) for k in ("CodeMeaning",) if isinstance(item.get(k), str))


def same_tracer(name: str, wanted: str) -> bool:
    """Whether two names mean one tracer: ``18FFDG``, ``FDG``, ``[18F]FDG`` and ``fluorodeoxyglucose`` do."""
    a, b = _letters(name), _letters(wanted)
    return bool(a) and (a == b or bool(FDG.fullmatch(a) and FDG.fullmatch(b)))


def _letters(text: str) -> str:
    return re.sub(r"[^0-9a-z]", "", text[:400].lower())  # of a stranger's sidecar, which may be long
