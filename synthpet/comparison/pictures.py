"""The same person under every generator, and everybody's numbers side by side."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from synthpet.comparison.results import Result
from synthpet.comparison.statistics import BASELINE, MEASURE_WORDS, MEASURES
from synthpet.quality.scales import Scales
from synthpet.quality.source import Case, Source
from synthpet.report.display import Display
from synthpet.report.figures import slices, strips
from synthpet.report.html import Picture

CEILING = "expected"
LABELS = {BASELINE: "mean PET", CEILING: "ceiling", **MEASURE_WORDS}


def people_shown(results: Mapping[str, Result], role: str) -> dict[str, str]:
    """Who is shown: the first of a role, and the one with the highest error on average over the generators.

    Returns:
        BIDS id to why, in words.
    """
    errors = np.mean([result.values(role, "mae") for result in results.values()], axis=0)
    ids = next(iter(results.values())).ids(role)
    worst = int(np.argmax(errors))
    why = {ids[0]: "the first in the table of participants, chosen before any result was known"}
    highest = f"with the highest error of {len(ids)}, {errors[worst]:.3f} SUVR on average over the generators"
    return why | {ids[worst]: highest if worst else f"{why[ids[0]]}, and the one {highest}"}


def strips_picture(results: Mapping[str, Result], role: str) -> Picture:
    """Every person's numbers under every generator, beside the mean PET and the ceiling."""
    values = {measure: _columns(results, role, measure) for measure in MEASURES}
    values = {measure: found for measure, found in values.items() if found}
    labels = LABELS | {name: name for name in results}
    notes = {measure: "higher is better" if MEASURES[measure] > 0 else "lower is better" for measure in values}
    return Picture(
        strips(values, labels, notes),
        "Each grey line is one person, measured in the brain; black: median. Lines that run in parallel say that the "
        "same people are difficult for every generator: that is why the tests compare person by person.",
        "Strip plots of SSIM, PSNR, error and correlation of every generator, the mean PET and the ceiling.",
    )


def _columns(results: Mapping[str, Result], role: str, measure: str) -> dict[str, NDArray[np.float64]]:
    """Values of everybody by method, those methods alone that have all of them."""
    first = next(iter(results.values()))
    columns = {BASELINE: first.values(role, measure, BASELINE)}
    columns |= {name: result.values(role, measure) for name, result in results.items()}
    columns |= {CEILING: first.values(role, measure, CEILING)}
    return {name: column for name, column in columns.items() if column.size and np.isfinite(column).all()}


def person_pictures(
    sources: Mapping[str, Source], results: Mapping[str, Result], case: Case, why: str
) -> dict[str, Picture]:
    """One person: the images that every generator makes, and how they differ from the real one on one scale.

    Args:
        sources: of each generator's images.
        results: of the same generators.
        case: the person.
        why: this one is shown, in words.
    """
    source = next(iter(sources.values()))
    scales = Scales(source, next(iter(results.values())).quality["data_range"])
    mask = source.cohort.load_mask(case.participant_id)
    real = source.load(case, "real") * mask
    made = {f"SYNTHETIC PET\n{name}": one.load(case, "synthetic") * mask for name, one in sources.items()}
    known = {"ceiling": CEILING} if source.has(case, CEILING) else {}
    ceiling = {title: source.load(case, image) * mask for title, image in known.items()}
    beside = {"mean PET": source.load(case, BASELINE) * mask} if source.has(case, BASELINE) else {}
    shown = [scales.show_t1w(case), scales.show_pet(scales.real, real)]
    shown += [scales.show_pet(title, volume) for title, volume in {**made, **ceiling}.items()]
    differences = [
        scales.show_difference(f"{title}\n− real".replace("SYNTHETIC PET\n", "SYNTHETIC, "), volume - real)
        for title, volume in {**made, **beside, **ceiling}.items()
    ]
    put, who = source.translation.put, case.participant_id
    sides = Display().sides()
    return {
        f"images-{who}": put(
            Picture(
                slices(shown, source.cohort.grid),
                f"{who}, {why}: T1, real PET and what each generator made of the T1, {_how(case)}. Compare cortex, "
                f"basal ganglia and temporal lobes with the real PET. {_numbers(results, case)} "
                f"All PETs share one scale. {sides}",
                f"Slices of {who}: T1, real PET, synthetic PET of every generator.",
            )
        ),
        f"differences-{who}": put(
            Picture(
                slices(differences, source.cohort.grid),
                f"{who}: difference to the real PET. Red: too high, blue: too low (blue could hide or feign a "
                "hypometabolism). What every generator and the mean PET miss alike, no generator has learned. "
                f"All columns share one scale. {sides}",
                f"Slices of {who}: difference of every synthetic PET to the real one.",
            )
        ),
    }


def _how(case: Case) -> str:
    return "by the fold that never saw this person" if case.role == "paired" else "mean of the folds' generators"


def _numbers(results: Mapping[str, Result], case: Case) -> str:
    """SSIM and MAE of this person under every generator."""
    found = []
    for name, result in results.items():
        k = result.ids(case.role).index(case.participant_id)
        ssim, mae = (result.values(case.role, measure)[k] for measure in ("ssim", "mae"))
        found.append(f"{name}: SSIM {ssim:.3f}, MAE {mae:.3f}")
    return f"{'; '.join(found)}."


def case_of(source: Source, role: str, participant_id: str) -> Case:
    """The case of a person."""
    return next(case for case in source.cases if (case.role, case.participant_id) == (role, participant_id))


def image_files(sources: Mapping[str, Source], role: str, people: Sequence[str]) -> dict[str, Path]:
    """The files of what is shown, by names that are their own."""
    found = {}
    for name, source in sources.items():
        for who in people:
            case = case_of(source, role, who)
            for image in ("real", "synthetic", CEILING):
                if source.has(case, image):
                    found[f"{image} of {who}, {name}"] = source.path(case, image)
    return found
