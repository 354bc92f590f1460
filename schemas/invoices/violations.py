"""The findings of libxml2 against a schema, in the words of the person who has to mend the document: rule XSD."""

from __future__ import annotations

import re

from core.problems import Problem, Severity
from schemas.invoices.schema import Violation
from schemas.invoices.wording import messages, problem

RULE = "XSD"
_MESSAGE = re.compile(r"^Element '(?:\{[^}]*\})?([^']*)'(?:, attribute '(?:\{[^}]*\})?([^']*)')?: (.*)$", re.DOTALL)
_VALUE = re.compile(r"The value '(.*?)' (?=has |must |is )|: '(.*)' is not a valid value", re.DOTALL)
_EXPECTED = re.compile(r"Expected is (?:one of )?\( (.*?) \)", re.DOTALL)
_NAMESPACE = re.compile(r"\{[^}]*\}|##other")
_REQUIRED = re.compile(r"attribute '(?:\{[^}]*\})?([^']*)' is required")
_SET = re.compile(r"element of the set \{(.*)\}", re.DOTALL)
_LIMIT = re.compile(r"length of '(\d+)'\.$")
_HAS = re.compile(r"has a length of '(\d+)'")
_KINDS = {
    "SCHEMAV_CVC_COMPLEX_TYPE_4": "attribute_missing",
    "SCHEMAV_CVC_COMPLEX_TYPE_3_2_1": "attribute_forbidden",
    "SCHEMAV_CVC_COMPLEX_TYPE_3_2_2": "attribute_forbidden",
    "SCHEMAV_CVC_COMPLEX_TYPE_2_1": "content_forbidden",
    "SCHEMAV_CVC_COMPLEX_TYPE_2_2": "content_forbidden",
    "SCHEMAV_CVC_COMPLEX_TYPE_2_3": "content_forbidden",
    "SCHEMAV_CVC_TYPE_3_1_2": "content_forbidden",
}
_MOST_NAMES = 12


def problems_of(found: tuple[list[Violation], int], severity: Severity) -> list[Problem]:
    """Return findings as problems: one a place, since libxml2 tells a wrong value once for its facet and once for its type.

    Args:
        found: as ``Schema.violations`` gives them.
        severity: what they do to the verdict.
    """
    violations, total = found
    told: dict[tuple[str, str, str], Problem] = {}
    for violation in violations:
        match = _MESSAGE.match(violation.message)
        element, attribute, rest = match.groups(default="") if match else ("", "", violation.message)
        kind = _kind(violation.code, rest)
        told.setdefault((violation.path, attribute, kind), _problem(violation, kind, element, attribute, rest, severity))
    problems = list(told.values())
    if total > len(violations):
        problems.append(problem(RULE, "more", severity, more=total - len(violations)))
    return problems


def _kind(code: str, rest: str) -> str:
    if code == "SCHEMAV_ELEMENT_CONTENT":
        return "missing" if rest.startswith("Missing child") else "unexpected"
    return _KINDS.get(code) or ("value" if _VALUE.search(": " + rest) or _HAS.search(rest) else "other")


def _problem(violation: Violation, kind: str, element: str, attribute: str, rest: str, severity: Severity) -> Problem:
    line, path = violation.line or None, violation.path or None
    place = f"{element}/@{attribute}" if attribute else element
    found, expected, name = None, None, ""
    if kind == "value":
        found, expected = _stands(rest), _form(rest)
    elif kind in ("missing", "unexpected"):
        found = element if kind == "unexpected" else None
        listed = _EXPECTED.search(rest)
        names = _NAMESPACE.sub("", listed.group(1)).replace(" ", "").strip(",").split(",") if listed else []
        expected = ", ".join(each for each in names[:_MOST_NAMES] if each) or messages("XSD.nothing")
    elif kind == "attribute_missing":
        required = _REQUIRED.search(rest)
        name = required.group(1) if required else ""
        expected = f"@{name}"
    elif kind == "other":
        found = rest
    return problem(
        RULE, kind, severity, line=line, path=path, found=found, expected=expected, element=place, name=name or attribute
    )


def _stands(rest: str) -> str | None:
    if value := _VALUE.search(": " + rest):
        return next(group for group in value.groups() if group is not None)
    length = _HAS.search(rest)
    return messages("XSD.form.length", limit=length.group(1)) if length else None


def _form(rest: str) -> str:
    if listed := _SET.search(rest):
        return messages("XSD.form.one_of", codes=listed.group(1).replace("'", "")[:200])
    if "xs:decimal" in rest or "xs:integer" in rest:
        return messages("XSD.form.number")
    if "xs:date" in rest:
        return messages("XSD.form.date")
    if limit := _LIMIT.search(rest):
        longest = "maximum length" in rest
        return messages("XSD.form.longest" if longest else "XSD.form.length", limit=limit.group(1))
    return messages("XSD.form.other")
