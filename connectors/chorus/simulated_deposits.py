"""Deposits at the simulated Chorus Pro: a file is taken, goes through its states with time, and may become invoices.

What a file comes to is decided by what is in it, unless a fate was set for its name. Invoices that it brings appear when it has
come to its end, and not before.
"""

from __future__ import annotations

import base64
import binascii
import io
import tarfile
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

import pikepdf
from lxml import etree

from connectors.chorus import services
from connectors.chorus.simulated_documents import Shape
from connectors.chorus.simulated_portal import NO_RESULT, Answerer, Asked, Portal, Refusal, Told, page_asked, paging
from connectors.chorus.simulated_received import UNKNOWN, minute
from connectors.chorus.simulated_store import Invoice, ordinary, stamp
from connectors.chorus.statuses import Outcome, Status, outcome
from core.clock import from_iso
from core.errors import UnreadableInput
from schemas.xml import parse_pieces

STATES = ("IN_RECU", "IN_TRAITE_SE_CPP", "IN_EN_ATTENTE_TRAITEMENT_CPP", "IN_EN_COURS_TRAITEMENT_CPP")
SYNTAXES = {
    "IN_DP_E1_UBL_INVOICE",
    "IN_DP_E1_CII_16B",
    "IN_DP_E2_UBL_INVOICE_MIN",
    "IN_DP_E2_CII_MIN_16B",
    "IN_DP_E2_CPP_FACTURE_MIN",
    "IN_DP_E2_CII_FACTURX",
    "IN_DP_E3_UBL_INVOICE",
}
SUPPLIER_SIDE = 5_000_000_000
"""What is added to the identifier of an invoice on the side of its supplier: nothing promises that both are one."""

_LARGEST, _LARGEST_ARCHIVE, _LARGEST_PIECE = 10_000_000, 30_000_000, 10_000_000
_MOST_MEMBERS = 1000
_ARCHIVE = (".tar.gz", ".tgz")
_TOO_LARGE, _NO_RIGHT, _NOT_SUSPENDED = (20001, "GDP_MSG_11.022"), (20001, "GDP_MSG_11.005"), (20002, "GDP_MSG_11.033")
_PIECE_TOO_LARGE, _NOT_BASE64, _UNKNOWN_DEPOSIT = (20003, "GCU_MSG_01_003"), (20002, "GDP_MSG_11.021"), (20001, "TRA_MSG_12.001")
_NUMBER = ("ExchangedDocument/ID", "ID")
_SELLER = ("SellerTradeParty/SpecifiedLegalOrganization/ID", "AccountingSupplierParty//PartyLegalEntity/CompanyID")
_BUYER = (
    "BuyerTradeParty/GlobalID",
    "BuyerTradeParty/SpecifiedLegalOrganization/ID",
    "AccountingCustomerParty//PartyIdentification/ID",
)
_GROSS, _NET = ("GrandTotalAmount", "TaxInclusiveAmount"), ("TaxBasisTotalAmount", "TaxExclusiveAmount")


@dataclass(frozen=True, slots=True)
class _Read:
    """What matters in an invoice that was deposited."""

    number: str
    supplier: str
    recipient: str
    net: str
    gross: str


class Deposits:
    """What a supplier may ask."""

    def __init__(self, portal: Portal) -> None:
        self._portal = portal
        self._numbering = threading.Lock()

    def answerers(self) -> dict[str, Answerer]:
        """Return what answers each service."""
        return {
            services.DEPOSIT.path: self._deposit,
            services.DEPOSIT_REPORT.path: self._report,
            services.ISSUED.path: self._issued,
            services.ADD_FILE.path: self._add_file,
            services.COMPLETE.path: self._complete,
        }

    def settle(self) -> None:
        """Let the deposits whose time has come end, and their invoices appear."""
        for number, record in self._portal.store.unsettled():
            if self._rank(record) >= len(STATES):
                self._portal.store.keep_deposit(number, record, settled=True)
                self._portal.store.add(Invoice(**one) for one in record["made"])

    def _rank(self, record: dict[str, Any]) -> int:
        """Return how many states a deposit has left behind."""
        elapsed = self._portal.clock() - from_iso(record["moment"])
        return int(elapsed / timedelta(seconds=self._portal.delay)) if self._portal.delay else len(STATES)

    def _deposit(self, asked: Asked) -> Told:
        name, syntax = str(asked.member("nomFichier") or ""), str(asked.member("syntaxeFlux") or "")
        octets = _decoded(asked.body.get("fichierFlux"))
        if len(octets) > (_LARGEST_ARCHIVE if name.endswith(_ARCHIVE) else _LARGEST):
            raise Refusal(*_TOO_LARGE, 400)
        moment = self._portal.clock()
        record = {"login": asked.account.login, "name": name, "syntax": syntax, "moment": stamp(moment)}
        with self._numbering:
            number = f"CPP{self._portal.store.deposits() + 1:022}"
            record |= self._examined(number, name, syntax, octets)
            self._portal.store.keep_deposit(number, record, settled=False)
        return Told({"numeroFluxDepot": number, "dateDepot": minute(moment), "syntaxeFlux": syntax})

    def _examined(self, number: str, name: str, syntax: str, octets: bytes) -> dict[str, Any]:
        """Return the last state of a deposit, its errors, and the invoices that it is to make."""
        fate = self._portal.fates.get(name)
        if fate is not None and outcome(fate) not in {Outcome.TAKEN, Outcome.PARTLY}:
            return {"state": fate, "technical": [_technical("E000", "Traitement interrompu")], "flaws": [], "made": []}
        if syntax not in SYNTAXES:
            return {
                "state": "IN_REJETE",
                "technical": [_technical("E001", f"Format {syntax} inconnu")],
                "flaws": [],
                "made": [],
            }
        made: list[dict[str, Any]] = []
        flaws: list[dict[str, Any]] = []
        technical: list[dict[str, Any]] = []
        try:
            for member in _members(name, octets):
                self._take(member, number, made, flaws)
        except (tarfile.TarError, OSError, EOFError):
            technical.append(_technical("E002", "Archive illisible"))
        state = "IN_INTEGRE" if made and not flaws else "IN_INTEGRE_PARTIEL" if made else "IN_REJETE"
        return {"state": state, "technical": technical, "flaws": flaws, "made": made}

    def _take(self, octets: bytes, flow: str, made: list[dict[str, Any]], flaws: list[dict[str, Any]]) -> None:
        read = _read(octets)
        body = self._portal.world.body_of(read.recipient) if read else None
        if read is None or body is None:
            label = "Facture illisible" if read is None else "Destinataire inconnu"
        elif any(one["number"] == read.number for one in made) or self._known(read):
            label = "Facture déjà déposée"
        else:
            made.append(self._invoice(read, body.id, flow))
            return
        found = read or _Read("", "", "", "", "")
        flaws.append(
            {
                "identifiantFournisseur": found.supplier,
                "identifiantDestinataire": found.recipient,
                "numeroDP": found.number,
                "libelleErreurDP": label,
            }
        )

    def _known(self, read: _Read) -> bool:
        """Tell whether an invoice came before, or is in a deposit that has not come to its end."""
        under_way = (one for _, record in self._portal.store.unsettled() for one in record["made"])
        if any((one["supplier"], one["number"]) == (read.supplier, read.number) for one in under_way):
            return True
        return bool(self._portal.store.search(["supplier = ?", "number = ?"], [read.supplier, read.number], 1, 0)[0])

    def _invoice(self, read: _Read, body: int, flow: str) -> dict[str, Any]:
        given = {"body": body, "supplier": read.supplier, "supplier_name": "Déposant", "flow": flow, "shape": Shape.FACTURX.value}
        amounts = {"net": _cents(read.net), "gross": _cents(read.gross)}
        return asdict(ordinary(self._portal.clock(), read.number, **given, **amounts))

    def _report(self, asked: Asked) -> Told:
        record = self._owned(asked)
        rank = self._rank(record)
        ended = rank >= len(STATES)
        told: dict[str, Any] = {
            "etatCourantDepotFlux": record["state"] if ended else STATES[rank],
            "codeInterfaceDepotFlux": "FSO1110A",
            "nomFichier": f"FSO1110A_CPP001_{record['name']}",
            "dateDepotFlux": minute(from_iso(record["moment"])),
            "dateHeureEtatCourantFlux": minute(self._portal.clock()),
        }
        if ended:
            told |= {"listeErreurTechnique": record["technical"], "listeErreurDP": record["flaws"]}
        return Told(told)

    def _issued(self, asked: Asked) -> Told:
        number, size = page_asked(asked.body.get("rechercheFactureParFournisseur"))
        if asked.member("numeroFluxDepot"):
            self._owned(asked)
            where, value = "flow = ?", asked.body["numeroFluxDepot"]
        else:
            where, value = "number = ?", asked.body["numeroFacture"]
        total, found = self._portal.store.search([where, "flow <> ''"], [value], size, (number - 1) * size)
        own = [one for one in found if (self._portal.store.deposit(one.flow) or {}).get("login") == asked.account.login]
        if not own:
            raise Refusal(*NO_RESULT)
        return Told({"listeFactures": list(map(self._line, own)), "parametresRetour": paging(number, size, total)})

    def _line(self, one: Invoice) -> dict[str, Any]:
        body = self._portal.world.body(one.body)
        return {
            "identifiantFactureCPP": one.id + SUPPLIER_SIDE,
            "numeroFacture": one.number,
            "statut": one.status,
            "codeFournisseur": one.supplier,
            "codeDestinataire": body.siret if body else "",
            "numeroFluxDepot": one.flow,
            "dateDepot": minute(from_iso(one.deposited)),
            "dateHeureEtatCourant": from_iso(one.moved).isoformat(timespec="milliseconds"),
            "commentaireEtatCourant": one.comment,
        }

    def _add_file(self, asked: Asked) -> Told:
        octets = _decoded(asked.body.get("pieceJointeFichier"))
        if len(octets) > _LARGEST_PIECE:
            raise Refusal(*_PIECE_TOO_LARGE, 400)
        name = f"{asked.body.get('pieceJointeNom')}.{asked.body.get('pieceJointeExtension')}"
        return Told({"pieceJointeId": self._portal.store.keep_piece(asked.account.login, name, octets)})

    def _complete(self, asked: Asked) -> Told:
        known = asked.body.get("identifiantFactureCPP")
        invoice = self._portal.store.find(known - SUPPLIER_SIDE) if isinstance(known, int) else None
        if invoice is None:
            raise Refusal(*UNKNOWN, 400)
        record = self._portal.store.deposit(invoice.flow) if invoice.flow else None
        pieces = [one.get("pieceJointeComplementaireId") for one in asked.body.get("pieceJointeComplementaire") or []]
        owned = all(self._portal.store.owns_piece(asked.account.login, one) for one in pieces)
        if record is None or record["login"] != asked.account.login or not owned:
            raise Refusal(*_NO_RIGHT, 400)
        if invoice.status != Status.SUSPENDED:
            raise Refusal(*_NOT_SUSPENDED, 400)
        comment = str(asked.member("commentaire") or "")
        self._portal.store.move(invoice.id, Status.COMPLETED, self._portal.clock(), comment=comment)
        return Told({"identifiantFactureCPP": known, "numeroFacture": invoice.number})

    def _owned(self, asked: Asked) -> dict[str, Any]:
        record = self._portal.store.deposit(str(asked.body.get("numeroFluxDepot")))
        if record is None or record["login"] != asked.account.login:
            raise Refusal(*_UNKNOWN_DEPOSIT)
        return record


def _technical(code: str, label: str) -> dict[str, str]:
    return {"codeErreur": code, "libelleErreur": label, "natureErreur": "BLOQUANTE"}


def _decoded(text: Any) -> bytes:
    try:
        return base64.b64decode(str(text or ""), validate=True)
    except binascii.Error:
        raise Refusal(*_NOT_BASE64, 400) from None


def _members(name: str, octets: bytes) -> Iterator[bytes]:
    if not name.endswith(_ARCHIVE):
        yield octets
        return
    with tarfile.open(fileobj=io.BytesIO(octets), mode="r:gz") as archive:
        for rank, member in enumerate(archive):
            if rank >= _MOST_MEMBERS or member.size > _LARGEST:
                raise tarfile.TarError
            if (file := archive.extractfile(member)) is not None:
                yield file.read()


def _read(octets: bytes) -> _Read | None:
    """Return what matters in an invoice, by the names of CII and UBL; None when it is neither."""
    try:
        tree = parse_pieces([_attached(octets) if octets.startswith(b"%PDF-") else octets])
    except (UnreadableInput, pikepdf.PdfError, KeyError):
        return None
    found = _Read(*(_text(tree, paths) for paths in (_NUMBER, _SELLER, _BUYER, _NET, _GROSS)))
    return found if found.number and found.gross else None


def _attached(octets: bytes) -> bytes:
    with pikepdf.open(io.BytesIO(octets)) as pdf:
        return bytes(pdf.attachments["factur-x.xml"].get_file().read_bytes())


def _text(tree: etree._ElementTree, paths: tuple[str, ...]) -> str:
    for path in paths:
        steps = "/".join(f"{{*}}{name}" if name else "" for name in path.split("/"))
        found = tree.find(f"./{{*}}{path}" if path == "ID" else f".//{steps}")
        if found is not None and (text := (found.text or "").strip()):
            return text
    return ""


def _cents(amount: str) -> int:
    try:
        return round(float(amount) * 100)
    except ValueError:
        return 0
