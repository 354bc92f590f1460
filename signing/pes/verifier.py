"""Verifying the signatures of a PES file: one verdict for the file, four answers for each signature."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from lxml import etree

from core import clock
from schemas import xml
from signing.keys import name_of
from signing.pes.bulk import Bulk
from signing.pes.inspection import Inspected, Inspection, inspect
from signing.trust import TrustState, TrustStore
from signing.verdicts import Belief, FileVerdict, SignatureVerdict, alterations, worst

_SAID_BY_STANDING = ("S07.weak", "S13", "S14.usage", "S14.reserved", "S15")


def verify(path: Path, *, trust: TrustStore | None, at: datetime | None = None) -> FileVerdict:
    """Verify every signature of a file.

    Args:
        path: of the file; its size is bounded by the caller.
        trust: who is believed; None means nobody: nothing better than indeterminate comes out.
        at: the moment of the verification, now by default.

    Raises:
        UnreadableInput: a DOCTYPE, or not well-formed XML.
    """
    bulk = Bulk.of(path)
    return verify_tree(xml.parse(path) if bulk is None else bulk.tree(), bulk=bulk, trust=trust, at=at)


def verify_tree(
    tree: etree._ElementTree, *, bulk: Bulk | None = None, trust: TrustStore | None, at: datetime | None = None
) -> FileVerdict:
    """Verify every signature of a tree parsed by ``schemas.xml``; it must not be used by another thread meanwhile.

    ``bulk`` is the file it was parsed from, when it is mostly text.
    """
    return verdict_of(inspect(tree, bulk=bulk, trust=trust, at=at or clock.now()))


def verdict_of(inspection: Inspection) -> FileVerdict:
    """Return the verdict that follows from an inspection."""
    if not inspection.signatures:
        return FileVerdict(Belief.UNSIGNED)
    signatures = tuple(_verdict(inspected) for inspected in inspection.signatures)
    beliefs = [finding.belief for finding in inspection.findings if finding.belief is not None]
    return FileVerdict(
        verdict=worst([*beliefs, *(signature.verdict for signature in signatures)]),
        signatures=signatures,
        reasons=tuple(finding.message for finding in inspection.findings),
    )


def _verdict(inspected: Inspected) -> SignatureVerdict:
    standing, claims = inspected.standing, inspected.claims
    altered = alterations(inspected.timestamps)
    beliefs = [finding.belief for finding in inspected.findings if finding.belief is not None]
    if standing is not None:
        beliefs.append(standing.belief)
    if not inspected.intact or inspected.covers == "nothing" or altered:
        beliefs.append(Belief.INVALID)
    reasons = [finding.message for finding in inspected.findings if not finding.key.startswith(_SAID_BY_STANDING)]
    return SignatureVerdict(
        format="XAdES",
        level=_level(inspected),
        signer=None if inspected.certificate is None else name_of(inspected.certificate),
        signing_time=None if claims is None else claims.signing_time,
        intact=inspected.intact,
        covers=inspected.covers,
        trust=TrustState.UNKNOWN if standing is None else standing.state,
        timestamps=inspected.timestamps,
        verdict=worst(beliefs),
        reasons=(*reasons, *altered, *(standing.reasons if standing else ())),
        qualification=None if standing is None else standing.qualification,
    )


def _level(inspected: Inspected) -> str | None:
    if inspected.claims is None:
        return None
    if any(timestamp.valid for timestamp in inspected.timestamps):
        return "T"
    return "EPES" if inspected.claims.policy else "BES"
