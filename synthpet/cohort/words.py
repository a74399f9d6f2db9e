"""What the words of hospitals' tables mean: who is ill, which sex, how old; whatever is not listed means nothing."""

import re
import unicodedata

GROUPS = {
    "control": "control ctrl ctl ctr cntl cntrl contr con hc nc cn hv healthy normal normative volunteer unaffected "
    "nl cu td neurotypical typically developing controle temoin sain sano sana saudavel controllo controlli kontrolle "
    "kontrollen kontrollperson gesund gesunde gezond volontaire voluntario volontario",
    "patient": "patient pat pt px case affected diseased ill sick epilepsy epileptic epilepsie epilepsia epileptiker "
    "lesional nonlesional etle fcd fcd1 fcd2 fcd2a fcd2b dysplasia dysplasie tle mtle ltle rtle fle ple ole mts dre "
    "mcd sclerosis paciente paziente pazienti patientin patienten malade krank kranke epileptique epileptico "
    "epilettico cas caso",
    # tell nothing of health by themselves: "left temporal lobe epilepsy", "control group"
    "": "group grp cognitively sujet sujeto subject participant person adult child the of with and type i ii iii iia "
    "iib 1 2 2a 2b left right l r temporal frontal parietal occipital insular mesial lobe focal cortical "
    "hippocampal drug resistant refractory intractable pharmacoresistant",
}
SEX = {
    "F": "f female woman girl w weiblich frau femme feminin feminine feminino femenino femenina feminina fem mujer "
    "donna femmina mulher vrouw vrouwelijk kvinna kvinde kvinne kobieta fille",
    "M": "m male man boy mann mannlich maennlich homme masculin masculine masculino mas hombre varon uomo maschio "
    "homem mannelijk garcon mezczyzna",
}
MAX_YEARS = 120.0
_GROUP_OF = {word: group for group, words in GROUPS.items() for word in words.split()}
_PER_YEAR = {"y": 1.0, "m": 12.0, "w": 52.1775, "d": 365.25}


def plain(text: str) -> str:
    """A value without case, accents, signs and a spreadsheet's ``.0``: ``Témoins `` gives ``temoins``."""
    whole = re.sub(r"^\s*(\d+)\.0+\s*$", r"\1", text)
    letters = "".join(c for c in unicodedata.normalize("NFKD", whole.casefold()) if not unicodedata.combining(c))
    return " ".join(re.findall(r"[^\W_]+", letters))


def group_of(text: str) -> str:
    """``control`` or ``patient`` where each word of the text is known and all agree; otherwise empty."""
    words = plain(text).replace("mri negative", "").replace("mri positive", "").split()
    found = {_GROUP_OF.get(word, _GROUP_OF.get(word.removesuffix("s"))) for word in words} - {""}
    return (found.pop() or "") if len(found) == 1 else ""


def sex_of(text: str) -> str | None:
    """``F`` or ``M`` for a listed word, otherwise None; BIDS has no other letters that this project reads."""
    return next((sex for sex, words in SEX.items() if plain(text) in words.split()), None)


def years_of(text: str, units: str = "years") -> float | None:
    """Years: ``39``, ``39.5``, ``34,5``, ``89+`` (BIDS), ``034Y`` or ``408M`` (DICOM), ``34 years``; otherwise None.

    Args:
        text: of a table.
        units: of a number without its own: years, months, weeks or days.
    """
    found = re.fullmatch(r"(\d{1,5}(?:[.,]\d*)?)\s*(\+|[ymwd]|y(?:ea)?rs?|years? old)?\.?", text.strip().casefold())
    if not found:
        return None
    unit = (found[2] or units)[0].replace("+", "y").casefold()
    if unit not in _PER_YEAR:
        return None
    years = float(found[1].replace(",", ".")) / _PER_YEAR[unit]
    return years if years <= MAX_YEARS else None
