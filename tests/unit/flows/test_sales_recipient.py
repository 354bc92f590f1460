"""What a recipient asks of invoices: its code service, its engagement, and nothing that its directory does not tell."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest

from core.identifiers import Siret
from flows.invoices.issued.models import IssuedInvoice
from flows.invoices.issued.recipient import asked_of
from schemas.invoices.addressing import PUBLIC_INVOICES, Recipient, Service

SIRET = Siret("21990001600011")
PUBLIC = Service(PUBLIC_INVOICES, "Factures publiques", True, None, None)
OWN = (PUBLIC, Service("SG", "Services généraux", True, None, None), Service("CULTURE", "Culture", False, None, None))
TOWN = Recipient(SIRET, "Commune", True, False, False, False, None, OWN)


@dataclass
class Told:
    """A directory that knows one recipient."""

    known: Recipient | None
    engagement: bool = False
    asked: list[str] = field(default_factory=list)

    def recipient(self, siret: Siret) -> Recipient | None:
        self.asked.append(siret)
        return self.known

    def service(self, siret: Siret, code: str) -> Service | None:
        self.asked.append(f"{siret} {code}")
        return Service(code, "", True, self.engagement, None)


def invoice(service: str = "", engagement: str = "") -> IssuedInvoice:
    return IssuedInvoice(
        dossier_id="d", organisation_id="o", environment="sandbox", number="V-1", supplier="", recipient=SIRET,
        recipient_name="", file_name="", service_code=service, engagement=engagement,
    )  # fmt: skip


ASKING: dict[str, tuple[Recipient | None, str, str, list[str]]] = {
    "unknown_recipient": (None, "", "", []),
    "nothing_asked": (TOWN, "", "", []),
    "nothing_told": (replace(TOWN, service=None, engagement=None, either=None), "", "", []),
    "no_service": (replace(TOWN, service=True), "", "ENG-1", ["« Commune » demande un code service"]),
    "service": (replace(TOWN, service=True), "SG", "", []),
    "no_such_service": (TOWN, "VOIRIE", "", ["« Commune » n’a pas de service du code « VOIRIE »"]),
    "closed_service": (replace(TOWN, service=True), "CULTURE", "", ["Le service « CULTURE » (BT-10) de « Commune » est fermé"]),
    "no_services_at_all": (replace(TOWN, services=(PUBLIC,)), "VOIRIE", "", []),
    "no_engagement": (replace(TOWN, engagement=True), "", "", ["« Commune » demande un numéro d’engagement"]),
    "neither": (replace(TOWN, either=True), "", "", ["« Commune » demande un code service (BT-10) ou"]),
    "one_of_two": (replace(TOWN, either=True), "", "ENG-1", []),
    "both_lack": (replace(TOWN, service=True, engagement=True), "", "", ["demande un code service", "numéro d’engagement"]),
}


@pytest.mark.parametrize(("recipient", "service", "engagement", "words"), ASKING.values(), ids=ASKING)
def test_what_a_recipient_asks_for_is_looked_for(
    recipient: Recipient | None, service: str, engagement: str, words: list[str]
) -> None:
    found = list(asked_of(Told(recipient), invoice(service, engagement)))
    assert len(found) == len(words)
    assert all(said in one.message.replace("\u00a0", " ") for said, one in zip(words, found, strict=True))
    assert all(one.mend for one in found)


def test_a_service_may_ask_for_an_engagement_of_its_own() -> None:
    directory = Told(TOWN, engagement=True)
    (found,) = asked_of(directory, invoice("SG"))
    assert found.rule == "V08"
    assert list(asked_of(directory, invoice("SG", "ENG-1"))) == []
    assert directory.asked == [SIRET, f"{SIRET} SG", SIRET]
