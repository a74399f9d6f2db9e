"""``MODEL_CARD.md`` beside a trained model: what it is for, what it learned from, its limits and its hashes; no ids."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from synthpet.cohort import Cohort
from synthpet.cohort.files import sha256, write_text
from synthpet.cohort.modality import modality
from synthpet.runtime.stage import versions

CARD = "MODEL_CARD.md"
METHODS = {
    "conditional_gan": "generator of a conditional GAN",
    "cycle_gan": "generator of a CycleGAN",
    "rectified_flow": "rectified flow",
}
ROLE_WORDS = {
    "paired": "controls with T1 and measured PET",
    "unpaired": "controls with T1 and without measured PET",
}


@dataclass(frozen=True)
class Kind:
    """What a card says of every model of one kind."""

    about: str
    use: str
    where: str
    limit: str


DETECTOR = Kind(
    "A detector that learned the normal T1 and FDG PET of controls; it gives a map of how far a person lies outside.",
    "research on unsupervised detection of epileptogenic lesions.",
    "Its false clusters on held-out controls stand in `calibration.json`, its detections in `summary.json` of the "
    "folder `evaluation-<name>`, once `python -m uad.evaluate` has run.",
    "It marks what is unlike its controls, which is not the same as a lesion; most marked places are not lesions.",
)


def generator_kind(method: str, sources: Sequence[str], target: str) -> Kind:
    """What the card of a generator says.

    Args:
        method: ``gan.method``.
        sources: modalities that it is given.
        target: the one that it makes.
    """
    given, made = " and ".join(map(short_name, sources)), short_name(target)
    lead = METHODS.get(method, f"generator ({method})")
    about, shown = ("FDG PET (SUVR)", "person's metabolism") if target == "pet" else (made, f"person's {made}")
    return Kind(
        f"A {lead}: it computes a synthetic {about} from a {given} MRI on the template grid.",
        f"to complete a set of normal controls with synthetic {made} for research on lesion detection.",
        f"The quality of its synthetic {made} on controls that it did not see stands in `quality.json` of the folder "
        "`synthetic-<name>`, once `python -m synthpet.evaluate` has run.",
        f"A synthetic {made} is not a measurement. It shows what the {given} predicts, not the {shown}.",
    )


def short_name(name: str) -> str:
    """What a modality is called in few letters: T1, FLAIR, PET."""
    return modality(name).suffix.removesuffix("w").upper()


def write_model_card(
    folder: Path,
    kind: Kind,
    name: str,
    cohort: Cohort,
    trained_on: Sequence[str],
    config: Mapping[str, Any],
    model_files: Sequence[Path],
    metrics: Sequence[str] = (),
) -> Path:
    """Write ``MODEL_CARD.md``; equal input gives equal bytes.

    Args:
        folder: of the model.
        kind: ``generator_kind`` or ``DETECTOR``.
        name: heading.
        cohort: that the training images are of.
        trained_on: participants; only their number and role are written.
        config: options without ids.
        model_files: whose SHA-256 are written.
        metrics: sentences about what was measured.

    Returns:
        The card.
    """
    import yaml
    from jinja2 import Environment, StrictUndefined

    role = {subject.participant_id: subject.role for subject in cohort.subjects}
    roles = Counter(ROLE_WORDS[role[who]] for who in trained_on)
    environment = Environment(  # noqa: S701 - Markdown: escaping would spoil it, and the values are our own
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    template = environment.from_string(files(__package__).joinpath("model_card.md").read_text("utf-8"))
    text = template.render(
        name=name,
        about=kind.about,
        use=kind.use,
        where=kind.where,
        limit=kind.limit,
        roles=roles,
        simulated=cohort.is_simulated,
        spacing=f"{' x '.join(f'{mm:g}' for mm in cohort.grid.spacing_mm)} mm",
        config=yaml.safe_dump(dict(config), sort_keys=False).strip(),
        metrics=metrics,
        files={path.relative_to(folder).as_posix(): sha256(path) for path in sorted(model_files)},
        versions=versions(),
    )
    return write_text(folder / CARD, text)
