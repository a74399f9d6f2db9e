"""What a folder of raw or processed images holds: its people, the images of each, and what participants.tsv says."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from synthpet.cohort.names import check_participant_id
from synthpet.errors import DataError, UsageError
from synthpet.prepare.raw.choose import Choice, choose
from synthpet.prepare.raw.layouts import classifier, find_layout
from synthpet.prepare.raw.look import Look
from synthpet.prepare.raw.options import RawOptions
from synthpet.prepare.raw.participants import Participants, bids_id, matched, read_participants
from synthpet.prepare.raw.roles import Identity, identify, ill_by_name, unknown_groups
from synthpet.prepare.raw.scan import NotUsed, Scan, natural
from synthpet.prepare.raw.sessions import acquisition_times
from synthpet.prepare.raw.subject import RawSubject
from synthpet.prepare.raw.walk import OUTSIDE, leads_out, list_images
from synthpet.prepare.raw.who import against_masks, one_site_spelling, with_roles


@dataclass(frozen=True)
class RawData:
    """Everybody of a folder, what was seen and is not used, and what the reader should know of the whole.

    ``questions``: what the user has to answer before anything is made, each with its code and the option.
    """

    layout: str
    people: tuple[RawSubject, ...]
    not_used: tuple[NotUsed, ...] = ()
    notes: tuple[str, ...] = ()
    questions: tuple[str, ...] = ()


def read_raw(bids_dir: Path, options: RawOptions | None = None) -> RawData:
    """Find everybody's T1w, FDG PET, FLAIR and masks, and give each a role.

    Images are told apart by their names alone; nothing but JSON, TSV and the headers of T1s and brain masks is read.

    Args:
        bids_dir: raw BIDS, Clinica CAPS, PETPrep's outputs, or any folder with patterns.
        options: how it is read.

    Raises:
        DataError: no folder there, nobody in it, or a participants.tsv that cannot be used.
        UsageError: an unknown layout or a pattern that tells nobody apart.
    """
    bids_dir, options = Path(bids_dir), options or RawOptions()
    if not bids_dir.is_dir():
        raise DataError(f"E_NO_BIDS {bids_dir}: no such folder; expected raw BIDS, sub-<label>/anat/*_T1w.nii.gz")
    images, others = list_images(bids_dir, options.leave_out, follow_links=options.follow_links)
    layout = find_layout(options.layout, images, options.patterns)
    classify = classifier(layout, options.patterns, bids_dir.resolve().name)
    scans: list[Scan] = []
    not_used = list(others)
    for image in images:
        found = classify(image)
        if isinstance(found, Scan):
            scans.append(found)
        else:
            not_used.append(NotUsed(str(image), found))
    ambiguous: dict[str, str] = {}
    if layout == "patterns":
        scans, ambiguous = _with_bids_ids(scans)
    ids = _participants_of(bids_dir, layout, scans)
    if not ids:
        raise DataError(_nobody(bids_dir, layout, images, others))
    not_used += [NotUsed(str(s.path), "belongs to no person with a T1w") for s in scans if s.participant_id not in ids]
    table, notes = _table(bids_dir, options, ids)
    asked = (*table.problems, *unknown_groups(table, options.rules), *ill_by_name(table, ids, options.rules))
    clear = []
    for pid in ids:
        own = [scan for scan in scans if scan.participant_id == pid]
        identity = _at_site(identify(pid, table, options.rules, asked=bool(asked)), own)
        person, dropped = _person(bids_dir, pid, own, identity, options)
        clear.append(person.refused(ambiguous[pid]) if pid in ambiguous else person)
        not_used += dropped
    clear, more_notes = one_site_spelling(clear)
    n_pets = sum(scan.kind == "pet" for scan in scans)
    if n_pets and not any(person.pet or person.problem for person in clear):
        more_notes.append(f"none of {n_pets} PETs is used; not_used.tsv says why of each")
    agreed, contradictions = against_masks(clear, options.rules)
    people, given_up = with_roles(agreed, options.rules)
    return RawData(
        layout, tuple(people), tuple(sorted(not_used + given_up)), (*notes, *more_notes),
        asked or tuple(contradictions),
    )  # fmt: skip


def _participants_of(bids_dir: Path, layout: str, scans: Iterable[Scan]) -> list[str]:
    """Everybody's id: who has a folder, or for patterns who has a T1w."""
    if layout == "patterns":
        return sorted({scan.participant_id for scan in scans if scan.kind == "t1w"}, key=natural)
    root = bids_dir / "subjects" if layout == "caps" and (bids_dir / "subjects").is_dir() else bids_dir
    return sorted((path.name for path in root.glob("sub-*") if path.is_dir()), key=natural)


def _nobody(bids_dir: Path, layout: str, images: Sequence[PurePosixPath], others: Sequence[NotUsed]) -> str:
    """Why nobody was found, and what to do about it."""
    if layout == "patterns":
        return f"E_NO_BIDS {bids_dir}: none of {len(images)} NIfTI files matches the pattern t1w="
    below = sorted({path.parent.name for path in bids_dir.glob("*/sub-*") if path.is_dir()})
    dicom = any("DICOM" in other.reason for other in others)
    advice = f" Is it bids_dir={bids_dir / below[0]}?" if below else ""
    advice = advice or (" It holds DICOM: convert it to BIDS first (dcm2bids)." if dicom else "")
    advice = advice or (f" Its {len(images)} NIfTI files need patterns (t1w=, pet=, ...)." if images else "")
    return (
        f"E_NO_BIDS {bids_dir}: a folder without sub-* folders; expected raw BIDS, "
        f"sub-<label>/[ses-<label>/]anat/*_T1w.nii.gz, Clinica CAPS or PETPrep outputs.{advice}"
    )


def _table(bids_dir: Path, options: RawOptions, ids: Sequence[str]) -> tuple[Participants, list[str]]:
    """participants.tsv of the folder, or for outputs below derivatives that of the raw folder above."""
    if options.participants is not None and not options.participants.is_file():
        raise UsageError(f"participants={options.participants}: no such file")
    here = bids_dir.absolute()
    raw = [parent.parent for parent in (here, *here.parents) if parent.name == "derivatives"][:1]
    places = [options.participants] if options.participants else [f / "participants.tsv" for f in (here, *raw)]
    path = next((place for place in places if place and place.is_file()), None)
    if path is None:
        return Participants(), ["no participants.tsv: everybody is taken as control"]
    if not options.participants and path.parent == here and not options.follow_links and leads_out(path, here):
        problem = f"E_TABLE participants.tsv: {OUTSIDE}, or participants=<the table>"
        return Participants(columns=("",), problems=(problem,)), []
    table = matched(read_participants(path, options.rules.columns), ids)
    return table, list(table.notes)


def _at_site(identity: Identity, scans: Iterable[Scan]) -> Identity:
    """With the site that the paths of somebody's images name, where the table says none."""
    site = identity.subject.site or next((scan.site for scan in scans if scan.site), None)
    return replace(identity, subject=replace(identity.subject, site=site))


def _person(
    bids_dir: Path, participant_id: str, scans: Sequence[Scan], identity: Identity, options: RawOptions
) -> tuple[RawSubject, list[NotUsed]]:
    """One person's images, with a role where the table gives one."""
    try:
        check_participant_id(participant_id)
    except DataError as error:
        reason = "its person's id is not allowed in BIDS"
        problem = str(error).replace("in participants.tsv", f"in {bids_dir}")
        return (
            RawSubject(identity.subject, None, problem=problem, notes=identity.notes, root=bids_dir, why=identity.why),
            [NotUsed(str(scan.path), reason) for scan in scans],
        )
    acquired = acquisition_times(bids_dir, participant_id)
    look = Look(bids_dir, options.tracer, acquired, options.patterns.get("pet", ""))
    choice = choose(scans, look, session=options.session)
    problem = _problem(bids_dir, identity, choice, scans, options)
    notes = (*identity.notes, *choice.notes, *look.notes)
    paths = {kind: bids_dir / scan.path for kind, scan in choice.used.items()} if not problem else {}
    person = RawSubject(
        identity.subject, paths.pop("t1w", None), **paths, problem=problem, notes=notes, root=bids_dir, why=identity.why
    )
    return person, [NotUsed(str(scan.path), reason) for scan, reason in choice.dropped]


def _problem(bids_dir: Path, identity: Identity, choice: Choice, scans: Sequence[Scan], options: RawOptions) -> str:
    """Why a person cannot be prepared: every reason, one after the other; empty where nothing is wrong."""
    participant_id = identity.subject.participant_id
    problems = [*([identity.problem] if identity.problem else []), *choice.problems]
    if "t1w" not in choice.used:
        said = options.session if isinstance(options.session, str | None) else options.session.get("t1w")
        where = "" if said is None else f" of session {said}"
        expected = options.patterns.get("t1w", "[ses-*/]anat/*_T1w.nii or .nii.gz")
        problems.append(f"E_NO_T1W {bids_dir / participant_id}: no {expected}{where}")
    pattern = options.patterns.get("brain_mask")
    n_masks = sum(scan.kind == "brain_mask" for scan in scans)
    if pattern and n_masks != 1:
        problems.append(f"E_MASK {participant_id}: {n_masks} files match brain_mask={pattern!r}; expected one")
    if identity.subject.role in ("paired", "heldout") and "pet" not in choice.used:
        problems.append(
            f"E_ROLE {participant_id}: role {identity.subject.role} in participants.tsv, but no FDG PET was found "
            "(not_used.tsv lists what was seen); give the PET, or role unpaired"
        )
    if choice.doubtful_pets and identity.subject.role != "unpaired":
        reasons = ", ".join(f"{scan.path.name}: {reason}" for scan, reason in choice.doubtful_pets[:4])
        problems.append(
            f"E_NO_PET {participant_id}: none of its PETs is used ({reasons}); expected FDG; correct the sidecar or "
            "name the PET by pet=, or give the role unpaired in participants.tsv"
        )
    for scan in choice.used.values():
        path = bids_dir / scan.path
        if path.is_symlink() and not path.exists():
            problems.append(
                f"E_POINTER {participant_id} ({path}): a link to nothing; fetch the data first (datalad get)"
            )
    return "; ".join(problems)


def _with_bids_ids(scans: Sequence[Scan]) -> tuple[list[Scan], dict[str, str]]:
    """Scans of ids that BIDS allows (letters and digits of a folder's name), and why an id stands for nobody alone."""
    named: dict[str, set[str]] = {}
    for scan in scans:
        named.setdefault(bids_id(scan.participant_id), set()).add(scan.participant_id.removeprefix("sub-"))
    problems = {
        pid: f"E_ID {pid}: stands for several folders ({', '.join(sorted(names))}); expected names that differ in "
        "letters or digits"
        for pid, names in named.items()
        if len(names) > 1
    }
    return [replace(scan, participant_id=bids_id(scan.participant_id)) for scan in scans], problems
