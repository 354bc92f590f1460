"""What a package says of itself, in its manifest: whose it is, what it holds, by which rules; the database keeps a copy of it.

What lives here: one reading, for what is sealed today, what comes from outside, and what is rebuilt from the store alone. What
does not: whether the package is what it should be (`archive.ingest`).
"""

from __future__ import annotations

import re
import tempfile
from dataclasses import dataclass
from datetime import date
from itertools import islice
from pathlib import Path

from lxml import etree

from archive.ingest.inspection import open_package
from archive.numbers import numbers_in
from core.errors import UnreadableInput
from schemas.seda.model import FinalAction
from schemas.seda.reader import Manifest, read_manifest

_WORDS = frozenset(
    {
        "Title",
        "Description",
        "KeywordContent",
        "KeywordReference",
        "DocumentType",
        "OriginatingAgencyArchiveUnitIdentifier",
        "TransferringAgencyArchiveUnitIdentifier",
        "OriginatingSystemId",
        "Filename",
    }
)
_LONGEST, _MOST_NUMBERS = 255, 10_000
_LONGEST_TYPE, _LONGEST_PUID = 100, 20
_MEDIA_TYPE = re.compile(r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]*/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]*")


@dataclass(frozen=True, slots=True)
class DescribedFile:
    """A file of a package, as its manifest names it.

    Attributes:
        name: that its owner gave it; that of its path when none is said.
        uri: its path in the package.
        sha256: as declared, lower case; None when another algorithm was used.
    """

    name: str
    uri: str
    sha256: str | None
    size: int
    media_type: str | None
    puid: str | None


@dataclass(frozen=True, slots=True)
class DescribedRule:
    """A rule by its identifier in the referential, and the day from which it counts; None when the manifest does not say."""

    identifier: str
    start: date | None


@dataclass(frozen=True, slots=True)
class Description:
    """What was read of a package.

    Attributes:
        title: of its first unit.
        words: all that it may be found by: titles, keywords, identifiers, names of files; each once; then, up to a bound, each
            number of the runs that its keywords name.
        appraisal: the rule that says how long it is kept; of several the one that starts last.
        final_action: what happens then; to keep, when the manifest does not say.
    """

    title: str
    producer: str | None
    words: tuple[str, ...]
    files: tuple[DescribedFile, ...]
    appraisal: DescribedRule | None
    final_action: FinalAction
    access: DescribedRule | None


def describe(package: Path) -> Description:
    """Read what a package says of itself.

    Raises:
        UnreadableInput: it is no package, or its manifest cannot be read.
    """
    with open_package(package) as opened, tempfile.TemporaryDirectory(prefix="tabellion-") as folder:
        target = Path(folder) / "manifest.xml"
        with target.open("wb") as stream:
            stream.writelines(opened.chunks(opened.manifest_name()))
        return described(read_manifest(target), opened.sizes)


def described(manifest: Manifest, sizes: dict[str, int]) -> Description:
    """Return what a manifest says of its package, whose files have these sizes by their paths."""
    root = manifest.tree.getroot()
    words = dict.fromkeys(
        text
        for element in root.iter("{*}*")
        if etree.QName(element).localname in _WORDS and (text := (element.text or "").strip())
    )
    runs = numbers_in((element.text or "").strip() for element in root.iter("{*}KeywordReference"))
    title = next((unit.title for unit in manifest.units if unit.title), None)
    if title is None:
        raise UnreadableInput("no unit of the manifest has a title")
    action = root.findtext(".//{*}AppraisalRule/{*}FinalAction")
    return Description(
        title=title,
        producer=manifest.originating_agency,
        words=(*words, *islice(runs, _MOST_NUMBERS)),
        files=tuple(
            DescribedFile(
                name=(item.filename or item.uri.rpartition("/")[2])[:_LONGEST],
                uri=item.uri,
                sha256=item.digest if item.algorithm == "SHA-256" else None,
                size=sizes.get(item.uri, 0),
                media_type=_media_type(item.media_type),
                puid=(item.puid or "")[:_LONGEST_PUID] or None,
            )
            for item in manifest.objects
            if item.uri is not None
        ),
        appraisal=_rule(root, "AppraisalRule"),
        final_action=FinalAction(action) if action in list(FinalAction) else FinalAction.KEEP,
        access=_rule(root, "AccessRule"),
    )


def _media_type(told: str | None) -> str | None:
    """Return a media type that can be told to a browser again; None for what is none (RFC 6838, 4.2)."""
    return told if told and len(told) <= _LONGEST_TYPE and _MEDIA_TYPE.fullmatch(told) else None


def _rule(root: etree._Element, name: str) -> DescribedRule | None:
    """Return the rule of a category that starts last, wherever in the manifest it stands."""
    found: list[DescribedRule] = []
    for category in root.iter(f"{{*}}{name}"):
        for rule in category.iterfind("{*}Rule"):
            start = rule.getnext()
            named = start is not None and isinstance(start.tag, str) and etree.QName(start).localname == "StartDate"
            found.append(DescribedRule((rule.text or "").strip(), _day(start.text) if named and start is not None else None))
    return max(found, key=lambda rule: rule.start or date.min, default=None)


def _day(text: str | None) -> date | None:
    try:
        return date.fromisoformat((text or "").strip()[:10])
    except ValueError:
        return None
