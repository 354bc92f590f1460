"""The services of the simulated Chorus Pro for recipients: searches, history, downloads, changes of status.

The codes with which ``traiter/recue`` refuses are published nowhere: those here are ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, time
from typing import Any

from connectors.chorus import services
from connectors.chorus.simulated_documents import money, write_pivot, write_readable
from connectors.chorus.simulated_portal import NO_RESULT, Answerer, Asked, Portal, Refusal, Told, page_asked, paging
from connectors.chorus.simulated_store import Invoice, stamp
from connectors.chorus.statuses import REASONED, TRANSITIONS, Status
from core.clock import PARIS, as_utc, from_iso, in_paris

LARGEST = 120 << 20
UNKNOWN, UNREACHABLE, REASONLESS = (20001, "GDP_MSG_11.008"), (20002, "GDP_MSG_09.002"), (20003, "GDP_MSG_09.003")
_NO_WORKS = (20007, "GFT_MSG_01.075")
_ACCEPTS_RECYCLING = {Status.AVAILABLE, Status.COMPLETED}
_LONGEST_REASON = 255
_LAST = time(23, 59, 59)


class Received:
    """What a recipient may ask."""

    def __init__(self, portal: Portal) -> None:
        self._portal = portal

    def answerers(self) -> dict[str, Answerer]:
        """Return what answers each service."""
        return {
            services.RECEIVED.path: self._search,
            services.WORKS.path: self._works,
            services.HISTORY.path: self._history,
            services.DOWNLOAD.path: self._download,
            services.NEXT_STATUSES.path: self._next,
            services.TREAT.path: self._treat,
        }

    def possible(self, status: str) -> list[Status]:
        """Return where a recipient may take an invoice of a status."""
        found = list(TRANSITIONS.get(Status(status), ())) if status in set(Status) else []
        if status in _ACCEPTS_RECYCLING and not self._portal.reformed:
            found.append(Status.TO_RECYCLE)
        return found

    def _search(self, asked: Asked) -> Told:
        found = _Conditions(asked, asked.member("typeDemandePaiement") or "FACTURE")
        found.add_common(asked.body)
        found.add_plain(asked.body)
        number, size = page_asked(asked.body.get("paramRecherche"))
        total, invoices = self._portal.store.search(found.where, found.values, size, (number - 1) * size)
        if not total:
            raise Refusal(*NO_RESULT)
        return Told({"listeFactures": [self._line(one, asked) for one in invoices], **paging(number, size, total)})

    def _works(self, asked: Asked) -> Told:
        found = _Conditions(asked, str(asked.member("roleUtilisateur")))
        found.add_common(asked.body)
        found.add("downloaded = ?", asked.body.get("flagTelecharge"))
        number, size = page_asked(asked.body.get("rechercheFactureTravaux"))
        total, invoices = self._portal.store.search(found.where, found.values, size, (number - 1) * size)
        if not total:
            raise Refusal(*_NO_WORKS)
        lines = [self._works_line(one) for one in invoices]
        return Told({"listeFacturesTravaux": lines, "parametresRetour": paging(number, size, total)})

    def _line(self, invoice: Invoice, asked: Asked) -> dict[str, Any]:
        body = self._portal.world.body(invoice.body)
        desk = body.desk(invoice.desk) if body else None
        line = {
            "idFacture": invoice.id,
            "numeroFacture": invoice.number,
            "statut": invoice.status,
            "dateFacture": invoice.issued,
            "dateDepot": minute(from_iso(invoice.deposited)),
            "dateHeureEtatCourant": in_paris(from_iso(invoice.moved)).isoformat(timespec="milliseconds"),
            "commentaireEtatCourant": invoice.comment,
            "typeDemandePaiement": invoice.kind,
            "typeFacture": invoice.type,
            "codeFournisseur": invoice.supplier,
            "typeIdentifiantFournisseur": "SIRET",
            "designationFournisseur": invoice.supplier_name,
            "idDestinataire": invoice.body,
            "codeDestinataire": body.siret if body else "",
            "designationDestinataire": body.name if body else "",
            "numeroBonCommande": invoice.engagement,
            "numeroMarche": invoice.market,
            "montantHT": float(money(invoice.net)),
            "montantTTC": float(money(invoice.gross)),
            "montantAPayer": float(money(invoice.gross)),
            "devise": "EUR",
            "factureTelechargeeParDestinataire": bool(invoice.downloaded),
        }
        if desk:
            line |= {"idServiceExecutant": desk.id, "codeServiceExecutant": desk.code, "nomServiceExecutant": desk.name}
        if asked.member("recupererTaille"):
            line["taille"] = 2048 + invoice.weight
        return line

    def _works_line(self, invoice: Invoice) -> dict[str, Any]:
        body = self._portal.world.body(invoice.body)
        return {
            "idFactureTravaux": invoice.id,
            "numeroFactureTravaux": invoice.number,
            "statutFactureTravaux": invoice.status,
            "typeFactureTravaux": invoice.type,
            "dateFactureTravaux": invoice.issued,
            "dateDepot": invoice.deposited[:10],
            "dateHeureEtatCourant": as_utc(from_iso(invoice.moved)).strftime("%Y-%m-%dT%H:%M:%S.000Z"),
            "identifiantFournisseur": invoice.supplier,
            "designationFournisseur": invoice.supplier_name,
            "identifiantDestinataire": body.siret if body else "",
            "idDestinataire": invoice.body,
            "montantTTC": float(money(invoice.gross)),
        }

    def _history(self, asked: Asked) -> Told:
        invoice = self._owned(asked, asked.body.get("idFacture"))
        steps = [
            {
                "histoStatutId": step.id,
                "histoStatutCode": step.status,
                "histoStatutDatePassage": minute(step.moment),
                "histoStatutCommentaire": step.comment,
                "histoStatutUtilisateurNom": "PORTAIL",
                "histoStatutUtilisateurPrenom": "Simulé",
                "histoStatutUtilisateurEmail": "portail@chorus.test",
            }
            for step in reversed(self._portal.store.steps(invoice.id))
        ]
        return Told(
            {
                "idFacture": invoice.id,
                "numeroFacture": invoice.number,
                "modeDepot": "DEPOT_PDF_PORTAIL",
                "statutCourantCode": invoice.status,
                "derniereAction": "CHANGEMENT_STATUT",
                "historiquesDesStatuts": {"histoStatut": steps},
            }
        )

    def _download(self, asked: Asked) -> Told:
        known = [one.get("idFacture") for one in asked.body.get("listeFacture") or []]
        invoices = [self._owned(asked, one) for one in known]
        if not invoices:
            raise Refusal(*UNKNOWN)
        if sum(one.weight for one in invoices) > LARGEST:
            raise Refusal(413, "", 413)
        path = asked.folder / "fichierResultat"
        with path.open("wb") as target:
            if asked.body.get("format") == "PIVOT":
                write_pivot(invoices, self._portal.world, in_paris(self._portal.clock()).date(), target)
            else:
                supporting = asked.body.get("avecPiecesJointesComplementaires") == "OUI"
                write_readable(invoices, self._portal.world, target, supporting=supporting)
        if path.stat().st_size > LARGEST:
            raise Refusal(413, "", 413)
        self._portal.store.mark_downloaded(one.id for one in invoices)
        return Told({}, path)

    def _next(self, asked: Asked) -> Told:
        found = self.possible(str(asked.body.get("statutCourant")))
        if not found:
            raise Refusal(*NO_RESULT)
        return Told({"listeStatutsPossiblesPourTraitement": [{"statutPossiblePourTraitement": one.value} for one in found]})

    def _treat(self, asked: Asked) -> Told:
        invoice = self._owned(asked, asked.body.get("idFacture"))
        wanted, reason = str(asked.body.get("nouveauStatut")), str(asked.member("motif") or "")
        if wanted not in self.possible(invoice.status):
            raise Refusal(*UNREACHABLE)
        if len(reason) > _LONGEST_REASON or (wanted in REASONED and not reason.strip()):
            raise Refusal(*REASONLESS)
        moment = self._portal.clock()
        mandate = str(asked.member("numeroDPMandat") or "") if wanted == Status.MANDATED else ""
        self._portal.store.move(invoice.id, wanted, moment, comment=reason, mandate=mandate)
        return Told(
            {
                "idFacture": invoice.id,
                "numeroFacture": invoice.number,
                "nouveauStatut": wanted,
                "dateTraitement": as_utc(moment).strftime("%Y-%m-%dT%H:%M:%S.000Z"),
            }
        )

    def _owned(self, asked: Asked, known: Any) -> Invoice:
        invoice = self._portal.store.find(known) if isinstance(known, int) else None
        if invoice is None or invoice.body not in asked.account.bodies:
            raise Refusal(*UNKNOWN)
        return invoice


class _Conditions:
    """What an invoice must fulfil to be found."""

    def __init__(self, asked: Asked, kind: str) -> None:
        self.where: list[str] = []
        self.values: list[Any] = []
        self.add("kind = ?", kind)
        self._any("body", list(asked.account.bodies))

    def add(self, condition: str, value: Any) -> None:
        """Add a condition, unless nothing is asked."""
        if value is not None and value != "":
            self.where.append(condition)
            self.values.append(value)

    def add_common(self, body: Mapping[str, Any]) -> None:
        """Add what both searches ask."""
        self.add("body = ?", body.get("idDestinataire"))
        self.add("desk = ?", body.get("idServiceExecutant"))
        self.add("moved >= ?", _bound(body.get("periodeDateHeureEtatCourantDu"), time()))
        self.add("moved <= ?", _bound(body.get("periodeDateHeureEtatCourantAu"), _LAST))

    def add_plain(self, body: Mapping[str, Any]) -> None:
        """Add what the search of plain invoices asks."""
        statuses = body.get("statutCourant")
        self._any("status", [statuses] if isinstance(statuses, str) else statuses)
        self._any("type", body.get("listeTypeFacture"))
        self._any("substr(supplier, 1, 9)", [str(one.get("idFournisseur")) for one in body.get("listeFournisseurs") or []])
        self.add("frame = ?", str(body.get("cadreFacturation") or "").partition("_")[0])
        for column, member in (("number", "numeroFacture"), ("engagement", "numeroBonCommande"), ("market", "numeroMarche")):
            self.add(f"{column} = ?", body.get(member))
        for column, member in (("net", "montantHT"), ("gross", "montantTTC"), ("gross", "montantApayer")):
            self.add(f"{column} >= ?", _cents(body.get(f"{member}Min")))
            self.add(f"{column} <= ?", _cents(body.get(f"{member}Max")))
        self.add("deposited >= ?", _bound(body.get("periodeDateDepotDu"), time()))
        self.add("deposited <= ?", _bound(body.get("periodeDateDepotAu"), _LAST))
        self.add("issued >= ?", body.get("periodeDateFactureDu"))
        self.add("issued <= ?", body.get("periodeDateFactureAu"))
        self.add("downloaded = ?", body.get("factureTelechargeeParDestinataire"))

    def _any(self, column: str, values: list[Any] | None) -> None:
        if values:
            self.where.append(f"{column} IN ({', '.join('?' * len(values))})")
            self.values += values


def _cents(amount: Any) -> int | None:
    return None if amount is None else round(float(amount) * 100)


def _bound(text: Any, hour: time) -> str | None:
    """Return a bound of a period as moments are kept; a day alone is taken at an hour of Paris."""
    if not text:
        return None
    read = datetime.fromisoformat(str(text))
    if len(str(text)) == len("2026-09-01"):
        read = datetime.combine(read, hour)
    return stamp(read.replace(tzinfo=PARIS) if read.tzinfo is None else read)


def minute(moment: datetime) -> str:
    """Return a moment in Paris, to the minute, as histories tell it."""
    return in_paris(moment).strftime("%Y-%m-%d %H:%M")
