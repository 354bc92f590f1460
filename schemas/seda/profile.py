"""Holding a manifest against an archival profile: the Relax NG or XSD by which an archivist says what one kind of transfer holds.

What lives here: compiling a profile that is handed over as one file, offline, and what it finds (rule ``SEDA-203``). What does
not: which profile a transfer has to follow. A profile does not take the place of the schema: what one refuses the other may take.
"""

from __future__ import annotations

import re
from pathlib import Path

from lxml import etree

from core.errors import UnreadableInput
from core.messages import Catalogue
from core.problems import Problem, Severity
from schemas.compilation import compiled_relax_ng, compiled_schema
from schemas.flood import Finding
from schemas.seda.reader import Manifest
from schemas.seda.violations import problems_of
from schemas.xml import DoctypeRefused, Malformed, parse

LARGEST = 8 << 20
"""Bytes of a profile; those of the field have some hundred thousand."""

_RULE = "SEDA-203"
_TOLD = 50
_HERE = Path(__file__).parent
_RNG = "{http://relaxng.org/ns/structure/1.0}"
_XS = "{http://www.w3.org/2001/XMLSchema}"
_ELSEWHERE = {_RNG: ("include", "externalRef"), _XS: ("include", "redefine", "import")}
_OWN = {
    "http://www.w3.org/XML/1998/namespace": _HERE / "xml_names.xsd",
    "http://www.w3.org/1999/xlink": _HERE / "xlink_names.xsd",
}
_EXPECTING = re.compile(r"^Expecting (?:an )?element ([^,\s]+)")
_messages = Catalogue("schemas.seda")


class ProfileRefused(UnreadableInput):
    """The file is no profile that can be applied."""


def check_profile(manifest: Manifest, profile: Path) -> list[Problem]:
    """Return what a profile finds wrong with a manifest; nothing when it conforms.

    Raises:
        ProfileRefused: the profile is too large, no Relax NG and no XSD, does not compile, or refers to other files.
    """
    compiled = _compiled(profile)
    if compiled.validate(manifest.tree):
        return []
    found = [Finding.copied(entry) for entry in compiled.error_log[:_TOLD]]
    if isinstance(compiled, etree.XMLSchema):
        return [_under_rule(problem) for problem in problems_of(found)]
    return [_told(finding) for finding in found]


def _compiled(profile: Path) -> etree.RelaxNG | etree.XMLSchema:
    if profile.stat().st_size > LARGEST:
        raise ProfileRefused(_messages("profile.large", name=profile.name, limit=LARGEST))
    try:
        tree = parse(profile)
    except (DoctypeRefused, Malformed) as error:
        raise ProfileRefused(_messages("profile.unreadable", name=profile.name, detail=error)) from error
    tag = str(tree.getroot().tag)
    family = next((one for one in _ELSEWHERE if tag.startswith(one)), None)
    if family is None or tag not in {f"{_RNG}grammar", f"{_RNG}element", f"{_XS}schema"}:
        raise ProfileRefused(_messages("profile.unknown", name=profile.name))
    _keep_here(tree, family, profile.name)
    try:
        return compiled_relax_ng(tree) if family == _RNG else compiled_schema(tree)
    except (etree.RelaxNGParseError, etree.XMLSchemaParseError) as error:
        raise ProfileRefused(_messages("profile.unreadable", name=profile.name, detail=error)) from error


def _keep_here(tree: etree._ElementTree, family: str, name: str) -> None:
    """Refuse what would be fetched from elsewhere; the two vocabularies of the W3C are answered with ours."""
    for kind in _ELSEWHERE[family]:
        for element in tree.iter(f"{family}{kind}"):
            own = _OWN.get(element.get("namespace", ""))
            if own is None:
                raise ProfileRefused(_messages("profile.elsewhere", name=name, found=_target(element)))
            element.set("schemaLocation", own.as_uri())


def _target(element: etree._Element) -> str:
    return (element.get("href") or element.get("schemaLocation") or element.get("namespace") or "?")[:200]


def _under_rule(problem: Problem) -> Problem:
    return Problem(
        rule=_RULE,
        severity=Severity.ERROR,
        message=_messages("profile.message"),
        line=problem.line,
        path=problem.path,
        found=problem.found,
        expected=problem.expected,
        mend=problem.mend,
    )


def _told(finding: Finding) -> Problem:
    """Libxml2 says of a Relax NG where it stopped understanding; what it expected, when it knows."""
    expecting = _EXPECTING.match(finding.message)
    return Problem(
        rule=_RULE,
        severity=Severity.ERROR,
        message=_messages("profile.message"),
        line=finding.line or None,
        path=finding.path or None,
        found=finding.message,
        expected=expecting.group(1) if expecting else None,
        mend=_messages("profile.mend"),
    )
