"""What a flow asks of Chorus Pro for one organisation: to find, to read, to download, to change a status, to deposit.

A client does what it is told, one call at a time, and repeats nothing by itself but a call that was refused for its token. A
change of status whose answer was lost may have been done: whoever asked reads the history before asking again.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from mimetypes import guess_type
from pathlib import Path
from typing import Any

from connectors.chorus import errors, services
from connectors.chorus.answers import (
    Downloaded,
    Format,
    History,
    Page,
    Received,
    ServiceDetail,
    Structure,
    StructureDetail,
    StructureService,
    Treated,
)
from connectors.chorus.deposits import Deposit, DepositReport, Issued
from connectors.chorus.evidence import Evidence
from connectors.chorus.reading import Members
from connectors.chorus.searching import WORKS, Search, paging, plain, works
from connectors.chorus.services import Service
from connectors.chorus.settings import ChorusAccount, ChorusOperator
from connectors.chorus.statuses import check_sendable
from connectors.chorus.transport import MEBIBYTE, Lift, Transport
from core.messages import Catalogue

_messages = Catalogue("connectors.chorus")

LARGEST = 120 * MEBIBYTE
"""Octets of a download: what Chorus Pro itself gives at most."""
PAGE = 500
_MOST_PAGES = 10_000
_PIECE = 1 << 20


class Chorus:
    """Chorus Pro for one technical account; any thread may use it.

    Every method may raise ``ChorusUnavailable``, ``QuotaReached``, ``AccountRefused``, ``ChorusRefused``, ``AnswerUnreadable``,
    ``AnswerTooLarge``, ``ApplicationRefused``, ``CertificateRefused`` and ``AddressWrong``: see ``errors``.
    """

    def __init__(self, operator: ChorusOperator, account: ChorusAccount, evidence: Evidence) -> None:
        """Prepare calls; nothing is sent yet.

        Args:
            operator: PISTE application of the platform.
            account: technical account of the organisation.
            evidence: keeps what is told of every call.

        Raises:
            EnvironmentMixed: one is of the sandbox, the other of production.
        """
        self._transport = Transport(operator, account, evidence)

    def health(self) -> None:
        """Ask whether the services live."""
        self._transport.look(services.HEALTH)

    def tax_rates(self) -> tuple[Decimal, ...]:
        """Return the rates of VAT: the classic test of a connection, application and account together."""
        told = Members(self._transport.call(services.TAX_RATES, {}))
        rates = [one.amount("valeurTauxTva", "tauxTva") for one in told.every("listeTauxTva")]
        return tuple(rate for rate in rates if rate is not None)

    def structures(self) -> tuple[Structure, ...]:
        """Return the structures that the account may receive for: the best first call with a new account."""
        told = Members(self._transport.call(services.OWN_STRUCTURES, {}))
        return tuple(found for one in told.every("listeStructures") if (found := Structure.of(one)))

    def structure(self, structure: int) -> StructureDetail:
        """Return what a structure asks of its suppliers."""
        told = self._transport.call(services.STRUCTURE, {"idStructureCPP": structure, "codeLangue": "fr"})
        return StructureDetail.of(structure, Members(told))

    def find_structures(self, identifier: str) -> tuple[Structure, ...]:
        """Return the structures of a SIRET, whoever they belong to; those of a SIREN when the search takes one."""
        asked = {"structure": {"identifiantStructure": identifier, "typeIdentifiantStructure": "SIRET"}}
        pages = self._pages(services.STRUCTURES, asked, "parametres", "listeStructures")
        found = (Structure.of(one) for _, _, _, page in pages for one in page)
        return tuple(one for one in found if one is not None and one.identifier.startswith(identifier))

    def account_expiry(self) -> date | None:
        """Return the day on which the password of the technical account ends; None when no structure tells."""
        days = (self.structure(one.id).password_expires for one in self.structures())
        return next((day for day in days if day is not None), None)

    def services(self, structure: int) -> tuple[StructureService, ...]:
        """Return all services of a structure, those that are closed and ``FACTURES_PUBLIQUES`` among them."""
        asked = {"idStructure": structure}
        pages = self._pages(services.STRUCTURE_SERVICES, asked, "parametresRechercherServicesStructure", "listeServices")
        return tuple(found for _, _, _, page in pages for one in page if (found := StructureService.of(one)))

    def service(self, structure: int, service: int) -> ServiceDetail:
        """Return what a service of a structure asks of suppliers."""
        return ServiceDetail.of(
            Members(self._transport.call(services.STRUCTURE_SERVICE, {"idStructure": structure, "idService": service}))
        )

    def received(self, search: Search) -> Iterator[Page]:
        """Yield the invoices that are found, page by page; each page is another call, made when it is asked for.

        Statuses that change meanwhile move invoices between pages: searches that follow each other must overlap.

        Raises:
            ChorusUnavailable: a page came twice, or another page than that asked for: what comes after is not known.
        """
        for kind in search.kinds:
            service, asked, block, member = works(search, kind) if kind in WORKS else plain(search, kind)
            for number, pages, total, page in self._pages(service, asked, block, member):
                found = tuple(one for line in page if (one := Received.of(kind, line)))
                yield Page(kind, number, pages, total, found)

    def history(self, invoice: int) -> History:
        """Return the life of an invoice: what is read right before its status is changed."""
        asked = {
            "idFacture": invoice,
            "nbResultatsMaximum": 1000,
            "rechercheHistoriqueStatut": paging(1, 1000),
            "rechercheHistoriqueActionsUtilisateurs": paging(1, 1),
            "rechercheHistoriqueEvenementsComplementaires": paging(1, 1),
        }
        return History.of(invoice, Members(self._transport.call(services.HISTORY, asked)))

    def download(self, invoice: int, form: Format, target: Path, *, supporting: bool = True) -> Downloaded:
        """Bring one invoice to a file; memory stays small whatever its size.

        Chorus Pro then marks it as downloaded by the recipient, for everybody.

        Args:
            invoice: which.
            form: the pivot, with all pieces in it, or what people read.
            target: where it goes; nothing stays there unless all of it came.
            supporting: whether the PDF comes with its supporting pieces; then it may be a ZIP. A pivot always has them.
        """
        asked: dict[str, Any] = {"format": form.value, "listeFacture": [{"idFacture": invoice}]}
        if form is Format.PDF:
            asked["avecPiecesJointesComplementaires"] = "OUI" if supporting else "NON"
        self._transport.call(services.DOWNLOAD, asked, Lift("fichierResultat", target, LARGEST))
        with target.open("rb") as stream:
            media = _media(stream.read(8))
            stream.seek(0)
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        return Downloaded(target, digest, target.stat().st_size, media)

    def possible_statuses(self, status: str) -> tuple[str, ...]:
        """Return the statuses to which Chorus Pro lets a recipient take an invoice that has this one."""
        told = Members(self._transport.call(services.NEXT_STATUSES, {"statutCourant": status}))
        found = [one.text("statutPossiblePourTraitement") for one in told.every("listeStatutsPossiblesPourTraitement")]
        return tuple(code for code in found if code)

    def treat(self, invoice: int, status: str, *, reason: str = "", mandate: str = "") -> Treated:
        """Change the status of a received invoice.

        Args:
            invoice: which.
            status: to which one.
            reason: compulsory to reject or to suspend; 255 characters at most.
            mandate: number of the *mandat*, which goes with MANDATEE only.

        Raises:
            StatusUnsendable: it is one that Chorus Pro never takes; nothing was sent.
        """
        check_sendable(status, reason, mandate)
        asked: dict[str, Any] = {"idFacture": invoice, "nouveauStatut": status}
        asked |= {name: value for name, value in (("motif", reason), ("numeroDPMandat", mandate)) if value}
        told = Members(self._transport.call(services.TREAT, asked))
        found = told.text("nouveauStatut") or status
        return Treated(told.whole("idFacture") or invoice, told.text("numeroFacture"), found, told.moment("dateTraitement"))

    def deposit(self, path: Path, name: str, syntax: str, *, signed: bool = False) -> Deposit:
        """Deposit a file of invoices; what becomes of them is told by ``deposit_report`` only.

        Args:
            path: one invoice, or a ``.tar.gz`` of several.
            name: that Chorus Pro sees, 200 characters at most.
            syntax: its ``syntaxeFlux``, such as ``IN_DP_E2_CII_FACTURX``.
            signed: whether the file is signed.

        Raises:
            AnswerUnreadable: no number came back: the deposit may have been taken.
        """
        asked = {"fichierFlux": _encoded(path), "nomFichier": name, "syntaxeFlux": syntax, "avecSignature": signed}
        told = Members(self._transport.call(services.DEPOSIT, asked))
        number = _required(told.text("numeroFluxDepot"), services.DEPOSIT, "numeroFluxDepot")
        return Deposit(number, told.moment("dateDepot"), told.text("syntaxeFlux") or syntax)

    def deposit_report(self, number: str) -> DepositReport:
        """Return what became of a deposit so far."""
        return DepositReport.of(number, Members(self._transport.call(services.DEPOSIT_REPORT, {"numeroFluxDepot": number})))

    def supplier_search(self, number: str) -> tuple[Issued, ...]:
        """Return the invoices that came of a deposit."""
        return self._issued({"numeroFluxDepot": number})

    def issued_as(self, number: str) -> tuple[Issued, ...]:
        """Return the invoices of a number that the structures of the account have issued, by whatever way."""
        return tuple(one for one in self._issued({"numeroFacture": number}) if one.number == number)

    def _issued(self, asked: Mapping[str, Any]) -> tuple[Issued, ...]:
        pages = self._pages(services.ISSUED, asked, "rechercheFactureParFournisseur", "listeFactures")
        return tuple(found for _, _, _, page in pages for one in page if (found := Issued.of(one)))

    def add_file(self, path: Path, name: str) -> int:
        """Hand over a supporting piece of 10 MB at most, and return its number.

        Raises:
            AnswerUnreadable: no number came back.
        """
        stem, _, extension = name.rpartition(".")
        asked = {
            "pieceJointeFichier": _encoded(path),
            "pieceJointeNom": stem,
            "pieceJointeExtension": extension.upper(),
            "pieceJointeTypeMime": guess_type(name)[0] or "application/octet-stream",
        }
        told = Members(self._transport.call(services.ADD_FILE, asked))
        return int(_required(told.text("pieceJointeId"), services.ADD_FILE, "pieceJointeId"))

    def complete(self, invoice: int, comment: str, pieces: Sequence[tuple[int, str]] = ()) -> None:
        """Answer, as its supplier, the suspension of an invoice.

        Args:
            invoice: ``identifiantFactureCPP``.
            comment: 2000 characters at most.
            pieces: numbers by ``add_file``, each with what the piece is.
        """
        asked: dict[str, Any] = {"identifiantFactureCPP": invoice, "commentaire": comment}
        if pieces:
            asked["pieceJointeComplementaire"] = [
                {"pieceJointeComplementaireId": number, "pieceJointeComplementaireDesignation": what} for number, what in pieces
            ]
        self._transport.call(services.COMPLETE, asked)

    def _pages(
        self, service: Service, asked: Mapping[str, Any], block: str, member: str
    ) -> Iterator[tuple[int, int, int | None, list[Members]]]:
        """Yield number, count, total and lines of each page; paging is told at the top, or in ``parametresRetour``."""
        seen: set[int] = set()
        number = pages = 1
        while number <= min(pages, _MOST_PAGES):
            told = Members(self._transport.call(service, {**asked, block: paging(number, PAGE)}))
            where = told.below("parametresRetour") if "parametresRetour" in told.raw else told
            answered, pages = where.whole("pageCourante"), where.whole("pages") or number
            lines = list(told.every(member))
            keys = {hash(repr(one.raw)) for one in lines}
            if answered not in {None, number} or (keys and keys <= seen):
                raise errors.ChorusUnavailable(_messages("answer.page", service=service.path, number=number))
            seen |= keys
            yield number, pages, where.whole("total"), lines
            number += 1


def _required(value: str, service: Service, member: str) -> str:
    if not value:
        raise errors.AnswerUnreadable(_messages("answer.unreadable", service=service.path, reason=member))
    return value


def _encoded(path: Path) -> str:
    """Return a file in base64: deposits are of 30 MB at most."""
    return base64.b64encode(path.read_bytes()).decode("ascii")


def _media(head: bytes) -> str:
    """Return what a file is by its first octets."""
    if head.startswith(b"%PDF-"):
        return "application/pdf"
    if head.startswith(b"PK"):
        return "application/zip"
    return "application/xml" if head.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"<") else "application/octet-stream"
