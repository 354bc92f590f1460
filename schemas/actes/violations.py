"""The findings of libxml2 against the schema, in the words of the person who has to mend the message.

Findings about a value that a numbered rule knows better bear that rule's number: an address R40, an object R33, an internal
number R30. All others bear the rule of the document: R07 for an envelope, R12 for a message.
"""

from __future__ import annotations

import re

from core.problems import Problem
from schemas.actes.wording import messages, problem
from schemas.flood import Finding

_MESSAGE = re.compile(r"^Element '(?:\{[^}]*\})?([^']*)'(?:, attribute '(?:\{[^}]*\})?([^']*)')?: (.*)$", re.DOTALL)
_VALUE = re.compile(r"The value '(.*?)' (?=has |must |is )|: '(.*)' is not a valid value", re.DOTALL)
_LENGTH = re.compile(r"has a length of '([0-9]+)'")
_EXPECTED = re.compile(r"Expected is (?:one of )?\( (.*?) \)", re.DOTALL)
_NAMESPACE = re.compile(r"\{[^}]*\}|##other")
_REQUIRED = re.compile(r"attribute '(?:\{[^}]*\})?([^']*)' is required")
_FACET = re.compile(r"SCHEMAV_CVC_(?:(?:MIN|MAX)?LENGTH|PATTERN|ENUMERATION|(?:MIN|MAX)(?:IN|EX)CLUSIVE|DATATYPE)_VALID.*")
_KINDS = {
    "SCHEMAV_CVC_COMPLEX_TYPE_4": "attribute_missing",
    "SCHEMAV_CVC_COMPLEX_TYPE_3_2_1": "attribute_forbidden",
    "SCHEMAV_CVC_COMPLEX_TYPE_2_1": "content_forbidden",
    "SCHEMAV_CVC_COMPLEX_TYPE_2_2": "content_forbidden",
    "SCHEMAV_CVC_COMPLEX_TYPE_2_3": "content_forbidden",
    "SCHEMAV_CVC_TYPE_3_1_2": "content_forbidden",
    "SCHEMAV_CVC_ELT_1": "root",
}
_BETTER_KNOWN = {
    ("Email", ""): "R40",
    ("Objet", ""): "R33",
    ("Acte", "NumeroInterne"): "R30",
    ("ActeRecu", "NumeroInterne"): "R30",
}
_ADDRESS_OR_SUBJECT = {"R40": "", "R33": "long", "R30": ""}


def problems_of(found: list[Finding], rule: str) -> list[Problem]:
    """Return findings as errors: one for each place, since libxml2 tells a wrong value once for its facet and once for its type.

    Args:
        found: of one document.
        rule: ``R07`` or ``R12``.
    """
    told: dict[tuple[str | None, str, str], Problem] = {}
    for finding in found:
        match = _MESSAGE.match(finding.message)
        element, attribute, rest = match.groups(default="") if match else ("", "", finding.message)
        kind = _kind(finding.code, rest)
        place = (finding.path, attribute, kind)
        if place not in told or told[place].found is None:
            told[place] = _problem(finding, rule, kind, element, attribute, rest)
    return list(told.values())


def _kind(code: str, rest: str) -> str:
    if code == "SCHEMAV_ELEMENT_CONTENT":
        return "missing" if rest.startswith("Missing child") else "unexpected"
    return _KINDS.get(code) or ("value" if _FACET.fullmatch(code) or _VALUE.search(": " + rest) else "other")


def _problem(finding: Finding, rule: str, kind: str, element: str, attribute: str, rest: str) -> Problem:
    line, path = finding.line or None, finding.path or None
    place = f"{element}@{attribute}" if attribute else element
    if kind == "value":
        value = _VALUE.search(": " + rest)
        found = next(group for group in value.groups() if group is not None) if value else None
        if (better := _BETTER_KNOWN.get((element, attribute))) is not None:
            measured = _LENGTH.search(rest)  # a value that is too long is not quoted
            length = measured.group(1) if measured else len(found or "")
            return problem(better, _ADDRESS_OR_SUBJECT[better], line=line, path=path, found=found, length=length)
        return problem(rule, kind, line=line, path=path, found=found, expected=_form(element, attribute, rest), place=place)
    if kind in ("missing", "unexpected"):
        listed = _EXPECTED.search(rest)
        names = _NAMESPACE.sub("", listed.group(1)).replace(" ", "").strip(",").split(",") if listed else []
        expected = ", ".join(name for name in names if name) or messages("schema.nothing")
        return problem(rule, kind, line=line, path=path, expected=expected, place=place)
    if kind == "attribute_missing":
        required = _REQUIRED.search(rest)
        name = required.group(1) if required else ""
        return problem(rule, kind, line=line, path=path, expected=f"@{name}", place=element, name=name)
    return problem(rule, kind, line=line, path=path, found=place if kind != "other" else rest, place=place)


def _form(element: str, attribute: str, rest: str) -> str:
    for name in (f"{element}.{attribute}", attribute or element):
        if f"schema.form.{name}" in messages:
            return messages(f"schema.form.{name}")
    return messages("schema.form.date") if "xs:date" in rest else messages("schema.form.other")
