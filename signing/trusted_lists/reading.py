"""Reading a trusted list (ETSI TS 119 612) into values.

Nothing is verified here: a list is believed once ``installing`` has verified its signature. Reading is bounded, and whatever is
not understood in a service grants nothing.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from lxml import etree

from core import clock
from core.errors import UnreadableInput
from core.messages import Catalogue
from schemas import xml
from signing.algorithms import CERTIFICATE_FLAWS
from signing.trusted_lists.content import BASE, Kind, Period, Pointer, Qualifier, Service, TrustedList
from signing.trusted_lists.criteria import EXTENSIONS, TSL, NotUnderstood, read_criteria

_messages = Catalogue("signing")
LARGEST = 32 << 20
_MOST_SERVICES = 5000
_MOST_CERTIFICATES = 50
_STATUS = f"{BASE}TrustedList/Svcstatus/"
_LIST_OF_LISTS = f"{BASE}TrustedList/TSLType/EUlistofthelists"
_XML_LIST = "application/vnd.etsi.tsl+xml"
_N = {"t": TSL, "x": "http://uri.etsi.org/02231/v2/additionaltypes#", "e": EXTENSIONS}
_EIDAS = datetime(2016, 7, 1, tzinfo=UTC)
# regulation 910/2014, article 51: what stood under supervision or accreditation was taken over as granted
_BEFORE_EIDAS = {f"{_STATUS}{name}" for name in ("undersupervision", "supervisionincessation", "accredited")}


class ListUnreadable(UnreadableInput):
    """What was handed over is no trusted list."""


def read(path: Path) -> TrustedList:
    """Read a list from a file.

    Raises:
        ListUnreadable: larger than 32 MiB, no XML (a DOCTYPE is refused), or not the form of a trusted list.
    """
    try:
        if path.stat().st_size > LARGEST:
            raise ListUnreadable(_messages("lists.unreadable", file=path.name, detail=f"> {LARGEST >> 20} MiB"))
        return _Reader(xml.parse(path).getroot()).read()
    except (xml.DoctypeRefused, xml.Malformed, OSError, NotUnderstood) as error:
        raise ListUnreadable(_messages("lists.unreadable", file=path.name, detail=error)) from error


class _Reader:
    """The reading of one list."""

    def __init__(self, root: etree._Element) -> None:
        if root.tag != f"{{{TSL}}}TrustServiceStatusList":
            raise NotUnderstood(str(etree.QName(root).localname))
        self.root = root
        self.scheme = _one(root, "t:SchemeInformation")
        self.territory = _text(self.scheme, "t:SchemeTerritory").upper()
        self.skipped = 0

    def read(self) -> TrustedList:
        of_lists = _text(self.scheme, "t:TSLType") == _LIST_OF_LISTS
        due = self.scheme.find("t:NextUpdate/t:dateTime", _N)
        if len(self.territory) != len("EU") or not self.territory.isascii() or not self.territory.isalpha():
            raise NotUnderstood("SchemeTerritory")
        return TrustedList(
            territory=self.territory,
            of_lists=of_lists,
            sequence=_number(_text(self.scheme, "t:TSLSequenceNumber")),
            issued=_moment(_text(self.scheme, "t:ListIssueDateTime")),
            next_update=None if due is None else _moment(due.text or ""),
            services=tuple(self.services()),
            pointers=tuple(self.pointers()),
            pivots=tuple(self.pivots()) if of_lists else (),
            skipped=self.skipped,
        )

    def pivots(self) -> Iterator[str]:
        """Yield the pivots: the addresses of lists among the scheme's own (Commission, "pivot LOTL")."""
        for uri in self.scheme.iterfind("t:SchemeInformationURI/t:URI", _N):
            address = (uri.text or "").strip()
            if "pivot" in address.lower() and address.endswith(".xml"):
                yield address

    def pointers(self) -> Iterator[Pointer]:
        for pointer in self.scheme.iterfind("t:PointersToOtherTSL/t:OtherTSLPointer", _N):
            info = "t:AdditionalInformation/t:OtherInformation/"
            if (pointer.findtext(f"{info}x:MimeType", "", _N)).strip() != _XML_LIST:
                continue
            territory = pointer.findtext(f"{info}t:SchemeTerritory", "", _N).strip().upper()
            path = "t:ServiceDigitalIdentities/t:ServiceDigitalIdentity"
            signers = _certificates(pointer, path)  # compared as they are: many have flaws that matter only to who uses them
            yield Pointer(territory, pointer.findtext("t:TSLLocation", "", _N).strip(), signers)

    def services(self) -> Iterator[Service]:
        path = "t:TrustServiceProviderList/t:TrustServiceProvider/t:TSPServices/t:TSPService"
        elements = list(islice(self.root.iterfind(path, _N), _MOST_SERVICES + 1))
        if len(elements) > _MOST_SERVICES:
            raise NotUnderstood("TSPService")
        for element in elements:
            service = self.service(element)
            if service is not None:
                yield service

    def service(self, element: etree._Element) -> Service | None:
        info = _one(element, "t:ServiceInformation")
        kind = _text(info, "t:ServiceTypeIdentifier")
        if kind not in set(Kind):
            return None
        certificates = tuple(one for one in _certificates(info, "t:ServiceDigitalIdentity") if _usable(one))
        history = element.findall("t:ServiceHistory/t:ServiceHistoryInstance", _N)
        past = [entry for entry in history if _text(entry, "t:ServiceTypeIdentifier") == kind]
        periods = tuple(self.periods([info, *past]))
        return Service(Kind(kind), _name(info), self.territory, certificates, periods) if certificates else None

    def periods(self, entries: list[etree._Element]) -> Iterator[Period]:
        """Yield the periods of a service, newest first; each ends when the next one begins."""
        dated = [(_moment(_text(entry, "t:StatusStartingTime")), entry) for entry in entries]
        dated.sort(key=lambda one: one[0], reverse=True)  # stable: of two of one moment, the present one comes first
        end: datetime | None = None
        for begin, entry in dated:
            yield from self.period(entry, begin, end)
            end = begin

    def period(self, entry: etree._Element, begin: datetime, end: datetime | None) -> Iterator[Period]:
        status = _text(entry, "t:ServiceStatus")
        try:
            uses, qualifiers = _extensions(entry)
        except NotUnderstood:
            self.skipped += 1
            yield Period(begin, end, granted=False)
            return
        if status in _BEFORE_EIDAS and begin < _EIDAS:
            last = _EIDAS if end is None else min(end, _EIDAS)
            yield Period(begin, last, granted=True, uses=uses, qualifiers=qualifiers)
        else:
            yield Period(begin, end, granted=status == f"{_STATUS}granted", uses=uses, qualifiers=qualifiers)


def _extensions(entry: etree._Element) -> tuple[frozenset[str], tuple[Qualifier, ...]]:
    uses: set[str] = set()
    qualifiers: list[Qualifier] = []
    for extension in entry.iterfind("t:ServiceInformationExtensions/t:Extension", _N):
        critical = extension.get("Critical") in {"true", "1"}
        for content in extension:
            if content.tag == f"{{{EXTENSIONS}}}Qualifications":
                qualifiers += [_qualifier(one) for one in content.iterfind("e:QualificationElement", _N)]
            elif content.tag == f"{{{TSL}}}AdditionalServiceInformation":
                uses.add(_last(content.findtext("t:URI", "", _N)))
            elif critical and isinstance(content.tag, str) and content.tag != f"{{{TSL}}}ExpiredCertsRevocationInfo":
                raise NotUnderstood(str(etree.QName(content).localname))
    known = {"ForeSignatures", "ForeSeals", "ForWebSiteAuthentication"}
    return frozenset(uses & known), tuple(qualifiers)


def _qualifier(element: etree._Element) -> Qualifier:
    names = frozenset(_last(one.get("uri", "")) for one in element.iterfind("e:Qualifiers/e:Qualifier", _N))
    return Qualifier(names, read_criteria(_one(element, "e:CriteriaList")))


def _certificates(element: etree._Element, path: str) -> tuple[x509.Certificate, ...]:
    """Return the certificates of a digital identity; one that cannot be read names nobody, and is left out."""
    found = element.findall(f"{path}/t:DigitalId/t:X509Certificate", _N)
    if len(found) > _MOST_CERTIFICATES:
        raise NotUnderstood("ServiceDigitalIdentity")
    read = (_certificate(one) for one in found)
    return tuple(dict.fromkeys(one for one in read if one is not None))


def _certificate(element: etree._Element) -> x509.Certificate | None:
    try:
        der = base64.b64decode("".join((element.text or "").split()), validate=True)
        return x509.load_der_x509_certificate(der)
    except (binascii.Error, *CERTIFICATE_FLAWS):
        return None


def _usable(certificate: x509.Certificate) -> bool:
    """Tell whether the parts of a certificate that an anchor needs can be read."""
    try:
        _ = certificate.extensions, certificate.public_key(), certificate.subject, certificate.issuer
    except (UnsupportedAlgorithm, *CERTIFICATE_FLAWS):
        return False
    return True


def _name(info: etree._Element) -> str:
    names = info.findall("t:ServiceName/t:Name", _N)
    french = [name for name in names if name.get("{http://www.w3.org/XML/1998/namespace}lang") == "fr"]
    return " ".join(((french or names)[0].text or "").split()) if names else ""


def _one(parent: etree._Element, path: str) -> etree._Element:
    found = parent.findall(path, _N)
    if len(found) != 1:
        raise NotUnderstood(path.partition(":")[2])
    return found[0]


def _text(parent: etree._Element, path: str) -> str:
    return (_one(parent, path).text or "").strip()


def _last(uri: str) -> str:
    return uri.strip().rpartition("/")[2]


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > len("999999999"):
        raise NotUnderstood("TSLSequenceNumber")
    return int(text)


def _moment(text: str) -> datetime:
    try:
        return clock.from_iso(text.strip())
    except ValueError as error:
        raise NotUnderstood("dateTime") from error
