"""What an organisation configures for its parapheur, and what our side makes of it before anything is sent."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
import xmlschema
from lxml import etree
from pydantic import ValidationError

from connectors.iparapheur import errors, premis
from connectors.iparapheur.dossiers import Attachment, Submission, external_name
from connectors.iparapheur.places import signature_place
from connectors.iparapheur.settings import ParapheurSettings, SignaturePlace
from connectors.iparapheur.soap import creation
from core.configuration import revealed
from core.errors import TabellionError, UsageError
from schemas.pes.sample import Sample, write_sample
from signing.pki import TestAuthority

SOAP = {"address": "https://parapheur.example", "login": "a@b", "password": "p:w", "type": "Actes", "subtype": "signature"}
V5 = {**SOAP, "protocol": "v5", "tenant": "t", "desk": "d"}


def test_what_is_not_said_is_what_most_need() -> None:
    settings = ParapheurSettings.model_validate(SOAP)
    assert (settings.visibility, settings.signature_place, settings.archive_action) == ("SERVICE", "auto", "EFFACER")
    assert settings.max_days == 30


def test_secrets_do_not_show_and_survive_being_stored() -> None:
    settings = ParapheurSettings.model_validate(SOAP)
    assert "p:w" not in repr(settings)
    assert ParapheurSettings.model_validate_json(json.dumps(revealed(settings.model_dump()))) == settings


@pytest.mark.parametrize(
    "changes",
    [
        {"address": "http://parapheur.example"},
        {"address": "https://a:b@parapheur.example"},
        {"address": "https://"},
        {"address": "ftp://parapheur.example"},
        {"address": "https://parapheur.example/?x=1"},
        {"password": None},
        {"login": None},
        {"login": "a\r\nX: y"},
        {"type": ""},
        {"authorities": "-----BEGIN CERTIFICATE-----"},
        {"client_certificate": "AAAA"},
        {"client_certificate": "é"},
        {"max_days": 0},
        {"unknown": 1},
        {**V5, "tenant": None},
        {**V5, "desk": None},
        {**V5, "grant": "client_credentials"},
        {**V5, "realm": "a/b"},
    ],
)
def test_what_no_exchange_could_use_is_refused_at_once(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as refused:
        ParapheurSettings.model_validate(SOAP | changes)
    assert "p:w" not in str(refused.value)


def test_a_client_certificate_needs_its_password() -> None:
    data = TestAuthority.create().seal(bits=2048).as_pkcs12("secret")
    told = {**SOAP, "client_certificate": base64.b64encode(data).decode()}
    assert ParapheurSettings.model_validate({**told, "passphrase": "secret"}).client_key() is not None
    with pytest.raises(ValidationError):
        ParapheurSettings.model_validate({**told, "passphrase": "other"})


@pytest.fixture
def submission(tmp_path: Path) -> Submission:
    path = tmp_path / "a.pdf"
    path.write_bytes(b"%PDF")
    return Submission("01HX", "Délibération n° 12 : l’école", Attachment(path, "a.pdf", "application/pdf"))


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("Délibération n° 12 : l’école", "01HX Délibération_n__12___l_école"),
        ("a/b\\c<d>&\x00", "01HX a_b_c_d___"),
        ("", "01HX "),
        ("É" * 200, "01HX " + "É" * 100),
        ("日本", "01HX __"),
    ],
)
def test_the_name_of_a_dossier_over_there_is_safe_and_always_the_same(submission: Submission, title: str, name: str) -> None:
    assert external_name(replace(submission, title=title)) == name.rstrip()


@pytest.mark.parametrize("identifier", ["", "a b", "é", "x" * 65, "a/b"])
def test_an_identifier_that_could_be_read_otherwise_is_refused(submission: Submission, identifier: str) -> None:
    with pytest.raises(UsageError):
        external_name(replace(submission, id=identifier))


def test_only_metadata_that_have_a_name_over_there_are_sent(submission: Submission) -> None:
    settings = ParapheurSettings.model_validate({**SOAP, "metadata": {"urgence": "urgent"}})
    request = creation(replace(submission, metadata={"urgence": "false", "interne": "x"}), settings)
    assert [(one.name, one.value) for one in request.metadata] == [("urgent", "false")]


def pes(path: Path, *, root: bool = True, bordereaux: bool = True) -> Path:
    """A PES whose root and bordereaux have an Id, or have none."""
    write_sample(Sample("FLUX", bordereaux=2, dematerialised=False), path)
    tree = etree.parse(path)
    elements = [(tree.getroot(), root), *((one, bordereaux) for one in tree.iter("Bordereau"))]
    for rank, (element, kept) in enumerate(elements):
        element.attrib.pop("Id", None)
        if kept:
            element.set("Id", f"I{rank}")
    tree.write(path, encoding="ISO-8859-1", xml_declaration=True)
    return path


def test_a_pes_is_signed_at_its_bordereaux_else_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "flux.xml"
    assert signature_place(pes(path), SignaturePlace.AUTO) == "//Bordereau"
    assert signature_place(pes(path, bordereaux=False), SignaturePlace.AUTO) == "."
    assert signature_place(pes(path), SignaturePlace.WHOLE) == "."
    with pytest.raises(errors.SubmissionRefused, match="flux"):
        signature_place(pes(path, root=False, bordereaux=False), SignaturePlace.AUTO)


def test_another_xml_has_no_place_and_a_broken_one_is_not_submitted(tmp_path: Path) -> None:
    path = tmp_path / "x.xml"
    path.write_text("<a/>")
    assert signature_place(path, SignaturePlace.AUTO) is None
    for text in ("<a", "<!DOCTYPE a><a/>", ""):
        path.write_text(text)
        with pytest.raises(errors.SubmissionRefused):
            signature_place(path, SignaturePlace.AUTO)


FOLDER = premis.Folder(
    name="01HX Délibération",
    type="Actes",
    subtype="signature",
    id="b7c2",
    due=date(2027, 1, 31),
    metadata={"urgent": "false"},
    parts=(premis.Part("a.pdf", main=True, media="application/pdf"), premis.Part("b.pdf", main=False)),
    tasks=(
        premis.Task("t1", "START", datetime(2026, 11, 28, 8, 0, tzinfo=UTC), "u1", "Guichet", "À signer"),
        premis.Task("t2", "SIGNATURE"),
        premis.Task("", "ARCHIVE"),
    ),
    users={"u1": "Logiciel métier"},
)


def test_a_folder_goes_through_premis_and_back() -> None:
    assert premis.read(premis.write(FOLDER)) == FOLDER


def test_what_we_write_is_premis_3(shared: Path) -> None:
    schema = xmlschema.XMLSchema11(str(shared / "official/seda/premis/premis-v3-0.xsd"), allow="local")
    schema.validate(etree.fromstring(premis.write(FOLDER)))


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"<a/>",
        b"<!DOCTYPE a><a/>",
        premis.write(FOLDER)[:-10],
        premis.write(FOLDER).replace(b"2027-01-31", b"demain"),
        premis.write(FOLDER).replace(b'"intellectualEntity"', b'"representation"'),
        premis.write(FOLDER).replace(b"2026-11-28T09:00:00.000+01:00", b"2026-11-28T09:00:00"),
    ],
)
def test_what_is_no_premis_is_refused(octets: bytes) -> None:
    with pytest.raises(errors.MessageUnreadable):
        premis.read(octets)


def test_what_a_later_version_adds_to_premis_is_passed_over() -> None:
    added = premis.write(FOLDER).replace(b"</premis>", b"<rights/><event><eventType>NEW</eventType></event></premis>")
    assert [task.action for task in premis.read(added).tasks] == ["START", "SIGNATURE", "ARCHIVE", "NEW"]


def test_every_error_is_one_that_the_engine_knows() -> None:
    kinds = [one for one in vars(errors).values() if isinstance(one, type) and one.__module__ == errors.__name__]
    assert len(kinds) == 12
    assert all(issubclass(one, TabellionError) for one in kinds)
    assert all(f"── {one.__name__}" in (errors.__doc__ or "") for one in kinds)
