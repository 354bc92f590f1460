"""The findings of libxml2 against a schema, said in French (or English) to the person who has to mend the file: rule R06.

libxml2 speaks English and quotes patterns; here each kind of finding gets words, and the values that matter most (codique,
IBAN…) the meaning of their form. Which schema is held against the file is decided in ``versions.py``.
"""

from __future__ import annotations

import re
from typing import Any

from core.messages import Catalogue
from core.problems import Problem, problem_in_words
from schemas.flood import Finding

messages = Catalogue("schemas.pes")

_QUOTED_VALUE = re.compile(r"The value '(.*?)' (?=has |must |is )|: '(.*)' is not a valid value", re.DOTALL)
_ELEMENT = re.compile(r"^Element '(?:\{([^}]*)\})?([^']*)'(?:, attribute '(?:\{[^}]*\})?([^']*)')?: (.*)$", re.DOTALL)
_EXPECTED = re.compile(r"Expected is (?:one of )?\( (.*?) \)", re.DOTALL)
_TYPE = re.compile(r"atomic type(?: '(?:xs:|\{[^}]*\})(\w+)')?")
_SET = re.compile(r"element of the set \{(.*)\}", re.DOTALL)
_LIMIT = re.compile(r"(?:than '|length of '|allowed \(')(-?[\d.]+)'\)?\.$")
_PATTERN = re.compile(r"pattern '(.*)'\.$", re.DOTALL)
_NAMESPACE = re.compile(r"\{[^}]*\}")
_NCNAME = re.compile(r"[^\W\d][-.\w]*")

# What a pattern means, for those of our schemas and of the published ones.
_PATTERN_MEANINGS = (
    (re.compile(r"\[0-9\](\*|\{[01],\d+\})"), "digits"),
    (re.compile(r"\[0-9A-Za-z\][*+{].*|\[0-9a-zA-Z\]\*"), "alphanumeric"),
    (re.compile(re.escape(".*[^0]+.*")), "not_zeros"),
    (re.compile(r"\[\^ ?\\?\.\].*|n\[\^c\]|\[\^n\]\(c\|\[\^c\]\)|\.\{3,\}"), "telling"),
    (re.compile(r".*/\?:\(\).*"), "sepa"),
)
_FACETS = {
    "SCHEMAV_CVC_MAXLENGTH_VALID": "too_long",
    "SCHEMAV_CVC_MINLENGTH_VALID": "too_short",
    "SCHEMAV_CVC_LENGTH_VALID": "wrong_length",
    "SCHEMAV_CVC_MINEXCLUSIVE_VALID": "not_above",
    "SCHEMAV_CVC_MININCLUSIVE_VALID": "below",
    "SCHEMAV_CVC_MAXEXCLUSIVE_VALID": "not_under",
    "SCHEMAV_CVC_MAXINCLUSIVE_VALID": "above",
    "SCHEMAV_CVC_TOTALDIGITS_VALID": "too_many_digits",
    "SCHEMAV_CVC_FRACTIONDIGITS_VALID": "too_many_decimals",
}
_BASIC_TYPES = (
    *((name, name) for name in ("dateTime", "time", "gYear", "boolean", "base64Binary", "anyURI")),
    *(("date", "date"), ("Date", "date"), ("Annee", "gYear"), ("Booleen", "boolean"), ("nteger", "integer"), ("Long", "integer")),
    ("ID", "ID"),
)
_STRUCTURE = {
    "SCHEMAV_CVC_COMPLEX_TYPE_2_1": "content_forbidden",
    "SCHEMAV_CVC_COMPLEX_TYPE_2_3": "text_forbidden",
    "SCHEMAV_CVC_TYPE_3_1_2": "children_forbidden",
    "SCHEMAV_CVC_COMPLEX_TYPE_2_2": "children_forbidden",
    "SCHEMAV_CVC_ELT_1": "root",
}


def problem_of(finding: Finding) -> Problem:
    """Return the finding as an R06 error in the current language."""
    match = _ELEMENT.match(finding.message)
    namespace, element, attribute, rest = match.groups() if match else (None, "", None, finding.message)
    key, found, expected = _reading(finding.code, element, attribute or "", rest)
    if key == "unexpected" and (wanted := _namespace_of(element, rest)) not in (None, namespace or ""):
        nowhere = messages("R06.expected.no_namespace")
        key, found, expected = "namespace", namespace or nowhere, wanted or nowhere
    places: dict[str, Any] = {"element": element, "attribute": attribute or "", "found": found or "", "expected": expected or ""}
    return problem_in_words(
        messages, "R06", key, line=finding.line or None, path=finding.path or None, found=found, expected=expected, places=places
    )


def _reading(code: str, element: str, attribute: str, rest: str) -> tuple[str, str | None, str | None]:
    """Return which message fits, what was found and what was expected."""
    if code == "SCHEMAV_ELEMENT_CONTENT":
        return _misplaced(element, rest)
    if code == "SCHEMAV_CVC_COMPLEX_TYPE_4":
        missing = re.search(r"attribute '(?:\{[^}]*\})?([^']*)' is required", rest)
        name = missing.group(1) if missing else "V"
        return "attribute_missing", None, messages("R06.expected.attribute", attribute=name)
    if code == "SCHEMAV_CVC_COMPLEX_TYPE_3_2_1":
        return "attribute_forbidden", attribute, None
    if code in _STRUCTURE:
        return _STRUCTURE[code], None, None
    value = _QUOTED_VALUE.search(": " + rest)
    if value is None:
        return "other", rest.strip(), None
    found = next(group for group in value.groups() if group is not None)
    if code == "SCHEMAV_CVC_DATATYPE_VALID_1_2_1" and "xs:ID'" in rest and _NCNAME.fullmatch(found):
        return "id_repeated", found, messages("R06.expected.id_unique")
    if attribute not in ("", "V"):
        return "attribute_value", found, _expected_value(code, attribute, rest)
    return "value", found, _expected_value(code, element, rest)


def _misplaced(element: str, rest: str) -> tuple[str, str | None, str | None]:
    listed = _EXPECTED.search(rest)
    names = _NAMESPACE.sub("", listed.group(1)).replace(" ", "").split(",") if listed else []
    expected = ", ".join(names) or messages("R06.expected.nothing")
    if rest.startswith("Missing child"):
        return "child_missing", None, expected
    return "unexpected", element, expected


def _namespace_of(element: str, rest: str) -> str | None:
    """Return the namespace in which an element of this name is expected, empty for none; None when it is not expected at all."""
    listed = _EXPECTED.search(rest)
    names = (name.strip().rpartition("}") for name in listed.group(1).split(",")) if listed else ()
    return next((namespace.removeprefix("{") for namespace, _, name in names if name == element), None)


def _expected_value(code: str, element: str, rest: str) -> str:
    if (key := f"R06.value.{element}") in messages:
        return messages(key)
    if (facet := _FACETS.get(code)) and (limit := _LIMIT.search(rest)):
        return messages(f"R06.expected.{facet}", limit=limit.group(1))
    if listed := _SET.search(rest):
        return messages("R06.expected.one_of", codes=listed.group(1).replace("'", ""))
    if typed := _TYPE.search(rest):
        return messages(f"R06.expected.type.{_basic_type(typed.group(1) or '')}")
    return _pattern_meaning(rest)


def _basic_type(name: str) -> str:
    """Return which basic type a value is not of: that of the schema language, or what the name of a type of the DGFiP tells.

    Any text is a text: a type of the DGFiP that is named otherwise, or has no name, is of numbers.
    """
    return next((basic for told, basic in _BASIC_TYPES if told in name), "decimal")


def _pattern_meaning(rest: str) -> str:
    quoted = _PATTERN.search(rest)
    pattern = quoted.group(1) if quoted else ""
    for form, key in _PATTERN_MEANINGS:
        if form.fullmatch(pattern):
            return messages(f"R06.expected.{key}")
    return messages("R06.expected.pattern", pattern=pattern)
