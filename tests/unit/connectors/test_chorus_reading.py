"""Answers of Chorus Pro that are not regular, read all the same."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from connectors.chorus.answers import History, Kind, Received, Structure, StructureDetail, StructureService
from connectors.chorus.deposits import DepositReport, Issued
from connectors.chorus.reading import Members, moment

ONE = {"a": 1}


@pytest.mark.parametrize(
    ("value", "count"), [([ONE, ONE], 2), ([ONE], 1), (ONE, 1), ([], 0), (None, 0), ("x", 0), ([None, "x", ONE], 1)]
)
def test_an_object_alone_is_a_list_of_one(value: Any, count: int) -> None:
    assert len(list(Members({"liste": value}).every("liste"))) == count
    assert len(list(Members({"dans": {"liste": value}}).every("dans", "liste"))) == count


def test_what_is_absent_is_empty() -> None:
    nothing = Members(None)
    assert (nothing.text("a"), nothing.whole("a"), nothing.amount("a"), nothing.flag("a")) == ("", None, None, None)
    assert (nothing.moment("a"), nothing.day("a"), list(nothing.every("a", "b"))) == (None, None, [])


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("2026-09-01", datetime(2026, 8, 31, 22, tzinfo=UTC)),
        ("2026-09-01 14:05", datetime(2026, 9, 1, 12, 5, tzinfo=UTC)),
        ("2026-12-01 14:05", datetime(2026, 12, 1, 13, 5, tzinfo=UTC)),
        ("2026-09-01T14:05:10.250+02:00", datetime(2026, 9, 1, 12, 5, 10, 250000, tzinfo=UTC)),
        ("2026-09-01T12:05:10.000Z", datetime(2026, 9, 1, 12, 5, 10, tzinfo=UTC)),
        ("01/09/2026", None),
        ("2026-02-30", None),
        ("0001-01-01", None),
        ("", None),
    ],
)
def test_moments_in_every_shape(written: str, read: datetime | None) -> None:
    assert moment(written) == read


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("2026-09-01", date(2026, 9, 1)),
        ("2026-08-31T22:30:00.000Z", date(2026, 9, 1)),
        ("2026-09-01 23:59", date(2026, 9, 1)),
        ("2026-13-01", None),
        ("hier", None),
    ],
)
def test_days_are_those_of_paris(written: str, read: date | None) -> None:
    assert Members({"d": written}).day("d") == read


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (Decimal("12.30"), Decimal("12.30")),
        (12, Decimal(12)),
        ("12,30", Decimal("12.30")),
        ("NaN", None),
        (True, None),
        ("x", None),
    ],
)
def test_amounts(written: Any, read: Decimal | None) -> None:
    assert Members({"m": written}).amount("m") == read


@pytest.mark.parametrize(("written", "read"), [(True, True), ("OUI", True), ("false", False), (None, None), ("x", None)])
def test_flags(written: Any, read: bool | None) -> None:
    assert Members({"f": written}).flag("f") is read


def test_an_invoice_is_read_by_the_names_of_either_search() -> None:
    plain = Received.of(
        Kind.INVOICE,
        Members(
            {
                "idFacture": 12,
                "numeroFacture": "F1",
                "statut": "INCONNU_AU_BATAILLON",
                "dateDepot": "2026-09-01",
                "montantAPayer": Decimal("1.5"),
                "numeroBonCommande": "E1",
                "nouveau": {"x": 1},
            }
        ),
    )
    works = Received.of(
        Kind.WORKS_MOE, Members({"idFactureTravaux": "12", "numeroFactureTravaux": "F1", "statutFactureTravaux": "S"})
    )
    assert plain is not None
    assert works is not None
    assert (plain.id, plain.number, plain.status, plain.payable) == (12, "F1", "INCONNU_AU_BATAILLON", Decimal("1.5"))
    assert (plain.engagement, plain.service, plain.downloaded, plain.issued) == ("E1", None, None, None)
    assert plain.raw["nouveau"] == {"x": 1}
    assert (works.id, works.number, works.status, works.kind) == (12, "F1", "S", Kind.WORKS_MOE)


def test_what_has_no_identifier_is_not_taken_for_something() -> None:
    nameless = Members({"numeroFacture": "F1"})
    assert Received.of(Kind.INVOICE, nameless) is None
    assert Structure.of(nameless) is None
    assert StructureService.of(nameless) is None
    assert Issued.of(nameless) is None


def test_a_history_is_told_oldest_first_and_without_persons() -> None:
    steps = [
        {"histoStatutCode": "B", "histoStatutDatePassage": "2026-09-01 14:05", "histoStatutUtilisateurNom": "NOM"},
        {"histoStatutCode": "A", "histoStatutDatePassage": "2026-09-01 14:05"},
        {"histoStatutCode": "DEPOSEE", "histoStatutDatePassage": "2026-08-31"},
    ]
    history = History.of(1, Members({"historiquesDesStatuts": {"histoStatut": steps}}))
    assert [one.code for one in history.steps] == ["DEPOSEE", "A", "B"]
    assert history.status == "B"
    assert "NOM" not in repr(history)


@pytest.mark.parametrize(
    ("moments", "codes"),
    [
        (("2026-09-02", "2026-09-01"), ["A", "B"]),
        (("2026-09-01", "2026-09-02 10:00"), ["B", "A"]),
        (("2026-09-01", "2026-09-01 10:00"), ["A", "B"]),
        (("", ""), ["A", "B"]),
        (("", "2026-09-01"), ["A", "B"]),
    ],
)
def test_a_history_is_newest_first_unless_its_days_say_otherwise(moments: tuple[str, str], codes: list[str]) -> None:
    steps = [{"histoStatutCode": code, "histoStatutDatePassage": moment} for code, moment in zip("BA", moments, strict=True)]
    history = History.of(1, Members({"statutCourantCode": "C", "historiquesDesStatuts": {"histoStatut": steps}}))
    assert ([one.code for one in history.steps], history.status) == (codes, "C")


def test_a_history_of_nothing() -> None:
    assert History.of(1, Members({})).steps == ()


def test_what_a_structure_asks() -> None:
    told = {
        "informationGenerales": {"dateExpirationMotPasseCompteTech": "2027-01-31T00:00:00.000+01:00"},
        "parametres": {"codeServiceDoitEtreRenseigne": True, "statutMiseEnPaiementNestPasRemonte": True},
    }
    detail = StructureDetail.of(1, Members(told))
    assert (detail.password_expires, detail.service_required, detail.engagement_required) == (date(2027, 1, 31), True, None)
    assert detail.tells_payment is False


def test_a_report_with_one_error_alone() -> None:
    told = {"etatCourantDepotFlux": "IN_INTEGRE_PARTIEL", "listeErreurDP": {"numeroDP": "F1", "libelleErreurDP": "Doublon"}}
    report = DepositReport.of("CPP1", Members(told))
    assert [(one.number, one.label) for one in report.invoices] == [("F1", "Doublon")]
    assert report.technical == ()
