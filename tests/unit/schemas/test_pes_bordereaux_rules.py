"""The rules on bordereaux and supporting documents (B, P): one defect at a time in a sample flow that is otherwise clean."""

from __future__ import annotations

import base64
import gzip
import tracemalloc
from pathlib import Path

import pytest

from core.problems import Severity, Verdict
from schemas.pes import enclosed, identities
from schemas.pes.bordereaux import check_bordereaux
from schemas.pes.reader import read
from schemas.pes.rules import examine
from schemas.pes.sample import Sample, fictitious_iban, fictitious_siret, write_sample
from schemas.pes.versions import SchemaSets

SCHEMAS = SchemaSets(None)
IBAN = fictitious_iban(1)
SIRET = fictitious_siret(1)
REMARKS = {"B03", "P04", "P09"}


def told(tmp_path: Path, *changes: tuple[str, str]) -> list[str]:
    """Return the rules of B and P told of the sample once some of its text was changed, the first time it stands there."""
    path = tmp_path / "flow.xml"
    write_sample(Sample("PESALR1_ESSAI", pieces=2, lines=2), path)
    text = path.read_text(encoding="iso-8859-1")
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new, 1)
    path.write_text(text, encoding="iso-8859-1")
    report = examine(path, schemas=SCHEMAS)[1]
    problems = [problem for problem in report.problems if problem.rule[0] in "BP"]
    for problem in problems:
        assert problem.severity is Severity.WARNING
        refused = "bordereau" if problem.rule[0] == "B" else "pj"
        assert problem.scope == ("flow" if problem.rule in REMARKS else refused)
        assert problem.line
        assert problem.message
        assert problem.mend
    if len(problems) == len(report.problems):
        assert report.verdict is (Verdict.ACCEPTED_WITH_WARNINGS if problems else Verdict.ACCEPTED)
    return [problem.rule for problem in problems]


def test_a_clean_flow_has_none(tmp_path: Path) -> None:
    assert told(tmp_path) == []


@pytest.mark.parametrize(
    ("old", "new", "rules"),
    [
        ('<NbrPce V="2"/>', '<NbrPce V="3"/>', ["B01"]),
        ('<MtBordHT V="', '<MtBordHT V="1', ["B03"]),
        ('<ModRegl V="03"/>', '<ModRegl V="08"/>', ["B07"]),
        ('<ModRegl V="03"/>', '<ModRegl V="06"/>', []),
        (f'V="{IBAN}"', f'V="{IBAN[:3]}{(int(IBAN[3]) + 1) % 10}{IBAN[4:]}"', ["B08"]),
        (f'V="{IBAN}"', f'V="{IBAN[:-1]}"', ["B08"]),
        (f'V="{IBAN}"', 'V="DE89370400440532013000"', ["B08"]),
        (f'<IBAN V="{IBAN}"/>', '<BIC V="COBADEFFXXX"/><IBAN V="DE89370400440532013000"/>', []),
        (f'<IdTiers V="{SIRET}"/>', f'<IdTiers V="{SIRET[:-1]}{(int(SIRET[-1]) + 1) % 10}"/>', ["B09"]),
        (f'<IdTiers V="{SIRET}"/><NatIdTiers V="01"/>', f'<IdTiers V="{SIRET[:9]}"/><NatIdTiers V="02"/>', []),
        ('<NatIdTiers V="01"/>', '<NatIdTiers V="04"/>', ["B09"]),
        ('<NatIdTiers V="01"/>', "", ["B09"]),
        ('<CatTiers V="60"/>', '<CatTiers V="01"/>', ["B10"]),
        ('<CodRes V="0"/>', '<CodRes V="1"/>', ["B11"]),
        ('<CodRes V="0"/>', '<CodRes V="0"/><CodPays V="404"/>', ["B11"]),
        ('<CodRes V="0"/>', '<CodRes V="0"/><CodPays V="100"/>', []),
        ('<IdPce V="2"/>', '<IdPce V="01"/>', ["B12"]),
        ('<IdLigne V="2"/>', '<IdLigne V="1"/>', ["B12"]),
        ("2026123", "2026124", ["P04"]),
        ('<Support V="01"/>', '<Support V="02"/>', ["P04"]),
        ('MIMEType="application/pdf"', 'MIMEType="image/png"', ["P09"]),
    ],
)
def test_a_defect_is_told_with_its_rule_and_refuses_nothing(old: str, new: str, rules: list[str], tmp_path: Path) -> None:
    assert told(tmp_path, (old, new)) == rules


def test_a_transfer_needs_an_account_and_tax_stands_on_both_or_neither(tmp_path: Path) -> None:
    account = f'<CpteBancaire><IBAN V="{IBAN}"/><TitCpte V="'
    path = tmp_path / "flow.xml"
    write_sample(Sample("PESALR1_ESSAI", pieces=2, lines=2), path)
    text = path.read_text(encoding="iso-8859-1")
    end = text.index("</CpteBancaire>", text.index(account)) + len("</CpteBancaire>")
    assert told(tmp_path, (text[text.index(account) : end], "")) == ["B07"]
    taxed = text[(start := text.index("<MtBordTVA")) : text.index("/>", start) + 2]
    assert sorted(told(tmp_path, (taxed, ""))) == ["B03", "B04"]
    total = text[(start := text.index("<MtCumulAnnuel")) : text.index("/>", start) + 2]
    assert told(tmp_path, (total, "")) == ["B05"]


@pytest.mark.parametrize(
    ("content", "rules"),
    [
        (b"", ["P01"]),
        (base64.b64encode(b"%PDF-1.4 nue"), ["P01"]),
        (b"pas du base64 !", ["P01"]),
        (base64.b64encode(gzip.compress(b"%PDF-1.4", mtime=0)[:-4]), ["P01"]),
        (base64.b64encode(gzip.compress(b"%PDF-1.4", mtime=0))[:-1], ["P01"]),
        (base64.b64encode(gzip.compress(b"\x89PNG\r\n\x1a\n", mtime=0)), ["P09"]),
        (base64.encodebytes(gzip.compress(b"%PDF-1.4" + bytes(12 << 20), mtime=0)), ["P08"]),
        (base64.b64encode(gzip.compress(b"%PDF-1.4" + bytes(64 << 20), mtime=0)), ["P08"]),
        (base64.b64encode(b"%PDF-1.4" + bytes(1 << 17)), ["P01"]),
        (base64.b64encode(gzip.compress(b"%PDF-1.4", mtime=0) + gzip.compress(b"%PDF-1.4", mtime=0)), []),
        (base64.b64encode(gzip.compress(b"%PDF-1.4", mtime=0) + gzip.compress(b"suite", mtime=0)[:-3]), ["P01"]),
        (base64.b64encode(gzip.compress(gzip.compress(b"%PDF-1.4", mtime=0), mtime=0)), ["P09"]),
        (base64.b64encode(gzip.compress(b"", mtime=0)), ["P01"]),
        (base64.encodebytes(gzip.compress(b"%PDF-1.4", mtime=0)).replace(b"\n", b"&#13;\n"), []),
        (base64.b64encode(gzip.compress(b"%PDF-1.4", mtime=0)), []),
    ],
)
def test_a_supporting_document_is_the_base64_of_a_gzip(content: bytes, rules: list[str], tmp_path: Path) -> None:
    path = tmp_path / "flow.xml"
    write_sample(Sample("PESALR1_ESSAI", attachment_size=100), path)
    text = path.read_bytes()
    start, end = text.index(b'"application/pdf">') + len(b'"application/pdf">'), text.index(b"</Fichier>")
    path.write_bytes(text[:start] + content + text[end:])
    report = examine(path, schemas=SCHEMAS)[1]
    assert [one.rule for one in report.problems if one.rule[0] in "BP"] == rules
    assert (report.verdict is Verdict.REJECTED) is any(one.rule in ("R06", "P08") for one in report.problems)


def test_all_documents_of_a_flow_share_what_may_be_inflated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(enclosed, "TOGETHER", 2_500)
    path = tmp_path / "flow.xml"
    write_sample(Sample("PESALR1_ESSAI", attachment_size=1_000), path)
    text = path.read_text(encoding="iso-8859-1")
    one = text[text.index("<PJ>") : text.index("</PJ>") + len("</PJ>")]
    identifier = one[(start := one.index('IdUnique V="') + len('IdUnique V="')) : one.index('"', start)]
    others = "".join(one.replace(identifier, f"AUTRE{rank}") for rank in range(3))
    path.write_text(text.replace(one, one + others), encoding="iso-8859-1")
    report = examine(path, schemas=SCHEMAS)[1]
    found = [one.path for one in report.problems if one.rule == "P08"]
    assert found == [f"/n:PES_Aller/PES_PJ/PJ[{rank}]" for rank in (3, 4)]


@pytest.mark.parametrize("before", ["", "<!-- <PES_PJ><PJ><Contenu><Fichier/></Contenu></PJ></PES_PJ> -->", "<!-- <PES_PJX -->"])
@pytest.mark.parametrize("encoding", ["iso-8859-1", "utf-8"])
def test_the_text_of_a_document_is_found_whatever_comes_before_it(before: str, encoding: str, tmp_path: Path) -> None:
    path = tmp_path / "flow.xml"
    write_sample(Sample("PESALR1_ESSAI", attachment_size=100), path)
    text = path.read_text(encoding="iso-8859-1").replace("ISO-8859-1", encoding.upper()).replace("<PES_PJ>", f"{before}<PES_PJ>")
    path.write_text(text, encoding=encoding)
    (attachment,) = read(path).attachments
    assert (attachment.packing, attachment.length) == ("gzip", text.index("</Fichier>") - text.index('"application/pdf">') - 18)


def test_two_documents_of_one_identifier_are_told(tmp_path: Path) -> None:
    path = tmp_path / "flow.xml"
    write_sample(Sample("PESALR1_ESSAI", attachment_size=100), path)
    text = path.read_text(encoding="iso-8859-1")
    document = text[text.index("<PJ>") : text.index("</PJ>") + len("</PJ>")]
    assert told(tmp_path, ("</n:PES_Aller>", "</n:PES_Aller>")) == []
    path.write_text(text.replace(document, document * 2), encoding="iso-8859-1")
    assert [one.rule for one in examine(path, schemas=SCHEMAS)[1].problems] == ["P02"]
    apart = document.replace('<TypePJ V="003"/>', '<TypePJ V="012"/>').replace(Sample("x").id_unique, "AUTRE")
    path.write_text(text.replace(document, document + apart), encoding="iso-8859-1")
    assert "P06" in [one.rule for one in examine(path, schemas=SCHEMAS)[1].problems]


@pytest.mark.parametrize(
    ("identifier", "nature", "category", "holds"),
    [
        ("35600000000048", "01", "60", True),
        ("255081416802538", "04", "01", True),
        ("255081416802539", "04", "01", False),
        ("255081416802538", "04", "60", False),
        ("2550814168025", "04", "01", False),
        ("FR99", "05", "60", True),
        ("FR9", "05", "60", False),
        ("123456789", "07", None, True),
        ("12345678", "08", None, False),
        ("455081416802535", "04", "01", True),
        ("12345678901234567890", "06", "60", False),
        ("FRWF12345678901234", "10", "60", True),
        ("FRWF123456789012345", "10", "60", False),
        ("XX123", "10", None, False),
        ("12345 rue", "11", "01", True),
        ("quelconque", "06", None, True),
    ],
)
def test_an_identifier_is_of_the_form_of_its_nature(identifier: str, nature: str, category: str | None, holds: bool) -> None:
    assert identities.identifier_holds(identifier, nature, category) is holds


@pytest.mark.parametrize(
    ("iban", "holds"),
    [
        (fictitious_iban(7), True),
        ("FR1420041010050500013M02606", True),
        ("GB82WEST12345698765432", True),
        ("GB82WEST1234569876543", False),
        ("gb82west12345698765432", False),
        ("FR", False),
    ],
)
def test_an_iban_holds_by_its_length_and_keys(iban: str, holds: bool) -> None:
    assert identities.iban_holds(iban) is holds


def test_the_key_of_the_rib_counts_even_when_that_of_the_iban_holds() -> None:
    bban = f"{fictitious_iban(1)[4:-2]}00"
    digits = "".join(str(int(character, 36)) for character in f"{bban}FR00")
    assert not identities.iban_holds(f"FR{98 - int(digits) % 97:02d}{bban}")


def test_what_the_schema_tells_of_a_payment_delay_is_not_told_again(tmp_path: Path) -> None:
    path = tmp_path / "flow.xml"
    write_sample(Sample("DGP", attachment_size=None), path)
    text = path.read_text(encoding="iso-8859-1")
    delay = '<DGP><Dgp V="0"/><DteDebDgp V="2026-01-01"/><DteFinDgp V="2026-01-31"/><DureeDgp V="30"/></DGP>'
    path.write_text(text.replace("</InfoPce>", f"</InfoPce>{delay}"), encoding="iso-8859-1")
    assert {problem.rule for problem in examine(path, schemas=SCHEMAS)[1].problems} == set()
    path.write_text(text.replace("</InfoPce>", f"</InfoPce>{delay}".replace('<DureeDgp V="30"/>', "")), encoding="iso-8859-1")
    assert {problem.rule for problem in examine(path, schemas=SCHEMAS)[1].problems} == {"R06"}


def test_what_stands_in_a_signature_is_no_line(tmp_path: Path) -> None:
    path = tmp_path / "flow.xml"
    write_sample(Sample("SIGNATURE", attachment_size=None), path)
    hidden = (
        '<ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:Object><Piece><LigneDePiece><MtHT V="5"/><Tiers/>'
        "</LigneDePiece></Piece></ds:Object></ds:Signature></Bordereau>"
    )
    path.write_text(path.read_text(encoding="iso-8859-1").replace("</Bordereau>", hidden), encoding="iso-8859-1")
    assert {problem.rule for problem in examine(path, schemas=SCHEMAS)[1].problems} == {"R06"}


def test_elements_where_no_schema_has_them_break_nothing(tmp_path: Path) -> None:
    path = tmp_path / "flow.xml"
    write_sample(Sample("AILLEURS", attachment_size=None), path)
    text = path.read_text(encoding="iso-8859-1")
    for old, new in (
        ("<Bordereau Id=", '<Bordereau><LigneDePiece/><Tiers><MtHT V="x"/></Tiers></Bordereau><Bordereau Id='),
        ("<BlocPiece>", "<Tiers/><BlocPiece>"),
        ('<IdPce V="1"/>', "<IdPce/>"),
    ):
        path.write_text(text.replace(old, new, 1), encoding="iso-8859-1")
        assert "R06" in {problem.rule for problem in examine(path, schemas=SCHEMAS)[1].problems}


def test_a_piece_of_many_lines_is_not_held_whole(tmp_path: Path) -> None:
    path = tmp_path / "flow.xml"
    write_sample(Sample("LONGUE", lines=4_000, attachment_size=None), path)
    document = read(path)
    assert document.bordereaux[0].lines == 4_000
    tracemalloc.start()
    try:
        assert check_bordereaux(document) == []
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1 << 20, f"{peak >> 10} KiB for lines of which each takes 2"
