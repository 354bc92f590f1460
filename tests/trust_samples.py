"""An authority whose every word can be chosen: certificates, revocation lists, OCSP answers, a trusted list."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self

from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import NameOID
from lxml import etree

from core import clock
from signing.algorithms import raw_ecdsa

NOW = clock.now().replace(microsecond=0)
DAY = timedelta(days=1)
YEAR = 365 * DAY
Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
Extensions = Iterable[tuple[x509.ExtensionType, bool]]
OCSP_SIGNING = x509.ExtendedKeyUsage([x509.oid.ExtendedKeyUsageOID.OCSP_SIGNING])
TIME_STAMPING = x509.ExtendedKeyUsage([x509.oid.ExtendedKeyUsageOID.TIME_STAMPING])


def usage(
    *,
    signature: bool = False,
    commitment: bool = False,
    encipherment: bool = False,
    authority: bool = False,
    lists: bool | None = None,
) -> x509.KeyUsage:
    """A keyUsage with these bits; an authority signs lists unless it is said not to."""
    signs_lists = authority if lists is None else lists
    return x509.KeyUsage(signature, commitment, encipherment, False, False, authority, signs_lists, False, False)


SIGNS = (usage(signature=True, commitment=True), True)


@dataclass(frozen=True)
class Holder:
    """A certificate and its key; of an authority, it can issue."""

    key: Key
    certificate: x509.Certificate

    @classmethod
    def root(cls, name: str = "DEMONSTRATION Racine", *, start: datetime = NOW - 8 * YEAR) -> Self:
        """A self-signed authority of twenty years."""
        key = ec.generate_private_key(ec.SECP256R1())
        return cls(key, _certificate(name, name, key, key, start, start + 20 * YEAR, _authority()))

    def issue(
        self,
        name: str,
        *extensions: tuple[x509.ExtensionType, bool],
        start: datetime | None = None,
        end: datetime | None = None,
        key: Key | None = None,
        digest: hashes.HashAlgorithm | None = None,
    ) -> Holder:
        """Issue a certificate, for signing unless extensions say otherwise; from four years ago to four years from now."""
        own = key or ec.generate_private_key(ec.SECP256R1())
        subject = self.certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value
        begin, last = start or NOW - 4 * YEAR, end or NOW + 4 * YEAR
        made = _certificate(name, str(subject), own, self.key, begin, last, extensions or (SIGNS,), digest)
        return Holder(own, made)

    def issue_by_sha1(self, name: str, *extensions: tuple[x509.ExtensionType, bool]) -> Holder:
        """Issue a certificate signed over SHA-1, which the library that makes the others no longer does."""
        modern = self.issue(name, *extensions, start=NOW - 18 * YEAR)
        return Holder(modern.key, self.over_sha1(modern.certificate))

    def over_sha1(self, certificate: x509.Certificate) -> x509.Certificate:
        """Sign a certificate again, over SHA-1."""
        made = asn1_x509.Certificate.load(certificate.public_bytes(Encoding.DER))
        algorithm = {"algorithm": "sha1_ecdsa"}
        made["tbs_certificate"]["signature"] = made["signature_algorithm"] = algorithm
        assert isinstance(self.key, ec.EllipticCurvePrivateKey)
        made["signature_value"] = self.key.sign(made["tbs_certificate"].dump(force=True), ec.ECDSA(hashes.SHA1()))
        return x509.load_der_x509_certificate(made.dump(force=True))

    def authority(self, name: str) -> Holder:
        """Issue the certificate of an authority below."""
        return self.issue(name, *_authority())

    def crl(
        self,
        *revoked: tuple[x509.Certificate, datetime] | tuple[x509.Certificate, datetime, x509.ReasonFlags],
        said: datetime = NOW - DAY,
        until: datetime | None = NOW + DAY,
        extensions: Extensions = (),
    ) -> x509.CertificateRevocationList:
        """Issue a revocation list."""
        builder = x509.CertificateRevocationListBuilder().issuer_name(self.certificate.subject).last_update(said)
        builder = builder.next_update(until or said + YEAR)
        for certificate, since, *reason in revoked:
            entry = x509.RevokedCertificateBuilder().serial_number(certificate.serial_number).revocation_date(since)
            for flag in reason:
                entry = entry.add_extension(x509.CRLReason(flag), critical=False)
            builder = builder.add_revoked_certificate(entry.build())
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical)
        return builder.sign(self.key, hashes.SHA256())

    def answer(
        self,
        about: x509.Certificate,
        issuer: x509.Certificate,
        *,
        status: ocsp.OCSPCertStatus = ocsp.OCSPCertStatus.GOOD,
        since: datetime | None = None,
        reason: x509.ReasonFlags | None = None,
        said: datetime = NOW - DAY,
        until: datetime | None = NOW + DAY,
        certificates: tuple[x509.Certificate, ...] = (),
        digest: hashes.HashAlgorithm | None = None,
    ) -> bytes:
        """Give an OCSP answer, signed by this holder, about a certificate of an issuer."""
        builder = ocsp.OCSPResponseBuilder().add_response(
            about,
            issuer,
            digest or hashes.SHA1(),
            status,
            said,
            until,
            since,
            reason,
        )
        builder = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, self.certificate)
        if certificates:
            builder = builder.certificates(list(certificates))
        return builder.sign(self.key, hashes.SHA256()).public_bytes(Encoding.DER)


def _authority() -> tuple[tuple[x509.ExtensionType, bool], ...]:
    return (x509.BasicConstraints(ca=True, path_length=None), True), (usage(authority=True), True)


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COUNTRY_NAME, "FR"), x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _certificate(
    subject: str,
    issuer: str,
    key: Key,
    signing_key: Key,
    start: datetime,
    end: datetime,
    extensions: Extensions,
    digest: hashes.HashAlgorithm | None = None,
) -> x509.Certificate:
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(_name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return builder.sign(signing_key, digest or hashes.SHA256())


GRANTED, WITHDRAWN, ACCREDITED = "granted", "withdrawn", "accredited"
_BASE = "http://uri.etsi.org/TrstSvc"
_SIE = "http://uri.etsi.org/TrstSvc/SvcInfoExt/eSigDir-1999-93-EC-TrustedList/#"


def service(
    certificate: x509.Certificate,
    *statuses: tuple[str, datetime],
    kind: str = "CA/QC",
    uses: Iterable[str] = (),
    extension: str = "",
) -> str:
    """The XML of a service; its statuses newest first, the first one the present one."""
    inside = "".join(
        f'<Extension Critical="true"><AdditionalServiceInformation><URI xml:lang="en">{_BASE}/TrustedList/SvcInfoExt/{use}</URI>'
        "</AdditionalServiceInformation></Extension>"
        for use in uses
    )
    body = [
        f"<ServiceTypeIdentifier>{_BASE}/Svctype/{kind}</ServiceTypeIdentifier>"
        f'<ServiceName><Name xml:lang="en">Demonstration</Name><Name xml:lang="fr">Démonstration</Name></ServiceName>'
        f"<ServiceDigitalIdentity><DigitalId><X509Certificate>{_text(certificate)}</X509Certificate></DigitalId>"
        "</ServiceDigitalIdentity>"
        f"<ServiceStatus>{_BASE}/TrustedList/Svcstatus/{status}</ServiceStatus>"
        f"<StatusStartingTime>{clock.iso(begin)}</StatusStartingTime>"
        f"<ServiceInformationExtensions>{inside}{extension}</ServiceInformationExtensions>"
        for status, begin in statuses
    ]
    past = "".join(f"<ServiceHistoryInstance>{one}</ServiceHistoryInstance>" for one in body[1:])
    return f"<TSPService><ServiceInformation>{body[0]}</ServiceInformation><ServiceHistory>{past}</ServiceHistory></TSPService>"


def qualifier(name: str, criteria: str) -> str:
    """The XML of an extension that qualifies some certificates of a service."""
    return (
        f'<Extension Critical="true"><q:Qualifications xmlns:q="{_SIE}" xmlns:xa="http://uri.etsi.org/01903/v1.3.2#">'
        f'<q:QualificationElement><q:Qualifiers><q:Qualifier uri="{_BASE}/TrustedList/SvcInfoExt/{name}"/></q:Qualifiers>'
        f'<q:CriteriaList assert="all">{criteria}</q:CriteriaList></q:QualificationElement></q:Qualifications></Extension>'
    )


def policy_set(*identifiers: str) -> str:
    """The XML of a criterion on policies."""
    inside = "".join(f"<q:PolicyIdentifier><xa:Identifier>{one}</xa:Identifier></q:PolicyIdentifier>" for one in identifiers)
    return f"<q:PolicySet>{inside}</q:PolicySet>"


def pointer(territory: str, *signers: x509.Certificate, location: str = "https://lists.example/list.xml") -> str:
    """The XML of a pointer to the list of a territory."""
    identities = "".join(
        f"<ServiceDigitalIdentity><DigitalId><X509Certificate>{_text(one)}</X509Certificate></DigitalId></ServiceDigitalIdentity>"
        for one in signers
    )
    return (
        f"<OtherTSLPointer><ServiceDigitalIdentities>{identities}</ServiceDigitalIdentities><TSLLocation>{location}</TSLLocation>"
        f"<AdditionalInformation><OtherInformation><SchemeTerritory>{territory}</SchemeTerritory></OtherInformation>"
        '<OtherInformation><x:MimeType xmlns:x="http://uri.etsi.org/02231/v2/additionaltypes#">application/vnd.etsi.tsl+xml'
        "</x:MimeType></OtherInformation></AdditionalInformation></OtherTSLPointer>"
    )


def trusted_list(
    *services: str,
    territory: str = "FR",
    sequence: int = 1,
    issued: datetime = NOW - DAY,
    due: datetime | None = NOW + 180 * DAY,
    pointers: Iterable[str] = (),
    addresses: Iterable[str] = (),
) -> bytes:
    """A trusted list, not signed."""
    kind = "EUlistofthelists" if territory == "EU" else "EUgeneric"
    uris = "".join(f'<URI xml:lang="en">{address}</URI>' for address in addresses)
    update = "" if due is None else f"<dateTime>{clock.iso(due)}</dateTime>"
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<TrustServiceStatusList xmlns="http://uri.etsi.org/02231/v2#" Id="TSL"><SchemeInformation>'
        f"<TSLVersionIdentifier>5</TSLVersionIdentifier><TSLSequenceNumber>{sequence}</TSLSequenceNumber>"
        f"<TSLType>{_BASE}/TrustedList/TSLType/{kind}</TSLType><SchemeInformationURI>{uris}</SchemeInformationURI>"
        f"<SchemeTerritory>{territory}</SchemeTerritory><PointersToOtherTSL>{''.join(pointers)}</PointersToOtherTSL>"
        f"<ListIssueDateTime>{clock.iso(issued)}</ListIssueDateTime><NextUpdate>{update}</NextUpdate></SchemeInformation>"
        "<TrustServiceProviderList><TrustServiceProvider><TSPServices>"
        f"{''.join(services)}</TSPServices></TrustServiceProvider></TrustServiceProviderList></TrustServiceStatusList>"
    ).encode()


def _text(certificate: x509.Certificate) -> str:
    return base64.b64encode(certificate.public_bytes(Encoding.DER)).decode()


def signed(data: bytes, signer: Holder, *, at: datetime = NOW) -> bytes:
    """Sign a trusted list as its operators do: XAdES enveloped in the root, over the whole, exclusive canonicalisation."""
    root = etree.fromstring(data)
    whole = hashlib.sha256(_canonical(root)).digest()
    certificate = signer.certificate.public_bytes(Encoding.DER)
    family = "ecdsa" if isinstance(signer.key, ec.EllipticCurvePrivateKey) else "rsa"
    root.append(
        etree.fromstring(
            f'''<ds:Signature xmlns:ds="{_DS}" Id="S"><ds:SignedInfo><ds:CanonicalizationMethod Algorithm="{_C14N}"/>'''
            f"""<ds:SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#{family}-sha256"/>"""
            f'''<ds:Reference URI=""><ds:Transforms><ds:Transform Algorithm="{_DS}enveloped-signature"/>'''
            f'''<ds:Transform Algorithm="{_C14N}"/></ds:Transforms><ds:DigestMethod Algorithm="{_SHA256}"/>'''
            f"<ds:DigestValue>{_base64(whole)}</ds:DigestValue></ds:Reference>"
            f"""<ds:Reference Type="http://uri.etsi.org/01903#SignedProperties" URI="#S-SP"><ds:Transforms>"""
            f'''<ds:Transform Algorithm="{_C14N}"/></ds:Transforms><ds:DigestMethod Algorithm="{_SHA256}"/>'''
            "<ds:DigestValue/></ds:Reference></ds:SignedInfo><ds:SignatureValue/>"
            f"<ds:KeyInfo><ds:X509Data><ds:X509Certificate>{_base64(certificate)}</ds:X509Certificate></ds:X509Data></ds:KeyInfo>"
            f'''<ds:Object><xa:QualifyingProperties xmlns:xa="{_XADES}" Target="#S"><xa:SignedProperties Id="S-SP">'''
            f"<xa:SignedSignatureProperties><xa:SigningTime>{clock.iso(at)}</xa:SigningTime><xa:SigningCertificate><xa:Cert>"
            f'''<xa:CertDigest><ds:DigestMethod Algorithm="{_SHA256}"/>'''
            f"<ds:DigestValue>{_base64(hashlib.sha256(certificate).digest())}</ds:DigestValue></xa:CertDigest><xa:IssuerSerial>"
            f"<ds:X509IssuerName>{signer.certificate.issuer.rfc4514_string()}</ds:X509IssuerName>"
            f"<ds:X509SerialNumber>{signer.certificate.serial_number}</ds:X509SerialNumber></xa:IssuerSerial></xa:Cert>"
            "</xa:SigningCertificate></xa:SignedSignatureProperties></xa:SignedProperties></xa:QualifyingProperties></ds:Object>"
            "</ds:Signature>"
        )
    )
    (properties,) = root.iter(f"{{{_XADES}}}SignedProperties")
    (empty,) = (one for one in root.iter(f"{{{_DS}}}DigestValue") if not one.text)
    empty.text = _base64(hashlib.sha256(_canonical(properties)).digest())
    (info,) = root.iter(f"{{{_DS}}}SignedInfo")
    (value,) = root.iter(f"{{{_DS}}}SignatureValue")
    value.text = _base64(_value(signer.key, _canonical(info)))
    made: bytes = etree.tostring(root, xml_declaration=True, encoding="UTF-8")
    return made


_DS = "http://www.w3.org/2000/09/xmldsig#"
_XADES = "http://uri.etsi.org/01903/v1.3.2#"
_C14N = "http://www.w3.org/2001/10/xml-exc-c14n#"
_SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"


def _value(key: Key, octets: bytes) -> bytes:
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return raw_ecdsa(key.sign(octets, ec.ECDSA(hashes.SHA256())), key.key_size)
    return key.sign(octets, padding.PKCS1v15(), hashes.SHA256())


def _canonical(element: etree._Element) -> bytes:
    made: bytes = etree.tostring(element, method="c14n", exclusive=True, with_comments=False)
    return made


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
