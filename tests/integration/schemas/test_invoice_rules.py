"""Invoices and life-cycle messages against the published rules: what is wrong, how grave it is, and what is only advice."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from core.errors import Unavailable
from core.problems import Report, Severity, Verdict
from schemas.invoices import rules
from schemas.invoices.cdar_rules import examine_cdar
from schemas.invoices.cii_writing import cii_of
from schemas.invoices.installation import RulesRefused, import_rules, rules_in
from schemas.invoices.invoice import Invoice
from schemas.invoices.parties import Address, Identifier
from schemas.invoices.rules import examine_invoice
from schemas.invoices.sample import BUYER, SELLER, sample
from schemas.invoices.stylesheets import IMPORTED
from schemas.schematron.process import TooLong
from tests.unit.schemas_invoices.documents import CDAR, UBL


def examined(octets: bytes, folder: Path, **options: Any) -> tuple[Invoice | None, Report]:
    path = folder / "invoice.xml"
    path.write_bytes(octets)
    return examine_invoice(path, **options)


def rules_broken(report: Report) -> set[str]:
    return {problem.rule for problem in report.problems}


def test_a_right_invoice_has_no_problem_and_its_facts_are_read(tmp_path: Path) -> None:
    invoice, report = examined(cii_of(sample()), tmp_path)
    assert (invoice, report.problems, report.verdict) == (sample(), [], Verdict.ACCEPTED)
    assert (report.kind, report.facts["number"], report.facts["payable"]) == ("invoice", "F2026-0187", "251.88")


TOTALS = sample().totals
EN16931: dict[str, tuple[dict[str, Any], set[str]]] = {
    "number": ({"number": ""}, {"XSD", "EN16931:BR-02"}),
    "type": ({"type_code": "999"}, {"EN16931:BR-CL-01"}),
    "unit": ({"lines": (replace(sample().lines[0], unit="PIECE"), *sample().lines[1:])}, {"EN16931:BR-CL-23"}),
    "name": ({"buyer": replace(BUYER, name=" ")}, {"EN16931:BR-07"}),
    "country": ({"seller": replace(SELLER, address=Address(("1 rue",), "99100", "Valmorin"))}, {"EN16931:BR-09"}),
    "lines": ({"totals": replace(TOTALS, lines=Decimal("224.00"))}, {"EN16931:BR-CO-10", "EN16931:BR-CO-13"}),
    "gross": ({"totals": replace(TOTALS, gross=Decimal("251.89"))}, {"EN16931:BR-CO-15"}),
    "vat": (
        {"vat": (replace(sample().vat[0], amount=Decimal("19.00")), sample().vat[1])},
        {"EN16931:BR-CO-14", "EN16931:BR-S-09"},
    ),
    "decimals": ({"totals": replace(TOTALS, paid=Decimal("0.001"))}, {"EN16931:BR-DEC-16"}),
}


@pytest.mark.parametrize(("changes", "expected"), EN16931.values(), ids=EN16931)
def test_what_breaks_en16931_refuses_what_we_issue_and_only_warns_of_what_we_receive(
    changes: dict[str, Any], expected: set[str], tmp_path: Path
) -> None:
    _, report = examined(cii_of(sample(**changes)), tmp_path)
    assert expected <= {problem.rule for problem in report.errors}
    assert all(problem.mend for problem in report.problems)
    _, received = examined(cii_of(sample(**changes)), tmp_path, issued=False)
    assert rules_broken(received) == rules_broken(report)
    assert all((problem.mend or "").startswith("Une facture reçue peut être traitée") for problem in received.problems)
    assert received.verdict is Verdict.ACCEPTED_WITH_WARNINGS


REFORM: dict[str, tuple[dict[str, Any], set[str]]] = {
    "number": ({"number": "F 2026"}, {"BR-FR-02"}),
    "length": ({"number": "F" * 36}, {"BR-FR-01"}),
    "notes": ({"notes": ()}, {"BR-FR-05"}),
    "frame": ({"process": "A1"}, {"BR-FR-08"}),
    "siret": ({"seller": replace(SELLER, identifiers=(Identifier("21990001600011", "0009"),))}, {"BR-FR-09"}),
    "address": ({"buyer": replace(BUYER, electronic=None)}, {"BR-FR-12"}),
    "due": ({"due": date(2026, 9, 1)}, {"BR-FR-CO-07"}),
}


@pytest.mark.parametrize(("changes", "expected"), REFORM.values(), ids=REFORM)
def test_what_breaks_the_reform_alone_is_a_warning_with_the_name_of_the_rule(
    changes: dict[str, Any], expected: set[str], tmp_path: Path
) -> None:
    _, report = examined(cii_of(sample(**changes)), tmp_path)
    assert (rules_broken(report), report.verdict) == (expected, Verdict.ACCEPTED_WITH_WARNINGS)


def test_ubl_is_held_against_its_schema_and_its_rules(tmp_path: Path) -> None:
    _, report = examined(UBL.encode(), tmp_path)
    assert {"EN16931:BR-10", "BR-FR-05", "BR-FR-12"} <= rules_broken(report)
    assert "XSD" not in rules_broken(report)
    _, broken = examined(UBL.replace("<b:ID>F2026", "<b:Nouveau/><b:ID>F2026").encode(), tmp_path)
    assert "XSD" in {problem.rule for problem in broken.errors}


def test_the_french_extension_has_rules_of_its_own(tmp_path: Path) -> None:
    extended = b"urn:cen.eu:en16931:2017#conformant#urn.cpro.gouv.fr:1p0:extended-ctc-fr"
    octets = cii_of(sample()).replace(b"urn:cen.eu:en16931:2017", extended)
    assert examined(octets, tmp_path)[1].problems == []
    wrong = octets.replace(b"251.88</ram:Grand", b"252.88</ram:Grand")
    assert {problem.rule for problem in examined(wrong, tmp_path)[1].errors} == {"BR-FREXT-CO-15", "EN16931:BR-CO-16"}


def test_an_invoice_of_another_country_is_not_held_to_a_profile_that_it_does_not_claim(tmp_path: Path) -> None:
    octets = cii_of(sample()).replace(b"urn:cen.eu:en16931:2017", b"urn:cen.eu:en16931:2017#compliant#urn:elsewhere:1.0")
    assert examined(octets, tmp_path)[1].problems == []
    sums = re.sub(rb"<ram:SpecifiedTradeSettlementHeaderM.*HeaderMonetarySummation>", b"", octets, flags=re.DOTALL)
    assert "EN16931:BR-12" in {problem.rule for problem in examined(sums, tmp_path)[1].errors}
    guideline = re.search(rb"<ram:GuidelineS.*</ram:GuidelineS\w+>", octets, flags=re.DOTALL)
    assert guideline is not None
    twice = octets.replace(guideline.group(), guideline.group() * 2)
    assert "RULES" in {problem.rule for problem in examined(twice, tmp_path)[1].errors}
    currency = octets.replace(b"InvoiceCurrencyCode>EUR", b"InvoiceCurrencyCode>EUX")
    assert "EN16931:BR-CL-04" in {problem.rule for problem in examined(currency, tmp_path)[1].errors}


def test_a_profile_that_nobody_knows_and_a_siret_with_a_wrong_key_are_told_where_they_stand(tmp_path: Path) -> None:
    mistyped = replace(BUYER, identifiers=(Identifier("21990001600012", "0009"),))
    cii = cii_of(sample(buyer=mistyped)).replace(b">urn:cen.eu:en16931:2017<", b">urn:of:nobody<")
    ubl = UBL.replace("21990001600011", "21990001600012").replace("urn:cen.eu:en16931:2017", "urn:of:nobody").encode()
    for octets in (cii, ubl):
        _, report = examined(octets, tmp_path)
        said = {problem.rule: problem for problem in report.problems}
        assert (said["PROFILE"].found, said["VALUE"].found) == ("urn:of:nobody", "21990001600012")
        assert all(said[rule].severity is Severity.WARNING for rule in ("PROFILE", "VALUE"))
        assert all(
            str(said[rule].found) in octets.decode().splitlines()[(said[rule].line or 0) - 1] for rule in ("PROFILE", "VALUE")
        )
    la_poste = replace(
        BUYER,
        identifiers=(Identifier("35600000000001", "0009"), Identifier("21990001600012", "0060")),
        legal_id=Identifier("356000000", "0002"),
    )
    assert "VALUE" not in rules_broken(examined(cii_of(sample(buyer=la_poste)), tmp_path)[1])


def test_a_day_of_the_form_102_has_eight_digits(tmp_path: Path) -> None:
    octets = cii_of(sample())
    assert b'format="102">20261005<' in octets
    _, report = examined(octets.replace(b'format="102">20261005<', b'format="102">2026-10-05<'), tmp_path)
    assert [problem.rule for problem in report.errors] == ["EN16931:CII-DT-097"]


def test_an_invoice_in_cii_that_tells_no_delivery_has_no_problem(tmp_path: Path) -> None:
    octets = cii_of(sample(delivered=None, despatch="", receipt="", deliver_to=None))
    assert b"<ram:ApplicableHeaderTradeDelivery/>" in octets
    assert examined(octets, tmp_path)[1].problems == []


def test_values_that_rules_cannot_count_with_are_an_error_whatever_the_rules_do(tmp_path: Path) -> None:
    octets = cii_of(sample()).replace(b">251.88</ram:Grand", b">beaucoup</ram:Grand")
    _, report = examined(octets, tmp_path)
    assert "XSD" in {problem.rule for problem in report.errors}
    assert report.verdict is Verdict.REJECTED


def test_rules_that_could_not_be_applied_never_accept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        def __init__(self, error: Exception) -> None:
            self._error = error

        def findings(self, _: bytes) -> None:
            raise self._error

    monkeypatch.setattr(rules, "rules_of", lambda *_: [Broken(TooLong())])
    _, report = examined(cii_of(sample()), tmp_path)
    assert [(problem.rule, problem.severity) for problem in report.problems] == [("RULES", Severity.ERROR)]
    monkeypatch.setattr(rules, "rules_of", lambda *_: [Broken(Unavailable("gone"))])
    with pytest.raises(Unavailable):
        examined(cii_of(sample()), tmp_path)


def test_zugferd_1_and_other_documents_are_told_apart(tmp_path: Path) -> None:
    old = b'<a:CrossIndustryDocument xmlns:a="urn:ferd:CrossIndustryDocument:invoice:1p0"/>'
    (problem,) = examined(old, tmp_path, issued=False)[1].problems
    assert (problem.rule, problem.severity) == ("XSD", Severity.WARNING)
    (problem,) = examined(b"<Facture/>", tmp_path)[1].problems
    assert (problem.rule, problem.found) == ("XML", "Facture")


def life_cycle(text: str, folder: Path, **options: Any) -> Report:
    path = folder / "cdar.xml"
    path.write_text(text, encoding="utf-8")
    return examine_cdar(path, **options)[1]


def test_a_life_cycle_message_is_held_against_the_rules_and_those_of_ours(tmp_path: Path) -> None:
    report = life_cycle(CDAR, tmp_path)
    assert (report.kind, report.problems) == ("cdar", [])
    assert report.facts["statuses"][0]["reasons"] == ["CMD_ERR"]
    for old, new, rule in (
        ("<ram:ReasonCode>CMD_ERR</ram:ReasonCode>", "", "BR-FR-CDV-15"),
        ("<ram:IssuerAssignedID>F2026-0187", "<ram:IssuerAssignedID>", "BR-FR-CDV-10"),
        ("ConditionCode>210<", "ConditionCode>999<", "BR-FR-CDV-CL-06"),
        ("ConditionCode>210<", "ConditionCode> <", "BR-FR-CDV-12"),
        ("CDV:invoice<", "<", "BR-FR-CDV-02"),
        ("<ram:ID>F2026-0187_210", "<ram:ID>", "BR-FR-CDV-03"),
        ('format="204">20261007093000', 'format="204">', "BR-FR-CDV-04"),
        ('<ram:GlobalID schemeID="0002">219900016', '<ram:GlobalID schemeID="0002">', "BR-FR-CDV-07"),
        ('<ram:URIID schemeID="0225">990000127', '<ram:URIID schemeID="0225">', "BR-FR-CDV-08"),
        ('format="102">20261005', 'format="102">', "BR-FR-CDV-11"),
        (
            '<ram:IssuerTradeParty><ram:GlobalID schemeID="0002">990000127</ram:GlobalID></ram:IssuerTradeParty>',
            "",
            "BR-FR-CDV-13",
        ),
        ("<ram:RoleCode>SE</ram:RoleCode>", "", "BR-FR-CDV-CL-04"),
        ("<ram:TypeCode>23<", "<ram:Typecode>23<", "XML"),
        ("<ram:Name>Refusée</ram:Name>", "<ram:Nom/>", "XSD"),
    ):
        assert old in CDAR, old
        assert rule in {problem.rule for problem in life_cycle(CDAR.replace(old, new), tmp_path).errors}, rule
    context = re.sub(r"<rsm:ExchangedDocumentContext>.*</rsm:ExchangedDocumentContext>", "", CDAR, flags=re.DOTALL)
    (problem,) = life_cycle(context, tmp_path).errors
    assert (problem.rule, problem.mend is not None) == ("BR-FR-CDV-01", True)
    received = life_cycle(CDAR.replace("<ram:ReasonCode>CMD_ERR</ram:ReasonCode>", ""), tmp_path, issued=False)
    assert received.verdict is Verdict.ACCEPTED_WITH_WARNINGS
    assert [problem.rule for problem in life_cycle("<a/>", tmp_path).errors] == ["XML"]


def test_the_rules_of_cen_are_imported_once_they_were_applied(shared: Path, tmp_path: Path) -> None:
    official = shared / "official" / "invoices"
    found = rules_in(official)
    assert found is not None
    assert import_rules(found, tmp_path) == tmp_path / IMPORTED
    octets = cii_of(sample(totals=replace(TOTALS, gross=Decimal("251.89"))))
    _, report = examined(octets, tmp_path, installed=tmp_path)
    assert [problem.rule for problem in report.problems] == ["EN16931:BR-CO-15", "EN16931:BR-CO-16"]
    currency = octets.replace(b"<ram:DuePayableAmount>", b'<ram:DuePayableAmount currencyID="EUR">')
    assert "EN16931:CII-DT-031" in rules_broken(examined(currency, tmp_path, installed=tmp_path)[1])
    assert "EN16931:CII-DT-031" not in rules_broken(examined(currency, tmp_path)[1])


def test_what_holds_no_rules_is_not_installed(tmp_path: Path) -> None:
    assert rules_in(tmp_path) is None
    source = tmp_path / IMPORTED.name
    source.write_text("<a/>")
    assert rules_in(source) == rules_in(tmp_path) == source
    with pytest.raises(RulesRefused, match="ne contient pas de règles"):
        import_rules(source, tmp_path / "schemas")
    assert list((tmp_path / "schemas" / "invoices").iterdir()) == []
