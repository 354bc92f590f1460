"""Whatever a rule of a PES finds (R, B, P), it says what is wrong, where, what was expected and what to do, in both languages."""

from __future__ import annotations

import base64
import gzip
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from core.messages import LOCALES, Catalogue, speaking
from core.problems import Problem
from schemas.pes import rules
from schemas.pes.roots import ROOTS
from schemas.pes.rules import examine
from schemas.pes.sample import Sample, fictitious_iban, write_sample
from schemas.pes.versions import SHOWN, SchemaSets, import_set
from schemas.xml import LONGEST_TOKEN
from tests.pes_flows import DEPENSES, RECETTES, mandats, recette

WORDS = Catalogue("schemas.pes")
# What is said of a file as a whole stands nowhere in it.
NOWHERE = {"R01.empty", "R06.more", "R06.flood", "R06.older", "R07", "R07.tags"}
IBAN = fictitious_iban(1)
REFERENCE = '<RefCompta><Domaine V="01"/><Exercice V="2026"/><TypeObjet V="01"/><Identifiant V="1"/></RefCompta>'
REVENUE = (
    "<PES_RecetteAller><Bordereau><Piece><LigneDePiece><BlocLignePiece><InfoAssure/></BlocLignePiece></LigneDePiece></Piece>"
    "</Bordereau></PES_RecetteAller>"
)
PACKED = "</Fichier>"
ANYTHING = "<xs:any minOccurs='0' maxOccurs='unbounded' processContents='{}'/>"
XSI = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
CHANGES = (
    ("</n:PES_Aller>", ""),
    ("<n:PES_Aller", "<!DOCTYPE x><n:PES_Aller"),
    ("ISO-8859-1", "US-ASCII"),
    (' encoding="ISO-8859-1"', ""),
    ("<?xml", "ï»¿<?xml"),
    ("Exemple de flux", "Ã©"),
    ("Exemple de flux", "\x80"),
    ("Rev0/aller", "Rev1/aller"),
    ("<CodRes", "<Inconnu/><CodRes"),
    ('<CodRes V="0"/>', ""),
    ('<CodRes V="0"/>', "<CodRes/>"),
    ('<CodRes V="0"/>', '<CodRes V="0" W="1"/>'),
    ('<CodRes V="0"/>', '<CodRes V="0">0</CodRes>'),
    ('<CodRes V="0"/>', '<CodRes V="0"><x/></CodRes>'),
    ('<CodRes V="0"/>', '<CodRes V="oui"/>'),
    ('<CodRes V="0"/>', f'<CodRes {XSI} xsi:type="x" V="0"/>'),
    ('<CodRes V="0"/>', f'<CodRes {XSI} xsi:nil="x" V="0"/>'),
    ('<CodRes V="0"/>', '<CodRes xmlns="urn:x" V="0"/>'),
    ("<BlocPiece>", "<BlocPiece>x"),
    ('Id="BRD101"', 'Id="PES101"'),
    ('Id="BRD101"', 'Id="1"'),
    ("</Fichier>", "<x/></Fichier>"),
    ('<NomFic V="DEFAUTS"/>', ""),
    ('<CodCol V="123"/>', ""),
    ("21990001600011", "21990001600012"),
    ("21990001600011", "219900016"),
    ("<?xml", "\n<?xml"),
    ("<?xml", "%PDF-1.7"),
    ("GARAGE DES", "GARAGE &"),
    ("GARAGE DES", "GARAGE\x0b"),
    ('<Version V="2"/>', '<Version V="1"/>'),
    ("<PES_PJ>", f"{REVENUE}<PES_PJ>"),
    ('<NbrPce V="1"/>', '<NbrPce V="2"/>'),
    ('<MtBordHT V="', '<MtBordHT V="1'),
    ('<MtBordTVA V="2.07"/>', ""),
    ('<MtCumulAnnuel V="12.44"/>', ""),
    ('<ModRegl V="03"/>', '<ModRegl V="08"/>'),
    (f'<CpteBancaire><IBAN V="{IBAN}"/><TitCpte V="GARAGE DES TROIS ORMES"/></CpteBancaire>', ""),
    (f'V="{IBAN}"', f'V="{IBAN[:-1]}"'),
    (f'V="{IBAN}"', 'V="DE89370400440532013000"'),
    (f'<IBAN V="{IBAN}"/>', f'<BIC V="BNPAF1PP"/><IBAN V="{IBAN}"/>'),
    (f'<IBAN V="{IBAN}"/>', '<CodeEtab V="1"/><CodeGuic V="1"/><IdCpte V="1"/><CleRib V="1"/>'),
    *(
        (('<NatIdTiers V="01"/>', f'<NatIdTiers V="{code}"/>'))
        for code in ("02", "03", "04", "05", "06", "07", "08", "10", "11", "12")
    ),
    ('<NatIdTiers V="01"/>', ""),
    ('<CatTiers V="60"/>', '<CatTiers V="01"/>'),
    ("<Nom V=", '<Civilite V="M"/><Nom V='),
    ('<IdPce V="1"/>', '<IdPce V="0"/>'),
    ('<IdLigne V="1"/>', '<IdLigne V="0"/>'),
    (PACKED, "=</Fichier>"),
    ("2026123", "2026124"),
    ('<Support V="01"/>', '<Support V="02"/>'),
    ('MIMEType="application/pdf"', 'MIMEType="image/png"'),
    ('<Description V="Facture"/>', f'<Description V="Facture"/>{REFERENCE.replace("01", "06", 1)}'),
    ('<Description V="Facture"/>', f'<Description V="Facture"/>{REFERENCE.replace("Exercice", "x")}'),
)
DOCUMENTS = (b"", base64.b64encode(b"%PDF-1.4"), base64.b64encode(gzip.compress(b"%PDF-1.4" + bytes(12 << 20), mtime=0)))


def flows(folder: Path) -> Iterator[bytes]:
    """Yield flows with one defect each, at least one for each message."""
    path = folder / "sample.xml"
    write_sample(Sample("DEFAUTS"), path)
    clean = path.read_text(encoding="iso-8859-1")
    for old, new in CHANGES:
        assert old in clean, old
        yield clean.replace(old, new, 1).encode("iso-8859-1")
    for told, _ in RECETTES.values():
        yield recette(**told).encode("iso-8859-1")  # type: ignore[arg-type]
    for changes, _ in DEPENSES.values():
        yield mandats(path, changes).encode("iso-8859-1")
    yield recette().replace("<ObjPce", '<DebFact V="2026-01-01"/><ObjPce').encode("iso-8859-1")
    start, end = clean.index('"application/pdf">') + len('"application/pdf">'), clean.index(PACKED)
    for content in DOCUMENTS:
        yield clean[:start].encode("iso-8859-1") + content + clean[end:].encode("iso-8859-1")
    one = clean[clean.index("<PJ>") : clean.index("</PJ>") + len("</PJ>")]
    yield clean.replace(one, one * 2).replace("003", "012").encode("iso-8859-1")
    yield b""
    yield clean.replace("<PES_PJ>", f"<!--{'x' * 2 * LONGEST_TOKEN}--><PES_PJ>").encode("iso-8859-1")
    yield clean.replace("PES_Aller", "PES_Autre").encode("iso-8859-1")
    yield clean.replace("<Piece>", "<Piece/>" * (SHOWN + 9) + "<Piece>").encode("iso-8859-1")
    yield clean.replace("<Piece>", "<Piece/>" * 30_000 + "<Piece>").encode("iso-8859-1")
    start, end = clean.index("<PES_DepenseAller>"), clean.index("</n:PES_Aller>")
    yield (clean[:start] + clean[end:]).encode("iso-8859-1")


def sets(folder: Path, **contents: str) -> SchemaSets:
    """Install versions of which each says, in its own way, what may stand in a flow."""
    for version, wanted in contents.items():
        root = folder / version.replace("_", ".") / "PES_V2" / "Rev0"
        root.mkdir(parents=True)
        (root / "PES_Aller.xsd").write_text(
            f"<xs:schema xmlns:xs='http://www.w3.org/2001/XMLSchema' targetNamespace='{ROOTS[0].namespace}'>"
            f"<xs:element name='PES_Aller'><xs:complexType><xs:sequence>{wanted}</xs:sequence>"
            "<xs:anyAttribute processContents='skip'/></xs:complexType></xs:element></xs:schema>"
        )
    import_set(folder, folder / "sets")
    return SchemaSets(folder / "sets")


@pytest.fixture(scope="module")
def findings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Problem]]:
    """Everything that is found in these flows, by language."""
    folder = tmp_path_factory.mktemp("flows")
    path, own = folder / "flow.xml", SchemaSets(None)
    older, strict = (
        sets(folder / "older", v9_8=ANYTHING.format("skip"), v9_9=""),
        sets(folder / "strict", v9_8=ANYTHING.format("strict")),
    )
    found: dict[str, list[Problem]] = {locale: [] for locale in LOCALES}
    for content in flows(folder):
        path.write_bytes(content)
        for locale, problems in found.items():
            with speaking(locale):
                problems.extend(examine(path, schemas=own)[1].problems)
    write_sample(Sample("DEFAUTS"), path)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(rules, "MOST_TAGS", 10)
        for locale, problems in found.items():
            with speaking(locale):
                problems.extend(examine(path, schemas=own, limit=10)[1].problems + examine(path, schemas=own)[1].problems)
    for locale, problems in found.items():
        with speaking(locale):
            problems.extend(examine(path, schemas=older)[1].problems + examine(path, schemas=strict)[1].problems)
    return found


def variants_of(problem: Problem, locale: str) -> set[str]:
    """Return which messages of the catalogue a problem may have been made with."""
    return {key for key, form in forms(locale).items() if key.startswith(problem.rule) and form.fullmatch(problem.message)}


@cache
def forms(locale: str) -> dict[str, re.Pattern[str]]:
    """Return what each message on a flow looks like once its places are filled, by rule and variant."""
    texts = {key: text for key, text in WORDS.texts(locale).items() if re.fullmatch(r"[RBP]\d\d(\.\w+)*\.message", key)}
    return {
        key.removesuffix(".message"): re.compile(re.sub(r"\\\{\w+\\\}", ".*", re.escape(text)) + "( [^.]*\\.)?", re.DOTALL)
        for key, text in texts.items()
    }


@pytest.mark.parametrize("locale", LOCALES)
def test_every_message_of_a_rule_is_met(locale: str, findings: dict[str, list[Problem]]) -> None:
    met = {key for problem in findings[locale] for key in variants_of(problem, locale)}
    assert not (missed := sorted(forms(locale).keys() - met)), missed


@pytest.mark.parametrize("locale", LOCALES)
def test_every_finding_says_what_where_what_was_expected_and_what_to_do(locale: str, findings: dict[str, list[Problem]]) -> None:
    for problem in findings[locale]:
        assert variants_of(problem, locale), problem
        assert problem.line or variants_of(problem, locale) & NOWHERE, problem
        assert problem.expected, problem
        assert problem.mend, problem
        assert not {"{", "}"} & set(problem.message + problem.expected + problem.mend), problem


@pytest.mark.parametrize("locale", LOCALES)
def test_what_is_in_a_bordereau_names_it_and_its_piece_and_line(locale: str, findings: dict[str, list[Problem]]) -> None:
    words = {"fr": ("Bordereau 101", "mandat 1", "ligne 1"), "en": ("Bordereau 101", "mandat 1", "line 1")}[locale]
    found = [one for one in findings[locale] if (one.path or "").endswith(("CpteBancaire", "InfoTiers"))]
    assert found
    for problem in found:
        assert problem.message.endswith((", ".join(words) + ".", words[0].replace("101", "7") + f", titre 1, {words[2]}.")), (
            problem
        )
