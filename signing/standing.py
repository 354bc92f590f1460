"""Where a signer's certificate stands at the time that counts: the same for every format of signature.

The time that counts is that of a valid timestamp; else the moment of the verification. The claimed time is looked at too: a
certificate that was already expired or revoked when it is said to have signed makes the signature invalid, while one that has
expired since, or a signature that says no time, is only left unproved. A certificate that is not for signing, or too weak, makes
it invalid whoever issued it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from cryptography import x509

from core.messages import Catalogue
from signing.keys.fitness import may_sign, reserved_for
from signing.qualified import qualification
from signing.trust import NO_EVIDENCE, Evidence, TrustState, TrustStatus, TrustStore
from signing.verdicts import Belief

_messages = Catalogue("signing")
_GONE = (TrustState.EXPIRED, TrustState.REVOKED)


@dataclass(frozen=True, slots=True)
class Standing:
    """The answers about trust and time.

    Attributes:
        state: what the trust store says at the time that counts.
        then: what it says at the claimed time.
        belief: what follows for the signature.
        reasons: in words; the first one says why the belief is not better.
        qualification: what the certificate is worth at the time that counts, for a report; None when it is not trusted then, or
            when there is nothing to say.
    """

    state: TrustState
    then: TrustStatus
    belief: Belief
    reasons: tuple[str, ...]
    qualification: str | None = None


def standing(
    certificate: x509.Certificate,
    trust: TrustStore | None,
    *,
    claimed: datetime | None,
    proved: datetime | None,
    at: datetime,
    evidence: Evidence = NO_EVIDENCE,
) -> Standing:
    """Say where a certificate stands.

    Args:
        certificate: the signer's.
        trust: who is believed; None means nobody.
        claimed: the time that the signer claims.
        proved: the time of a valid timestamp over the signature, if there is one.
        at: the moment of the verification.
        evidence: what came with the signature.
    """
    store = trust or TrustStore(())
    then = store.assess(certificate, at=claimed or proved or at, evidence=evidence)
    now = store.assess(certificate, at=proved or at, evidence=evidence)
    timeless = claimed is None and proved is None
    notes = () if proved else (_messages("time.absent" if timeless else "time.unproved"),)
    if not may_sign(certificate):
        return Standing(TrustState.UNTRUSTED, then, Belief.INVALID, (_messages("trust.usage"), *notes))
    if other := reserved_for(certificate):
        return Standing(TrustState.UNTRUSTED, then, Belief.INVALID, (_messages("trust.reserved", found=other), *notes))
    if then.state is TrustState.UNKNOWN:
        return Standing(then.state, then, Belief.INDETERMINATE, (then.reason or "", *notes))
    if then.state is not TrustState.TRUSTED and not (timeless and then.state in _GONE):
        return Standing(then.state, then, Belief.INVALID, (then.reason or "", *notes))
    if now.state is TrustState.REVOKED and proved:
        return Standing(now.state, then, Belief.INVALID, (now.reason or "",))
    if now.state in _GONE:
        return Standing(now.state, then, Belief.INDETERMINATE, (now.reason or "", _messages("time.since")))
    if now.state is not TrustState.TRUSTED:
        return Standing(now.state, then, Belief.INDETERMINATE, (now.reason or "", *notes))
    if not now.revocation_known:
        notes = (*notes, _messages("trust.revocation_unknown"))
    worth = qualification(certificate, now, store, at=proved or at)
    return Standing(now.state, then, Belief.VALID, notes, worth.label)
