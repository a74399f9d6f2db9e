"""The phantom's options, typed: whom to simulate, and what else its command can write."""

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from synthpet.runtime.options import Options, Study, plain

REGISTRATIONS = ("syn", "affine")
ALWAYS = ("t1w", "pet")  # modalities that every simulated cohort has


@dataclass(frozen=True, kw_only=True)
class ScanOptions(Options):
    """What goes wrong with PETs; 0: nothing of the kind.

    Args:
        motion_mm: standard deviation of the blur along one axis.
        misregistration_mm: how far a PET lies from the T1.
        attenuation: largest relative error of its correction over 100 mm.
        hyperglycaemia: largest share by which grey matter looks like white, 0 to 1.
    """

    motion_mm: float
    misregistration_mm: float
    attenuation: float
    hyperglycaemia: float


@dataclass(frozen=True, kw_only=True)
class VariantOptions(Options):
    """Shares of the people, 0 to 1, who have a normal variant.

    Args:
        ventricles: one side's are larger.
        cisterna: a large cisterna magna.
        asymmetry: a wide asymmetry of the uptake.
    """

    ventricles: float
    cisterna: float
    asymmetry: float


@dataclass(frozen=True, kw_only=True)
class PhantomOptions(Options):
    """Whom to simulate: the group ``cohort`` where its source is the phantom.

    Args:
        name: of the cohort.
        path: its folder.
        source: phantom.
        seed: of everything that is drawn.
        resolution_mm: of the cohort's grid, isotropic.
        n_paired: controls with T1 and PET.
        n_unpaired: controls with T1 only.
        n_heldout: controls with T1 and PET that train nothing.
        n_patients: patients.
        anatomy: what has aligned the people with the template, one of ``REGISTRATIONS``.
        age: lowest and highest, in years.
        mri_visible: share of the lesions that MRI shows.
        lesion_depth: lowest and highest share of the uptake that is lost in the middle.
        lesion_radius_mm: smallest and largest.
        lesion_shapes: dealt in turn, of ``lesions.SHAPES``.
        scan: what goes wrong with PETs.
        variants: of the anatomy.
        modalities: that are written: ``ALWAYS``, and flair for whoever asks.
    """

    name: str
    path: Path
    source: str
    seed: int
    resolution_mm: float
    n_paired: int
    n_unpaired: int
    n_heldout: int
    n_patients: int
    anatomy: str
    age: tuple[float, float]
    mri_visible: float
    lesion_depth: tuple[float, float]
    lesion_radius_mm: tuple[float, float]
    lesion_shapes: tuple[str, ...]
    scan: ScanOptions
    variants: VariantOptions
    modalities: tuple[str, ...] = ALWAYS

    @property
    def counts(self) -> dict[str, int]:
        """How many people there are of each role, in the order in which they are numbered."""
        return {
            "paired": self.n_paired, "unpaired": self.n_unpaired, "heldout": self.n_heldout, "patient": self.n_patients,
        }  # fmt: skip

    def manifest(self, *unused: str) -> dict[str, Any]:
        """Plain values that determine the result, without those that it does not depend on.

        Modalities count where more than ``ALWAYS`` are asked for: cohorts that were made before one could ask stay
        up to date.
        """
        more = sorted(set(self.modalities) - set(ALWAYS))
        values = {"source": self.source, **plain(self), "modalities": [*ALWAYS, *more]}
        left_out = ("path", *unused, *(() if more else ("modalities",)))
        return {name: value for name, value in values.items() if name not in left_out}


@dataclass(frozen=True, kw_only=True)
class PhantomStudy(Study):
    """What the command of the phantom knows.

    Args:
        anatomy: of ``REGISTRATIONS``, instead of ``cohort.anatomy``; or the folder of a prepared cohort, whose T1s
            get simulated FDG and lesions; empty: neither.
        patients_per_anatomy: patients that each real T1 dealt to them carries, each with another lesion.
        realism: compare simulated people with real ones instead of making a cohort.
        realism_people: how many of 18 to 49 years, and older.
        raw: a folder that gets the people as raw BIDS instead; empty: none.
        raw_flair_share: of those people who have a FLAIR.
        raw_cut_share: of their PETs whose field of view ends within the brain.
        raw_skull: whether their T1 shows the whole head.
    """

    anatomy: str | None = None
    patients_per_anatomy: int = 1
    realism: bool = False
    realism_people: tuple[int, int] = (60, 60)
    raw: str | None = None
    raw_flair_share: float = 0.5
    raw_cut_share: float = 0.0
    raw_skull: bool = False

    @classmethod
    def within(cls, study: Study) -> "PhantomStudy":
        """Of another command that needs the cohort, and has none of these options."""
        known = {field.name: getattr(study, field.name) for field in fields(Study)}
        return study if isinstance(study, cls) else cls(**known)

    @property
    def people(self) -> PhantomOptions:
        """Whom to simulate.

        Raises:
            UsageError: the cohort is not a simulated one.
        """
        options = PhantomOptions.of(self.cohort.values)
        return replace(options, anatomy=self.anatomy) if self.anatomy in REGISTRATIONS else options

    @property
    def real_anatomy(self) -> Path | None:
        """The folder of the cohort whose T1s are used, if any."""
        return None if self.anatomy is None or self.anatomy in REGISTRATIONS else Path(self.anatomy)
