"""The R rules, one defect at a time in a sample flow that is otherwise clean."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from core.identifiers import luhn_holds
from core.messages import speaking
from core.problems import Problem, Report, Severity, Verdict
from schemas.flood import flood
from schemas.pes import rules
from schemas.pes.compilation import compile_schema
from schemas.pes.reader import PesDocument, read
from schemas.pes.rules import MOST_TAGS, examine, messages
from schemas.pes.sample import Sample, fictitious_iban, fictitious_siret, write_sample
from schemas.pes.versions import SHOWN, SchemaSets

OWN = Path(rules.__file__).parent
Examine = Callable[[bytes], tuple[PesDocument | None, Report]]


@pytest.fixture(scope="module")
def schemas() -> SchemaSets:
    return SchemaSets(None)


@pytest.fixture
def clean(tmp_path: Path) -> bytes:
    path = tmp_path / "clean.xml"
    write_sample(Sample("PESALR1_ESSAI"), path)
    return path.read_bytes()


@pytest.fixture
def look(tmp_path: Path, schemas: SchemaSets) -> Examine:
    def look_at(content: bytes) -> tuple[PesDocument | None, Report]:
        path = tmp_path / "flow.xml"
        path.write_bytes(content)
        return examine(path, schemas=schemas)

    return look_at


def the_one(report: Report, rule: str) -> Problem:
    (problem,) = [problem for problem in report.problems if problem.rule == rule]
    return problem


def without_bordereaux(content: bytes) -> bytes:
    return content[: content.index(b"<PES_DepenseAller>")] + b"</n:PES_Aller>"


def in_ascii(content: bytes) -> bytes:
    return bytes(byte if byte < 128 else ord("E") for byte in content)


def test_a_sample_flow_is_accepted_without_a_word(clean: bytes, look: Examine) -> None:
    document, report = look(clean)
    assert document is not None
    assert (report.kind, report.verdict, report.problems) == ("pes-aller", Verdict.ACCEPTED, [])


def test_the_facts_tell_header_counts_sums_and_attachments(clean: bytes, look: Examine) -> None:
    facts = look(clean)[1].facts
    assert facts["header"]["nom_fic"] == "PESALR1_ESSAI"
    assert facts["dematerialised"] == {"depense": True}
    assert facts["bordereaux"][0]["pieces"] == facts["bordereaux"][0]["nbr_pce"] == 1
    assert facts["bordereaux"][0]["mt_bord_ht"] == "10.37"
    assert facts["attachments"][0]["mime_type"] == "application/pdf"
    assert facts["attachments"][0]["length"] > 2_000


@pytest.mark.parametrize("content", [b"", b"not xml", b"<a><b></a>", b'<?xml version="1.0" encoding="martian"?><a/>'])
def test_an_empty_or_malformed_file_is_refused_with_rule_r01(content: bytes, look: Examine) -> None:
    document, report = look(content)
    assert document is None
    assert the_one(report, "R01").severity is Severity.ERROR


def test_a_truncated_flow_is_still_recognised_as_a_pes_aller(clean: bytes, look: Examine) -> None:
    _, report = look(clean[:1500])
    assert report.kind == "pes-aller"
    assert the_one(report, "R01").line


@pytest.mark.parametrize("doctype", [b"<!DOCTYPE x>", b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/hostname">]>'])
def test_a_doctype_is_refused_with_rule_r02(doctype: bytes, clean: bytes, look: Examine) -> None:
    document, report = look(clean.replace(b"?>\n", b"?>\n" + doctype, 1))
    assert document is None
    assert the_one(report, "R02").line == 2


def test_a_pes_in_utf8_is_refused_with_rule_r03(clean: bytes, look: Examine) -> None:
    document, report = look(clean.decode("iso-8859-1").replace("ISO-8859-1", "UTF-8", 1).encode())
    assert document is not None
    assert the_one(report, "R03").found == "UTF-8"
    assert report.verdict is Verdict.REJECTED


@pytest.mark.parametrize("name", [b"ISO-8859-15", b"windows-1252", b"US-ASCII"])
def test_a_near_relative_of_latin_1_is_refused_with_rule_r03(name: bytes, clean: bytes, look: Examine) -> None:
    assert the_one(look(in_ascii(clean).replace(b"ISO-8859-1", name, 1))[1], "R03").found == name.decode()


def test_the_name_of_the_encoding_may_be_written_in_any_case_and_quotes(clean: bytes, look: Examine) -> None:
    assert look(clean.replace(b'"ISO-8859-1"', b"'iso-8859-1'", 1))[1].problems == []


def test_a_byte_order_mark_and_a_missing_declaration_are_refused_with_rule_r03(clean: bytes, look: Examine) -> None:
    text = clean.decode("iso-8859-1").partition("?>\n")[2].encode()
    _, report = look(b"\xef\xbb\xbf" + text)
    assert [problem.found for problem in report.problems if problem.rule == "R03"] == ["UTF-8", None]


def test_utf8_under_a_latin_1_label_is_warned_of_with_rule_r04_at_its_line(clean: bytes, look: Examine) -> None:
    _, report = look(clean.replace(b"\xc8", "È".encode()))
    problem = the_one(report, "R04")
    assert (problem.severity, problem.line) == (Severity.WARNING, 4)
    assert "È" in (problem.found or "")


def test_windows_1252_under_a_latin_1_label_is_warned_of_with_rule_r04(clean: bytes, look: Examine) -> None:
    assert "€" in (the_one(look(clean.replace(b"Exemple de flux", b"Exemple \x80"))[1], "R04").found or "")


@pytest.mark.parametrize("text", ["«\xa0été\xa0»", "«\xa0CARRÉ\xa0»", "«MARCHÉ» DU PRÉ°", "ÀÂÇÉÈÊËÎÏÔÙÛÜàâçéèêëîïôùûüÿ°§²½"])
def test_french_in_latin_1_is_not_taken_for_utf8(text: str, clean: bytes, look: Examine) -> None:
    assert look(clean.replace(b"Exemple de flux", text.encode("iso-8859-1")))[1].problems == []


def test_doubtful_bytes_are_found_across_the_chunks_of_a_large_file(clean: bytes, look: Examine) -> None:
    megabyte = 1 << 20
    for shift in range(4):
        head, _, tail = clean.partition(b"<PES_DepenseAller>")
        comment = b"<!--" + b"\n" * (megabyte - len(head) - 4 - shift) + "€".encode() + b"-->"
        problem = the_one(look(head + comment + b"<PES_DepenseAller>" + tail)[1], "R04")
        assert problem.found == "0xE282AC (€)"
        assert problem.line == head.count(b"\n") + comment.count(b"\n") + 1


def test_another_root_is_refused_with_rule_r05_and_nothing_else(look: Examine) -> None:
    document, report = look(b'<?xml version="1.0" encoding="ISO-8859-1"?><Invoice/>')
    assert document is not None
    assert (report.kind, [problem.rule for problem in report.problems]) == ("unknown", ["R05"])


def test_the_right_root_in_the_wrong_namespace_is_refused_with_rule_r05(clean: bytes, look: Examine) -> None:
    _, report = look(clean.replace(b"Rev0/aller", b"Rev1/aller", 1))
    assert report.kind == "pes-aller"
    assert "Rev0/aller" in (the_one(report, "R05").expected or "")


@pytest.mark.parametrize(
    ("before", "after", "found", "expected"),
    [
        (b'<IdPost V="099012"/>', b'<IdPost V="9901"/>', "9901", "codique"),
        (b'<CodCol V="123"/>', b'<CodCol V="000"/>', "000", "3 chiffres"),
        (b'<TypBord V="01"/>', b'<TypBord V="09"/>', "09", "01, 02, 03, 04"),
        (b'<MtHT V="10.37"/>', b'<MtHT V="10.375"/>', "10.375", "décimales"),
        (b'<MtHT V="10.37"/>', b'<MtHT V="-1"/>', "-1", "supérieur ou égal à 0"),
        (b'<DteBordEm V="2026-03-02"/>', b'<DteBordEm V="02/03/2026"/>', "02/03/2026", "AAAA-MM-JJ"),
        (b'<TVAIntraCom V="0"/>', b'<TVAIntraCom V="non"/>', "non", "0, 1"),
        (b'V="FACTURE F1-1"', b'V="' + b"x" * 71 + b'"', "x" * 71, "70 caractères"),
        (b'<IdBord V="101"/>', b'<IdBord V="0"/>', "0", "supérieur à 0"),
        (b'<IBAN V="FR', b'<IBAN V="fr', None, "IBAN"),
        (b'Id="BRD101"', b'Id="PES101"', "PES101", "unique"),
        (b'Id="BRD101"', b'Id="101"', "101", "commence par une lettre"),
        (b'<PJRef><Support V="01"/>', b"<PJRef>", None, "Support"),
        (b'<Support V="01"/>', b'<Support V="01"/><Support V="01"/>', "Support", "IdUnique"),
        (b'<IdVer V="2"/>', b"<IdVer/>", None, "attribut V"),
        (b'<IdVer V="2"/>', b'<IdVer V="2" W="1"/>', "W", None),
    ],
)
def test_a_breach_of_the_schema_is_told_in_french_with_rule_r06(
    before: bytes, after: bytes, found: str | None, expected: str | None, clean: bytes, look: Examine
) -> None:
    assert before in clean
    _, report = look(clean.replace(before, after, 1))
    problem = the_one(report, "R06")
    assert problem.severity is Severity.ERROR
    assert problem.path
    assert problem.path.startswith("/n:PES_Aller")
    assert (problem.line or 0) > 1
    assert found is None or problem.found == found
    assert expected is None or expected in (problem.expected or "")
    assert problem.mend


def test_all_breaches_are_reported_at_once(clean: bytes, look: Examine) -> None:
    broken = clean.replace(b'<CodBud V="00"/>', b'<CodBud V="0"/>').replace(b'<NatPce V="01"/>', b'<NatPce V="99"/>')
    assert [problem.rule for problem in look(broken)[1].problems] == ["R06", "R06"]


def test_a_flood_of_breaches_is_described_in_part_and_counted(tmp_path: Path, schemas: SchemaSets) -> None:
    path = tmp_path / "flow.xml"
    write_sample(Sample("PESALR1_ESSAI", pieces=SHOWN + 50), path)
    path.write_bytes(path.read_bytes().replace(b'<NatPce V="01"/>', b'<NatPce V="99"/>'))
    _, report = examine(path, schemas=schemas)
    assert len(report.problems) == SHOWN + 1
    assert any(problem.message.startswith("50 ") for problem in report.problems)


def test_a_dense_file_with_a_flood_of_breaches_is_given_up_early(clean: bytes, look: Examine) -> None:
    start, end = clean.index(b"<Piece>"), clean.index(b"</Bordereau>")
    _, report = look(clean[:start] + b"<Piece/>" * 100_000 + clean[end:])
    assert len([problem for problem in report.problems if problem.rule == "R06"]) == SHOWN + 1
    assert any("Au moins" in problem.message for problem in report.problems)
    assert "/n:PES_Aller/PES_DepenseAller/Bordereau/Piece[7]" in {problem.path for problem in report.problems}


def test_places_found_in_a_stream_are_those_found_in_the_tree(tmp_path: Path) -> None:
    path = tmp_path / "flow.xml"
    write_sample(Sample("PESALR1_ESSAI", bordereaux=3, pieces=20, lines=2), path)
    content = path.read_bytes().replace(b'<NatPce V="01"/>', b'<!-- c --><NatPce V="99"/>').replace(b'<CodRes V="0"/>', b"")
    path.write_bytes(
        content.replace(b"<BlocLignePiece>", b"<BlocLignePiece>text").replace(b'<NomPJ V="facture.pdf"/>', b"<NomPJ/>")
    )
    tree = read(path).tree
    schema = compile_schema(OWN / "PES_Aller.xsd", OWN)
    found = flood(schema, tree, lambda: path.open("rb"), 150)
    assert found is not None
    assert not schema.validate(tree)
    expected = [(entry.type_name, entry.message, entry.line, entry.path) for entry in schema.error_log]
    assert len(expected) > 200
    assert [(finding.code, finding.message, finding.line, finding.path) for finding in found[0]] == expected[:150]
    assert flood(schema, tree, lambda: path.open("rb"), len(expected)) is None


def test_a_dense_and_clean_file_is_accepted(tmp_path: Path, schemas: SchemaSets) -> None:
    path = tmp_path / "flow.xml"
    write_sample(Sample("PESALR1_ESSAI", pieces=1_500), path)
    assert examine(path, schemas=schemas)[1].verdict is Verdict.ACCEPTED


def test_a_file_above_the_limit_is_refused_unread_with_rule_r07(tmp_path: Path, schemas: SchemaSets) -> None:
    path = tmp_path / "flow.xml"
    write_sample(Sample("PESALR1_ESSAI"), path)
    size = path.stat().st_size
    assert examine(path, schemas=schemas, limit=size)[1].problems == []
    document, report = examine(path, schemas=schemas, limit=size - 1)
    assert document is None
    assert the_one(report, "R07").severity is Severity.ERROR


def test_a_file_of_too_many_tags_is_refused_before_any_tree_with_rule_r07(clean: bytes, look: Examine) -> None:
    document, report = look(clean.replace(b"<PES_DepenseAller>", b"<a/>" * MOST_TAGS + b"<PES_DepenseAller>"))
    assert document is None
    assert the_one(report, "R07").found == str(MOST_TAGS + clean.count(b"<"))


@pytest.mark.parametrize("after", [b"", b'<NomFic V=""/>', b'<NomFic V="  "/>'])
def test_a_flow_without_a_name_is_refused_with_rule_r08(after: bytes, clean: bytes, look: Examine) -> None:
    assert the_one(look(clean.replace(b'<NomFic V="PESALR1_ESSAI"/>', after))[1], "R08").severity is Severity.ERROR


def test_a_flow_without_bordereau_nor_attachment_is_refused_with_rule_r11(clean: bytes, look: Examine) -> None:
    assert the_one(look(without_bordereaux(clean))[1], "R11").severity is Severity.ERROR


def test_a_flow_of_one_attachment_is_not_empty(clean: bytes, look: Examine) -> None:
    start, end = clean.index(b"<PES_DepenseAller>"), clean.index(b"<PES_PJ>")
    assert look(clean[:start] + clean[end:])[1].problems == []


@pytest.mark.parametrize("name", ["CodCol", "IdPost", "CodBud"])
def test_a_flow_that_cannot_be_routed_is_refused_with_rule_r12(name: str, clean: bytes, look: Examine) -> None:
    problem = the_one(look(clean.replace(f"<{name} V=".encode(), f"<{name} W=".encode(), 1))[1], "R12")
    assert name in problem.message
    assert (problem.severity, problem.line) == (Severity.ERROR, 4)


def test_a_siret_whose_key_is_wrong_is_only_warned_of_with_rule_r13(clean: bytes, look: Examine) -> None:
    _, report = look(clean.replace(b"21990001600011", b"21990001600012", 1))
    assert the_one(report, "R13").severity is Severity.WARNING
    assert report.verdict is Verdict.ACCEPTED_WITH_WARNINGS


def test_a_siret_of_la_poste_follows_its_own_rule(clean: bytes, look: Examine) -> None:
    assert look(clean.replace(b"21990001600011", b"35600000049837", 1))[1].problems == []


@pytest.mark.parametrize(
    ("before", "after", "name"),
    [
        (b'<Version V="2"/>', b'<Version V="1"/>', "Enveloppe"),
        (b'<IdVer V="2"/>', b'<IdVer V="1"/>', "PES_DepenseAller"),
        (b'<EnTetePES_PJ><IdVer V="1"/>', b'<EnTetePES_PJ><IdVer V="2"/>', "PES_PJ"),
    ],
)
def test_a_part_in_another_version_is_refused_with_rule_r16(
    before: bytes, after: bytes, name: str, clean: bytes, look: Examine
) -> None:
    problem = the_one(look(clean.replace(before, after, 1))[1], "R16")
    assert problem.severity is Severity.ERROR
    assert name in problem.message


def test_a_version_with_a_leading_zero_is_the_same_version(clean: bytes, look: Examine) -> None:
    assert look(clean.replace(b'<IdVer V="2"/>', b'<IdVer V="02"/>', 1))[1].problems == []


def test_insured_people_without_a_finess_number_are_warned_of_with_rule_r17(look: Examine, clean: bytes) -> None:
    revenue = (
        b"<PES_RecetteAller><Bordereau><Piece><LigneDePiece><BlocLignePiece><InfoAssure/></BlocLignePiece></LigneDePiece>"
        b"</Piece></Bordereau></PES_RecetteAller>"
    )
    flow = clean.replace(b"<PES_PJ>", revenue + b"<PES_PJ>", 1)
    assert the_one(look(flow)[1], "R17").severity is Severity.WARNING
    hospital = flow.replace(b"<CodCol ", b'<FinJur V="990000017"/><CodCol ', 1)
    assert [problem for problem in look(hospital)[1].problems if problem.rule == "R17"] == []


def test_a_schema_invalid_acquit_is_applied_with_warnings(look: Examine) -> None:
    _, report = look(
        b'<?xml version="1.0" encoding="UTF-8"?><n:PES_ACQUIT xmlns:n="http://www.minefi.gouv.fr/cp/helios/pes_v2/Rev0/retour/v2">'
        b"<ACQUIT><ElementACQUIT><DomaineAck V='5'/></ElementACQUIT></ACQUIT></n:PES_ACQUIT>"
    )
    assert report.kind == "pes-acquit"
    assert report.verdict is Verdict.ACCEPTED_WITH_WARNINGS
    assert {"R03", "R06", "R08", "A06"} == {problem.rule for problem in report.problems}


def test_an_acquit_with_a_doctype_is_refused(look: Examine) -> None:
    _, report = look(b"<!DOCTYPE PES_ACQUIT><PES_ACQUIT/>")
    assert the_one(report, "R02").severity is Severity.ERROR


def test_an_acquit_of_a_return_may_write_codcoll(look: Examine) -> None:
    _, report = look(
        b'<?xml version="1.0" encoding="ISO-8859-1"?>'
        b'<n:PES_ACQUIT_RETOUR xmlns:n="http://www.minefi.gouv.fr/cp/helios/pes_v2/Rev0/aller/ack"><Enveloppe><Parametres>'
        b'<Version V="2"/><TypFic V="PES2R_DEP"/><NomFic V="ESSAI"/></Parametres></Enveloppe><EnTetePES><DteStr V="2026-03-02"/>'
        b'<IdPost V="099012"/><IdColl V="21990001600011"/><CodColl V="123"/><CodBud V="00"/></EnTetePES><ACQUIT_RETOUR>'
        b'<EnTeteAcquit_Retour><IdVer V="2"/></EnTeteAcquit_Retour><ElementACQUIT_RETOUR><DomaineAckRetour V="13"/>'
        b'<NomFichierRetour V="PES2R_DEP_P.xml"/><TypRestit V="02"/><DateAcquit V="2026-03-02"/></ElementACQUIT_RETOUR>'
        b"</ACQUIT_RETOUR></n:PES_ACQUIT_RETOUR>"
    )
    assert (report.kind, report.problems, report.facts["header"]["cod_col"]) == ("pes-acquit-retour", [], "123")


def test_a_schema_named_by_the_file_itself_is_never_opened(clean: bytes, look: Examine, tmp_path: Path) -> None:
    trap = tmp_path / "trap.xsd"
    os.mkfifo(trap)  # whoever opens it to read waits for ever
    location = b'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="urn:trap '
    flow = clean.replace(b"<n:PES_Aller ", b"<n:PES_Aller " + location + str(trap).encode() + b'" ', 1)
    assert look(flow)[1].problems == []


def test_every_message_exists_in_both_languages_with_the_same_places() -> None:
    french, english = messages.texts("fr"), messages.texts("en")
    assert french.keys() == english.keys()
    for key, text in french.items():
        assert _places(text) == _places(english[key]), key


def test_the_same_problem_can_be_told_in_english(clean: bytes, look: Examine) -> None:
    with speaking("en"):
        assert "encoding" in the_one(look(in_ascii(clean).replace(b"ISO-8859-1", b"UTF-8", 1))[1], "R03").message


def test_the_sample_has_right_keys() -> None:
    for rank in range(20):
        assert luhn_holds(fictitious_siret(rank))
        iban = fictitious_iban(rank)
        assert int("".join(str(int(character, 36)) for character in iban[4:] + iban[:4])) % 97 == 1
        bank, branch, account, key = int(iban[4:9]), int(iban[9:14]), int(iban[14:25]), int(iban[25:])
        assert (89 * bank + 15 * branch + 3 * account + key) % 97 == 0


def test_the_totals_of_the_sample_agree_with_its_lines(tmp_path: Path) -> None:
    path = tmp_path / "flow.xml"
    write_sample(Sample("PESALR1_ESSAI", bordereaux=3, pieces=4, lines=5), path)
    document = read(path)
    assert [bordereau.id for bordereau in document.bordereaux] == ["BRD101", "BRD102", "BRD103"]
    for bordereau in document.bordereaux:
        assert (bordereau.pieces, bordereau.nbr_pce, bordereau.lines) == (4, 4, 20)
        lines = bordereau.element.xpath("sum(.//MtHT/@V)")
        assert abs(float(bordereau.mt_bord_ht or 0) - lines) < 0.001


def test_the_same_sample_gives_the_same_bytes(tmp_path: Path) -> None:
    sample = Sample("PESALR1_ESSAI", attachment_size=700_000)
    for name in ("one", "two"):
        write_sample(sample, tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    write_sample(replace(sample, nom_fic="AUTRE"), tmp_path / "three")
    assert b"AUTRE" in (tmp_path / "three").read_bytes()


def _places(text: str) -> set[str]:
    return {part.partition("}")[0] for part in text.split("{")[1:]}
