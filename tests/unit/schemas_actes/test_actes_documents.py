"""What is written comes back the same; what strangers write is read as far as it goes; what would be lost is not written."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from core.errors import Refused
from core.messages import speaking
from core.problems import Severity, Verdict
from schemas.actes import messages as said
from schemas.actes.classification import Matiere
from schemas.actes.codes import Direction, MessageCode, code_of_root, direction_of_root, kind_of_root
from schemas.actes.names import UnwritableName
from schemas.actes.reader import LARGEST, MOST_TAGS, TooLarge, read, read_content
from schemas.actes.rules import examine_envelope, examine_message
from schemas.actes.schema import MOST_FINDINGS
from schemas.actes.writer import render, write
from schemas.xml import DoctypeRefused, Malformed
from tests.unit.schemas_actes.acts import CLASSIFICATION, ID_ACTE, SENT, an_act, an_envelope
from tests.unit.schemas_actes.every_message import IN_FORCE, RECEIVED, messages

MESSAGES = messages()


@pytest.mark.parametrize("story", MESSAGES)
def test_what_is_written_comes_back_the_same(story: str, tmp_path: Path) -> None:
    document = MESSAGES[story]
    path = tmp_path / "message.xml"
    write(document, path)
    found = read(path)
    assert found.document == document
    assert (found.findings, found.unread, found.octets.flaw) == ((), (), None)
    assert found.code is (document.code if isinstance(document, said.Message) else None)
    assert not list(tmp_path.glob("*.partial"))


@pytest.mark.parametrize("story", MESSAGES)
def test_what_is_written_has_nothing_against_it(story: str, tmp_path: Path) -> None:
    document = MESSAGES[story]
    path = tmp_path / "message.xml"
    write(document, path)
    is_envelope = not isinstance(document, said.Message) or document.code is MessageCode.ANOMALIE_ENVELOPPE
    found, report = (examine_envelope if is_envelope else examine_message)(path)
    assert found == document
    assert (report.kind, report.problems) == ("actes-envelope" if is_envelope else "actes-message", [])


def test_every_code_of_the_matrix_is_written_and_read() -> None:
    assert {document.code for document in MESSAGES.values() if isinstance(document, said.Message)} == set(MessageCode)
    for code in MessageCode:
        assert code_of_root(code.root) is code
        assert direction_of_root(code.root) is code.direction
        assert kind_of_root(code.root) == code.kind
    assert kind_of_root("EnveloppeMISILLCL") == kind_of_root("EnveloppeCLMISILL") == "actes-envelope"
    assert direction_of_root("EnveloppeCLMISILL") is Direction.TO_STATE
    assert (kind_of_root("PES_Aller"), direction_of_root("PES_Aller"), code_of_root("PES_Aller")) == (None, None, None)


def test_what_is_written_looks_as_the_norm_wants() -> None:
    content = render(an_act(subject="L’œuvre d’été : 10 € – « suite »…"))
    assert content.startswith(b'<?xml version="1.0" encoding="ISO-8859-1"?>\n<actes:Acte xmlns:actes=')
    assert b'xsi:schemaLocation="http://www.interieur.gouv.fr/ACTES#v1.1-20040216 actesv1_1.xsd"' in content
    assert b'actes:NumeroInterne="2024_012"' in content
    assert "<actes:Objet>L'oeuvre d'été : 10 EUR - « suite »...</actes:Objet>".encode("latin-1") in content


def test_the_anomaly_999_that_the_schema_of_the_state_lacks_is_written_as_the_state_writes_it() -> None:
    anomaly = said.AnomalieEnveloppe(SENT, "999", "ODT-VERIF-17", an_envelope("x.xml"))
    assert read_content(render(anomaly)).document == anomaly


@pytest.mark.parametrize(
    ("document", "rule"),
    [
        (an_act(subject="Дума"), "R34"),
        (an_act(subject="bell\x07"), "R33"),
        (said.CourrierSimple(ID_ACTE, SENT, said.SignedFile("null\x00.pdf")), "R34"),
        (an_act(subject="a\nb"), "R33"),
        (an_act(subject=" "), "R33"),
        (an_act(number="2024-012"), "R30"),
        (an_act(paper="oui"), "R35"),
        (an_act(announced=3), "R20"),
        (an_act(document=None), "R12"),
        (an_act(decision_date=None), "R12"),
        (an_act(classification_date=None), "R12"),
        (an_act(matieres=(7,)), "R12"),
        (said.Annulation("pas un identifiant"), "R12"),
        (said.PieceComplementaire(ID_ACTE, SENT, ()), "R12"),
        (an_envelope(), "R07"),
        (an_envelope("a.xml", addresses=()), "R07"),
        (an_envelope("a.xml", addresses=("maire+actes@example.fr",)), "R40"),
        (an_envelope("a.xml", sender=said.Collectivite("12", "040", "1", "31")), "R07"),
        (said.AnomalieActe(SENT, "2", None, an_act(), SENT), "R12"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_the_writer_refuses_what_the_state_would(document: said.Document, rule: str, tmp_path: Path) -> None:
    with pytest.raises(Refused) as refused:
        write(document, tmp_path / "message.xml")
    assert rule in {problem.rule for problem in refused.value.problems}
    assert not list(tmp_path.iterdir())


def test_a_refusal_for_a_character_names_it() -> None:
    with pytest.raises(Refused) as refused:
        render(an_act(subject="Règlement de la Дума"))
    assert [(problem.found or "")[:10] for problem in refused.value.problems] == ["Д (U+0414)"]


def _content(document: said.Document, *changes: tuple[str, str]) -> bytes:
    text = render(document).decode("latin-1")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return text.encode("latin-1")


AR = MESSAGES["1-2"]


def test_utf8_under_the_states_own_label_is_read_right_and_only_warns(tmp_path: Path) -> None:
    path = tmp_path / "ar.xml"
    path.write_bytes(render(AR).decode("latin-1").encode())
    message, report = examine_message(path)
    assert message == AR
    assert [(problem.rule, problem.severity) for problem in report.problems] == [("R34", Severity.WARNING)]
    assert report.verdict is Verdict.ACCEPTED_WITH_WARNINGS


@pytest.mark.parametrize(
    "declaration",
    ['<?xml version="1.0" encoding="windows-1252"?>', '<?xml version="1.0"?>', "", "<?xml version='1.0' encoding='utf-8' ?>"],
)
@pytest.mark.parametrize("encoding", ["latin-1", "utf-8"])
def test_an_acknowledgement_is_read_right_whatever_its_label(declaration: str, encoding: str) -> None:
    text = render(AR).decode("latin-1").partition("\n")[2]
    if encoding == "latin-1" and "utf-8" in declaration:
        with pytest.raises(Malformed):
            read_content(f"{declaration}\n{text}".encode(encoding))
    else:
        assert read_content(f"{declaration}\n{text}".encode(encoding)).document == AR


def test_an_accented_capital_before_a_no_break_space_is_latin_and_not_utf8() -> None:
    act = an_act(subject="PRIORITÉ\u00a0: voirie")
    assert read_content(render(act)).document == replace(act, announced=1)


def test_an_acknowledgement_from_before_typologies_is_read(tmp_path: Path) -> None:
    path = tmp_path / "ar.xml"
    path.write_bytes(_content(AR, ("<actes:DocumentPapier>O</actes:DocumentPapier>", "")))
    message, report = examine_message(path)
    assert isinstance(message, said.ARActe)
    assert message.received is not None
    assert message.received.paper is None
    assert [(problem.rule, problem.severity) for problem in report.problems] == [("R12", Severity.WARNING)]


def test_an_acknowledgement_that_lacks_nearly_everything_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    path = tmp_path / "ar.xml"
    path.write_bytes(b'<a:ARActe xmlns:a="http://www.interieur.gouv.fr/ACTES#v1.1-20040216" IDActe="un acte"/>')
    message, report = examine_message(path)
    assert message == said.ARActe("un acte", None, None, None)
    assert message.act is None
    assert report.verdict is Verdict.ACCEPTED_WITH_WARNINGS
    assert all(problem.mend for problem in report.problems)


def test_a_repeated_copy_of_the_act_counts_once() -> None:
    copy = render(AR).decode("latin-1")
    received = copy[copy.index("<actes:ActeRecu") : copy.index("</actes:ActeRecu>") + len("</actes:ActeRecu>")]
    assert read_content(copy.replace(received, received * 2).encode("latin-1")).document == AR


def test_a_date_with_a_time_zone_is_the_day_written() -> None:
    content = _content(AR, ('DateReception="2024-03-18"', 'DateReception="2024-03-18+02:00"'))
    found = read_content(content)
    assert found.document == AR
    assert found.flaws == []


def test_a_date_that_cannot_be_read_is_none_and_told_as_it_stands() -> None:
    found = read_content(_content(AR, ('DateReception="2024-03-18"', 'DateReception="18/03/2024"')))
    assert isinstance(found.document, said.ARActe)
    assert found.document.reception_date is None
    assert [problem.found for problem in found.flaws] == ["18/03/2024"]


def test_anomalies_of_the_state_may_bear_any_nature(tmp_path: Path) -> None:
    path = tmp_path / "ano.xml"
    path.write_bytes(_content(MESSAGES["ANO"], ("<actes:Nature>100<", "<actes:Nature>ODT-17<")))
    anomaly, report = examine_envelope(path)
    assert isinstance(anomaly, said.AnomalieEnveloppe)
    assert (anomaly.nature, report.verdict) == ("ODT-17", Verdict.ACCEPTED_WITH_WARNINGS)


def test_a_classification_without_typologies_is_read() -> None:
    older = replace(CLASSIFICATION, natures=tuple(replace(nature, types=()) for nature in CLASSIFICATION.natures))
    with pytest.raises(Refused):
        render(said.RetourClassification(older))
    content = _content(
        MESSAGES["7-2"],
        ('<actes:TypePJNatureActe actes:CodeTypePJ="99_DE" actes:Libelle="Délibération"/>', ""),
        ('<actes:TypePJNatureActe actes:CodeTypePJ="70_DE" actes:Libelle="Délibération"/>', ""),
        ('<actes:TypePJNatureActe actes:CodeTypePJ="99_BU" actes:Libelle="Budget"/>', ""),
    )
    found = read_content(content)
    assert found.document == said.RetourClassification(older)
    assert {problem.severity for problem in found.flaws} == {Severity.WARNING}


def test_a_classification_of_five_levels_comes_back_whole() -> None:
    tree: tuple[Matiere, ...] = ()
    for level in range(5, 0, -1):
        tree = (Matiere(level, f"Niveau {level}", tree), Matiere(10, "Divers", () if level > 1 else tree))
    deep = said.RetourClassification(replace(CLASSIFICATION, matieres=tree))
    assert read_content(render(deep)).document == deep
    assert deep.classification.find((1, 2, 3, 4, 5)) is not None


def test_signatures_are_kept_as_text_or_as_markup() -> None:
    content = _content(AR, (">TUlJQg==<", '><ds:Signature xmlns:ds="urn:d">x</ds:Signature><'))
    found = read_content(content)
    assert isinstance(found.document, said.ARActe)
    assert found.document.received is not None
    assert found.document.received.document is not None
    assert (found.document.received.document.signature or "").startswith("<ds:Signature")
    assert found.findings == ()


def test_comments_and_blanks_change_nothing() -> None:
    content = _content(AR, ("<actes:Objet>Élection", "<actes:Objet><!-- ici -->Élection"), ('="2024-03-18"', '=" 2024-03-18 "'))
    assert read_content(content).document == AR


def test_content_held_in_memory_is_bounded_too() -> None:
    with pytest.raises(TooLarge):
        read_content(bytes(LARGEST + 1))


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"", Malformed),
        (b"<actes:Acte>", Malformed),
        (b"\xff\xfe", Malformed),
        (b"<!DOCTYPE a><a/>", DoctypeRefused),
        (b'<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/passwd">]><a>&e;</a>', DoctypeRefused),
        (b'\xef\xbb\xbf<?xml version="1.0" encoding="ISO-8859-1"?><!DOCTYPE a><a/>', DoctypeRefused),
        ('<?xml version="1.0" encoding="UTF-16"?><!DOCTYPE a><a/>'.encode("utf-16"), DoctypeRefused),
        (b"<a>" + b"<b/>" * (MOST_TAGS + 1) + b"</a>", TooLarge),
        (b"<a>" + bytes(LARGEST) + b"</a>", TooLarge),
        (b'<?xml version="1.0" encoding="EBCDIC-XYZ"?><a/>', Malformed),
    ],
    ids=["empty", "cut", "mark alone", "doctype", "entity", "behind a mark", "utf-16", "tags", "size", "encoding"],
)
def test_what_is_no_safe_xml_is_refused(content: bytes, error: type[Exception], tmp_path: Path) -> None:
    path = tmp_path / "a.xml"
    path.write_bytes(content)
    with pytest.raises(error):
        read(path)
    message, report = examine_message(path)
    assert message is None
    assert [problem.rule for problem in report.problems] == ["R12"]
    assert report.verdict is Verdict.REJECTED
    assert examine_envelope(path)[1].problems[0].rule == "R07"


def classification_with(natures: int) -> bytes:
    """A classification of which no nature has a code or a label."""
    head = '<?xml version="1.0" encoding="ISO-8859-1"?><a:RetourClassification xmlns:a="http://www.interieur.gouv.fr/ACTES#v1.1-20040216">'
    date = "<a:DateClassification>2020-01-01</a:DateClassification>"
    nature = '<a:NatureActe a:CodeNatureActe="x" z="1"/>'
    return f"{head}{date}<a:NaturesActes>{nature * natures}</a:NaturesActes></a:RetourClassification>".encode()


@pytest.mark.parametrize("natures", [20, 3_000, 40_000])
def test_a_flood_of_departures_is_told_by_its_first_ones_and_given_up(natures: int) -> None:
    found = read_content(classification_with(natures))
    paths = [finding.path for finding in found.findings]
    assert paths == [f"/a:RetourClassification/a:NaturesActes/a:NatureActe[{rank // 5 + 1}]" for rank in range(MOST_FINDINGS)]
    assert len(found.unread) == min(natures, MOST_FINDINGS)


def test_characters_that_cannot_be_sent_are_told_by_their_first_ones(tmp_path: Path) -> None:
    path = tmp_path / "a.xml"
    documents = "<a:Annexe><a:NomFichier>&#x2708;</a:NomFichier></a:Annexe>" * 60_000
    head = '<?xml version="1.0" encoding="ISO-8859-1"?><a:Acte xmlns:a="http://www.interieur.gouv.fr/ACTES#v1.1-20040216">'
    path.write_text(f"{head}{documents}</a:Acte>", encoding="ascii")
    _, report = examine_message(path)
    assert len([problem for problem in report.problems if problem.rule == "R34"]) == MOST_FINDINGS


def test_something_else_is_no_message_and_said_to_be_none(tmp_path: Path) -> None:
    path = tmp_path / "a.xml"
    path.write_bytes(b'<Acte xmlns="urn:autre"/>')
    assert (read(path).document, read(path).kind, read(path).code) == (None, None, None)
    assert examine_message(path)[1].problems[0].found == "{urn:autre}Acte"


def test_every_problem_is_told_in_english_too(tmp_path: Path) -> None:
    path = tmp_path / "a.xml"
    path.write_bytes(_content(an_act(), ('Nombre="1"', 'Nombre="2"')))
    with speaking("en"):
        assert examine_message(path)[1].problems[0].message == "The message announces 2 annexes and names 1."


def test_an_act_knows_its_identifier_before_it_is_sent() -> None:
    assert str(an_act().identifier("040", "254002264")) == ID_ACTE
    for unknown in (an_act(nature=9), an_act(decision_date=None), an_act(nature=None)):
        with pytest.raises(UnwritableName):
            unknown.identifier("040", "254002264")
    assert (an_act(matieres=(7, 10, 2)).matiere, an_act(matieres=(1, 1, 1, None, 1)).matiere) == ("7.10.2", "1.1.1")
    assert (an_act(paper="O").paper_follows, an_act().paper_follows) == (True, False)
    assert MESSAGES["6-1"].act == MESSAGES["1-2"].act  # type: ignore[union-attr]


def test_dates_of_the_messages_are_facts(tmp_path: Path) -> None:
    path = tmp_path / "ar.xml"
    write(AR, path)
    facts = examine_message(path)[1].facts
    assert (facts["reception_date"], facts["id_acte"]) == (RECEIVED.isoformat(), ID_ACTE)
    assert facts["current_classification_date"] == IN_FORCE.isoformat() == date(2024, 1, 10).isoformat()
    assert facts["received"]["number"] == "2024_012"
