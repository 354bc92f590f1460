"""Hélios as the simulator plays it: the first box of the Guichet refuses a whole flow, the fifth a bordereau or a document.

The verdict comes from the same rules that a deposit is held against (schema, R and S), from what this Hélios knows of accounting
offices, and from what it has taken already. A flow whose ``NomFic`` ends with the name of a scenario gets that scenario
instead. Writing an acquit is the schema room's business, carrying it the simulator's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from lxml import etree

from connectors.helios.simulated_refusals import (
    BORDEREAU_SIGNATURE,
    GLOBAL_SIGNATURE,
    TECHNICAL,
    Place,
    anomaly_of,
    flow_refusal,
    place_of,
    schema_label,
)
from core.errors import UnreadableInput
from core.messages import Catalogue, speaking
from core.problems import Problem, Report, Severity
from schemas.pes.acquit import Acquit, Anomaly, Element, Piece
from schemas.pes.header import Header, read_header
from schemas.pes.reader import Bordereau, PesDocument, value
from schemas.pes.versions import SchemaSets
from schemas.pes.writer import acquit_bytes
from signing.pes.examination import examine
from signing.trust import TrustStore

_messages = Catalogue("connectors.helios")
_BORDEREAU_DOMAINS = {"depense": "5", "recette": "6"}
_ATTACHMENT_DOMAIN, _CONTRACT_DOMAIN, _INVOICE_DOMAIN = "4", "11", "12"
_OTHER_AUTHORITIES = ("998", "999")
_EMPTY = "R11"
_UNSIGNED = "S01"
_ELEMENT_SCOPES = {"bordereau", "piece", "pj"}


class Scenario(StrEnum):
    """What the end of a NomFic asks for, an ``.xml`` after it left aside."""

    KOXSD = "_KOXSD"
    KOSIG = "_KOSIG"
    PARTIEL = "_PARTIEL"
    DOUBLON = "_DOUBLON"
    MUET = "_MUET"
    LENT = "_LENT"
    DEUXACQUITS = "_DEUXACQUITS"
    ACQUITINVALIDE = "_ACQUITINVALIDE"
    AUTRECODCOL = "_AUTRECODCOL"

    @classmethod
    def of(cls, nom_fic: str | None) -> Scenario | None:
        """Return the scenario that a NomFic asks for, if any."""
        name = (nom_fic or "").upper().removesuffix(".XML")
        return next((scenario for scenario in cls if name.endswith(scenario.value)), None)


@dataclass(frozen=True, slots=True)
class Budget:
    """A budget whose books this Hélios keeps.

    Attributes:
        id_post: codique of the accounting office.
        cod_col: code of the collectivité in the office.
        cod_bud: code of the budget.
        siret: of the budget.
    """

    id_post: str
    cod_col: str
    cod_bud: str
    siret: str


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of a flow.

    Attributes:
        header: copied into the acquit.
        elements: of the acquit; none when the flow is not answered.
        taken: keys of the bordereaux and documents that Hélios takes into its books.
        scenario: asked for by the flow.
    """

    header: Header
    elements: tuple[Element, ...] = ()
    taken: tuple[str, ...] = ()
    scenario: Scenario | None = None

    @property
    def accepted(self) -> bool:
        """Whether everything was accepted."""
        return all(element.accepted for element in self.elements)

    def acquits(self) -> list[bytes]:
        """Return the acquits to send, in ISO-8859-1; none for a flow that is not answered."""
        if not self.elements:
            return []
        header = self.header
        if self.scenario is Scenario.AUTRECODCOL:
            header = replace(header, cod_col=next(code for code in _OTHER_AUTHORITIES if code != header.cod_col))
        acquit = acquit_bytes(Acquit(header, self.elements))
        if self.scenario is Scenario.ACQUITINVALIDE:
            return [_headless(acquit)]
        return [acquit] * (2 if self.scenario is Scenario.DEUXACQUITS else 1)


class Guichet:
    """The rules of this Hélios; it remembers nothing itself."""

    def __init__(self, schemas: SchemaSets, trust: TrustStore, budgets: Iterable[Budget] | None = None) -> None:
        """Say against what flows are held.

        Args:
            schemas: versions of the PES schemas.
            trust: authorities whose signatures are recognised.
            budgets: those that exist; None when any does.
        """
        self._schemas = schemas
        self._trust = trust
        self._budgets = None if budgets is None else frozenset(budgets)

    def decide(self, path: Path, taken: Callable[[Iterable[str]], set[str]]) -> Decision:
        """Decide on a flow; what is empty, unreadable to the last or no PES_Aller is never answered.

        Args:
            path: the flow.
            taken: tells which of some keys were taken before.
        """
        with speaking("fr"):
            document, report = examine(path, schemas=self._schemas, trust=self._trust)
            header = document.header if document else _header(path)
            scenario = Scenario.of(header.nom_fic)
            unanswered = scenario is Scenario.MUET or header.kind != "pes-aller" or header.nom_fic is None
            if unanswered or any(problem.rule == _EMPTY for problem in report.errors):
                return Decision(header, scenario=scenario)
            refusal = self._first_box(document, header, report, scenario)
            if refusal or document is None:
                return Decision(header, (refusal,) if refusal else (), scenario=scenario)
            return _fifth_box(document, report, scenario, taken)

    def _first_box(
        self, document: PesDocument | None, header: Header, report: Report, scenario: Scenario | None
    ) -> Element | None:
        if scenario is Scenario.KOXSD:
            anomaly = Anomaly("ERREUR_AUTRE", schema_label(1, _messages("acquit.scenario")))
            return Element(TECHNICAL, False, anomalies=(anomaly,))
        if scenario is Scenario.KOSIG:
            by_bordereau = document is not None and any(bordereau.signed for bordereau in document.bordereaux)
            anomaly = Anomaly("ERREUR_SIGNATURE_INVALIDE", _messages("acquit.signature"))
            return Element(BORDEREAU_SIGNATURE if by_bordereau else GLOBAL_SIGNATURE, False, anomalies=(anomaly,))
        refusing = [problem for problem in report.problems if _refuses_flow(problem)]
        return flow_refusal(refusing[0]) if refusing else self._unknown_budget(header)

    def _unknown_budget(self, header: Header) -> Element | None:
        """Refuse what is not in the books: first the office, then the budget, then its SIRET."""
        if self._budgets is None:
            return None
        office = [budget for budget in self._budgets if budget.id_post == header.id_post]
        books = [budget for budget in office if (budget.cod_col, budget.cod_bud) == (header.cod_col, header.cod_bud)]
        for known, code in ((office, "ERREUR_CODIQUE"), (books, "ERREUR_CODE_COLLECTIVITE_BUDGET")):
            if not known:
                return Element(TECHNICAL, False, anomalies=(Anomaly(code, _messages(f"acquit.{code}")),))
        if header.id_coll not in {budget.siret for budget in books}:
            return Element(TECHNICAL, False, anomalies=(Anomaly("ERREUR_SIRET", _messages("acquit.ERREUR_SIRET")),))
        return None


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A bordereau or document under examination.

    Attributes:
        element: its place in the acquit, accepted so far.
        place: its place in the flow; None for what no rule speaks of.
        key: by which it is known for ever; None for what is not remembered.
    """

    element: Element
    place: Place | None = None
    key: str | None = None


def _fifth_box(
    document: PesDocument,
    report: Report,
    scenario: Scenario | None,
    taken: Callable[[Iterable[str]], set[str]],
) -> Decision:
    candidates = _candidates(document)
    keys = [candidate.key for candidate in candidates if candidate.key]
    known = set(keys) if scenario is Scenario.DOUBLON else taken(keys)
    objections: dict[Place, list[Anomaly]] = {}
    for problem in report.problems:
        place = place_of(problem)
        if problem.scope in _ELEMENT_SCOPES and place:
            objections.setdefault(place, []).append(anomaly_of(problem))
    elements, accepted = [], []
    for candidate in candidates:
        anomalies = list(objections.get(candidate.place, [])) if candidate.place else []
        if candidate.key in known:
            anomalies.insert(0, _duplicate(candidate.element))
        elif candidate.key:
            known.add(candidate.key)
        if candidate.key and not anomalies:
            accepted.append(candidate.key)
        elements.append(replace(candidate.element, accepted=not anomalies, anomalies=tuple(anomalies)))
    if scenario is Scenario.PARTIEL:
        refused = _refused_in_part(document)
        elements[refused] = _objected(document, elements[refused])
        accepted = [key for key in accepted if key != candidates[refused].key]
    return Decision(document.header, tuple(elements), tuple(accepted), scenario)


def _candidates(document: PesDocument) -> list[_Candidate]:
    """List what an acquit answers for, each thing: documents, bordereaux, contracts, invoices."""
    header = document.header
    office = f"{header.id_post}:{header.cod_col}"
    found = [
        _Candidate(
            Element(_ATTACHMENT_DOMAIN, True, id_unique=attachment.id_unique),
            Place("pj", rank),
            f"pj:{office}:{attachment.id_unique}",
        )
        for rank, attachment in enumerate(document.attachments, start=1)
    ]
    for domain in document.domains:
        for rank, bordereau in enumerate(domain.bordereaux, start=1):
            key = f"bordereau:{office}:{header.cod_bud}:{bordereau.exer}:{bordereau.typ_bord}:{bordereau.id_bord}"
            element = Element(_BORDEREAU_DOMAINS[domain.name], True, bordereau=bordereau.id_bord, exercice=bordereau.exer)
            found.append(_Candidate(element, Place(domain.name, rank), f"{key}:{domain.name}"))
    found += [
        _Candidate(Element(_CONTRACT_DOMAIN, True, id_marche=value(contract, ".//IdMarche")))
        for contract in document.root.xpath("PES_Marche/Marches/Marche | PES_Marche/Concessions/Concession")
    ]
    found += [_Candidate(Element(_INVOICE_DOMAIN, True)) for _ in document.root.iterfind("PES_Facture")]
    return found


def _refused_in_part(document: PesDocument) -> int:
    """Choose what the partial scenario refuses: the last of several bordereaux, else a document, else the only bordereau."""
    attachments, bordereaux = len(document.attachments), len(document.bordereaux)
    return attachments - 1 if attachments and bordereaux < 2 else attachments + bordereaux - 1


def _objected(document: PesDocument, element: Element) -> Element:
    if element.domain == _ATTACHMENT_DOMAIN:
        return replace(element, accepted=False, anomalies=(_duplicate(element),))
    bordereau: Bordereau = document.bordereaux[-1]
    number = value(bordereau.element, "Piece/BlocPiece/InfoPce/IdPce") or value(bordereau.element, "Piece/BlocPiece/IdPce")
    anomaly = Anomaly("ERREUR_AUTRE", _messages("acquit.account"))
    return replace(element, accepted=False, pieces=(Piece(number, (anomaly,)),))


def _duplicate(element: Element) -> Anomaly:
    if element.domain == _ATTACHMENT_DOMAIN:
        return Anomaly("ERREUR_DOUBLON_PJ", _messages("acquit.ERREUR_DOUBLON_PJ", id_unique=element.id_unique))
    label = _messages("acquit.ERREUR_DOUBLON_BORDEREAU", bordereau=element.bordereau, exercice=element.exercice)
    return Anomaly("ERREUR_DOUBLON_BORDEREAU", label)


def _refuses_flow(problem: Problem) -> bool:
    concerns_one_element = problem.scope in _ELEMENT_SCOPES and place_of(problem) is not None
    return problem.rule == _UNSIGNED or (problem.severity is Severity.ERROR and not concerns_one_element)


def _headless(acquit: bytes) -> bytes:
    """Take EnTeteAcquit away: no longer schema-valid, still readable."""
    root = etree.fromstring(acquit)
    for head in root.findall("ACQUIT/EnTeteAcquit"):
        head.getparent().remove(head)
    return bytes(etree.tostring(root, xml_declaration=True, encoding="ISO-8859-1"))


def _header(path: Path) -> Header:
    """Read what can be read of the header of a broken flow."""
    try:
        return read_header(path)
    except UnreadableInput:
        return Header()
