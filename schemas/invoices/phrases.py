"""The words of a rule that has none of its own: those of what it asks, in general.

Rules on VAT (EN 16931-1, 6.4.3) ask the same of each category, under the same number. What a profile of Factur-X says of
elements, and the mapping to UBL of those that it has no use for, are sentences of a few forms.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from schemas.invoices.wording import messages, words

_VAT = re.compile(r"BR-(S|Z|E|AE|IC|G|O|AF|AG)-(\d\d)")
_RATED = {"S", "AF", "AG"}
_SUBJECTS = {"2": ("line", "BT-152"), "3": ("allowance", "BT-96"), "4": ("charge", "BT-103")}
"""What is of a category, and where its rate stands, by the last digit of rules 02 to 04; those of rules 05 to 07 follow."""
_FAMILIES = (
    (re.compile(r"BR-DEC-\d+"), "DEC"),
    (re.compile(r"BR-CL-\d+"), "CL"),
    (re.compile(r"(?:UBL|CII)-SR-\d+"), "SR"),
)
_FORMS = (
    (re.compile(r"Value of '(?P<element>.+)' is not allowed\."), "FX.value"),
    (re.compile(r"Element (?:variant )?'(?P<element>.+)' must occur exactly (?P<count>\d+) times\."), "FX.exactly"),
    (re.compile(r"Element (?:variant )?'(?P<element>.+)' may occur at maximum (?P<count>\d+) times\."), "FX.most"),
    (re.compile(r"Element (?:variant )?'(?P<element>.+)' must occur at least (?P<count>\d+) times\."), "FX.least"),
    (re.compile(r"Attribute '(?P<element>.+)' is required in this context\."), "FX.required"),
    (re.compile(r"(?:Element (?:variant )?|Attribute )'?(?P<element>.+)' (?:is )?marked as not used in the.*"), "FX.unused"),
    (re.compile(r"(?P<element>.+?) (?:shall|should|must) (?:occur|exist) (?:at most|maximum) once.*"), "FX.most"),
    (re.compile(r"(?P<element>.+?) must exist exactly once\.?"), "FX.exactly"),
    (re.compile(r"A UBL (?:invoice|credit note) (?:should|shall) not include (?:the |an? )?(?P<element>.+)"), "unused"),
    (re.compile(r"(?P<element>.+?)(?: attribute| identifier| id)? should not be present"), "unused"),
)


@dataclass(frozen=True, slots=True)
class Phrase:
    """Words of the catalogue: the key that they are under, and what they name besides what every rule names."""

    key: str
    named: Mapping[str, str] = field(default_factory=dict)

    def word(self, what: str, places: Mapping[str, str]) -> str | None:
        """Return the ``message``, what is ``expected`` or the ``mend``; None when there is none."""
        return words(f"{self.key}.{what}", **(dict(places) | dict(self.named)))


def general(rule: str, text: str) -> Phrase | None:
    """Return the words of what a rule asks; None when there are none.

    Args:
        rule: as problems name it, without the standard.
        text: what its authors say, without its name.
    """
    if match := _VAT.fullmatch(rule):
        return _of_vat(*match.groups())
    for pattern, key in _FORMS:
        if told := pattern.fullmatch(text):
            return Phrase(key, {"count": "1"} | told.groupdict())
    family = next((key for pattern, key in _FAMILIES if pattern.fullmatch(rule)), None)
    return Phrase(family) if family else None


def _of_vat(category: str, number: str) -> Phrase | None:
    named = {"category": messages(f"category.{category}")}
    if number in {"02", "03", "04"}:
        subject, _ = _SUBJECTS[number[1]]
        kind = {"AE": "reverse", "IC": "both", "O": "none"}.get(category, "seller")
        return Phrase(f"VAT.{kind}", named | {"subject": messages(f"VAT.subject.{subject}")})
    if number in {"05", "06", "07"}:
        subject, term = _SUBJECTS[str(int(number) - 3)]
        kind = "positive" if category == "S" or (category, number) == ("AF", "05") else "any" if category in _RATED else "zero"
        kind = "absent" if category == "O" else kind
        return Phrase(f"VAT.{kind}", named | {"subject": messages(f"VAT.subject.{subject}"), "term": term})
    rated = category in _RATED
    kinds = {
        "01": "some" if rated else "one",
        "08": "base",
        "09": "reckoned" if rated else "nothing",
        "10": "reasonless" if rated or category == "Z" else "reason",
    }
    return Phrase(f"VAT.{kinds[number]}", named) if number in kinds else None
