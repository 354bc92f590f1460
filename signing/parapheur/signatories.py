"""Whose certificate it is: a person signs with their own, and with one that the organisation can trust.

A certificate is a person's when it was declared for them, or when it bears their name: then it is kept at its first use, so that
they and their administrator see it. Whether it is trusted is asked of the trust store; where there is none, that is said.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from sqlmodel import Session, col, select

from core import clock
from core.errors import Forbidden, UnreadableInput, UsageError
from core.messages import Catalogue
from core.people import Person
from signing.algorithms import CERTIFICATE_FLAWS
from signing.keys import check_fit, name_of
from signing.parapheur.models import KnownCertificate, SignatoryProfile
from signing.parapheur.notices import Frequency
from signing.trust import Evidence, TrustState, TrustStore

_messages = Catalogue("signing.parapheur")
LARGEST_CERTIFICATE = 64 * 1024
_POSTAL_CODE = re.compile(r"(\d{5})?", re.ASCII)
_LONGEST, _HOURS = 100, 24


@dataclass(frozen=True, slots=True)
class Admission:
    """That a certificate may sign for a person.

    Attributes:
        trust: what the trust store says; None when there is none.
        new: it is seen for the first time.
    """

    trust: TrustState | None
    new: bool


def admit(
    session: Session, person_id: str, certificate: x509.Certificate, chain: tuple[x509.Certificate, ...], trust: TrustStore | None
) -> Admission:
    """Hold a certificate to the person who signs and to those whom the platform trusts, and keep that it was used.

    Raises:
        KeyRefused: it must not sign: too weak, out of date, for another use.
        Forbidden: it is not this person's, or its authority is not trusted.
    """
    check_fit(certificate, clock.now())
    known = _own(session, person_id, certificate)
    state = trust.assess(certificate, at=clock.now(), evidence=Evidence(certificates=chain)).state if trust else None
    if state not in {None, TrustState.TRUSTED}:
        raise Forbidden(_messages(f"certificate.{state.value}" if state else "certificate.unknown", holder=name_of(certificate)))
    if known is None:
        _keep(session, person_id, certificate)
    return Admission(state, new=known is None)


def admit_made_elsewhere(session: Session, person_id: str, certificates: Sequence[x509.Certificate | None]) -> None:
    """Hold the certificates of signatures that somebody brings to that person, and keep that they were used.

    Whether the signatures hold, and whose authority is trusted, was asked when they were admitted (``importing``).

    Args:
        session: open to write.
        person_id: the person who signs.
        certificates: of the new signatures of one document; None for one that is not in the file.

    Raises:
        Forbidden: one is not this person's, or there is none.
    """
    if not certificates or None in certificates:
        raise Forbidden(_messages("certificate.missing"))
    for certificate in filter(None, certificates):
        if _own(session, person_id, certificate) is None:
            _keep(session, person_id, certificate)


def _own(session: Session, person_id: str, certificate: x509.Certificate) -> KnownCertificate | None:
    """Return what is known of a certificate of a person; None for one that bears their name and was not seen yet."""
    known = session.get(KnownCertificate, (person_id, _digest(certificate)))
    person = session.get_one(Person, person_id)
    if known is None and not bears_name(certificate, person.name):
        raise Forbidden(_messages("certificate.other", holder=name_of(certificate), person=person.name))
    return known


def _keep(session: Session, person_id: str, certificate: x509.Certificate) -> None:
    session.add(_kept(person_id, _digest(certificate), certificate))
    session.flush()


def _digest(certificate: x509.Certificate) -> str:
    return hashlib.sha256(certificate.public_bytes(Encoding.DER)).hexdigest()


def declare(session: Session, person_id: str, certificate: x509.Certificate) -> KnownCertificate:
    """Declare a certificate to be a person's, whatever name it bears."""
    sha256 = _digest(certificate)
    known = session.get(KnownCertificate, (person_id, sha256)) or _kept(person_id, sha256, certificate)
    known.confirmed = clock.now()
    session.add(known)
    session.flush()
    return known


def known_to(session: Session, person_id: str) -> list[KnownCertificate]:
    """Return the certificates of a person, the newest first."""
    wanted = select(KnownCertificate).where(KnownCertificate.person_id == person_id)
    return list(session.exec(wanted.order_by(col(KnownCertificate.first).desc())))


def forget(session: Session, person_id: str, sha256: str) -> None:
    """Forget a certificate; one that bears another name cannot sign any more."""
    if known := session.get(KnownCertificate, (person_id, sha256)):
        session.delete(known)


def certificate_in(octets: bytes) -> x509.Certificate:
    """Return the certificate of a file, in PEM or in DER.

    Raises:
        UnreadableInput: there is none in it.
    """
    try:
        if octets.lstrip().startswith(b"-----BEGIN"):
            return x509.load_pem_x509_certificate(octets)
        return x509.load_der_x509_certificate(octets)
    except CERTIFICATE_FLAWS as error:
        raise UnreadableInput(_messages("certificate.unreadable")) from error


def profile_of(session: Session, person_id: str) -> SignatoryProfile:
    """Return what a person's signatures say and how they are told; what holds by default when they have said nothing."""
    return session.get(SignatoryProfile, person_id) or SignatoryProfile(person_id=person_id)


def keep_profile(session: Session, wanted: SignatoryProfile) -> None:
    """Keep what a person says of their signatures and of how they want to be told.

    Raises:
        UsageError: a quality or a city that is too long, a postal code that is none, an hour that clocks do not have.
    """
    for text in (wanted.quality, wanted.city):
        if len(text) > _LONGEST or not " ".join(text.split()).isprintable():
            raise UsageError(_messages("profile.text", most=_LONGEST))
    if not _POSTAL_CODE.fullmatch(wanted.postal_code):
        raise UsageError(_messages("profile.postal_code"))
    if wanted.frequency not in {one.value for one in Frequency} or wanted.digest_hour not in range(_HOURS):
        raise UsageError(_messages("profile.frequency"))
    session.merge(wanted)
    session.flush()


def bears_name(certificate: x509.Certificate, name: str) -> bool:
    """Tell whether every word of a person's name stands in the certificate's names, accents and order aside."""
    oids = (x509.NameOID.COMMON_NAME, x509.NameOID.GIVEN_NAME, x509.NameOID.SURNAME)
    told = " ".join(str(found.value) for oid in oids for found in certificate.subject.get_attributes_for_oid(oid))
    wanted = _words(name)
    return bool(wanted) and wanted <= _words(told)


def _words(text: str) -> set[str]:
    plain = unicodedata.normalize("NFKD", text)
    letters = "".join(letter if letter.isalnum() else " " for letter in plain if not unicodedata.combining(letter))
    return set(letters.casefold().split())


def _kept(person_id: str, sha256: str, certificate: x509.Certificate) -> KnownCertificate:
    return KnownCertificate(
        person_id=person_id,
        sha256=sha256,
        subject=name_of(certificate)[:255],
        issuer=certificate.issuer.rfc4514_string()[:255],
        expires=certificate.not_valid_after_utc,
    )
