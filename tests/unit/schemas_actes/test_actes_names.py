"""Names to the letter: what is sent is built strictly, what is received is read leniently."""

from __future__ import annotations

from datetime import date

import pytest

from schemas.actes.codes import NATURES, MessageCode
from schemas.actes.names import (
    AnomalyName,
    ArchiveName,
    AttachmentName,
    EnvelopeName,
    IdActe,
    MessageBase,
    MessageName,
    UnreadableName,
    UnwritableName,
    number_holds,
)

DECIDED = date(2024, 3, 15)
ACT = IdActe.build(department="040", siren="254002264", day=DECIDED, number="2024_012", nature="DE")
BASE = MessageBase.of_act(ACT, MessageCode.ACTE)
ENVELOPE = EnvelopeName.to_state(application="EACT", siren="254002264", day=date(2024, 3, 16), n=1)


def test_names_to_the_state_are_written_to_the_letter() -> None:
    assert str(ACT) == "040-254002264-20240315-2024_012-DE"
    assert str(MessageName.build(BASE)) == "040-254002264-20240315-2024_012-DE-1-1_0.xml"
    assert (
        str(AttachmentName.build(type="99_DE", base=BASE, n=1, extension="pdf"))
        == "99_DE-040-254002264-20240315-2024_012-DE-1-1_1.pdf"
    )
    assert str(ENVELOPE) == "EACT--254002264--20240316-1.xml"
    assert str(ArchiveName.build("SIC", ENVELOPE)) == "SIC-EACT--254002264--20240316-1.tar.gz"
    asked = MessageBase.of_classification("040", "254002264", MessageCode.DEMANDE_CLASSIFICATION)
    assert str(MessageName.build(asked)) == "040-254002264----7-1_0.xml"


def test_names_of_the_state_are_written_to_the_letter() -> None:
    name = EnvelopeName.from_state(application="EACT", office="SPREF0441", siren="214400152", day=date(2018, 10, 12), n=9)
    assert str(name) == "EACT--SPREF0441-214400152-20181012-9.xml"
    assert str(AnomalyName(str(ENVELOPE))) == "ANO_EACT--254002264--20240316-1.xml"
    assert AnomalyName.parse("ANO_EACT--254002264--20240316-1.xml").envelope == ENVELOPE
    assert AnomalyName.parse("ANO_n'importe quoi").envelope is None
    letter = MessageBase.of_act(ACT, MessageCode.COURRIER_SIMPLE)
    assert str(AttachmentName.build(type=None, base=letter, n=16, extension="pdf")).endswith("-DE-2-1_16.pdf")


@pytest.mark.parametrize(
    "name",
    [
        "034-491011698-20171207-CL20171227_06-DE-1-1_0.xml",
        "006-210600235-20180522-684-AI-1-2_5279.xml",
        "044-214400152----1-3_1.xml",
        "999-1234----7-2_7.xml",
        "040-254002264----7-1_0.xml",
        "02A-254002264-20240315-1-AU-1-2_123456.xml",
        "034-491011698-20171207-CL20171227_06-DE-1-2.xml",
        "034-491011698-20171207-2017-12 bis-DE-1-2_1.xml",
    ],
)
def test_names_of_messages_seen_in_the_field_are_read_and_written_back(name: str) -> None:
    assert str(MessageName.parse(name)) == name


@pytest.mark.parametrize(
    "name",
    [
        "99_DE-044-214400152-20181012-123456-DE-1-1_1.pdf",
        "01_01-044-214400152-20181012-123456-DE-1-1_2.xml",
        "034-000000000-20170701-20170721D-AI-1-1_1.pdf",
    ],
)
def test_names_of_attachments_seen_in_the_field_are_read_and_written_back(name: str) -> None:
    assert str(AttachmentName.parse(name)) == name


def test_an_upper_case_extension_is_read_and_written_in_lower_case() -> None:
    assert str(AttachmentName.parse("99_DE-040-254002264-20240315-1-DE-1-1_1.PDF")).endswith("_1.pdf")
    assert MessageName.parse("040-254002264-20240315-1-DE-1-1_0.XML").n == 0


@pytest.mark.parametrize("name", ["TACT--SPREF0011-000000000-20170721-4.xml", "EACT--PREF040-254002264-20240318-7.xml"])
def test_envelopes_of_the_state_tell_office_and_recipient(name: str) -> None:
    read = EnvelopeName.parse(name)
    assert (str(read), read.emitter.startswith(("PREF", "SPREF")), len(read.recipient or "")) == (name, True, 9)


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (MessageName, "x-4365-DE-4365-DE_0.xml"),
        (MessageName, "040-254002264-20240230-1-DE-1-1_0.xml"),
        (MessageName, "040-254002264-20240315-1-DE-1-9_0.xml"),
        (MessageName, "040-254002264-20240315-1-DE-1-5_0.xml"),
        (MessageName, "040-254002264-20240315-1-DE-1-1_0.pdf"),
        (MessageBase, "n'importe quoi"),
        (AttachmentName, "deliberation.pdf"),
        (AttachmentName, "99_DE-040-254002264-20240230-1-DE-1-1_1.pdf"),
        (EnvelopeName, "EACT--254002264--20241316-1.xml"),
        (EnvelopeName, "EACT-254002264-20240316-1.xml"),
        (AnomalyName, "EACT--254002264--20240316-1.xml"),
        (AnomalyName, "ANO_"),
        (ArchiveName, "SIC-EACT--254002264--20240316-1.tar"),
        (ArchiveName, "SIC-EACT--254002264--20240316-1.xml.tar.gz"),
        (ArchiveName, "SICT-EACT--254002264--20240316-1.tar.gz"),
        (ArchiveName, "SIC-EACT--SPREF0441-214400152-20181012-9.tar.gz"),
        (ArchiveName, "SIC-ABCD--254002264--20240316-1.tar.gz"),
        (ArchiveName, "EACT--254002264--20240316-1.tar.gz"),
        (ArchiveName, "SIC-EACT--254002264--20240316-1.tar.gz\n"),
        (IdActe, "040-254002264-20240230-1-DE"),
        (IdActe, "040-254002264-20240315-2024-012-DE"),
    ],
    ids=lambda value: repr(value) if isinstance(value, str) else value.__name__,
)
def test_what_is_no_name_is_told(kind: type, name: str) -> None:
    with pytest.raises(UnreadableName, match=r"\w"):
        kind.parse(name)  # type: ignore[attr-defined]


def _act(**changes: str) -> IdActe:
    parts = {"department": "040", "siren": "254002264", "number": "1", "nature": "DE", **changes}
    return IdActe.build(day=DECIDED, **parts)


@pytest.mark.parametrize(
    "changes",
    [
        {"department": "40"},
        {"department": "0|A"},
        {"department": "123"},
        {"siren": "25400226"},
        {"siren": "25400226A"},
        {"number": "2024-012"},
        {"number": "a"},
        {"number": ""},
        {"nature": "de"},
        {"nature": "DEL"},
    ],
    ids=str,
)
def test_an_identifier_that_could_not_be_sent_is_not_built(changes: dict[str, str]) -> None:
    with pytest.raises(UnwritableName):
        _act(**changes)


def test_neither_are_other_names() -> None:
    state = EnvelopeName.from_state(application="EACT", office="PREF040", siren="254002264", day=DECIDED, n=1)
    for build in (
        lambda: EnvelopeName.to_state(application="ABCD", siren="254002264", day=DECIDED, n=1),
        lambda: EnvelopeName.to_state(application="EACT", siren="254002264", day=DECIDED, n=0),
        lambda: EnvelopeName.to_state(application="EACT", siren="254002264", day=DECIDED, n=10_000),
        lambda: EnvelopeName.from_state(application="EACT", office="MAIRIE", siren="254002264", day=DECIDED, n=1),
        lambda: ArchiveName.build("SICT", ENVELOPE),
        lambda: ArchiveName.build("SIC", state),
        lambda: AttachmentName.build(type=None, base=BASE, n=1, extension="pdf"),
        lambda: AttachmentName.build(type="99DE", base=BASE, n=1, extension="pdf"),
        lambda: AttachmentName.build(type="99_DE", base=BASE, n=0, extension="pdf"),
        lambda: AttachmentName.build(type="99_DE", base=BASE, n=1, extension="docx"),
        lambda: MessageName.build(BASE, -1),
        lambda: MessageBase.of_act(ACT, MessageCode.DEMANDE_CLASSIFICATION),
        lambda: MessageBase.of_classification("040", "254002264", MessageCode.ACTE),
        lambda: MessageBase.of_classification("040", "254002264", MessageCode.ANOMALIE_ENVELOPPE),
    ):
        with pytest.raises(UnwritableName):
            build()


@pytest.mark.parametrize("number", ["1", "A", "2024_012", "A" * 15, "1__2"])
def test_numbers_that_can_be_sent(number: str) -> None:
    assert number_holds(number)


@pytest.mark.parametrize("number", ["", "_", "_1", "1_", "a", "É", "2024-1", "1 2", "A" * 16, "1\n"])
def test_numbers_that_cannot(number: str) -> None:
    assert not number_holds(number)


def test_a_base_tells_its_act_when_no_field_is_empty() -> None:
    assert BASE.act == ACT
    assert MessageBase.parse("044-214400152----1-3").act is None
    assert MessageBase.parse(str(BASE)) == BASE


def test_the_year_is_the_calendars_around_new_year() -> None:
    act = IdActe.build(department="040", siren="254002264", day=date(2024, 12, 31), number="1", nature="DE")
    assert "-20241231-" in str(act)


def test_the_six_natures_have_their_letters() -> None:
    assert [nature.abbreviation for nature in NATURES.values()] == ["DE", "AR", "AI", "CC", "BF", "AU"]
