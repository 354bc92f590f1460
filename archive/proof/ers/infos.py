"""What is said of the authorities of an evidence record, laid into it (RFC 4998, 3.1: cryptoInfos) for whoever verifies it later.

The record proves without it, and is not over it: certificates, revocation lists and OCSP answers are believed as far as who
signed them is. What lives here: laying it in, and taking it out. What does not: how it is kept and read (`archive.proof.told`).
"""

from __future__ import annotations

from dataclasses import replace
from itertools import chain

from archive.proof.ers import syntax
from archive.proof.told import told_of
from core.platform import Platform
from signing.cades.evidence import carried_values, values
from signing.timestamp.parts import UNPARSED
from signing.trust import TrustStore


def with_told(platform: Platform, der: bytes) -> bytes:
    """Return an evidence record with what was said of its authorities; as it is where nothing was kept.

    Args:
        platform: whose places.
        der: the evidence record.

    Raises:
        UnreadableInput: it is none.
    """
    chains = syntax.read(der)
    told = [told_of(platform, stamped.token) for stamped in chain.from_iterable(chains)]
    certificates, lists, answers = (
        list(dict.fromkeys(chain.from_iterable(found)))
        for found in ((one.certificates for one in told), (one.lists for one in told), (one.answers for one in told))
    )
    return syntax.written(chains, carried_values(certificates, lists, answers)) if lists or answers else der


def believing(trust: TrustStore, der: bytes) -> TrustStore:
    """Return a trust store with what an evidence record brings along; what cannot be read of it is left out."""
    try:
        told = values(syntax.infos_of(der))
    except UNPARSED:
        return trust
    return replace(
        trust,
        material=(*trust.material, *told.certificates),
        revocations=(*trust.revocations, *told.lists),
        answers=(*trust.answers, *told.answers),
    )
