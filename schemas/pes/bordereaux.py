"""The numbered rules on bordereaux, pièces and lines that a flow alone can break (domain rules B01 to B20, those that are here).

Hélios refuses a bordereau for them, not the flow: each is a warning, of the scope of a bordereau; those that are a remark
only (B03, B17) are of that of the flow. Of each rule the first findings are told. Not here: what needs earlier flows (B02),
the annexes of the DGFiP (B06, B15) or the nomenclature (B18); B14, B16, B19 and B20.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from functools import lru_cache, partial
from itertools import islice

from lxml import etree

from core.messages import Catalogue
from core.problems import Problem, Severity, problem_in_words
from schemas.pes import identities
from schemas.pes.reader import Bordereau, Domain, PesDocument, amount, value, whole

_TOLD = 50
_DEPENSE, _RECETTE = "depense", "recette"
_ROLL = "06"  # ORMC: orders of recette of several creditors
_LINE = "Piece/LigneDePiece"
_BLOCK = f"{_LINE}/BlocLignePiece/*"
_ACCOUNT, _PERSON = f"{_LINE}/Tiers/CpteBancaire", f"{_LINE}/Tiers/InfoTiers"
_TRUE = "(@V = '1' or @V = 'true')"
_messages = Catalogue("schemas.pes")
_problem = partial(problem_in_words, _messages, severity=Severity.WARNING)
_REMARKS = frozenset({"B03", "B17"})
Rule = Callable[[Domain, Bordereau], Iterator[Problem]]


def check_bordereaux(document: PesDocument) -> list[Problem]:
    """Return what Hélios will refuse bordereaux for, or remark on."""
    return [problem for rule in _RULES for problem in islice(_over(document, rule), _TOLD)]


def _over(document: PesDocument, rule: Rule) -> Iterator[Problem]:
    for domain in document.domains:
        for bordereau in domain.bordereaux:
            yield from rule(domain, bordereau)


def _b01_count(_: Domain, bordereau: Bordereau) -> Iterator[Problem]:
    """NbrPce is the number of pièces, one at least."""
    if bordereau.nbr_pce is not None and (bordereau.nbr_pce != bordereau.pieces or bordereau.pieces < 1):
        yield _at(bordereau, "NbrPce", "B01", found=str(bordereau.nbr_pce), expected=str(bordereau.pieces))


def _b03_sums(domain: Domain, bordereau: Bordereau) -> Iterator[Problem]:
    """The totals are those of the lines."""
    name = "MtBordHT" if domain.name == _DEPENSE else "MtBordHt"
    for place, declared, counted in (
        (name, bordereau.mt_bord_ht, _sum(bordereau, "MtHT")),
        ("MtBordTVA", bordereau.mt_bord_tva or Decimal(0), _sum(bordereau, "MtTVA")),
    ):
        if declared is not None and declared != counted:
            yield _at(bordereau, place, "B03", found=str(declared), expected=str(counted))


def _b04_tax(_: Domain, bordereau: Bordereau) -> Iterator[Problem]:
    """Tax on a line if and only if there is some on the bordereau."""
    if (_sum(bordereau, "MtTVA") > 0) is not ((bordereau.mt_bord_tva or 0) > 0):
        yield _at(bordereau, "MtBordTVA", "B04", found=str(bordereau.mt_bord_tva or 0))


def _b05_cumul(domain: Domain, bordereau: Bordereau) -> Iterator[Problem]:
    """The running total of the year, where the flow is dematerialised."""
    wanted = domain.dematerialised and not (domain.name == _RECETTE and bordereau.typ_bord == _ROLL)
    if wanted and not (bordereau.mt_cumul_annuel or 0) > 0:
        yield _at(bordereau, "MtCumulAnnuel", "B05", found=str(bordereau.mt_cumul_annuel or ""))


def _b07_account(domain: Domain, bordereau: Bordereau) -> Iterator[Problem]:
    """An account for a transfer, none where nothing is transferred."""
    if domain.name != _DEPENSE:
        return
    for line in _xpath(
        f"{_LINE}[BlocLignePiece/InfoLignePce/ModRegl[@V = '03' or @V = '05']][not(Tiers/CpteBancaire)]", bordereau
    ):
        yield _on(line, "B07", "missing", found=_mode(line))
    modes = " or ".join(f"@V = '{mode}'" for mode in ("01", "02", "04", "07", "08", "09", "11"))
    for line in _xpath(f"{_LINE}[BlocLignePiece/InfoLignePce/ModRegl[{modes}]][Tiers/CpteBancaire]", bordereau):
        yield _on(line, "B07", found=_mode(line))


def _b08_iban(_: Domain, bordereau: Bordereau) -> Iterator[Problem]:
    """The keys of accounts; the BIC of one abroad."""
    ibans, bics = _distinct(f"{_ACCOUNT}/IBAN", bordereau), _distinct(f"{_ACCOUNT}/BIC", bordereau)
    wrong = {iban for iban in ibans if identities.is_abroad(iban) or not identities.iban_holds(iban)}
    if not wrong and all(map(identities.is_bic, bics)) and not _distinct(f"{_ACCOUNT}/CleRib", bordereau):
        return
    for account in _xpath(_ACCOUNT, bordereau):
        told = _values(account)
        iban, bic = told.get("IBAN"), told.get("BIC")
        rib = tuple(told.get(name, "") for name in ("CodeEtab", "CodeGuic", "IdCpte", "CleRib"))
        if iban in wrong and not identities.iban_holds(iban or ""):
            yield _on(account, "B08", found=iban)
        elif iban in wrong and bic is None:
            yield _on(account, "B08", "abroad", found=iban)
        elif iban is None and all(rib) and not identities.rib_holds(*rib):
            yield _on(account, "B08", "rib", found=" ".join(rib))
        if bic is not None and not identities.is_bic(bic):
            yield _on(account, "B08", "bic", found=bic)


def _b09_identifier(_: Domain, bordereau: Bordereau) -> Iterator[Problem]:
    """The identifier of a third party goes with its nature."""
    for info in _xpath(f"{_PERSON}[(IdTiers and not(NatIdTiers)) or (NatIdTiers and not(IdTiers))]", bordereau):
        yield _on(info, "B09", "alone", found=next(iter(_values(info).values()), None))
    for nature in sorted(_distinct(f"{_PERSON}/NatIdTiers", bordereau)):
        bearers = f"{_PERSON}[NatIdTiers/@V = '{nature}']"
        found = _distinct(f"{bearers}/IdTiers", bordereau) if nature.isalnum() else set()
        wrong = {one for one in found if not identities.identifier_holds(one, nature, None)}
        for info in _xpath(bearers, bordereau) if wrong or identities.is_of_persons(nature) else ():
            told = _values(info)
            if "IdTiers" in told and not identities.identifier_holds(told["IdTiers"], nature, told.get("CatTiers")):
                yield _on(info, "B09", found=told["IdTiers"])


def _b10_person(domain: Domain, bordereau: Bordereau) -> Iterator[Problem]:
    """A natural person has a title and a first name, and nobody else has."""
    if domain.name != _DEPENSE:
        return
    for info in _xpath(f"{_PERSON}[CatTiers/@V = '{identities.PERSON}'][not(Civilite and Prenom)]", bordereau):
        yield _on(info, "B10", "missing", found=value(info, "Nom"))
    for info in _xpath(f"{_PERSON}[CatTiers/@V != '{identities.PERSON}'][Civilite or Prenom]", bordereau):
        yield _on(info, "B10", found=value(info, "Nom"))


def _b11_abroad(_: Domain, bordereau: Bordereau) -> Iterator[Problem]:
    """The country of one who lives abroad."""
    for address in _xpath(f"{_LINE}/Tiers/Adresse[CodRes/@V = '1'][not(CodPays)]", bordereau):
        yield _on(address, "B11", "missing")
    for address in _xpath(f"{_LINE}/Tiers/Adresse[CodRes/@V = '0'][CodPays[@V != '100']]", bordereau):
        yield _on(address, "B11", found=value(address, "CodPays"))


def _b12_numbers(_: Domain, bordereau: Bordereau) -> Iterator[Problem]:
    """Numbers from 1, each once: of pièces in the bordereau, of lines in the pièce."""
    yield from _once(_xpath("Piece/BlocPiece/IdPce | Piece/BlocPiece/InfoPce/IdPce", bordereau), "piece")
    for piece in _xpath("Piece[LigneDePiece[2]]", bordereau):
        yield from _once(piece.iterfind("LigneDePiece/BlocLignePiece/*/IdLigne"), "line")
    for number in _xpath("Piece[not(LigneDePiece[2])]/LigneDePiece/BlocLignePiece/*/IdLigne[@V < 1]", bordereau):
        yield _on(number, "B12", "line", found=number.get("V"))


def _b13_surcharge(domain: Domain, bordereau: Bordereau) -> Iterator[Problem]:
    """A surcharge names the titre that it adds to, its day and its rate."""
    if domain.name != _RECETTE:
        return
    complete = "../RattachPiece/NatPceOrig[@V = '05'] and DteMajo and TxMajo"
    for info in _xpath(f"{_LINE}/BlocLignePiece/InfoLignePiece[Majo[{_TRUE}]][not({complete})]", bordereau):
        yield _on(info, "B13", "missing")
    for info in _xpath(f"{_LINE}/BlocLignePiece/InfoLignePiece[Majo[not{_TRUE}]][DteMajo or TxMajo]", bordereau):
        yield _on(info, "B13")


def _b17_days(_: Domain, bordereau: Bordereau) -> Iterator[Problem]:
    """A notice is not older than its bordereau."""
    issued = bordereau.dte_bord_em
    for day in _xpath("Piece/BlocPiece/DteAsp", bordereau) if issued else ():
        if (told := day.get("V") or "") and told[:10] < (issued or "")[:10]:
            yield _on(day, "B17", found=told, expected=f"≥ {issued}")


_RULES: tuple[Rule, ...] = (
    *(_b01_count, _b03_sums, _b04_tax, _b05_cumul, _b07_account, _b08_iban, _b09_identifier, _b10_person, _b11_abroad),
    *(_b12_numbers, _b13_surcharge, _b17_days),
)


@lru_cache(maxsize=64)
def _compiled(path: str) -> etree.XPath:
    return etree.XPath(path, smart_strings=False)


def _xpath(path: str, bordereau: Bordereau) -> Iterable[etree._Element]:
    found: list[etree._Element] = _compiled(path)(bordereau.element)
    return found


def _sum(bordereau: Bordereau, name: str) -> Decimal:
    """Return the sum of an amount over the lines; what is no amount is the schema's to tell."""
    texts: list[str] = _compiled(f"{_BLOCK}/{name}/@V")(bordereau.element)
    return sum((amount(text.strip()) or Decimal(0) for text in texts), Decimal(0))


def _distinct(path: str, bordereau: Bordereau) -> set[str]:
    """Return the values of some elements, each once."""
    texts: list[str] = _compiled(f"{path}/@V")(bordereau.element)
    return {text.strip() for text in texts} - {""}


def _values(element: etree._Element) -> dict[str, str]:
    """Return the values of the children of an element by their names; those that are blank are absent."""
    told = ((str(one.tag), (one.get("V") or "").strip()) for one in element.iterchildren(etree.Element))
    return {name: text for name, text in told if text}


def _once(numbers: Iterable[etree._Element], variant: str) -> Iterator[Problem]:
    seen: set[int] = set()
    for element in numbers:
        number = whole((element.get("V") or "").strip())
        if number is None:  # which the schema tells
            continue
        if number < 1 or number in seen:
            yield _on(element, "B12", variant, found=element.get("V"))
        seen.add(number)


def _mode(line: etree._Element) -> str | None:
    return value(line, "BlocLignePiece/InfoLignePce/ModRegl")


def _at(bordereau: Bordereau, name: str, rule: str, *, found: str, expected: str | None = None) -> Problem:
    element = bordereau.element.find(f"BlocBordereau/{name}")
    return _on(bordereau.element if element is None else element, rule, found=found, expected=expected)


def _on(element: etree._Element, rule: str, variant: str = "", found: str | None = None, expected: str | None = None) -> Problem:
    path = str(element.getroottree().getpath(element))
    scope = "flow" if rule in _REMARKS else "bordereau"
    return _problem(rule, variant, line=element.sourceline, path=path, found=found, expected=expected, scope=scope)
