"""What the archives answer is written as the official schemas have it, and read whoever wrote it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from lxml import etree

from core.messages import LOCALES, speaking
from schemas.seda import schema
from schemas.seda.codes import REPLY_CODES, code_of, in_words, is_acceptance
from schemas.seda.delivery import DeliveryReply, write_delivery
from schemas.seda.model import Agency, ArchiveUnit, DataObject, DataObjectGroup, Level, Version
from schemas.seda.replies import (
    Acknowledgement,
    DestructionNotice,
    OperationResult,
    ReadReply,
    TransferReply,
    UnknownReply,
    read_reply,
    write_acknowledgement,
    write_destruction,
    write_reply,
)
from schemas.seda.writing import UnwritableTransfer
from schemas.xml import DoctypeRefused, Malformed

AT = datetime(2026, 3, 2, 9, 15, tzinfo=UTC)
ARCHIVES, SENDER, PRODUCER = Agency("AD-99"), Agency("TABELLION"), Agency("214009995", "SIREN")
RECEIVED = Acknowledgement("ACK-1", AT, "TR-0001", ARCHIVES, SENDER, ("Bien reçu",))
ACCEPTED = TransferReply(
    identifier="ATR-1",
    at=AT,
    transfer_identifier="TR-0001",
    code="000",
    archival_agency=ARCHIVES,
    transferring_agency=SENDER,
    agreement="ACCORD",
    granted=AT,
    comments=("Pris en charge",),
    units=(("AU1", "2026-W-0001"), ("AU2", "2026-W-0002")),
)
REFUSED = TransferReply(
    identifier="ATR-2",
    at=AT,
    transfer_identifier="TR-0001",
    code="207",
    archival_agency=ARCHIVES,
    transferring_agency=SENDER,
    results=(
        OperationResult(AT, "Contrôle de la structure", "000"),
        OperationResult(AT, "Contrôle des empreintes", "207", "L’empreinte de content/a.pdf ne correspond pas.", "BDO1"),
    ),
)
DESTROYED = DestructionNotice("ADN-1", AT, "VISA-1", ("01JA", "01JB"), ARCHIVES, PRODUCER, ("Bordereau n° 3",))
DELIVERED = DeliveryReply(
    identifier="ADRR-1",
    at=AT,
    request="ADR-1",
    code="000",
    delivered=("01JA",),
    units=(
        ArchiveUnit(
            "AU1",
            Level.FILE,
            "Budget",
            archival_identifier="01JA",
            originating_identifier="B-1",
            units=(ArchiveUnit("AU2", Level.ITEM, "Délibération", groups=("GO1",)), ArchiveUnit("AU3", Level.ITEM, "Vide")),
        ),
    ),
    groups=(
        DataObjectGroup("GO1", (DataObject("BDO1", "documents/a.pdf", "ab" * 32, 4, "à.pdf", "application/pdf", "fmt/276"),)),
    ),
    archival_agency=ARCHIVES,
    requester=Agency("LECTEUR-1"),
    originating_agency=PRODUCER,
    comments=("Voici.",),
)
WRITTEN = {
    "acknowledgement": lambda target, version: write_acknowledgement(target, RECEIVED, version),
    "acceptance": lambda target, version: write_reply(target, ACCEPTED, version),
    "refusal": lambda target, version: write_reply(target, REFUSED, version),
    "bare reply": lambda target, version: write_reply(target, replace(REFUSED, results=()), version),
    "delivery": lambda target, version: write_delivery(target, DELIVERED, version),
    "destruction": lambda target, version: write_destruction(target, DESTROYED, version),
}


@pytest.mark.parametrize("version", list(Version))
@pytest.mark.parametrize("name", WRITTEN)
def test_a_message_is_valid_for_the_official_schema_and_ours(name: str, version: Version, shared: Path, tmp_path: Path) -> None:
    target = tmp_path / "reply.xml"
    WRITTEN[name](target, version)
    for validator in (schema.load(shared / "official/seda", version.value), schema.own(version.value)):
        assert validator.validate(etree.parse(target)), validator.error_log


def test_an_acknowledgement_is_no_acceptance(tmp_path: Path) -> None:
    target = tmp_path / "reply.xml"
    write_acknowledgement(target, RECEIVED, Version.V2_2)
    assert read_reply(target) == ReadReply("Acknowledgement", None, False, "ACK-1", "TR-0001", None, ("Bien reçu",))


def test_an_acceptance_is_read_back_with_the_name_that_the_archives_gave(tmp_path: Path) -> None:
    target = tmp_path / "reply.xml"
    write_reply(target, ACCEPTED, Version.V2_1)
    found = read_reply(target)
    assert found == ReadReply("ArchiveTransferReply", "000", True, "ATR-1", "TR-0001", "2026-W-0001", ("Pris en charge",))


def test_a_refusal_is_read_back_with_what_failed(tmp_path: Path) -> None:
    target = tmp_path / "reply.xml"
    write_reply(target, REFUSED, Version.V2_3)
    found = read_reply(target)
    assert (found.code, found.accepted, found.archive_identifier) == ("207", False, None)
    assert found.details == ("L’empreinte de content/a.pdf ne correspond pas.",)


def test_an_acknowledgement_that_bears_a_code_is_no_acceptance_either(tmp_path: Path) -> None:
    target = tmp_path / "reply.xml"
    write_acknowledgement(target, RECEIVED, Version.V2_1)
    target.write_text(target.read_text().replace("<Sender>", "<ReplyCode>000</ReplyCode><Sender>"))
    found = read_reply(target)
    assert (found.code, found.accepted) == ("000", False)


@pytest.mark.parametrize("text", ["", "\x0b", "x" * 32_001])
def test_a_comment_that_no_receiver_takes_is_not_written(text: str, tmp_path: Path) -> None:
    with pytest.raises(UnwritableTransfer):
        write_reply(tmp_path / "reply.xml", replace(REFUSED, comments=(text,)), Version.V2_2)


def test_a_delivery_whose_units_name_what_is_not_handed_out_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(UnwritableTransfer, match="GO1"):
        write_delivery(tmp_path / "reply.xml", replace(DELIVERED, groups=()), Version.V2_2)


ACCEPTANCE_1_0 = """<ArchiveTransferReply xmlns="fr:gouv:culture:archivesdefrance:seda:v1.0">
  <Comment>Versement accepté</Comment><Date>2026-03-02T09:15:00Z</Date><GrantDate>2026-03-02T09:15:00Z</GrantDate>
  <ReplyCode>000</ReplyCode><TransferIdentifier>TR-0001</TransferIdentifier><TransferReplyIdentifier>R-1</TransferReplyIdentifier>
  <ArchivalAgency><Identification>AD</Identification></ArchivalAgency>
  <TransferringAgency><Identification>T</Identification></TransferringAgency>
  <Archive><ArchivalAgencyArchiveIdentifier>COTE-1</ArchivalAgencyArchiveIdentifier><Name>n</Name></Archive>
</ArchiveTransferReply>"""
ACCEPTANCE_0_2 = """<ArchiveTransferAcceptance xmlns="fr:gouv:ae:archive:draft:standard_echange_v0.2">
  <Date>2026-03-02T09:15:00Z</Date>{code}<TransferAcceptanceIdentifier>A-1</TransferAcceptanceIdentifier>
  <TransferIdentifier>TR-0001</TransferIdentifier>
  <Archive><ArchivalAgencyArchiveIdentifier>COTE-2</ArchivalAgencyArchiveIdentifier></Archive>
</ArchiveTransferAcceptance>"""
UNFINISHED_2_2 = """<ArchiveTransferReply xmlns="fr:gouv:culture:archivesdefrance:seda:v2.2">
  <Date>2026-03-02T09:15:00Z</Date><MessageIdentifier>M</MessageIdentifier><CodeListVersions><ReplyCodeListVersion/></CodeListVersions>
  <ReplyCode>{code}</ReplyCode>
  <Operation><Event><EventTypeCode>CHECK</EventTypeCode><EventDateTime>2026-03-02</EventDateTime><Outcome>KO</Outcome>
  <EventDetail>x</EventDetail></Event></Operation>
</ArchiveTransferReply>"""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            ACCEPTANCE_1_0,
            ReadReply("ArchiveTransferReply", "000", True, "R-1", "TR-0001", "COTE-1", ("Versement accepté",)),
        ),
        (
            ACCEPTANCE_0_2.format(code="<ReplyCode>001</ReplyCode>"),
            ReadReply("ArchiveTransferAcceptance", "001", True, "A-1", "TR-0001", "COTE-2", ()),
        ),
        (ACCEPTANCE_0_2.format(code=""), ReadReply("ArchiveTransferAcceptance", None, True, "A-1", "TR-0001", "COTE-2", ())),
        (
            ACCEPTANCE_0_2.format(code="<ReplyCode>300</ReplyCode>"),
            ReadReply("ArchiveTransferAcceptance", "300", False, "A-1", "TR-0001", "COTE-2", ()),
        ),
        (UNFINISHED_2_2.format(code="KO"), ReadReply("ArchiveTransferReply", "KO", False, "M", None, None, (), ("x",))),
        (UNFINISHED_2_2.format(code="WARNING"), ReadReply("ArchiveTransferReply", "WARNING", True, "M", None, None, (), ("x",))),
    ],
    ids=["1.0", "0.2", "0.2 without code", "0.2 refused", "invalid KO", "Vitam warning"],
)
def test_answers_of_other_services_are_read_in_every_version(text: str, expected: ReadReply, tmp_path: Path) -> None:
    path = tmp_path / "reply.xml"
    path.write_text(text, encoding="utf-8")
    assert read_reply(path) == expected


def test_the_answers_of_the_corpus_are_read(shared: Path) -> None:
    corpus = shared / "corpus/archive"
    for name in ("atr-with-seda-2.1.xml", "sedaArchiveTransferReply.xml"):
        found = read_reply(corpus / name)
        assert (found.kind, found.accepted) == ("ArchiveTransferReply", True)
        assert found.identifier
        assert found.transfer_identifier
        assert found.archive_identifier


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ('<ArchiveTransfer xmlns="fr:gouv:culture:archivesdefrance:seda:v2.2"/>', UnknownReply),
        ('<ArchiveTransferReply xmlns="urn:autre"/>', UnknownReply),
        ("<ArchiveTransferReply>", Malformed),
        ("<!DOCTYPE a><ArchiveTransferReply/>", DoctypeRefused),
    ],
)
def test_what_is_no_answer_is_refused(text: str, error: type[Exception], tmp_path: Path) -> None:
    path = tmp_path / "reply.xml"
    path.write_text(text)
    with pytest.raises(error):
        read_reply(path)


def test_every_code_has_its_words_and_only_the_first_family_accepts(shared: Path) -> None:
    listed = etree.parse(str(shared / "official/seda/seda_v0-2/v02/codes/archives_echanges_v0-2_reply_code.xsd"))
    assert set(REPLY_CODES) == set(listed.xpath("//*[local-name() = 'enumeration']/@value"))
    for locale in LOCALES:
        with speaking(locale):
            assert len({in_words(code) for code in REPLY_CODES}) == len(REPLY_CODES)
    assert [code for code in REPLY_CODES if is_acceptance(code)] == ["000", "001", "002"]
    assert [code_of(rule) for rule in ("SEDA-207", "XSD", "XML", "SEDA-999")] == ["207", "101", "101", "101"]
    assert in_words("KO") == "KO"
