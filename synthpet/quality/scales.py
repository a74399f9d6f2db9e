"""The fixed scales of every picture of a set of synthetic images, from its one data range."""

import numpy as np
from numpy.typing import NDArray

from synthpet.quality.source import Case, Source
from synthpet.report.figures import Panel
from synthpet.report.scales import DIFFERENCE_COLOURS, PET_COLOURS, T1W_COLOURS, T1W_SHOWN, suvr_top


class Scales:
    """Panels of one look, in SUVR.

    Args:
        source: whose images are shown.
        data_range: of its evaluation.
    """

    def __init__(self, source: Source, data_range: float) -> None:
        self.source = source
        self.pet = suvr_top([data_range])
        self.difference = float(np.ceil(2.5 * data_range) / 10)
        self.spread = float(np.ceil(1.5 * data_range) / 10)
        self.uncertainty = float(np.ceil(1 * data_range) / 10)
        self.put = source.translation.put
        self.real = self.put("PET, simulated truth" if source.is_simulated else "PET, measured")
        self.colours = PET_COLOURS if source.translation.is_pet else source.translation.made.colours

    def show_pet(self, title: str, volume: NDArray) -> Panel:
        """An image of the kind that is made, (I, J, K)."""
        return self.put(Panel(title, volume, self.colours, 0, self.pet))

    def show_difference(self, title: str, volume: NDArray) -> Panel:
        """A difference of two of them, (I, J, K)."""
        return self.put(Panel(title, volume, DIFFERENCE_COLOURS, -self.difference, self.difference))

    def show_t1w(self, case: Case) -> Panel:
        """The T1 of a person."""
        title = "T1, simulated" if self.source.is_simulated else "T1"
        return Panel(title, self.source.cohort.load_t1w(case.participant_id), T1W_COLOURS, *T1W_SHOWN, "T1, scaled")
