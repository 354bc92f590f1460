"""The hands of the simulated parapheur: real signatures, by identities that nobody believes, in the format that the type says."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

from connectors.iparapheur.simulated_store import Dossier, Kept, Octets, Store
from connectors.iparapheur.simulated_typology import Person, SignatureFormat
from signing.cades.seal import Cades
from signing.keys import Pkcs12Signer
from signing.legs import Format, sign
from signing.pades.seal import Pades
from signing.pades.stamp import Stamp
from signing.pes.envelope import SealContext
from signing.pes.format import Pes
from signing.pki import MARK, TestAuthority
from signing.xades.seal import XadesDetached

PDF = "application/pdf"
IMPORTED = "signature_externe"
_TOWN, _POSTAL_CODE = "Valmorin", "99000"
_WHOLE = "."
_P7S, _XML = "application/pkcs7-signature", "application/xml"


class Identities:
    """Certificates of the people of a parapheur, made when they first sign."""

    def __init__(self, authority: TestAuthority) -> None:
        self.authority = authority
        self._signers: dict[str, Pkcs12Signer] = {}
        self._lock = threading.Lock()

    def signer(self, name: str) -> Pkcs12Signer:
        """Return the key of somebody, or of the seal."""
        with self._lock:
            if name not in self._signers:
                credential = self.authority.seal(f"{MARK} {name}", bits=2048)
                self._signers[name] = Pkcs12Signer.load(credential.as_pkcs12(name), name)
            return self._signers[name]


def sign_documents(dossier: Dossier, store: Store, identities: Identities, person: Person) -> None:
    """Sign every main document as the type says, by a person.

    Raises:
        TabellionError: a document cannot be signed in that format; nothing of the dossier changed.
    """
    signer = identities.signer(person.name)
    results = [_signed(dossier, document, store, signer, person) for document in _main(dossier)]
    for change in results:
        change()


def seal_documents(dossier: Dossier, store: Store, identities: Identities) -> None:
    """Put the town's seal on every main PDF.

    Raises:
        TabellionError: a document that is no PDF.
    """
    signer = identities.signer("Cachet serveur")
    how = Pades(role="Cachet", city=_TOWN, stamp=Stamp(tag="#cachet#"))
    for change in [_within(document, store, signer, how) for document in _main(dossier)]:
        change()


def _main(dossier: Dossier) -> list[Kept]:
    return [document for document in dossier.documents if document.main]


def _signed(dossier: Dossier, document: Kept, store: Store, signer: Pkcs12Signer, person: Person) -> Callable[[], None]:
    match _format(dossier.format, document):
        case SignatureFormat.PADES:
            return _within(document, store, signer, Pades(role=person.desk, city=_TOWN, stamp=Stamp()))
        case SignatureFormat.PES:
            context = SealContext(person.desk, _TOWN, _POSTAL_CODE, whole=dossier.place == _WHOLE)
            return _within(document, store, signer, Pes(context))
        case SignatureFormat.XADES:
            detached = XadesDetached(role=person.desk, city=_TOWN, postal_code=_POSTAL_CODE, country="France")
            return _apart(document, store, signer, detached, person.name)
        case _:
            return _apart(document, store, signer, Cades(pem=True, role=person.desk, place=_TOWN), person.name)


def _format(wanted: SignatureFormat, document: Kept) -> SignatureFormat:
    """Return how one document is signed: what came with it decides when the type leaves it open."""
    if wanted is not SignatureFormat.AUTO:
        return wanted
    imported = document.signatures[0].media if document.signatures else None
    if imported is not None:
        return SignatureFormat.CADES if imported == _P7S else SignatureFormat.XADES
    return SignatureFormat.PADES if document.media == PDF else SignatureFormat.CADES


def _within(document: Kept, store: Store, signer: Pkcs12Signer, how: Format) -> Callable[[], None]:
    sha256 = _made(document, store, signer, how)

    def change() -> None:
        document.sha256 = sha256

    return change


def _apart(document: Kept, store: Store, signer: Pkcs12Signer, how: Format, name: str) -> Callable[[], None]:
    sha256 = _made(document, store, signer, how)
    suffix, media = (".xml", _XML) if isinstance(how, XadesDetached) else (".p7s", _P7S)
    came_with = sum(f"-0-{IMPORTED}." in one.name for one in document.signatures)
    rank = len(document.signatures) + 1 - came_with

    def change() -> None:
        document.signatures.append(Octets(name=detached_name(document.name, rank, name, suffix), media=media, sha256=sha256))

    return change


def detached_name(document: str, rank: int, who: str, suffix: str) -> str:
    """Return the name of a detached signature."""
    return f"{document.rpartition('.')[0] or document}-{rank}-{who}{suffix}"


def imported(document: str, signature: Path, media: str, store: Store) -> Octets:
    """Keep a detached signature that came with a document: rank 0, whoever made it."""
    is_xml = "xml" in media
    name = detached_name(document, 0, IMPORTED, ".xml" if is_xml else ".p7s")
    return Octets(name=name, media=_XML if is_xml else _P7S, sha256=store.keep(signature))


def _made(document: Kept, store: Store, signer: Pkcs12Signer, how: Format) -> str:
    with tempfile.TemporaryDirectory(prefix="tabellion-") as folder:
        target = Path(folder) / "signed"
        sign(how, store.path(document.sha256), target, signer)
        return store.keep(target)
