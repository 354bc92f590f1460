"""What a manifest must satisfy by itself: the schema, and what the schema does not see.

Each rule bears the reply code that an archive service answers with (code list shipped with SEDA 0.2, still in use): ``101``
malformed message, ``207`` digest. What needs the files of the package is judged with the package; what needs referentials
(agreements, agencies, rule identifiers) belongs to the service that holds them.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from lxml import etree

from core.messages import Catalogue
from core.problems import Problem, Severity
from schemas.seda import schema
from schemas.seda.elements import child, name_of, text_of, value_of
from schemas.seda.reader import Manifest, ManifestObject, UnsupportedVersion, read_manifest
from schemas.seda.violations import problems_of
from schemas.xml import DoctypeRefused, Malformed

DIGEST_HEX_LENGTHS = {"MD5": 32, "SHA-1": 40, "SHA-256": 64, "SHA-384": 96, "SHA-512": 128}
"""The code list of digest algorithms, with the number of hexadecimal digits of each."""

_BROKEN = frozenset({"MD5", "SHA-1"})
STRONG_DIGESTS = tuple(algorithm for algorithm in DIGEST_HEX_LENGTHS if algorithm not in _BROKEN)
"""Those of them that are strong enough to be the only one."""
_NAMED = {
    "ArchiveUnitRefId": frozenset({"ArchiveUnit"}),
    "DataObjectGroupReferenceId": frozenset({"DataObjectGroup", "DataObjectGroupId"}),
    "DataObjectReferenceId": frozenset({"BinaryDataObject", "PhysicalDataObject"}),
}
"""What each kind of reference may name."""
_USAGES = {
    "BinaryDataObject": ("BinaryMaster", "Dissemination", "Thumbnail", "TextContent"),
    "PhysicalDataObject": ("PhysicalMaster",),
}
"""The code list of usages for each kind of object; a rank may follow (``BinaryMaster_1``)."""
_MALFORMED, _DIGEST, _ABSENT = "SEDA-101", "SEDA-207", "SEDA-211"

_messages = Catalogue("schemas.seda")


def check_manifest_file(path: Path, *, schemas: Path | None = None) -> tuple[Manifest | None, list[Problem]]:
    """Read a manifest and check it.

    Args:
        path: of the manifest; the caller bounds its size.
        schemas: folder of official schemas; a version that it does not hold is held against ours, and 2.0, of which there is
            none, against none.

    Returns:
        What was read, None when nothing could be, and the problems in the order of the rules.

    Raises:
        Misconfigured: the official schema of this version does not compile.
    """
    try:
        manifest = read_manifest(path)
    except DoctypeRefused as error:
        return None, [_problem("XML", "doctype", line=error.line)]
    except Malformed as error:
        return None, [_problem("XML", "malformed", line=error.line, found=error.reason)]
    except UnsupportedVersion as error:
        return None, [_problem(_MALFORMED, "version", found=error.root)]
    found = problems_of(schema.findings(manifest.tree, path, manifest.version, schemas))
    told = {problem.found for problem in found if problem.found}  # a value that the schema refused is not told again
    return manifest, found + [problem for problem in check_manifest(manifest) if problem.found not in told]


def check_manifest(manifest: Manifest) -> list[Problem]:
    """Check what the schema does not see: identifiers, references, cycles, usages, digests, sizes, paths."""
    return [
        *_repeated_identifiers(manifest),
        *_dangling_references(manifest),
        *_misplaced_references(manifest),
        *_cycles(manifest),
        *_usages(manifest),
        *_without_file(manifest),
        *(problem for item in manifest.objects for problem in _object_problems(item)),
        *_repeated_paths(manifest),
    ]


def _repeated_identifiers(manifest: Manifest) -> Iterator[Problem]:
    counts = Counter(identifier for identifier, _ in manifest.identifiers)
    told: set[str] = set()
    for identifier, line in reversed(manifest.identifiers):
        if counts[identifier] > 1 and identifier not in told:
            told.add(identifier)
            yield _problem(_MALFORMED, "repeated", line=line, found=identifier)


def _dangling_references(manifest: Manifest) -> Iterator[Problem]:
    """IDREF, which libxml2 does not verify."""
    known = {identifier for identifier, _ in manifest.identifiers}
    for reference, line in manifest.references:
        if reference not in known:
            yield _problem(_MALFORMED, "dangling", line=line, found=reference)


def _misplaced_references(manifest: Manifest) -> Iterator[Problem]:
    """A reference names what it says, and an object that has a group is named through it."""
    kinds: dict[str, str] = {}
    grouped: set[str] = set()
    for element in manifest.tree.getroot().iter(etree.Element):
        if identifier := element.get("id"):
            kinds[identifier] = name_of(element) if identifier not in kinds else ""  # which of them is meant, nobody knows
            if _has_group(element):
                grouped.add(identifier)
        elif name_of(element) == "DataObjectGroupId":
            kinds[value_of(element)] = "DataObjectGroupId"
    for element in manifest.tree.getroot().iter(*(f"{{*}}{name}" for name in _NAMED)):
        reference, kind = value_of(element), kinds.get(value_of(element))
        if kind and kind not in _NAMED[name_of(element)]:
            yield _problem(_MALFORMED, "misplaced", line=element.sourceline, found=f"{name_of(element)} {reference} ({kind})")
        elif reference in grouped:
            yield _problem(_MALFORMED, "grouped", line=element.sourceline, found=reference)


def _has_group(element: etree._Element) -> bool:
    if name_of(element) not in _USAGES:
        return False
    parent = element.getparent()
    within = parent is not None and name_of(parent) == "DataObjectGroup"
    return within or any(text_of(element, name) for name in ("DataObjectGroupId", "DataObjectGroupReferenceId"))


def _usages(manifest: Manifest) -> Iterator[Problem]:
    """A usage is one of the code list, and fits what bears it: paper has no binary master."""
    for element in manifest.tree.getroot().iter(*(f"{{*}}{name}" for name in _USAGES)):
        usage = text_of(element, "DataObjectVersion")
        listed = _USAGES[name_of(element)]
        if usage is not None and not re.fullmatch(rf"({'|'.join(listed)})(_[0-9]+)?", usage):
            place = {"line": element.sourceline, "path": element.get("id")}
            yield replace(_problem(_MALFORMED, "usage", **place, found=usage), expected=", ".join(listed))


def _cycles(manifest: Manifest) -> Iterator[Problem]:
    """Units form a directed acyclic graph; what cannot be taken away from its leaves upwards stands on a cycle."""
    lines = {unit.identifier: unit.line for unit in manifest.units if unit.identifier}
    below: dict[str, set[str]] = {identifier: set() for identifier in lines}
    for unit in manifest.units:
        if not unit.identifier:  # which the schema tells
            continue
        below[unit.identifier].update(reference for reference in unit.references if reference in lines)
        if unit.parent in below:
            below[unit.parent].add(unit.identifier)
    above: dict[str, list[str]] = {identifier: [] for identifier in lines}
    for identifier, children in below.items():
        for one in children:
            above[one].append(identifier)
    remaining = {identifier: len(children) for identifier, children in below.items()}
    leaves = [identifier for identifier, count in remaining.items() if count == 0]
    while leaves:
        for parent in above[leaves.pop()]:
            remaining[parent] -= 1
            if remaining[parent] == 0:
                leaves.append(parent)
    stuck = sorted(identifier for identifier, count in remaining.items() if count > 0)
    if stuck:
        yield _problem(_MALFORMED, "cycle", line=lines[stuck[0]], found=", ".join(stuck))


def _object_problems(item: ManifestObject) -> Iterator[Problem]:
    place = item.uri or item.identifier
    if item.uri is not None and not is_plain_path(item.uri):
        yield _problem(_MALFORMED, "path", line=item.line, found=item.uri)
    if item.size is not None and not re.fullmatch(r"\+?[0-9]{1,19}", item.size):
        yield _problem(_MALFORMED, "size", line=item.line, path=place, found=item.size)
    if item.algorithm is None or item.digest is None:
        if item.uri is not None:
            yield _problem(_DIGEST, "no_digest", line=item.line, path=place)
    elif item.algorithm not in DIGEST_HEX_LENGTHS:
        yield _problem(_DIGEST, "algorithm", line=item.line, path=place, found=item.algorithm)
    elif item.algorithm in _BROKEN:
        yield _problem(_DIGEST, "broken", line=item.line, path=place, found=item.algorithm)
    elif not re.fullmatch(rf"[0-9a-f]{{{DIGEST_HEX_LENGTHS[item.algorithm]}}}", item.digest):
        yield _problem(_DIGEST, "digest", line=item.line, path=place, found=item.digest, algorithm=item.algorithm)
    elif item.content is not None:
        yield from _content_problems(item, item.content)


def _content_problems(item: ManifestObject, content: bytes) -> Iterator[Problem]:
    """Compare what stands in the manifest itself with what is said of it."""
    digest = hashlib.new((item.algorithm or "").replace("-", "").lower(), content).hexdigest()
    if digest != item.digest:
        yield _problem(_DIGEST, "content_digest", line=item.line, path=item.identifier, found=digest)
    if item.size is not None and item.size.removeprefix("+").isdecimal() and int(item.size[:20]) != len(content):
        yield _problem(_DIGEST, "content_size", line=item.line, path=item.identifier, found=f"{len(content)}")


def _without_file(manifest: Manifest) -> Iterator[Problem]:
    """A file is somewhere: beside the manifest, or in it."""
    for element in manifest.tree.getroot().iter("{*}BinaryDataObject"):
        if text_of(element, "Uri") is None and child(element, "Attachment") is None:
            yield _problem(_ABSENT, "no_file", line=element.sourceline, path=element.get("id"))


def _repeated_paths(manifest: Manifest) -> Iterator[Problem]:
    seen: set[str] = set()
    for item in manifest.objects:
        if item.uri in seen:
            yield _problem(_MALFORMED, "path_twice", line=item.line, found=item.uri)
        if item.uri is not None:
            seen.add(item.uri)


def is_plain_path(path: str) -> bool:
    """Tell whether a path stays inside the package: relative, forward slashes, no step up, no control character.

    Neither ``#`` nor ``?``: in a ``Uri`` the name of a file ends there.
    """
    if not path or path.startswith("/") or re.search(r"[\\#?]", path) or re.match(r"[A-Za-z]:", path):
        return False
    if any(ord(character) < 0x20 or ord(character) == 0x7F for character in path):
        return False
    return not any(part in {"", ".", ".."} for part in path.split("/"))


def _problem(
    rule: str, key: str, *, line: int | None = None, path: str | None = None, found: str | None = None, **places: str
) -> Problem:
    return Problem(
        rule=rule,
        severity=Severity.ERROR,
        message=_messages(f"{key}.message", **places),
        line=line,
        path=path,
        found=found,
        mend=_messages(f"{key}.mend", **places),
    )
