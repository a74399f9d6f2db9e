"""Pictures of one person: what was examined, where the candidates lie, and what the PET is compared with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from synthpet.cohort import Grid
from synthpet.report.display import Display
from synthpet.report.html import Picture
from synthpet.report.viewer import Layer, Viewer, make_viewer
from uad.findings.clusters import Cluster
from uad.findings.examine import covered
from uad.findings.records import Findings
from uad.patient.native import NativePlace
from uad.patient.regions import RegionalUptake
from uad.patient.words import place, point
from uad.pictures.figures import (
    DIFFERENCE_FWHM_MM,
    LESION_COLOUR,
    NEUROLOGICAL,
    difference_layer,
    expected_layer,
    other_layer,
    pet_layer,
    planes,
    projections,
    t1w_layer,
    z_layer,
)
from uad.scores.lesions import Detection

EXPECTED, USUAL = "expected PET (synthetic)", "mean PET of controls"


@dataclass(frozen=True)
class Case:
    """What the page says beside the findings.

    Args:
        name: whose page it is.
        notices: what the reader must know first.
        remarks: sentences of the result that depend on how the person came to be examined.
        provenance: heading to text.
        lesion: (I, J, K), the lesion where it is known.
        detection: how the clusters compare with it.
        facts: what is known of the examination, by name, from ``facts.facts``.
        native: where each cluster lies in the person's own T1, where that is known.
        normal: (I, J, K), the controls' mean PET from ``normal_pet``; None: not known.
        settings: what determined the result, from ``settings_of``.
        display: which side is left, and the PET's colours.
        native_labels: name of the written image of the candidates in the person's own space, if there is one.
        regions: the PET by gyrus and nucleus, from ``regional_uptake``.
    """

    name: str
    notices: Sequence[str]
    remarks: Sequence[str] = ()
    provenance: Mapping[str, str] = field(default_factory=dict)
    lesion: NDArray[np.bool_] | None = None
    detection: Detection | None = None
    facts: Mapping[str, str] = field(default_factory=dict)
    native: Sequence[NativePlace] = ()
    normal: NDArray[np.float32] | None = None
    settings: Mapping[str, str] = field(default_factory=dict)
    display: Display = NEUROLOGICAL
    native_labels: str = ""
    regions: RegionalUptake | None = None


def projections_of(findings: Findings, lesion: NDArray[np.bool_] | None, grid: Grid, display: Display) -> bytes:
    """The projections of one person's map as PNG, with the lesion, (I, J, K), where it is known."""
    n_bold = len(findings.candidates)  # strength decides both on rank and on being a candidate
    return projections(findings.z, findings.labels, lesion, findings.mask, grid, n_bold, display)


def overview(case: Case, picture: bytes) -> Picture:
    """The projections with what to look for; ``picture`` from ``projections_of``."""
    green = " Green: the known lesion." if case.lesion is not None else ""
    return Picture(
        picture,
        "The strongest deviation along each line of sight, seen from above, from the front and from the side; brighter "
        "is more suspicious, on the same scale for everybody. A number is the rank of a candidate, a small grey one "
        f"that of a weaker place. {case.display.sides()}{green}",
        f"Maximum-intensity projections of the anomaly map of {case.name}.",
    )


@dataclass(frozen=True)
class Shown:
    """The images of one person as they are shown.

    Args:
        case: about the person.
        findings: of the person.
        grid: of all images.
        measured: T1, others, PET.
        compared: what the PET is compared with, and the difference; empty: there is no PET, or nothing to compare with.
    """

    case: Case
    findings: Findings
    grid: Grid
    measured: list[Layer]
    compared: list[Layer]

    @classmethod
    def of(cls, case: Case, findings: Findings, grid: Grid) -> "Shown":
        """Make the layers; the PET is shown within the brain: it shows no face."""
        mask, images = findings.mask, findings.scan.images
        others = [other_layer(name, image * mask) for name, image in images.items() if name not in ("t1w", "pet")]
        measured = [t1w_layer(findings.t1w), *others]
        if findings.pet is None:
            return cls(case, findings, grid, measured, [])
        pet = pet_layer(findings.pet * mask, case.normal, case.display.pet_colours)
        usual, title = (case.normal, USUAL) if findings.expected is None else (findings.expected, EXPECTED)
        if usual is None:
            return cls(case, findings, grid, [*measured, pet], [])
        difference = difference_layer(findings.pet, usual, covered(findings.scan), grid.spacing_mm)
        return cls(case, findings, grid, [*measured, pet], [expected_layer(usual, mask, pet, title), difference])

    def inputs(self) -> Picture:
        """What was examined, for a first check."""
        n, mask = len(self.measured), self.findings.mask
        same = f"{'Both' if n == 2 else 'All'} images must show the same brain in the same place. " if n > 1 else ""
        return Picture(
            planes(self.measured, mask, self.grid, outlined=mask, display=self.case.display),
            f"What was examined, with the outline of the brain mask. {self.case.display.sides()} {same}The outline "
            "must follow the brain; otherwise disregard this page.",
            "The examined images in three planes with the outline of the brain mask.",
        )

    def candidate(self, cluster: Cluster) -> Picture:
        """Planes through the strongest deviation of one candidate."""
        compared = (
            f"Below the PET: {self.compared[0].title}, and the difference in percent, both PETs smoothed by "
            f"{DIFFERENCE_FWHM_MM:g} mm (blue: less uptake). "
            if self.compared
            else ""
        )
        outlined, mask = self.findings.labels == cluster.rank, self.findings.mask
        return Picture(
            planes(
                [*self.measured, *self.compared],
                mask,
                self.grid,
                cluster.peak_mm,
                outlined=outlined,
                display=self.case.display,
            ),
            f"Planes through the strongest deviation at {point(cluster.peak_mm)} mm; cyan: the candidate. {compared}Is "
            "there a change of cortex or uptake within the line, and none at the same place of the other side? "
            f"{self.case.display.sides()}",
            f"Candidate {cluster.rank} outlined in three planes.",
        )

    def viewer(self) -> Viewer:
        """All images and the map to scroll through."""
        findings, layers = self.findings, [*self.measured, *self.compared]
        outlined: list[tuple[str, str, NDArray]] = [("candidates", "cyan", findings.labels)]
        if self.case.lesion is not None:
            outlined.append(("known lesion", LESION_COLOUR, self.case.lesion))
        kinds = {True: "Candidate", False: "Weaker place"}
        return make_viewer(
            [*layers, z_layer(findings.z)],
            findings.mask,
            self.grid,
            outlined=outlined,
            radiological=self.case.display.radiological,
            places=[(f"{kinds[c.candidate]} {c.rank}: {place(c)}", c.peak_mm) for c in findings.clusters],
            caption=f"{', '.join(layer.title for layer in layers)} and anomaly map at the same place. Click into a "
            "picture or use the sliders; the wheel (after a click) and the keys page up and page down go through the "
            "slices, arrow keys move the crosshair. Any image can be laid over the T1. A lesion should be seen in "
            "neighbouring slices and in more than one plane.",
        )
