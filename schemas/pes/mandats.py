"""The numbered rules on mandats, titres and their lines: B07, B12 to B15, B17 to B20, asked by `schemas.pes.bordereaux`."""

from __future__ import annotations

import re
from collections.abc import Iterator

from core.problems import Problem
from schemas.pes.findings import at
from schemas.pes.pieces import DEPENSE, EMPLOYER, RECETTE, Line, Piece, year_of
from schemas.pes.reader import flag, value, whole

_TRANSFERS, _WITHOUT_ACCOUNT = ("03", "05"), ("01", "02", "04", "07", "08", "09", "11")
_ROLL = "06"  # TypBord of an ORMC, orders of recette of several creditors; its titres are of the kind below
_OF_A_ROLL = "15"
_CORRECTION, _OF_A_CLOSED_YEAR = ("02", "02", "06"), ("01", "02", "09")
_AFTER_PAYMENT = "05"  # TypPce of what is issued after the payment or the collection
_SURCHARGE = ("01", "09", "01")

# Which kinds of pièces say what they go back to, and what that may be (NatPceOrig); the codes mean other things by domain.
_MUST_GO_BACK = {
    DEPENSE: {_CORRECTION, _OF_A_CLOSED_YEAR, ("01", "13", "01"), ("02", "02", "10")},
    RECETTE: {_CORRECTION, _OF_A_CLOSED_YEAR, ("01", "14", "01"), ("02", "02", "10")},
}
_OF_PIECE, _OF_PAYMENT, _OF_LIST, _OF_ORDER = ("01", "02"), ("03",), ("04",), ("05",)
_ORIGINS = {DEPENSE: (*_OF_PIECE, *_OF_PAYMENT, *_OF_LIST, *_OF_ORDER), RECETTE: (*_OF_PIECE, *_OF_PAYMENT, *_OF_ORDER)}
_MAY_GO_BACK = {
    ("01", "07", "01"): _OF_LIST,
    ("01", "01", "01"): _OF_ORDER,
    ("01", "09", "01"): _OF_ORDER,
}
_LINE_STANDS = {DEPENSE: ("01", "02", "05"), RECETTE: ("01", "02")}
_LINE_STANDS_NOT = {DEPENSE: ("03", "04"), RECETTE: ("03",)}

# Notices of sums to pay (ASAP), by Edition.
_ON_ROLLS, _UNTREATED, _CHORUS, _OF_PATIENTS = ("03", "06"), "04", ("02", "03"), "05"
_OF_ONE_DEBTOR = ("01", "02", "05", "06")
_ANNOUNCED = {"02": "006", "03": "007", "06": "010"}

_CONVENTION = {DEPENSE: {("01", "06", "01")}, RECETTE: {("01", "10", "01"), ("01", "10", "02")}}
_OF_REGIES = "05"
_OF_A_ROLE = ("01", "06", "01")
_FORMER_CREDITOR = re.compile(r"[0-9]{6}|[A-Z]{2}[0-9]{2}[0-9A-Z]{9}")
"""A former national number (NNE), or creditor identifier (ICS), in AncienICS."""


def _b07_account(line: Line) -> Iterator[Problem]:
    """An account for a transfer, none where nothing is transferred."""
    mode = line.values.get("ModRegl")
    if mode is None:
        return
    if mode in _TRANSFERS and not line.with_account:
        yield at(line.element, "B07", "missing", found=mode)
    elif mode in _WITHOUT_ACCOUNT and line.with_account:
        yield at(line.element, "B07", found=mode)


def _b12_piece(piece: Piece) -> Iterator[Problem]:
    """Numbers from 1, each once in the bordereau."""
    number = piece.values.get("IdPce")
    if piece.again or _is_below_one(number):
        yield _within(piece, "BlocPiece//IdPce", "B12", "piece", number)


def _b12_line(line: Line) -> Iterator[Problem]:
    """Numbers from 1, each once in the pièce."""
    number = line.values.get("IdLigne")
    if line.again or _is_below_one(number):
        yield _within(line, "BlocLignePiece/*/IdLigne", "B12", "line", number)


def _is_below_one(text: str | None) -> bool:
    number = whole(text)
    return number is not None and number < 1


def _b13_surcharge(line: Line) -> Iterator[Problem]:
    """A surcharge names the titre that it adds to, its day and its rate; on a roll it is only said to be possible, and when."""
    surcharged = flag(line.values.get("Majo"))
    if surcharged is None:
        return
    day_and_rate = [name for name in ("DteMajo", "TxMajo") if name in line.values]
    goes_back = line.values.get("NatPceOrig") == "05" or line.piece.bordereau.typ_bord == _ROLL
    if surcharged and not (goes_back and len(day_and_rate) == 2):
        yield _within(line, "BlocLignePiece/InfoLignePiece", "B13", "missing")
    elif day_and_rate and not surcharged:
        yield _within(line, "BlocLignePiece/InfoLignePiece", "B13")


def _b14_origin(line: Line) -> Iterator[Problem]:
    """What a pièce goes back to: a kind of pièce that fits its own, of the right year, by its line where it has lines."""
    domain, kind, origin = line.piece.domain, line.piece.kind, line.values.get("NatPceOrig")
    if origin is None:
        if kind in _MUST_GO_BACK[domain]:
            yield _within(line, "BlocLignePiece", "B14", "missing", " ".join(kind))
        return
    if not _may_go_back(domain, kind, origin):
        fitting = ", ".join(code for code in _ORIGINS[domain] if _may_go_back(domain, kind, code))
        yield _within(line, "BlocLignePiece/RattachPiece/NatPceOrig", "B14", "", origin, fitting)
    told = value(line.element, "BlocLignePiece/RattachPiece/ExerRat")
    year, of_the_books = year_of(told), year_of(line.piece.bordereau.exer)
    if year is not None and of_the_books is not None:
        wrong = (kind == _CORRECTION and year != of_the_books) or (kind == _OF_A_CLOSED_YEAR and year >= of_the_books)
        if wrong:
            expected = f"{'' if kind == _CORRECTION else '< '}{of_the_books}"
            yield _within(line, "BlocLignePiece/RattachPiece/ExerRat", "B14", "year", told, expected)
    told = value(line.element, "BlocLignePiece/RattachPiece/IdLigneOrig")
    number = whole(told) or 0
    if (origin in _LINE_STANDS[domain] and number < 1) or (origin in _LINE_STANDS_NOT[domain] and number > 0):
        yield _within(line, "BlocLignePiece/RattachPiece", "B14", "line", told, "0" if number > 0 else "≥ 1")


def _may_go_back(domain: str, kind: tuple[str, str, str], origin: str) -> bool:
    if kind in _MUST_GO_BACK[domain]:
        return origin in _OF_PIECE
    if domain == RECETTE:
        return (origin not in _OF_PAYMENT or kind[1] == _AFTER_PAYMENT) and (origin not in _OF_ORDER or kind == _SURCHARGE)
    wanted = _OF_PAYMENT if kind[1] == _AFTER_PAYMENT else _MAY_GO_BACK.get(kind)
    return origin not in _OF_ORDER if wanted is None else origin in wanted


def _b15_notice(piece: Piece) -> Iterator[Problem]:
    """How the notice of a titre is printed or sent, and what that asks for."""
    edition = piece.values.get("Edition")
    if not edition:
        return
    if (edition in _ON_ROLLS) is not (piece.values.get("TypPce") == _OF_A_ROLL):
        yield _within(piece, "BlocPiece/Edition", "B15", found=edition)
    elif edition != _UNTREATED:
        yield from _announced(piece, edition)
        yield from _debtors(piece, edition)
        if edition in _CHORUS and value(piece.element, "BlocPiece/NumeroFacture") is None:
            yield _within(piece, "BlocPiece", "B15", "invoice", edition)


def _announced(piece: Piece, edition: str) -> Iterator[Problem]:
    """A document is announced, of the kind that the notice is made of; one of another flow, whose kind is not told, may be."""
    held, wanted = piece.flow.document.kinds_of_attachments, _ANNOUNCED.get(edition)
    kinds = {value(one, "TypePJ") or held.get(value(one, "IdUnique")) for one in piece.element.iter("PJRef")}
    if not kinds:
        yield _within(piece, "BlocPiece", "B15", "document", edition)
    elif wanted is not None and not kinds & {wanted, None}:
        yield _within(piece, "BlocPiece", "B15", "kind", ", ".join(sorted(map(str, kinds))), wanted)


def _debtors(piece: Piece, edition: str) -> Iterator[Problem]:
    """One debtor; a person of a patient, an establishment that can be told in Chorus Pro."""
    debtors = piece.debtors
    if edition in _OF_ONE_DEBTOR and debtors.first is None:
        yield _within(piece, "BlocPiece/Edition", "B15", "nobody", edition)
    elif edition in _OF_ONE_DEBTOR and debtors.several:
        yield _within(piece, "BlocPiece/Edition", "B15", "debtors", edition)
    if edition == _OF_PATIENTS and not debtors.persons_only:
        yield _within(piece, "BlocPiece/Edition", "B15", "patient", edition)
    if edition in _CHORUS and debtors.first is not None and not debtors.by_siret:
        yield _within(piece, "BlocPiece/Edition", "B15", "siret", edition)


def _b17_days(piece: Piece) -> Iterator[Problem]:
    """A notice is not older than its bordereau."""
    issued, day = piece.bordereau.dte_bord_em, piece.values.get("DteAsp")
    if issued and day and day[:10] < issued[:10]:
        yield _within(piece, "BlocPiece/DteAsp", "B17", "", day, f"≥ {issued}")


def _b18_period(piece: Piece) -> Iterator[Problem]:
    """A period of invoicing, of a hospital only."""
    if not piece.flow.of_a_hospital and ("DebFact" in piece.values or "FinFact" in piece.values):
        yield _within(piece, "BlocPiece", "B18", "hospital", "DebFact, FinFact")


def _b18_function(line: Line) -> Iterator[Problem]:
    """A function or an operation, never of a hospital; an employer as debtor, of a hospital only."""
    if not line.piece.flow.of_a_hospital:
        if line.with_employer:
            yield at(line.element, "B18", "hospital", found=f"TypTiers {EMPLOYER}")
        return
    for name in ("Fonction", "Operation"):
        if (found := line.element.find(f"BlocLignePiece/*/{name}")) is not None:
            yield at(found, "B18", found=name)


def _b19_debit(line: Line) -> Iterator[Problem]:
    """What a direct debit says of a former creditor or a former bank."""
    creditor = line.values.get("AncienICS")
    if creditor is not None and not _FORMER_CREDITOR.fullmatch(creditor):
        yield _within(line, "BlocLignePiece/InfoPrelevementSEPA/AncienICS", "B19", found=creditor)
    former_bank = line.values.get("AncienneBanque")
    if flag(former_bank) and (iban := line.element.find("BlocLignePiece/InfoPrelevementSEPA/AncienIBAN")) is not None:
        yield at(iban, "B19", "bank", found=former_bank)


def _b20_links(line: Line) -> Iterator[Problem]:
    """The convention or the régie that some kinds of pièces go with."""
    domain, kind = line.piece.domain, line.piece.kind
    if kind in _CONVENTION[domain] and value(line.element, "BlocLignePiece/LiensIdent/IdConv") is None:
        yield _within(line, "BlocLignePiece", "B20", "convention", " ".join(kind))
    if domain == DEPENSE and kind[2] == _OF_REGIES and value(line.element, "BlocLignePiece/LiensIdent/IdRegie") is None:
        yield _within(line, "BlocLignePiece", "B20", "regie", " ".join(kind))


def _b20_roll(piece: Piece) -> Iterator[Problem]:
    """The number of a roll, on the titre that sums it up only."""
    if "IdRol" in piece.values and piece.kind != _OF_A_ROLE:
        yield _within(piece, "BlocPiece/IdRol", "B20", "roll", piece.values["IdRol"], " ".join(_OF_A_ROLE))


OF_PIECES = (_b12_piece, _b15_notice, _b17_days, _b18_period, _b20_roll)
OF_LINES = (_b07_account, _b12_line, _b13_surcharge, _b14_origin, _b18_function, _b19_debit, _b20_links)


def _within(
    about: Piece | Line, path: str, rule: str, variant: str = "", found: str | None = None, expected: str | None = None
) -> Problem:
    element = about.element.find(path)
    return at(about.element if element is None else element, rule, variant, found=found, expected=expected)
