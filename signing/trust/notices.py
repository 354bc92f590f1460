"""What an authority says of the certificates it issued: revocation lists (RFC 5280, 5) and OCSP answers (RFC 6960).

Both are brought to one noun, the notice: one source, speaking at one moment about one certificate. A source whose signature is
not the authority's, or whose terms are not understood, gives no notice at all.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.x509 import ocsp

from core import clock
from signing.extensions import extension
from signing.trust import answering

_SKEW = timedelta(minutes=5)
_ENDED = {
    x509.ReasonFlags.unspecified,
    x509.ReasonFlags.affiliation_changed,
    x509.ReasonFlags.superseded,
    x509.ReasonFlags.cessation_of_operation,
}


@dataclass(frozen=True, slots=True)
class Notice:
    """What one list or one answer says of one certificate.

    Attributes:
        said: when the authority said it (thisUpdate).
        until: it need not say anything newer before this moment (nextUpdate; thisUpdate when there is none).
        since: when the revocation took effect; None when the certificate is not revoked.
        held: the revocation is a hold, which may be lifted (RFC 5280, 5.3.1).
        ended: the reason told for the revocation leaves good what the key had made before.
    """

    said: datetime
    until: datetime
    since: datetime | None = None
    held: bool = False
    ended: bool = False


def notices(
    member: x509.Certificate,
    issuer: x509.Certificate,
    lists: Iterable[x509.CertificateRevocationList],
    answers: Iterable[bytes],
    *,
    at: datetime,
) -> list[Notice]:
    """Return what lists and answers say of a certificate; one that speaks from the future says nothing.

    Args:
        member: the certificate in question.
        issuer: its authority.
        lists: revocation lists of any authority.
        answers: OCSP responses of any authority, DER.
        at: the moment that the question is about; later than now only when somebody asks about the future.
    """
    latest = max(clock.now(), at) + _SKEW
    own = [listing for listing in lists if _issued(listing, issuer)]
    found = [notice for listing in own if (notice := _of_list(listing, member))]
    for answer in answers:
        found += _of_answer(answer, member, issuer, own, latest)
    return [notice for notice in found if notice.said <= latest]


def revoked_since(found: Iterable[Notice], at: datetime) -> datetime | None:
    """Return since when the certificate is revoked, seen from a moment; None when it is not.

    A hold counts until a newer word, said by that moment, has lifted it; any other revocation is for good.
    """
    found = list(found)
    in_force = [notice.since for notice in found if notice.since and notice.since <= at and not _lifted(notice, found, at)]
    return min(in_force, default=None)


def spoiled_since(found: Iterable[Notice], seen: datetime) -> datetime | None:
    """Return since when nothing that a timestamping authority made is good, be it said to be older; None when it is.

    A key in other hands makes tokens of any time: a revocation that tells none of the harmless reasons, or no reason at all,
    reaches back to the first of them (RFC 3161, 4). What was seen before the revocation is not concerned.
    """
    return min((one.since for one in found if one.since and one.since <= seen and not one.ended and not one.held), default=None)


def known(found: Iterable[Notice], at: datetime) -> bool:
    """Tell whether some source speaks of the moment: it was not outdated then."""
    return any(at <= notice.until for notice in found)


def _lifted(notice: Notice, found: list[Notice], at: datetime) -> bool:
    return notice.held and any(other.since is None and notice.said < other.said <= at for other in found)


def _of_list(listing: x509.CertificateRevocationList, member: x509.Certificate) -> Notice | None:
    said = listing.last_update_utc
    until = listing.next_update_utc or said
    entry = listing.get_revoked_certificate_by_serial_number(member.serial_number)
    if entry is None:
        return Notice(said, until) if _whole(listing, member) else None
    reason = _reason(entry)
    if reason is x509.ReasonFlags.remove_from_crl:
        return Notice(said, until)
    return Notice(said, until, entry.revocation_date_utc, reason is x509.ReasonFlags.certificate_hold, reason in _ENDED)


def _issued(listing: x509.CertificateRevocationList, issuer: x509.Certificate) -> bool:
    """Tell whether a list is signed by the issuer and speaks of the issuer's own certificates (RFC 5280, 5.2.5 and 6.3.3)."""
    if listing.issuer != issuer.subject or not _may_sign_lists(issuer):
        return False
    try:
        signed = listing.is_signature_valid(issuer.public_key())  # type: ignore[arg-type]
        return signed and all(_understood(one.value) for one in listing.extensions if one.critical)
    except (TypeError, ValueError, UnsupportedAlgorithm):
        return False


def _may_sign_lists(issuer: x509.Certificate) -> bool:
    usage = extension(issuer, x509.KeyUsage)
    return usage is None or usage.crl_sign


def _understood(scope: x509.ExtensionType) -> bool:
    return isinstance(scope, x509.DeltaCRLIndicator) or (
        isinstance(scope, x509.IssuingDistributionPoint) and not scope.indirect_crl
    )


def _whole(listing: x509.CertificateRevocationList, member: x509.Certificate) -> bool:
    """Tell whether the absence of a certificate from a list means that it is not revoked.

    A list of changes says nothing of what it leaves out, nor one for other certificates; and a certificate that had expired
    when the list was made may have been dropped from it.
    """
    if listing.last_update_utc > member.not_valid_after_utc:
        return False
    scopes = [one.value for one in listing.extensions if one.critical]
    return all(isinstance(scope, x509.IssuingDistributionPoint) and _covers(scope, member) for scope in scopes)


def _covers(scope: x509.IssuingDistributionPoint, member: x509.Certificate) -> bool:
    """Tell whether the scope of a list takes in a certificate (RFC 5280, 6.3.3, b)."""
    constraints = extension(member, x509.BasicConstraints)
    authority = constraints is not None and constraints.ca
    if scope.only_some_reasons or scope.only_contains_attribute_certs or scope.relative_name is not None:
        return False
    if (scope.only_contains_user_certs and authority) or (scope.only_contains_ca_certs and not authority):
        return False
    return scope.full_name is None or bool(set(scope.full_name) & _points(member))


def _points(member: x509.Certificate) -> set[x509.GeneralName]:
    points = extension(member, x509.CRLDistributionPoints) or ()
    return {name for point in points if not point.reasons for name in point.full_name or ()}


def _reason(entry: x509.RevokedCertificate) -> x509.ReasonFlags | None:
    try:
        return entry.extensions.get_extension_for_class(x509.CRLReason).value.reason
    except (x509.ExtensionNotFound, ValueError):
        return None


def _of_answer(
    answer: bytes,
    member: x509.Certificate,
    issuer: x509.Certificate,
    lists: list[x509.CertificateRevocationList],
    latest: datetime,
) -> list[Notice]:
    try:
        response = ocsp.load_der_ocsp_response(answer)
        if response.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL or response.produced_at_utc > latest:
            return []
        singles = [single for single in response.responses if answering.concerns(single, member, issuer)]
        responder = answering.responder(response, issuer) if singles else None
    except (ValueError, TypeError, UnsupportedAlgorithm):  # the ways in which cryptography cannot read an answer
        return []
    if responder is None or _responder_revoked(responder, issuer, lists, response.produced_at_utc):
        return []
    return [notice for single in singles if (notice := _of_single(single, member))]


def _responder_revoked(
    responder: x509.Certificate, issuer: x509.Certificate, lists: list[x509.CertificateRevocationList], at: datetime
) -> bool:
    """Tell whether the lists of the authority revoke the responder that it had named (RFC 6960, 4.2.2.2.1).

    One marked id-pkix-ocsp-nocheck is believed for as long as its certificate lives.
    """
    if responder == issuer or answering.unchecked(responder):
        return False
    return revoked_since((notice for listing in lists if (notice := _of_list(listing, responder))), at) is not None


def _of_single(single: ocsp.OCSPSingleResponse, member: x509.Certificate) -> Notice | None:
    said = single.this_update_utc
    until = single.next_update_utc or said
    if single.certificate_status is ocsp.OCSPCertStatus.REVOKED:
        reason = single.revocation_reason
        held = reason is x509.ReasonFlags.certificate_hold
        return Notice(said, until, single.revocation_time_utc, held, reason in _ENDED)
    if single.certificate_status is ocsp.OCSPCertStatus.GOOD and said <= member.not_valid_after_utc:
        return Notice(said, until)
    return None
