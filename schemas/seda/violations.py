"""The findings of libxml2 against a schema, in the words of the person who has to mend the manifest: rule ``XSD``."""

from __future__ import annotations

import re

from core.messages import Catalogue
from core.problems import Problem, Severity
from schemas.flood import Finding

_messages = Catalogue("schemas.seda")
_MESSAGE = re.compile(r"^Element '(?:\{[^}]*\})?([^']*)'(?:, attribute '(?:\{[^}]*\})?([^']*)')?: (.*)$", re.DOTALL)
_VALUE = re.compile(r"The value '(.*?)' (?=has |must |is )|: '(.*)' is not a valid value", re.DOTALL)
_EXPECTED = re.compile(r"Expected is (?:one of )?\( (.*?) \)", re.DOTALL)
_SET = re.compile(r"element of the set \{(.*)\}", re.DOTALL)
_TYPE = re.compile(r"(?:atomic|union) type '(?:\{[^}]*\})?(?:xs:)?([\w-]+)'")
_REQUIRED = re.compile(r"attribute '(?:\{[^}]*\})?([^']*)' is required")
_NAMESPACE = re.compile(r"\{[^}]*\}|##other")
_KINDS = {
    "SCHEMAV_CVC_COMPLEX_TYPE_4": "attribute_missing",
    "SCHEMAV_CVC_COMPLEX_TYPE_3_2_1": "attribute_forbidden",
    "SCHEMAV_CVC_TYPE_3_1_1": "attribute_forbidden",
    "SCHEMAV_CVC_COMPLEX_TYPE_2_1": "content_forbidden",
    "SCHEMAV_CVC_COMPLEX_TYPE_2_2": "content_forbidden",
    "SCHEMAV_CVC_COMPLEX_TYPE_2_3": "content_forbidden",
    "SCHEMAV_CVC_TYPE_3_1_2": "content_forbidden",
}
_FORMS = {
    "date": "day",
    "dateTime": "moment",
    "day-or-moment": "day_or_moment",
    "DateType": "day_or_moment",
    "bytes": "bytes",
    "SizeInBytesType": "bytes",
    "octets": "octets",
    "BinaryType": "octets",
    "base64Binary": "octets",
    "ID": "name",
    "GroupIdType": "name",
    "IDREF": "reference",
    "language": "language",
    "boolean": "boolean",
    "anyURI": "uri",
    "int": "number",
    "integer": "number",
    "decimal": "number",
}
"""How a value of a type is written, for the types of our schemas and of the official ones."""


def problems_of(findings: list[Finding]) -> list[Problem]:
    """Return findings as errors, one for each place: libxml2 tells a wrong value once for its facet and once for its type."""
    told: dict[tuple[int, str | None, str, str], Problem] = {}
    for finding in findings:
        match = _MESSAGE.match(finding.message)
        element, attribute, rest = match.groups(default="") if match else ("", "", finding.message)
        kind = _kind(finding.code, rest)
        place = (finding.line, finding.path, attribute, kind)
        if place not in told or told[place].expected is None:
            told[place] = _problem(finding, kind, element, attribute, rest)
    return list(told.values())


def _kind(code: str, rest: str) -> str:
    if code == "SCHEMAV_ELEMENT_CONTENT":
        return "missing" if rest.startswith("Missing child") else "unexpected"
    return _KINDS.get(code) or ("value" if _VALUE.search(": " + rest) or "'minLength'" in rest else "other")


def _problem(finding: Finding, kind: str, element: str, attribute: str, rest: str) -> Problem:
    found: str | None = f"{element}@{attribute}" if attribute else element or None
    expected: str | None = None
    if kind in ("missing", "unexpected"):
        expected = _names(rest) or _messages("xsd.nothing")
    elif kind == "attribute_missing" and (required := _REQUIRED.search(rest)):
        expected = f"{element}@{required.group(1)}"
    elif kind == "value":
        value = _VALUE.search(": " + rest)
        found = next((group for group in value.groups() if group is not None), "") if value else ""
        expected = _form(rest)
    elif kind == "other":
        found = rest
    return Problem(
        rule="XSD",
        severity=Severity.ERROR,
        message=_messages(f"xsd.{kind}.message", element=element, attribute=attribute),
        line=finding.line or None,
        path=finding.path or None,
        found=found,
        expected=expected,
        mend=_messages(f"xsd.{kind}.mend", element=element, attribute=attribute),
    )


def _names(rest: str) -> str:
    listed = _EXPECTED.search(rest)
    names = _NAMESPACE.sub("", listed.group(1)).replace(" ", "").split(",") if listed else []
    return ", ".join(name for name in names if name and name != "*")


def _form(rest: str) -> str | None:
    if listed := _SET.search(rest):
        return listed.group(1).replace("'", "")
    if named := _TYPE.search(rest):
        return _messages(f"xsd.form.{_FORMS[named.group(1)]}") if named.group(1) in _FORMS else named.group(1)
    return _messages("xsd.form.not_empty") if "'minLength'" in rest else None
