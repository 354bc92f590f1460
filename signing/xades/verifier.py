"""Verifying XAdES, and plain XML signatures, in any XML but a PES: one verdict for the file, four answers for each signature."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import IO

from lxml import etree

from core import clock
from core.errors import UnreadableInput, UsageError
from core.messages import Catalogue
from schemas import xml
from signing.keys import name_of
from signing.trust import TrustState, TrustStore
from signing.verdicts import Belief, FileVerdict, SignatureVerdict, alterations, worst
from signing.xades.inspected import Inspected, Inspection
from signing.xades.inspection import inspect

_messages = Catalogue("signing")
_LARGEST = 128 << 20


def verify(path: Path, *, detached: Path | None = None, trust: TrustStore | None, at: datetime | None = None) -> FileVerdict:
    """Verify every signature of an XML file.

    Args:
        path: of the file, or of the detached signature: at most 128 MiB, since its tree is held in memory.
        detached: the file that a detached signature is over; read as a stream, whatever its size and its name.
        trust: who is believed; None means nobody: nothing better than indeterminate comes out.
        at: the moment of the verification, now by default.

    Raises:
        UnreadableInput: a DOCTYPE, not well-formed XML, too large, or no detached file there.
        UsageError: a detached file is named for signatures that are over none, or none for one that is.
    """
    if detached is not None and not detached.is_file():
        raise UnreadableInput(_messages("cades.absent", file=detached.name))
    if path.stat().st_size > _LARGEST:
        raise UnreadableInput(_messages("xades.large", limit=_LARGEST >> 20))
    asked: set[str | None] = set()

    def resolve(uri: str | None) -> IO[bytes] | None:
        if detached is None:
            raise UsageError(_messages("cades.detached", file=path.name))
        asked.add(uri)
        return detached.open("rb") if len(asked) == 1 else None  # one file cannot be two

    inspection = inspect(xml.parse(path), resolve, trust=trust, at=at or clock.now())
    if detached is not None and not asked and any(one.covers for one in inspection.signatures):
        raise UsageError(_messages("verification.own_data", file=path.name))
    whole = {f"file {uri}" for uri in asked}
    return _verdict_of(inspection, lambda name: "document" if name in whole else name)


def verify_document(
    tree: etree._ElementTree,
    *,
    resolve: Callable[[str], IO[bytes] | None],
    trust: TrustStore | None,
    at: datetime,
    existed: datetime | None = None,
) -> FileVerdict:
    """Verify every signature of a document over files that it names, such as those of a container.

    Args:
        tree: parsed by ``schemas.xml``; not to be used by another thread meanwhile.
        resolve: opens the file that a reference names, by its URI as written; None when there is no such file.
        trust: who is believed; None means nobody.
        at: the moment of the verification.
        existed: a time at which the document is proved to have existed, by something outside of it.
    """
    inspection = inspect(tree, lambda uri: None if uri is None else resolve(uri), trust=trust, at=at, existed=existed)
    return _verdict_of(inspection, str)


def _verdict_of(inspection: Inspection, shown: Callable[[str], str]) -> FileVerdict:
    """Return the verdict that follows from an inspection; ``shown`` says what to call what is covered."""
    if not inspection.signatures:
        return FileVerdict(Belief.UNSIGNED)
    signatures = tuple(_verdict(inspected, shown) for inspected in inspection.signatures)
    beliefs = [finding.belief for finding in inspection.findings if finding.belief is not None]
    return FileVerdict(
        verdict=worst([*beliefs, *(signature.verdict for signature in signatures)]),
        signatures=signatures,
        reasons=tuple(finding.message for finding in inspection.findings),
    )


def _verdict(inspected: Inspected, shown: Callable[[str], str]) -> SignatureVerdict:
    standing, claims = inspected.standing, inspected.claims
    altered = alterations(inspected.timestamps)
    beliefs = [finding.belief for finding in inspected.findings if finding.belief is not None]
    if standing is not None:
        beliefs.append(standing.belief)
    broken = not inspected.intact and inspected.certificate is not None  # without one, nothing tells
    if broken or not inspected.covers or altered:
        beliefs.append(Belief.INVALID)
    return SignatureVerdict(
        format="XMLDSig" if inspected.plain else "XAdES",
        level=_level(inspected),
        signer=None if inspected.certificate is None else name_of(inspected.certificate),
        signing_time=None if claims is None else claims.signing_time,
        intact=inspected.intact,
        covers=", ".join(shown(name) for name in inspected.covers) or "nothing",
        trust=TrustState.UNKNOWN if standing is None else standing.state,
        timestamps=inspected.timestamps,
        verdict=worst(beliefs),
        reasons=(*(finding.message for finding in inspected.findings), *altered, *(standing.reasons if standing else ())),
        qualification=None if standing is None else standing.qualification,
    )


def _level(inspected: Inspected) -> str | None:
    """Return the level verified: ``T``, else ``EPES`` with a policy, ``B`` with a signing time, ``BES``; plain ones have none."""
    if inspected.claims is None:
        return None
    if any(timestamp.valid for timestamp in inspected.timestamps):
        return "T"
    if inspected.claims.policy:
        return "EPES"
    return "BES" if inspected.claims.signing_time is None else "B"
