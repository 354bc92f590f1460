"""The R rules, one defect at a time in a sample flow that is otherwise clean."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from core.identifiers import luhn_holds
from core.messages import speaking
from core.problems import Severity, Verdict
from schemas import xml
from schemas.pes import rules
from schemas.pes.reader import read
from schemas.pes.roots import ROOTS
from schemas.pes.rules import MOST_TAGS, examine, messages
from schemas.pes.sample import Sample, fictitious_iban, fictitious_siret, write_sample
from schemas.pes.versions import SchemaSets
from tests.pes_looks import Examine, clean, look, schemas, the_one

__all__ = ["clean", "look", "schemas"]

OWN = Path(rules.__file__).parent


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


def test_a_flow_whose_elements_are_all_in_a_namespace_is_told_so_and_nothing_else(clean: bytes, look: Examine) -> None:
    _, report = look(clean.replace(b"n:PES_Aller", b"PES_Aller").replace(b"xmlns:n=", b"xmlns="))
    problem = the_one(report, "R06")
    assert report.problems == [problem]
    assert "espace de noms" in problem.message
    assert problem.found == ROOTS[0].namespace


def test_another_root_is_refused_with_rule_r05_and_nothing_else(look: Examine) -> None:
    document, report = look(b'<?xml version="1.0" encoding="ISO-8859-1"?><Invoice/>')
    assert document is not None
    assert (report.kind, [problem.rule for problem in report.problems]) == ("unknown", ["R05"])


def test_the_right_root_in_the_wrong_namespace_is_refused_with_rule_r05(clean: bytes, look: Examine) -> None:
    _, report = look(clean.replace(b"Rev0/aller", b"Rev1/aller", 1))
    assert report.kind == "pes-aller"
    assert "Rev0/aller" in (the_one(report, "R05").expected or "")


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


def test_a_file_of_too_many_attributes_is_refused_before_any_tree_with_rule_r07(
    clean: bytes, look: Examine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules, "MOST_TAGS", 1_000)
    many = b"".join(b' a%d=""' % rank for rank in range(1_000))
    document, report = look(clean.replace(b"<PES_DepenseAller>", b"<a" + many + b"/><PES_DepenseAller>"))
    assert document is None
    assert the_one(report, "R07").found == str(1_000 + clean.count(b"="))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"<n:PES_Aller", b"<!--%s--><n:PES_Aller"),
        (b"<n:PES_Aller", b"<?x %s?><n:PES_Aller"),
        (b"<n:PES_Aller", b'<n:PES_Aller xmlns:x="%s"'),
        (b"<PES_PJ>", b"<!--%s--><PES_PJ>"),
        (b"</Fichier>", b"<!--%s--></Fichier>"),
        (b"<IdUnique ", b'<IdUnique x="%s" '),
    ],
    ids=["comment first", "instruction first", "root", "comment within", "comment in a document", "attribute within"],
)
def test_what_would_be_read_again_and_again_is_refused_with_rule_r07(
    before: bytes, after: bytes, clean: bytes, look: Examine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(xml, "LONGEST_TOKEN", 100_000)
    assert look(clean.replace(before, after % (b"x" * 90_000), 1))[0] is not None
    document, report = look(clean.replace(before, after % (b"x" * 300_000), 1))
    assert document is None
    assert (the_one(report, "R07").line or 0) > 1


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


def test_a_siret_that_is_too_short_is_warned_of_with_rule_r13(clean: bytes, look: Examine) -> None:
    _, report = look(clean.replace(b"21990001600011", b"219900016", 1))
    problem = the_one(report, "R13")
    assert problem.severity is Severity.WARNING
    assert "14 chiffres" in (problem.expected or "")


def test_sums_of_an_amount_that_cannot_be_read_are_not_told(clean: bytes, look: Examine) -> None:
    _, report = look(clean.replace(b'<MtHT V="10.37"/>', b'<MtHT V="10,37"/>', 1))
    (problem,) = report.problems
    assert (problem.rule, problem.found) == ("R06", "10,37")
    assert "un point" in (problem.expected or "")


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
