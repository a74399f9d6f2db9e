"""What the rivals share: one signed map per person, judged voxel by voxel against that of controls."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from synthpet.cohort import Cohort
from synthpet.cohort.scan import Scan
from synthpet.runtime.options import own_options
from synthpet.template.smoothing import smooth_within
from uad.detectors.base import SHARED, Assignment
from uad.detectors.control_statistics import ControlStatistics, Moments, to_z, towards
from uad.detectors.left_out import LeftOut
from uad.detectors.mirror import Mirror
from uad.normative.sets import Member, NormativeSet, check_normative

STATISTICS, MIRROR, PLAIN = "statistics.npz", "mirror.npz", "plain.npz"
Measure = tuple[NDArray[np.float32], NDArray[np.bool_]]


@dataclass(frozen=True)
class Options:
    """What every ``PetDeviation`` takes.

    Args:
        smooth_fwhm_mm: Gaussian smoothing of the raw map within the brain, FWHM.
        spread_fwhm_mm: pools the controls' spread over neighbours, FWHM.
        mirror: takes out what the other side predicts (``mirror.Mirror``); ``z`` is the mean of this map's and of
            the plain deviation's, which sees what both sides have (not in a paper).
        direction: hypo, hyper or both: which deviations count as abnormal.
    """

    smooth_fwhm_mm: float = 10.0
    spread_fwhm_mm: float = 10.0
    mirror: bool = False
    direction: str = "hypo"


class PetDeviation(ABC):
    """A detector whose raw map is signed, negative = less uptake than expected.

    Args:
        options: those of ``Options``, by name.

    After ``fit``, ``statistics_`` holds what is normal and ``spacing_mm_`` the voxel size; with ``mirror`` also
    ``mirror_`` and, of the map without, ``plain_``.
    """

    Options: ClassVar[type[Options]] = Options
    needs: ClassVar[tuple[str, ...]] = ()
    measured_only: ClassVar[bool] = False
    images_vary: ClassVar[bool] = False
    image = "pet"  # what the signed map is about
    mean_of_others = True  # about which a control that is left out is judged, or about that of all

    def __init__(self, **options: Any) -> None:
        self.options = self.Options(**options)

    @classmethod
    def looks_at(cls, options: Mapping[str, Any]) -> tuple[str, ...]:
        """The one image that is measured."""
        return (str(options.get("image", "pet")),)

    @classmethod
    def check(cls, options: Mapping[str, Any]) -> None:
        """Refuse what is none of its options."""
        own_options(cls.Options, "detector", options, SHARED)

    @classmethod
    def of(cls, options: Mapping[str, Any], assignment: Assignment) -> Self:
        """A detector that has learned nothing yet; ``options`` of its YAML file."""
        return cls(**asdict(own_options(cls.Options, "detector", options, SHARED)))

    def fit(self, normative: NormativeSet, cohort: Cohort) -> Self:
        """Learn what is normal.

        Args:
            normative: whom to learn from.
            cohort: theirs.

        Raises:
            DataLeakageError: a patient or held-out control is among them.
            GridMismatchError: ``mirror``, and the grid does not mirror about x = 0.
        """
        check_normative(normative, cohort)
        self.spacing_mm_ = cohort.grid.spacing_mm
        if self.options.mirror:
            cohort.grid.check_mirrors()
            self.mirror_ = Mirror.learn(self._measure_controls(normative, cohort), self.spacing_mm_)
            self.plain_ = self._learn(self._measure_controls(normative, cohort))
        self.statistics_ = self._learn(self._less_mirror(*found) for found in self._measure_controls(normative, cohort))
        return self

    def left_out(self, normative: NormativeSet, cohort: Cohort) -> LeftOut:
        """The maps of the controls whose image is measured, each by mean and spread of all others.

        The slope on the mirror side is that of all.
        """
        found = LeftOut()
        moments = [Moments.of(self._less_mirror(*one) for one in self._measure_controls(normative, cohort))]
        if self.options.mirror:
            moments.append(Moments.of(self._measure_controls(normative, cohort)))
        members = self._members(normative, cohort)
        for member, (raw, where) in zip(members, self._measure_controls(normative, cohort), strict=True):
            if member.synthetic != self.image:
                own = (self._less_mirror(raw, where)[0], raw)
                others = [self._others(m, x, where) for m, x in zip(moments, own, strict=False)]
                found.add(member.participant_id, self._maps(raw, where, *others)["z"])
        return found

    def z_map(self, scan: Scan) -> dict[str, NDArray[np.float32]]:
        """The maps of one person that the detector has not learned from.

        Args:
            scan: with the images that it looks at.

        Returns:
            ``z``: high = abnormal in the direction looked for; ``z_pet``: signed, negative = less uptake than
            expected (``z_t1w`` of a detector of the T1); Crawford-Howell t as z, (I, J, K) float32, 0 outside the
            brain and where fewer than half of the controls have brain.
        """
        return self._maps(*self.measure(scan), self.statistics_, self.plain_ if self.options.mirror else None)

    def files(self, normative: NormativeSet, cohort: Cohort) -> tuple[Path, ...]:
        """Every image that determines what ``fit`` learns from this set."""
        return normative.files()

    def save(self, folder: Path) -> list[Path]:
        """Write what ``fit`` learned."""
        written = [self.statistics_.save(folder / STATISTICS)]
        if self.options.mirror:
            written += [self.mirror_.save(folder / MIRROR), self.plain_.save(folder / PLAIN)]
        return written

    def restore(self, folder: Path, cohort: Cohort) -> None:
        """Read what ``save`` wrote."""
        self.spacing_mm_ = cohort.grid.spacing_mm
        self.statistics_ = ControlStatistics.load(folder / STATISTICS)
        if self.options.mirror:
            self.mirror_, self.plain_ = Mirror.load(folder / MIRROR), ControlStatistics.load(folder / PLAIN)

    @abstractmethod
    def measure(self, scan: Scan) -> Measure:
        """The raw map of one person, (I, J, K), and where it is defined."""

    def _maps(
        self, raw: NDArray[np.float32], where: NDArray[np.bool_], less: ControlStatistics,
        plain: ControlStatistics | None = None,
    ) -> dict[str, NDArray[np.float32]]:  # fmt: skip
        signed = to_z(*self._less_mirror(raw, where), less, small_sample=True)
        z = towards(signed, self.options.direction)
        if self.options.mirror and plain is not None:
            signed = to_z(raw, where, plain, small_sample=True)
            z = np.mean([z, towards(signed, self.options.direction)], axis=0, dtype=np.float32)
        return {"z": z, f"z_{self.image}": signed}

    def _others(self, moments: Moments, own: NDArray[np.float32], where: NDArray[np.bool_]) -> ControlStatistics:
        pooling: dict[str, Any] = {"spread_fwhm_mm": self.options.spread_fwhm_mm}
        found = moments.without(own, where).statistics(self.spacing_mm_, **pooling)
        return found if self.mean_of_others else replace(found, mean=moments.mean.astype(np.float32))

    def _members(self, normative: NormativeSet, cohort: Cohort) -> Sequence[Member]:
        """Whose maps ``_measure_controls`` gives."""
        return normative.members

    def _measure_controls(self, normative: NormativeSet, cohort: Cohort) -> Iterator[Measure]:
        return map(self.measure, normative.scans())

    def _smooth(self, raw: NDArray[np.float32], mask: NDArray[np.bool_]) -> NDArray[np.float32]:
        fwhm_mm = self.options.smooth_fwhm_mm
        return smooth_within(raw, mask, fwhm_mm, self.spacing_mm_) if fwhm_mm else raw

    def _less_mirror(self, raw: NDArray[np.float32], where: NDArray[np.bool_]) -> Measure:
        return (self.mirror_.less(raw, where) if self.options.mirror else raw), where

    def _learn(self, maps: Iterable[Measure]) -> ControlStatistics:
        return ControlStatistics.of(maps, self.spacing_mm_, spread_fwhm_mm=self.options.spread_fwhm_mm)
