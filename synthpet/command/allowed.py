"""What every option may be: the one table of words and ranges, read before any work starts."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from synthpet.cohort.modality import modality, modality_names
from synthpet.errors import UsageError
from synthpet.runtime.registry import installed

if TYPE_CHECKING:
    from omegaconf import DictConfig


@dataclass(frozen=True)
class Rule:
    """What one value may be.

    Args:
        words: that are accepted, beside numbers where ``number`` is set.
        number: ``float`` or ``int`` (a whole number); None: no number.
        least: smallest value.
        above: what it has to exceed.
        most: largest value.
        below: what it has to stay under.
        n: numbers of a list; 0: a list of any length but empty; None: one value.
        odd: whether it has to be an odd number.
        ascending: whether the numbers of a list may not fall.
        null: whether it may be left out.
    """

    words: tuple[str, ...] = ()
    number: type[int] | type[float] | None = None
    least: float | None = None
    above: float | None = None
    most: float | None = None
    below: float | None = None
    n: int | None = None
    odd: bool = False
    ascending: bool = False
    null: bool = False

    def holds(self, value: Any) -> bool:
        """Whether a value is allowed."""
        if value is None:
            return self.null
        if self.n is None:
            return self._holds_one(value)
        if not isinstance(value, list) or (len(value) != self.n if self.n else not value):
            return False
        return all(map(self._holds_one, value)) and (not self.ascending or value == sorted(value))

    def _holds_one(self, value: Any) -> bool:
        if isinstance(value, str):
            return value in self.words
        whole = isinstance(value, int) and not isinstance(value, bool)
        if self.number is None or not (whole or (self.number is float and isinstance(value, float))):
            return False
        low = (self.least is None or value >= self.least) and (self.above is None or value > self.above)
        high = (self.most is None or value <= self.most) and (self.below is None or value < self.below)
        return low and high and value - value == 0 and (not self.odd or value % 2 == 1)

    def __str__(self) -> str:
        """In words, for a message."""
        one = " or ".join(filter(None, [self._number_words(), ", ".join(self.words)]))
        if self.words and self.number is None:
            one = f"one of {one}"
        listed = {None: one, 0: f"a list, not empty, each {one}"}.get(self.n, f"{self.n} numbers, each {one}")
        return listed + (", not falling" if self.ascending else "") + (", or null" if self.null else "")

    def _number_words(self) -> str:
        if self.number is None:
            return ""
        kind = ("an odd number" if self.odd else "a whole number") if self.number is int else "a number"
        low = f"above {self.above:g}" if self.above is not None else f"from {self.least:.10g}"
        if self.most is not None:
            return f"{kind} {low} to {self.most:.10g}"
        if self.below is not None:
            return f"{kind} {low} to less than {self.below:g}"
        return f"{kind} {low}" if self.above is not None else f"{kind}, {self.least:g} or more"


@dataclass(frozen=True)
class Devices(Rule):
    """How many devices, or which: whether the machine has them is seen later."""

    def holds(self, value: Any) -> bool:
        """A number of them, -1 or auto (all), or a list of their numbers."""
        if isinstance(value, list):
            return bool(value) and all(map(whole(0).holds, value)) and len(set(value)) == len(value)
        return value in ("auto", -1) or whole().holds(value)

    def __str__(self) -> str:
        return "a number of devices, 1 or more, a list of their numbers such as [0,1], or auto (-1): all"


@dataclass(frozen=True)
class Flag(Rule):
    """True or false."""

    def _holds_one(self, value: Any) -> bool:
        return isinstance(value, bool)

    def __str__(self) -> str:
        return "true or false"


@dataclass(frozen=True)
class Method(Rule):
    """One of this project's methods (``words``), or one that an installed package adds.

    Args:
        entry_points: the group by which packages declare theirs.
    """

    entry_points: str = ""

    def is_theirs(self, value: Any) -> bool:
        """Whether it is a package's; one of ours is never replaced."""
        return isinstance(value, str) and value not in self.words and value in installed(self.entry_points)

    def _holds_one(self, value: Any) -> bool:
        return super()._holds_one(value) or self.is_theirs(value)

    def __str__(self) -> str:
        return f"one of {', '.join([*self.words, *sorted(installed(self.entry_points).keys() - {*self.words})])}"


@dataclass(frozen=True)
class ModalityName(Rule):
    """A kind of image, if need be of one scanner or protocol: ``flair``, ``t1w_acq-B``."""

    def _holds_one(self, value: Any) -> bool:
        try:
            return isinstance(value, str) and modality(value).name == value
        except UsageError:
            return False

    def __str__(self) -> str:
        listed = "a list, not empty, each " if self.n == 0 else ""
        return f"{listed}one of {', '.join(modality_names())}, or one of a scanner or protocol such as t1w_acq-B"


@dataclass(frozen=True)
class Text(Rule):
    """A word; unless ``strict``, a number is one, as people and groups can be called so, and a list may be empty."""

    strict: bool = False

    def holds(self, value: Any) -> bool:
        """Also a list without any where a list is asked for."""
        return (self.n == 0 and value == [] and not self.strict) or super().holds(value)

    def _holds_one(self, value: Any) -> bool:
        kinds = str if self.strict else str | int | float
        return isinstance(value, kinds) and not isinstance(value, bool) and value != ""

    def __str__(self) -> str:
        listed = "a list of words, such as [real]" if self.strict else "a list of words, such as [01,02]"
        return (listed if self.n == 0 else "a word") + (", or null" if self.null else "")


def one_of(*words: str, null: bool = False) -> Rule:
    """One of these words."""
    return Rule(words, null=null)


def whole(least: int = 1, **more: Any) -> Rule:
    """A whole number."""
    return Rule(number=int, least=least, **more)


def real(**more: Any) -> Rule:
    """A number."""
    return Rule(number=float, **more)


POSITIVE, NOT_BELOW_0, SHARE = real(above=0), real(least=0), real(least=0, most=1)
VOXELS, WIDTHS, RATE = whole(n=3), whole(n=0), real(above=0, most=1)
GENERATOR = {  # of every method
    "spatial_dims": whole(2, most=3),
    "patch_size": VOXELS, "stride": VOXELS, "batch_size": whole(), "coordinates": Flag(),
    "n_steps": whole(), "n_folds": whole(2),
    "generator.channels": WIDTHS, "generator.blocks": whole(0), "generator.stem": whole(),
    "generator.norm": one_of("batch", "instance", "group", "none"),
    "learning_rate": RATE, "betas": real(least=0, below=1, n=2), "gradient_clip": POSITIVE,
    "ema_decay": real(least=0, below=1), "augmentation": NOT_BELOW_0,
}  # fmt: skip
ADVERSARIAL = {
    "discriminator.channels": whole(), "discriminator.layers": whole(),
    "discriminator.norm": one_of("batch", "instance", "none"), "discriminator.spectral": Flag(),
    "reconstruction": one_of("l1", "mse"), "lambda_reconstruction": NOT_BELOW_0, "lambda_adversarial": NOT_BELOW_0,
    "learning_rate_discriminator": RATE, "n_warmup_steps": whole(0),
}  # fmt: skip
GANS = {  # by method
    "conditional_gan": GENERATOR | ADVERSARIAL,
    "rectified_flow": GENERATOR | {
        "n_samples": whole(most=1000), "sampling_steps": whole(most=1000), "shift": real(above=0, most=1),
    },
    "cycle_gan": GENERATOR | ADVERSARIAL | {
        "lambda_cycle": NOT_BELOW_0, "pool_size": whole(0), "cycle_fwhm_mm": NOT_BELOW_0, "unpaired": Flag(),
    },
}  # fmt: skip
ANY_GAN = {key: rule for rules in GANS.values() for key, rule in rules.items()}
GAN_OPTIONAL = {  # what they are where a configuration does not name them stands in synthpet.generators.options
    "sources": ModalityName(n=0), "target": ModalityName(),
    "generator.feature_size": whole(12, most=96),
    "generator.network": Method(("residual_unet", "swin_unetr"), entry_points="synthpet.networks"),
}  # fmt: skip
TRAINER = {
    "devices": Devices(),
    "accelerator": one_of("auto", "cpu", "gpu", "cuda", "mps", "tpu"),
    "strategy": one_of("auto", "ddp", "ddp_find_unused_parameters_true", "ddp_find_unused_parameters_false"),
    "precision": one_of("auto", "32-true", "bf16-mixed", "16-mixed"),
    "compile": Flag(), "channels_last": Flag(), "num_workers": whole(0), "steps_per_checkpoint": whole(),
}  # fmt: skip
DETECTOR = {
    "image": one_of("pet", "t1w", "flair"), "direction": one_of("hypo", "hyper", "both"), "seeds": whole(0, n=0),
    "smooth_fwhm_mm": NOT_BELOW_0, "spread_fwhm_mm": NOT_BELOW_0, "pool_fwhm_mm": NOT_BELOW_0,
    "mirror": Flag(), "slope_fwhm_mm": POSITIVE, "penalty": POSITIVE,
    "latents": one_of("raw", "whitened", "conditional"), "n_directions": whole(null=True),
    "nu": real(above=0, most=1), "gamma": Rule(("scale",), number=float, above=0),
    "score": one_of("decision", "distance"), "score_every": whole(),
    "images": Rule(("t1w", "flair", "pet"), n=0, null=True),
    "autoencoder.modalities": Rule(("t1w", "flair", "pet"), n=0), "autoencoder.patch_size": whole(n=3, odd=True),
    "autoencoder.latent_dim": whole(), "autoencoder.branches": one_of("joint", "separate"),
    "autoencoder.alpha": SHARE, "autoencoder.n_steps": whole(), "autoencoder.channels": WIDTHS,
    "autoencoder.decoder": one_of("perceptron", "convolutional"), "autoencoder.batch_size": whole(),
    "autoencoder.tile": whole(), "autoencoder.learning_rate": RATE, "autoencoder.steps_per_checkpoint": whole(),
}  # fmt: skip
COHORT = {
    "source": one_of("phantom", "folder", "bids"), "seed": whole(0), "resolution_mm": real(least=0.3, most=20),
    "n_paired": whole(0), "n_unpaired": whole(0), "n_heldout": whole(0), "n_patients": whole(0),
    "anatomy": one_of("syn", "affine"), "age": real(least=0, most=120, n=2, ascending=True), "mri_visible": SHARE,
    "lesion_depth": real(least=0, most=1, n=2, ascending=True),
    "lesion_radius_mm": real(above=0, most=200, n=2, ascending=True),
    "lesion_shapes": Rule(("focal", "band", "lobe", "bilateral", "multifocal"), n=0),
    "modalities": Rule(("t1w", "flair", "pet"), n=0),
    "scan.motion_mm": real(least=0, most=50), "scan.misregistration_mm": real(least=0, most=50),
    "scan.attenuation": SHARE, "scan.hyperglycaemia": SHARE,
    "variants.ventricles": SHARE, "variants.cisterna": SHARE, "variants.asymmetry": SHARE,
}  # fmt: skip
OTHERS = {
    "seed": whole(0, most=2**31 - 1), "on_invalid": one_of("stop", "skip"),
    "compute.backend": one_of("local", "dask"), "compute.n_jobs": whole(),
    "logger.name": one_of("wandb", "local"), "logger.mode": one_of("offline", "online", "off"),
    "logger.images_every": whole(), "logger.images": Flag(), "logger.ids": Flag(), "logger.models": Flag(),
    "complete.smooth_fwhm_mm": NOT_BELOW_0, "complete.histogram_matching": Flag(),
    "complete.residual": one_of("resampled", "none"), "complete.batch_size": whole(),
    "evaluate.data_range": real(above=0, null=True),
    "normative.name": one_of("real", "synthetic", "completed", "resampled", "matched", "oracle"),
    "normative.smooth_fwhm_mm": Rule(("match",), number=float, least=0), "normative.force": Flag(),
    "detection.false_per_scan": POSITIVE, "detection.min_volume_mm3": NOT_BELOW_0, "detection.max_clusters": whole(),
    "display.convention": one_of("neurological", "radiological"),
    "display.pet_colours": one_of("inferno", "gray_r", "hot"),
    "patient_age": real(least=0, most=120, null=True), "patient_sex": one_of("F", "M", null=True),
    "detection.rank_by": one_of("mass", "size", "mean"), "detection.healthy_share": real(above=0, below=1),
    "detection.where": one_of("brain", "grey_matter"), "detection.extent": one_of("whole", "core"),
    "compare.n_resamples": whole(), "compare.generators": Text(n=0, strict=True),
    "compare.detectors": Text(n=0, strict=True), "compare.columns": Text(n=0, strict=True),
    "compare.reference": Text(strict=True), "work_dir": Text(), "cohort.path": Text(),
    "compute.address": Text(null=True), "compute.memory_per_worker": Text(null=True),
    "logger.project": Text(), "logger.group": Text(null=True),
    "layout": one_of("auto", "bids", "caps", "petprep", "patterns"), "xform": one_of("sform", "qform", null=True),
    "lesion_space": one_of("t1w", "flair", "pet"),
    "registration": one_of("syn", "affine", "rigid"), "min_similarity": real(least=-1, most=1),
    "heldout_share": real(least=0, below=1), "session": Text(null=True), "tracer": Text(null=True),
    "participant_label": Text(n=0, null=True), "control_groups": Text(n=0), "patient_groups": Text(n=0),
    **{f"columns.{name}": Text(null=True) for name in ("group", "role", "age", "sex", "site", "lesion_site")},
    "raw_flair_share": SHARE, "raw_cut_share": SHARE, "raw_skull": Flag(),
    "realism": Flag(), "realism_people": whole(n=2),
    "patients_per_anatomy": whole(),
}  # fmt: skip
METHODS = {
    "gan": Method(tuple(GANS), entry_points="synthpet.generators"),
    "detector": Method(
        (
            "zmap",
            "asymmetry",
            "residual",
            "ocsvm_conditional",
            "zmap_conditional",
            "residual_conditional",
            "ocsvm_voxel",
            "svdd",
            "ocsvm_subject",
            "latent_zmap",
        ),
        entry_points="uad.detectors",
    ),
}
SHARED = (  # options that every method of these groups has; a package's method judges all others itself
    "gan.method", "gan.patch_size", "gan.stride", "gan.batch_size", "gan.coordinates", "gan.n_steps", "gan.n_folds",
    "gan.sources", "gan.target", "gan.unpaired",
    "detector.method", "detector.seeds",
)  # fmt: skip
NETWORK = "gan.generator.network"
DEFAULT_GAN = "conditional_gan"
SET_BY_STUDIES = ("n_warmup_steps", "discriminator")  # also of generators that have none
WHOLE_GROUPS: dict[str, dict[str, Rule]] = {  # which have no other options than these and those of the files
    "gan": ANY_GAN | GAN_OPTIONAL, "trainer": TRAINER, "detector": DETECTOR, "columns": {},
}  # fmt: skip
ALSO_NAMES = ("session",)  # options of one value that may be names with values, too
ALLOWED = {f"{group}.{key}": rule for group, rules in (WHOLE_GROUPS | {"cohort": COHORT}).items()
           for key, rule in rules.items()} | OTHERS  # fmt: skip
ALLOWED |= {f"{group}.method": rule for group, rule in METHODS.items()}
FREE = ("gan.name", "detector.name")  # names are checked with those of folders


def check_values(cfg: "DictConfig") -> None:
    """Refuse values that no command can work with, wherever they were set.

    Raises:
        UsageError: naming every one with what is allowed.
    """
    from synthpet.command.config_names import config_names
    from synthpet.command.fitting_together import misfits

    found = _judged_here(dict(_options(cfg)))
    problems = [
        f"{key}={value!r}: expected {ALLOWED[key]}"
        for key, value in found.items()
        if key in ALLOWED and not ALLOWED[key].holds(value)
    ]
    strange = [key for key in found if _is_strange(key)]
    known = config_names() if strange else []
    problems += [_unknown(key) for key in strange if key not in known or _within(key)]
    problems += [f"{key}: found names with values; expected {ALLOWED[key]}" for key in _with_names(found)]
    problems += [*_of_another_method(found), *_not_given(found)]
    problems = problems or list(misfits(found))
    if problems:
        raise UsageError("\n  ".join(problems))


def _of_another_method(found: Mapping[str, Any]) -> Iterator[str]:
    """Options that this generator does not have; what a study sets for all of them is passed over."""
    method = found.get("gan.method", DEFAULT_GAN)
    own = {*GANS.get(method, {}), *GAN_OPTIONAL, "method"}
    others = {key for key in ANY_GAN if key.partition(".")[0] not in SET_BY_STUDIES} - own
    if method in GANS:
        yield from (f"gan.{key}: no option of gan.method={method}" for key in sorted(others) if f"gan.{key}" in found)


def _not_given(found: Mapping[str, Any]) -> Iterator[str]:
    if "gan.name" not in found:  # a study sets some of them for commands that train nothing, too
        return
    for group, rules in {"gan": GANS.get(found.get("gan.method", DEFAULT_GAN), {}), "trainer": TRAINER}.items():
        for key, rule in rules.items():
            if f"{group}.{key}" not in found and not (key.startswith("generator.") and NETWORK in found):
                yield f"{group}.{key}: was not given; expected {rule}"


def _judged_here(found: dict[str, Any]) -> dict[str, Any]:
    """Without the options of a method or network that an installed package adds: its class judges them."""
    theirs = {group for group, method in METHODS.items() if method.is_theirs(found.get(f"{group}.method"))}
    ours = {key: value for key, value in found.items() if key.partition(".")[0] not in theirs or key in SHARED}
    if GAN_OPTIONAL["generator.network"].is_theirs(ours.get(NETWORK)):  # type: ignore[attr-defined]
        return {key: value for key, value in ours.items() if not key.startswith("gan.generator.") or key == NETWORK}
    return ours


def _options(cfg: "DictConfig") -> Iterator[tuple[str, Any]]:
    """Every option with its value, lists as one value; without those that were not given."""
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    for key, value in _leaves(OmegaConf.to_container(cfg)):
        if isinstance(value, str) and "${" in value:
            try:
                value = OmegaConf.select(cfg, key)
            except OmegaConfBaseException:  # it refers to what was not given
                continue
        if value != "???":
            yield key, value


def _leaves(node: object, key: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(node, Mapping) and (node or not key):
        for name, child in node.items():
            yield from _leaves(child, f"{key}.{name}" if key else str(name))
    else:
        yield key, node


def _with_names(found: Iterable[str]) -> set[str]:
    """Options of one value under which there are names."""
    above = {key.rpartition(".")[0] for key in found}
    return {key for key in above if key in ALLOWED and key not in ALSO_NAMES}


def _is_strange(key: str) -> bool:
    return key.partition(".")[0] in WHOLE_GROUPS and key not in ALLOWED and key not in FREE


def _within(key: str) -> list[str]:
    """Options that lie under a name."""
    return [name for name in ALLOWED if name.startswith(f"{key}.")]


def _unknown(key: str) -> str:
    if within := _within(key):
        return f"{key}: expected names with values, such as {within[0]}"
    near = get_close_matches(key, ALLOWED, n=3, cutoff=0.5)
    return f"{key}: no such option; expected one of those that `--help` lists" + (
        f": {', '.join(near)}?" if near else ""
    )
