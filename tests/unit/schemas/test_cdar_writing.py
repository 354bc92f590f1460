"""Life-cycle messages that we write: read back as they were, and held against the schema and the published rules."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from core.clock import PARIS
from core.messages import speaking
from schemas.invoices import cdar, life_cycle
from schemas.invoices.addressing import ADDRESSES
from schemas.invoices.cdar import Actor, Amount, LifeCycle, Reason, Status
from schemas.invoices.cdar_rules import examine_cdar
from schemas.invoices.cdar_writing import cdar_of, told_by_chorus
from schemas.invoices.life_cycle import STATUSES, TRANSMISSION
from schemas.invoices.parties import SIREN, Identifier
from schemas.invoices.sample import BUYER, SELLER
from schemas.invoices.source import read

AT = datetime(2026, 10, 7, 7, 30, tzinfo=UTC)
TABELLION = Path(sys.executable).with_name("tabellion")


def status(code: str, *reasons: Reason, **changes: Any) -> Status:
    plain = Status("F2026-0187", "380", date(2026, 10, 5), code, "", "", None, None, reasons)
    return replace(plain, **changes)


def because(code: str, text: str = "", *amounts: Amount) -> Reason:
    return Reason(code, text, "", "", amounts)


def message(code: str, *reasons: Reason, **changes: Any) -> LifeCycle:
    return told_by_chorus(status(code, *reasons, **changes), AT, buyer=BUYER, seller=SELLER)


def written(told: LifeCycle, folder: Path) -> Path:
    path = folder / "cdar.xml"
    path.write_bytes(cdar_of(told))
    return path


def broken(told: LifeCycle, folder: Path) -> list[str]:
    """The rules that a message breaks, advice included."""
    return [problem.rule for problem in examine_cdar(written(told, folder))[1].problems]


def read_back(told: LifeCycle, folder: Path) -> LifeCycle:
    (folder / "pieces").mkdir(exist_ok=True)
    found, flaws = cdar.read(read(written(told, folder), folder / "pieces"))
    assert flaws == []
    return found


def checked(*paths: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([TABELLION, "check", *paths], capture_output=True, text=True, check=False, timeout=120)


def test_every_status_is_written_as_the_rules_want_it(tmp_path: Path) -> None:
    for code, known in STATUSES.items():
        reasons = [because(known.reasons[0], "Le bon de commande manque.")] if known.reasoned else []
        if code == "212":
            reasons = [because("", "", Amount("MEN", Decimal("251.88"), "EUR", date(2026, 11, 4), Decimal("20.00")))]
        told = message(code, *reasons)
        assert (code, broken(told, tmp_path)) == (code, [])
        assert read_back(told, tmp_path) == replace(told, issued=AT.astimezone(PARIS)), code


def test_every_reason_that_a_public_body_gives_passes_the_rules(tmp_path: Path) -> None:
    told = message("210")
    (one,) = told.statuses
    reasons = tuple(because(code, life_cycle.reason_word(code)) for code in life_cycle.PUBLIC_REFUSAL)
    passing = tuple(replace(reason, code=life_cycle.public_reason("210", reason.code)) for reason in reasons)
    assert broken(replace(told, statuses=(replace(one, reasons=passing),)), tmp_path) == []
    assert set(broken(replace(told, statuses=(replace(one, reasons=reasons),)), tmp_path)) == {"BR-FR-CDV-CL-09"}
    elsewhere = replace(told, sender=Actor("WK", Identifier("0123", "0238"), "", None), statuses=(replace(one, reasons=passing),))
    assert "BR-FR-CDV-CL-09" in broken(elsewhere, tmp_path)


def test_who_tells_whom_follows_from_the_status(tmp_path: Path) -> None:
    refused = read_back(message("210", because("CMD_ERR")), tmp_path)
    assert refused.sender == Actor("WK", Identifier("9999", "0238"), "", None)
    assert refused.issuer == Actor("BY", Identifier("219900016", SIREN), BUYER.name, None)
    assert refused.recipients == (Actor("SE", Identifier("990000127", SIREN), SELLER.name, SELLER.electronic),)
    assert (refused.statuses[0].seller, refused.statuses[0].label) == (Identifier("990000127", SIREN), "Refusée")
    assert (refused.id, refused.guideline) == ("F2026-0187_210_20261007093000", "urn.cpro.gouv.fr:1p0:CDV:invoice")
    completed = message("209")
    assert (completed.issuer and completed.issuer.role, completed.recipients[0].role) == ("SE", "BY")
    available = message("203")
    assert (available.phase, available.issuer) == (TRANSMISSION, Actor("WK", None, "", None))


def test_a_party_without_an_address_is_told_at_its_siren(tmp_path: Path) -> None:
    told = told_by_chorus(status("204"), AT, buyer=BUYER, seller=replace(SELLER, electronic=None))
    assert told.recipients[0].electronic == Identifier("990000127", ADDRESSES)
    assert broken(told, tmp_path) == []


def test_messages_are_french_and_the_same_again_whoever_asks() -> None:
    with speaking("en"):
        assert cdar_of(message("210", because("CMD_ERR"))) == cdar_of(message("210", because("CMD_ERR")))
        assert message("210").name == "Refusée"
    assert cdar_of(message("210")) != cdar_of(message("208"))


def test_what_people_typed_is_written_without_what_xml_does_not_hold(tmp_path: Path) -> None:
    told = read_back(message("210", because("AUTRE", "Bon\x00 de\x0b commande <absent> & \ud83d\ude00 \U0001f600")), tmp_path)
    assert told.statuses[0].reasons[0].text == "Bon de commande <absent> &  \U0001f600"


def test_several_invoices_stand_in_one_message(tmp_path: Path) -> None:
    told = message("204")
    both = replace(told, statuses=(*told.statuses, replace(told.statuses[0], number="F2026-0188")))
    assert b"<udt:Indicator>true<" in cdar_of(both)
    assert broken(both, tmp_path) == []
    assert [one.number for one in read_back(both, tmp_path).statuses] == ["F2026-0187", "F2026-0188"]


def test_all_that_a_message_can_say_is_read_back(tmp_path: Path) -> None:
    amount = Amount("RAP", Decimal("-12.50"), "EUR", date(2026, 11, 4), Decimal("5.50"))
    reasons = (
        Reason("CMD_ERR", "Engagement inconnu", "NIN", "Émettre une nouvelle facture", (amount, replace(amount, kind="MPA"))),
        Reason("TX_TVA_ERR", "", "", "", ()),
    )
    told = message("210", *reasons, received=AT.astimezone(PARIS), type_code="381")
    assert read_back(told, tmp_path) == replace(told, issued=AT.astimezone(PARIS))


def test_the_command_checks_a_message_by_the_published_rules(tmp_path: Path) -> None:
    reasoned = message("210", because("CMD_ERR"))
    good, numberless, unreasoned = tmp_path / "good.xml", tmp_path / "numberless.xml", tmp_path / "unreasoned.xml"
    good.write_bytes(cdar_of(reasoned))
    numberless.write_bytes(cdar_of(replace(reasoned, statuses=(replace(reasoned.statuses[0], number=""),))))
    unreasoned.write_bytes(cdar_of(message("210")))
    accepted, refused = checked(good), checked(numberless, unreasoned)
    assert (accepted.returncode, refused.returncode) == (0, 1), accepted.stdout + refused.stderr
    assert "BR-FR-CDV-10" in refused.stdout
    assert "BR-FR-CDV-15" in refused.stdout
