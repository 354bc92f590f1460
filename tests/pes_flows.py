"""Flows of titres and mandats, each just inside or just outside a rule on bordereaux, with the rules that it breaks; a return."""

from __future__ import annotations

from pathlib import Path

from schemas.pes.roots import ROOTS
from schemas.pes.sample import Sample, fictitious_iban, fictitious_siret, write_sample

SIRET = fictitious_siret(1)
RETURN = "PES2R_DEP_R_123_00_099012_20260301_20260302_20260302031500"
NIR = "255081416802538"
PERSON = '<CatTiers V="01"/><NatJur V="01"/><TypTiers V="01"/><Civilite V="MME"/><Nom V="ESSAI"/><Prenom V="CAMILLE"/>'
TOWN = (
    f'<IdTiers V="{SIRET}"/><NatIdTiers V="01"/><CatTiers V="23"/><NatJur V="09"/><TypTiers V="01"/><Nom V="VILLE DE FICTION"/>'
)
ADDRESS = '<Adresse><TypAdr V="1"/><Adr2 V="1 RUE DE LA FICTION"/><CP V="99001"/><Ville V="FICTION"/><CodRes V="0"/></Adresse>'
REFERENCE = '<PJRef><Support V="01"/><IdUnique V="FACTURE1"/>{kind}</PJRef>'


def debtor(who: str, account: str = "") -> str:
    return f"<Tiers><InfoTiers>{who}</InfoTiers>{ADDRESS}{account}</Tiers>"


def recette(
    *,
    kind: str = "01 01 01",
    piece: str = "",
    reference: str = "",
    line: str = "",
    majo: str = '<Majo V="0"/>',
    who: tuple[str, ...] = (PERSON,),
    fin_jur: str = "",
    number: str = "",
    issued: str = "2026-03-02",
    again: int = 1,
) -> str:
    """Write a flow of titres; what is not told is as a plain titre has it."""
    bordereau, type_, nature = kind.split()
    block = (
        f'<BlocBordereau><Exer V="2026"/><IdBord V="7"/><DteBordEm V="{issued}"/><TypBord V="{bordereau}"/><NbrPce V="1"/>'
        '<MtBordHt V="10.00"/></BlocBordereau>'
    )
    titre = (
        f'<Piece><BlocPiece><IdPce V="1"/><TypPce V="{type_}"/><NatPce V="{nature}"/>{piece}<ObjPce V="Cantine"/>'
        f"{reference}{number}</BlocPiece><LigneDePiece><BlocLignePiece>"
        f'<InfoLignePiece><IdLigne V="1"/><CodProdLoc V="1"/><Nature V="7067"/>{majo}<TvaIntraCom V="0"/><MtHT V="10.00"/>'
        f"</InfoLignePiece>{line}</BlocLignePiece>{''.join(map(debtor, who))}</LigneDePiece></Piece>"
    )
    return (
        '<?xml version="1.0" encoding="ISO-8859-1"?>\n'
        f'<n:PES_Aller xmlns:n="{ROOTS[0].namespace}">'
        '<Enveloppe><Parametres><Version V="2"/><TypFic V="PESALR1"/><NomFic V="TITRES"/></Parametres>'
        '<Emetteur><Sigle V="ESSAI"/><Adresse V="Essai"/></Emetteur></Enveloppe>\n'
        '<EnTetePES><DteStr V="2026-03-02"/><IdPost V="099012"/><IdColl V="21990001600011"/>'
        f'{fin_jur}<CodCol V="123"/><CodBud V="00"/></EnTetePES>\n'
        '<PES_RecetteAller><EnTeteRecette><IdVer V="2"/></EnTeteRecette>\n'
        f"{f'<Bordereau>{block}{titre}</Bordereau>' * again}</PES_RecetteAller></n:PES_Aller>"
    )


def back(origin: str, year: str = "2026", line: str = '<IdLigneOrig V="1"/>') -> str:
    return f'<RattachPiece><NatPceOrig V="{origin}"/><ExerRat V="{year}"/><IdPceOrig V="12"/>{line}</RattachPiece>'


def edition(value: str) -> str:
    return f'<Edition V="{value}"/>'


def attached(kind: str | None) -> str:
    return REFERENCE.format(kind=f'<TypePJ V="{kind}"/>' if kind else "")


def sepa(rest: str) -> str:
    return (
        '<InfoPrelevementSEPA><NatPrel V="01"/><PerPrel V="07"/><DtePrel V="2026-04-01"/><MtPrel V="10.00"/>'
        f'<SequencePres V="03"/><DateSignMandat V="2025-01-01"/><RefUniMdt V="RUM/1"/>{rest}</InfoPrelevementSEPA>'
    )


SURCHARGED = '<Majo V="true"/><DteMajo V="2026-03-02"/><TxMajo V="10.00"/>'
INVOICE = '<NumeroFacture V="2026-1"/>'
HOSPITAL = '<FinJur V="990000001"/>'
RECETTES: dict[str, tuple[dict[str, object], list[str]]] = {
    "plain": ({}, []),
    "two of one number": ({"again": 2}, ["B02"]),
    "two rolls of one number": ({"kind": "06 15 01", "again": 2}, ["B02"]),
    "kind of returns": ({"kind": "05 01 01"}, ["B06"]),
    "a year after": ({"issued": "2027-01-20"}, []),
    "two years after": ({"issued": "2028-01-20"}, ["B17"]),
    "person without first name": ({"who": (PERSON.replace('<Prenom V="CAMILLE"/>', ""),)}, ["B10"]),
    "firm with a title": ({"who": (TOWN.replace("<Nom", '<Civilite V="MME"/><Nom'),)}, []),
    "insured person": ({"who": (f'<IdTiers V="{NIR}"/><NatIdTiers V="04"/>{PERSON}',), "fin_jur": HOSPITAL}, []),
    "insured person elsewhere": ({"who": (f'<IdTiers V="{NIR}"/><NatIdTiers V="04"/>{PERSON}',)}, ["B09"]),
    "surcharge": ({"kind": "01 09 01", "majo": SURCHARGED, "line": back("05", line="")}, []),
    "surcharge of nothing": ({"kind": "01 09 01", "majo": SURCHARGED}, ["B13"]),
    "surcharge of an ordinary titre": ({"majo": SURCHARGED, "line": back("05", line="")}, ["B14"]),
    "surcharge to come of a roll": ({"kind": "06 15 01", "majo": SURCHARGED}, []),
    "rate without surcharge": ({"majo": '<Majo V="false"/><TxMajo V="10.00"/>'}, ["B13"]),
    "reduction": ({"kind": "02 02 06", "line": back("01")}, []),
    "reduction of nothing": ({"kind": "02 02 06"}, ["B14"]),
    "reduction of another year": ({"kind": "02 02 06", "line": back("01", "2025")}, ["B14"]),
    "reduction of no line": ({"kind": "02 02 06", "line": back("01", line="")}, ["B14"]),
    "reduction of line 0": ({"kind": "02 02 06", "line": back("01", line='<IdLigneOrig V="0"/>')}, ["B14"]),
    "of a closed year": ({"kind": "01 02 09", "line": back("02", "2024")}, []),
    "of a closed year that is not": ({"kind": "01 02 09", "line": back("02")}, ["B14"]),
    "after collection": ({"kind": "01 05 01", "line": back("03", line='<IdLigneOrig V="0"/>')}, []),
    "after collection, by its line": ({"kind": "01 05 01", "line": back("03")}, ["B14"]),
    "collection of an ordinary titre": ({"line": back("03", line="")}, ["B14"]),
    "notice to print": ({"piece": edition("01"), "reference": attached(None)}, []),
    "notice of nothing": ({"piece": edition("01")}, ["B15"]),
    "notice to one debtor on two accounts": ({"piece": edition("01"), "reference": attached("006"), "who": (PERSON, PERSON)}, []),
    "notice to nobody": ({"piece": edition("01"), "reference": attached("006"), "who": ()}, ["B15"]),
    "notice to a guarantor alone": (
        {
            "piece": edition("01"),
            "reference": attached("006"),
            "who": (TOWN.replace('Tiers V="01"/><Nom', 'Tiers V="03"/><Nom'),),
        },
        ["B15"],
    ),
    "Chorus to nobody": ({"piece": edition("02"), "reference": attached("006"), "number": INVOICE, "who": ()}, ["B15"]),
    "notice to two": ({"piece": edition("01"), "reference": attached("006"), "who": (PERSON, TOWN)}, ["B15"]),
    "notice to one and a guarantor": (
        {
            "piece": edition("01"),
            "reference": attached("006"),
            "who": (PERSON, TOWN.replace('Tiers V="01"/><Nom', 'Tiers V="03"/><Nom')),
        },
        [],
    ),
    "notice left untreated": ({"piece": edition("04")}, []),
    "notice of a roll on a titre": ({"piece": edition("06"), "reference": attached("010")}, ["B15"]),
    "notice of a titre on a roll": ({"kind": "06 15 01", "piece": edition("04")}, ["B15"]),
    "notice of a roll": ({"kind": "06 15 01", "piece": edition("06"), "reference": attached("010")}, []),
    "notice of a roll in another document": ({"kind": "06 15 01", "piece": edition("06"), "reference": attached("011")}, ["B15"]),
    "Chorus": ({"piece": edition("02"), "reference": attached("006"), "number": INVOICE, "who": (TOWN,)}, []),
    "Chorus without invoice": ({"piece": edition("02"), "reference": attached("006"), "who": (TOWN,)}, ["B15"]),
    "Chorus to a person": ({"piece": edition("02"), "reference": attached("006"), "number": INVOICE}, ["B15"]),
    "Chorus with another document": (
        {"piece": edition("02"), "reference": attached("002"), "number": INVOICE, "who": (TOWN,)},
        ["B15"],
    ),
    "Chorus with a document of another flow": (
        {"piece": edition("02"), "reference": attached(None), "number": INVOICE, "who": (TOWN,)},
        [],
    ),
    "patient": ({"piece": edition("05"), "reference": attached("006"), "fin_jur": HOSPITAL}, []),
    "patient that is a town": ({"piece": edition("05"), "reference": attached("006"), "who": (TOWN,)}, ["B15"]),
    "notice before its bordereau": ({"piece": '<DteAsp V="2026-03-01"/>'}, ["B17"]),
    "notice of the day": ({"piece": '<DteAsp V="2026-03-02"/>'}, []),
    "employer elsewhere": ({"who": (PERSON.replace('TypTiers V="01"', 'TypTiers V="05"'),)}, ["B18"]),
    "employer of a hospital": ({"who": (PERSON.replace('TypTiers V="01"', 'TypTiers V="05"'),), "fin_jur": HOSPITAL}, []),
    "former creditor": ({"line": sepa('<AncienICS V="123456"/>')}, []),
    "former creditor of today": ({"line": sepa('<AncienICS V="FR12ZZZ123456"/>')}, []),
    "former creditor of no form": ({"line": sepa('<AncienICS V="12345A"/>')}, ["B19"]),
    "former bank or account": ({"line": sepa(f'<AncienneBanque V="0"/><AncienIBAN V="{fictitious_iban(1)}"/>')}, []),
    "former bank and account": ({"line": sepa(f'<AncienneBanque V="true"/><AncienIBAN V="{fictitious_iban(1)}"/>')}, ["B19"]),
    "in several years": ({"kind": "01 10 02", "line": '<LiensIdent><IdConv V="C1"/></LiensIdent>'}, []),
    "in several years of no convention": ({"kind": "01 10 02"}, ["B20"]),
    "sum of a roll": ({"kind": "01 06 01", "piece": '<IdRol V="3"/>'}, []),
    "roll of an ordinary titre": ({"piece": '<IdRol V="3"/>'}, ["B20"]),
}


KIND = '<TypPce V="{}"/><NatPce V="{}"/>'
ORDINARY, NEXT = KIND.format("01", "01"), "</InfoLignePce>"
PARTY = f'<IdTiers V="{SIRET}"/><NatIdTiers V="01"/>'
INSURED = (
    (PARTY, f'<IdTiers V="{NIR}"/><NatIdTiers V="04"/>'),
    ('<CatTiers V="60"/>', '<CatTiers V="01"/>'),
    ('<Nom V="GARAGE DES TROIS ORMES"/>', '<Civilite V="MME"/><Nom V="ESSAI"/><Prenom V="CAMILLE"/>'),
)
OF_A_HOSPITAL = ('<CodCol V="123"/>', '<FinJur V="990000001"/><CodCol V="123"/>')
FUNCTION = ('<Nature V="60632"/>', '<Nature V="60632"/><Fonction V="020"/>')
ABROAD = '<CodRes V="{}"/><CodPays V="109"/>'


def mandat(kind: str, nature: str, line: str = "") -> list[tuple[str, str]]:
    return [(ORDINARY, KIND.format(kind, nature)), (NEXT, NEXT + line)]


def mandats(path: Path, changes: list[tuple[str, str]]) -> str:
    write_sample(Sample("MANDATS", attachment_size=None), path)
    text = path.read_text(encoding="iso-8859-1")
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new, 1)
    return text


DEPENSES: dict[str, tuple[list[tuple[str, str]], list[str]]] = {
    "ordinary": ([], []),
    "kind of returns": ([('<TypBord V="01"/>', '<TypBord V="04"/>')], ["B06"]),
    "lives abroad": ([('<CP V="99001"/>', '<CP V="99999"/>'), ('<CodRes V="0"/>', ABROAD.format("true"))], []),
    "lives abroad, of a French postcode": ([('<CodRes V="0"/>', ABROAD.format("1"))], ["B11"]),
    "lives overseas": ([('<CP V="99001"/>', '<CP V="98000"/>'), ('<CodRes V="0"/>', ABROAD.format("1"))], []),
    "lives abroad nowhere": ([('<CodRes V="0"/>', '<CodRes V="true"/>')], ["B11"]),
    "lives here in France": ([('<CodRes V="0"/>', '<CodRes V="false"/><CodPays V="100"/>')], []),
    "lives here elsewhere": ([('<CodRes V="0"/>', ABROAD.format("false"))], ["B11"]),
    "of a convention": (mandat("06", "01", '<LiensIdent><IdConv V="C1"/></LiensIdent>'), []),
    "of no convention": (mandat("06", "01"), ["B20"]),
    "of a régie": (mandat("01", "05", '<LiensIdent><IdRegie V="R1"/></LiensIdent>'), []),
    "of no régie": (mandat("01", "05", '<LiensIdent><IdMarche V="M1"/></LiensIdent>'), ["B20"]),
    "after payment": (mandat("05", "01", back("03", line="")), []),
    "after a titre": (mandat("05", "01", back("02")), ["B14"]),
    "of an order": (mandat("09", "01", back("05")), []),
    "of an order, by no line": (mandat("09", "01", back("05", line="")), ["B14"]),
    "non-value": (mandat("07", "01", back("04", line="")), []),
    "non-value of a mandat": (mandat("07", "01", back("01")), ["B14"]),
    "charges in advance of nothing": (mandat("13", "01"), ["B14"]),
    "charges in advance": (mandat("13", "01", back("01", "2025")), []),
    "investment of an order": (mandat("01", "02", back("05")), ["B14"]),
    "investment of a titre": (mandat("01", "02", back("02")), []),
    "cancels a titre of the year": (mandat("02", "09", back("02")), ["B14"]),
    "insured, to cancel a titre": ([*mandat("02", "09", back("02", "2024")), *INSURED, OF_A_HOSPITAL], []),
    "insured, ordinary": ([*INSURED, OF_A_HOSPITAL], ["B09"]),
    "insured, of a town": ([*mandat("02", "09", back("02", "2024")), *INSURED], ["B09"]),
    "function": ([FUNCTION], []),
    "function of a hospital": ([FUNCTION, OF_A_HOSPITAL], ["B18"]),
}


def pes_retour(siret: str, name: str = RETURN) -> bytes:
    """Write a return of one mandat, which the accountant rejected."""
    return (
        f'<?xml version="1.0" encoding="ISO-8859-1"?><n:PES_Retour xmlns:n="{ROOTS[3].namespace}"><Enveloppe><Parametres>'
        f'<Version V="2"/><TypFic V="PES2R_DEP"/><NomFic V="{name}"/></Parametres></Enveloppe><EnTetePES>'
        f'<DteStr V="2026-03-02"/><IdPost V="099012"/><IdColl V="{siret}"/><CodColl V="123"/><CodBud V="00"/></EnTetePES>'
        '<PES_DepenseRetour><EnTeteDepense><TypRestit V="01"/><IdVer V="2"/></EnTeteDepense><Bordereau><BlocBordereau>'
        '<Exer V="2026"/><IdBord V="101"/><TypBord V="01"/></BlocBordereau><Piece><InfoPiece><IdPce V="7"/><TypPce V="01"/>'
        '<NatPce V="01"/><EtatPce V="04"/><Commentaire V="Facture absente"/></InfoPiece><LigneDePiece><BlocLignePiece>'
        '<InfoLignePiece><IdLigne V="1"/><MtHT V="10.00"/></InfoLignePiece></BlocLignePiece></LigneDePiece></Piece></Bordereau>'
        "</PES_DepenseRetour></n:PES_Retour>"
    ).encode("iso-8859-1")
