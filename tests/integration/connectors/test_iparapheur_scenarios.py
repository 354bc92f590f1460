"""What the legacy SOAP service of a parapheur does, scenario after scenario, whatever server is behind the address."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TypeVar
from uuid import UUID

import pytest
from iparapheur_servers import Server, furnished, simulated

from connectors.iparapheur import messages as wire
from connectors.iparapheur.messages import ArchiveAction, Code, DocAnnexe, Document, MetaDonnee, MetaDonneeDefinition, Visibility
from connectors.iparapheur.settings import ParapheurSettings
from connectors.iparapheur.simulated_typology import ACCOUNTS, EMITTER, MANAGER, MAYOR
from connectors.iparapheur.soap import SoapParapheur
from core.s3_server import S3Server
from schemas.pes.sample import Sample, write_sample
from signing.cades.seal import Cades
from signing.keys import Pkcs12Signer
from signing.legs import sign
from signing.pki import TestAuthority
from signing.verdicts import FileVerdict
from signing.verification import verify
from signing.xades.seal import XadesDetached
from tests.addresses import LOOPBACK
from tests.iparapheur_platform import AtWork, at_work
from tests.pades_documents import paper

PDF, XML, P7S, RTF = "application/pdf", "application/xml", "application/pkcs7-signature", "application/rtf"
A = TypeVar("A", bound=wire.Answer)
OUR_ID = "J'aime développer 2026"


@pytest.fixture(scope="module")
def platform_at_work(s3: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AtWork]:
    """Our own platform, whose parapheur is behind the same service."""
    with at_work(s3, tmp_path_factory.mktemp("platform")) as running:
        yield running


@pytest.fixture(params=["simulator", "platform"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    """A server that is empty."""
    if request.param == "simulator":
        opening = simulated(tmp_path / "server")
    else:
        running: AtWork = request.getfixturevalue("platform_at_work")
        opening = furnished(running.town())
    with opening as opened:
        yield opened


class Desk:
    """An account of the parapheur, and what it asks."""

    def __init__(self, server: Server, folder: Path, desk: str = EMITTER) -> None:
        login, password = server.credentials[desk]
        told = {"address": server.address, "login": login, "password": password, "type": "Actes", "subtype": "signature"}
        self.client = SoapParapheur(ParapheurSettings.model_validate(told), LOOPBACK)
        self.folder = folder

    def ask(self, request: wire.Request, kind: type[A]) -> A:
        return self.client.call(request, kind, self.folder)

    def create(self, request: wire.CreerDossierRequest) -> str:
        answer = self.ask(request, wire.CreerDossierResponse)
        assert answer.notice.code is Code.OK, answer.notice.message
        assert answer.notice.severity == "INFO"
        assert answer.dossier_id
        return answer.dossier_id

    def get(self, dossier_id: str) -> wire.GetDossierResponse:
        return self.ask(wire.GetDossierRequest(dossier_id), wire.GetDossierResponse)

    def history(self, dossier_id: str) -> list[tuple[str, str]]:
        answer = self.ask(wire.GetHistoDossierRequest(dossier_id), wire.GetHistoDossierResponse)
        assert answer.notice is not None
        assert answer.notice.code is Code.OK
        return [(entry.status, entry.annotation) for entry in answer.entries]

    def search(self, **criteria: object) -> list[wire.LogDossier]:
        request = wire.RechercherDossiersRequest(**criteria)  # type: ignore[arg-type]
        return list(self.ask(request, wire.RechercherDossiersResponse).entries)

    def force(self, dossier_id: str, transition: Code, note: str = "") -> wire.MessageRetour:
        return self.ask(wire.ForcerEtapeRequest(dossier_id, transition, note), wire.ForcerEtapeResponse).notice


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "ours"
    folder.mkdir()
    return folder


@pytest.fixture
def emitter(server: Server, folder: Path) -> Desk:
    return Desk(server, folder)


@pytest.fixture
def pdf(folder: Path) -> Path:
    path = folder / "délibération.pdf"
    path.write_bytes(paper())
    return path


@pytest.fixture
def request_(pdf: Path) -> wire.CreerDossierRequest:
    """A request that any server takes."""
    return wire.CreerDossierRequest(
        type="Actes",
        subtype="visa sans meta",
        title="Délibération n° 12",
        document=Document(pdf, PDF),
        document_name="délibération.pdf",
        public_note="À viser",
        private_note="Entre nous",
        visibility=Visibility.SERVICE,
    )


@pytest.fixture(scope="module")
def stranger() -> Pkcs12Signer:
    """Somebody whom the parapheur does not know, who signed before."""
    credential = TestAuthority.create().seal(bits=2048)
    return Pkcs12Signer.load(credential.as_pkcs12("pin"), "pin")


def octets(document: Document | None) -> bytes:
    assert document is not None
    return document.path.read_bytes()


def intact(path: Path, *, over: Path | None = None) -> list[str]:
    """The formats of the signatures of a file, all of which hold."""
    verdict: FileVerdict = verify(path, detached=over, trust=None)
    assert all(one.intact for one in verdict.signatures)
    return [one.format for one in verdict.signatures]


def test_s1_an_echo_comes_back_with_its_accents(emitter: Desk) -> None:
    text = "Dès Noël, où un zéphyr haï me vêt de glaçons & d’œufs <frais>"
    assert emitter.ask(wire.EchoRequest(text), wire.EchoResponse).text == text


def test_s2_only_types_that_one_may_create_are_listed(server: Server, folder: Path, emitter: Desk) -> None:
    mine = emitter.ask(wire.GetListeTypesRequest(), wire.GetListeTypesResponse).types
    assert sorted(mine) == ["Actes", "Actes multiples", "CAdES", "HELIOS", "PDF", "XAdES"]
    mayors = Desk(server, folder, MAYOR).ask(wire.GetListeTypesRequest(), wire.GetListeTypesResponse).types
    assert set(mayors) - set(mine) == {"Arrêtés du maire"}
    subtypes = emitter.ask(wire.GetListeSousTypesRequest("PDF"), wire.GetListeSousTypesResponse).subtypes
    assert sorted(subtypes) == ["cachet", "signature"]
    assert emitter.ask(wire.GetListeSousTypesRequest("Nul"), wire.GetListeSousTypesResponse).subtypes == ()
    assert dict(emitter.client.list_types())["PDF"] == subtypes


def test_s3_the_metadata_that_a_sub_type_asks_for_are_told(emitter: Desk) -> None:
    kind = wire.GetMetaDonneesRequisesPourTypeSoustypeResponse
    asked = emitter.ask(wire.GetMetaDonneesRequisesPourTypeSoustypeRequest("Actes", "visa avec meta"), kind).definitions
    urgent = MetaDonneeDefinition("urgent", "Dossier urgent", "BOOLEAN")
    service = MetaDonneeDefinition("service", "Service instructeur", "STRING")
    assert asked == (replace(urgent, mandatory=True), replace(service, mandatory=False))
    none = emitter.ask(wire.GetMetaDonneesRequisesPourTypeSoustypeRequest("Actes", "visa sans meta"), kind)
    assert none.definitions == ()
    every = emitter.ask(wire.GetListeMetaDonneesRequest(), wire.GetListeMetaDonneesResponse).definitions
    assert set(every) == {urgent, service}


@pytest.mark.parametrize(
    ("visibility", "due"), [(Visibility.PUBLIC, date(2020, 5, 12)), (Visibility.CONFIDENTIAL, None)], ids=["past", "none"]
)
def test_s4_a_dossier_without_an_identifier_is_given_one(
    emitter: Desk, request_: wire.CreerDossierRequest, visibility: Visibility, due: date | None
) -> None:
    answer = emitter.ask(replace(request_, visibility=visibility, due=due), wire.CreerDossierResponse)
    assert answer.notice == wire.MessageRetour(Code.OK, "Dossier Délibération n° 12 soumis dans le circuit", "INFO")
    assert UUID(answer.dossier_id)
    told = emitter.get(answer.dossier_id or "")
    assert (told.visibility, told.due, told.dossier_id) == (visibility, due, answer.dossier_id)


def test_s5_an_identifier_of_ours_is_kept(emitter: Desk, request_: wire.CreerDossierRequest) -> None:
    emitter.create(replace(request_, dossier_id=OUR_ID))
    assert emitter.get(OUR_ID).dossier_id == OUR_ID
    assert [entry.name for entry in emitter.search(dossier_ids=(OUR_ID,))] == [OUR_ID]


def test_s6_an_identifier_that_is_taken_is_refused_by_its_name(emitter: Desk, request_: wire.CreerDossierRequest) -> None:
    emitter.create(replace(request_, dossier_id=OUR_ID))
    answer = emitter.ask(replace(request_, dossier_id=OUR_ID, title="Autre"), wire.CreerDossierResponse)
    message = f"Le nom de dossier est déjà présent dans le Parapheur: dossierID = {OUR_ID}"
    assert answer == wire.CreerDossierResponse(wire.MessageRetour(Code.KO, message, "ERROR"))
    assert len(emitter.search()) == 1


@pytest.mark.parametrize("value", ["true", "false"])
def test_s7_false_is_a_value_and_no_absence(emitter: Desk, request_: wire.CreerDossierRequest, value: str) -> None:
    asked = replace(request_, subtype="visa avec meta", metadata=(MetaDonnee("urgent", value),))
    told = emitter.get(emitter.create(asked)).metadata
    assert {one.name: one.value for one in told} == {"ph:dossierTitre": "Délibération n° 12", "urgent": value}


def test_s8_without_a_mandatory_metadata_nothing_is_created(emitter: Desk, request_: wire.CreerDossierRequest) -> None:
    answer = emitter.ask(replace(request_, subtype="visa avec meta", dossier_id=OUR_ID), wire.CreerDossierResponse)
    assert (answer.notice.code, answer.notice.severity) == (Code.KO, "ERROR")
    assert "urgent" in answer.notice.message
    assert emitter.search() == []
    assert emitter.get(OUR_ID).notice.code is Code.KO  # type: ignore[union-attr]


@pytest.mark.parametrize("how", [Cades(pem=True), Cades(), XadesDetached()], ids=["cades-pem", "cades-der", "xades"])
def test_s9_annexes_and_a_detached_signature_come_with_the_document(
    emitter: Desk, request_: wire.CreerDossierRequest, pdf: Path, stranger: Pkcs12Signer, how: Cades | XadesDetached
) -> None:
    signature = pdf.with_name("signature")
    sign(how, pdf, signature, stranger)
    media = P7S if isinstance(how, Cades) else "text/xml"
    annex = DocAnnexe("annexe 1.pdf", Document(pdf, PDF), PDF, "UTF-8")
    asked = replace(request_, annexes=(annex,), signature=Document(signature, media))
    told = emitter.get(emitter.create(asked))
    assert octets(told.signature) == signature.read_bytes()
    assert octets(told.document) == pdf.read_bytes()
    assert [one.name for one in told.annexes][:-1] == ["annexe 1.pdf"]
    assert octets(told.annexes[0].file) == pdf.read_bytes()


def test_s10_several_main_documents_keep_their_signatures_and_annexes_lose_theirs(
    server: Server, emitter: Desk, request_: wire.CreerDossierRequest, pdf: Path, stranger: Pkcs12Signer
) -> None:
    signature, text = pdf.with_name("signature.p7s"), pdf.with_name("notice.rtf")
    text.write_bytes(b"{\\rtf1 Notice}")
    sign(Cades(), pdf, signature, stranger)
    detached = Document(signature, P7S)
    asked = replace(
        request_,
        type="Actes multiples",
        subtype="signature",
        more=(
            DocAnnexe("deux.pdf", Document(pdf, PDF), PDF, "UTF-8", detached),
            DocAnnexe("notice.rtf", Document(text, RTF), RTF, "UTF-8"),
        ),
        annexes=(DocAnnexe("annexe.pdf", Document(pdf, PDF), PDF, "UTF-8", detached),),
    )
    dossier = emitter.create(asked)
    server.act(MAYOR, dossier, "sign", "Bon pour accord")
    told = emitter.get(dossier)
    assert [one.name for one in told.more] == ["deux.pdf", "notice.rtf"]
    assert told.annexes[0].signature is None
    assert intact(told.document.path) == ["PAdES"]  # type: ignore[union-attr]
    assert intact(told.more[0].signature.path, over=pdf) == ["CAdES"]  # type: ignore[union-attr]
    assert octets(told.more[0].signature) != signature.read_bytes()
    assert intact(told.more[1].signature.path, over=text) == ["CAdES"]  # type: ignore[union-attr]


def test_s10_a_sub_type_for_one_document_refuses_several(emitter: Desk, request_: wire.CreerDossierRequest, pdf: Path) -> None:
    asked = replace(request_, more=(DocAnnexe("deux.pdf", Document(pdf, PDF), PDF, "UTF-8"),))
    assert emitter.ask(asked, wire.CreerDossierResponse).notice.code is Code.KO
    assert emitter.search() == []


def test_s11_a_search_finds_exactly_what_was_asked(
    server: Server, folder: Path, emitter: Desk, request_: wire.CreerDossierRequest
) -> None:
    names = [emitter.create(replace(request_, dossier_id=f"visa {rank}")) for rank in range(4)]
    names.append(emitter.create(replace(request_, subtype="signature", dossier_id="signature")))
    names.append(emitter.create(replace(request_, type="PDF", subtype="cachet", dossier_id="cachet")))
    server.act(MANAGER, "visa 0", "visa")
    server.act(MANAGER, "visa 1", "reject", "Non")
    server.act(MANAGER, "cachet", "reject", "Non")

    def found(kind: str = "", subtype: str = "", status: str = "") -> list[str]:
        return [entry.name for entry in emitter.search(type=kind, subtype=subtype, status=status)]

    assert sorted(found()) == sorted(names)
    assert sorted(found("Actes")) == ["signature", "visa 0", "visa 1", "visa 2", "visa 3"]
    assert sorted(found("Actes", "visa sans meta")) == ["visa 0", "visa 1", "visa 2", "visa 3"]
    assert sorted(found(status="EnCoursVisa")) == ["visa 2", "visa 3"]
    assert found("Actes", "visa sans meta", "Archive") == ["visa 0"]
    assert found(status="RejetVisa") == ["visa 1"]
    assert found(status="RejetCachet") == ["cachet"]
    assert found(status="NonLu") == ["signature"]
    assert found("Nul") == found("Actes", "nul") == found("", "", "Nul") == found("", "", "Rejet*") == []
    assert sorted(entry.name for entry in emitter.search(dossier_ids=("visa 3", "cachet", "nul"))) == ["cachet", "visa 3"]
    assert len(emitter.search(most=3)) == 3
    entries = {entry.name: entry.accessible for entry in emitter.search()}
    assert (entries["visa 0"], entries["visa 2"]) == ("OK", "Recuperable")
    assert Desk(server, folder, ACCOUNTS).search() == []


def test_s12_an_ended_dossier_comes_back_with_its_bordereau_last(
    server: Server, emitter: Desk, request_: wire.CreerDossierRequest, pdf: Path
) -> None:
    annex = DocAnnexe("annexe.pdf", Document(pdf, PDF), PDF, "UTF-8")
    dossier = emitter.create(replace(request_, annexes=(annex,), dossier_id=OUR_ID))
    server.act(MANAGER, dossier, "visa", "Vu")
    told = emitter.get(OUR_ID)
    assert (told.type, told.subtype, told.dossier_id) == ("Actes", "visa sans meta", OUR_ID)
    assert (told.public_note, told.private_note) == ("À viser", "Entre nous")
    assert told.notice == wire.MessageRetour(Code.OK, "", "INFO")
    assert told.document_name == "délibération.pdf"
    assert [octets(one.file).startswith(b"%PDF-") for one in told.annexes] == [True, True]
    assert octets(told.annexes[0].file) == pdf.read_bytes() != octets(told.annexes[1].file)


def test_s13_a_circuit_names_desks_people_and_roles(emitter: Desk) -> None:
    kind = wire.GetCircuitResponse
    steps = emitter.ask(wire.GetCircuitRequest("Actes", "visa et signature"), kind).steps
    assert [(step.desk, step.first_name, step.name, step.role) for step in steps] == [
        (MANAGER, "", "Dominique Vasseur", "VISEUR"),
        (MAYOR, "", "Camille Aubry", "SIGNATAIRE"),
        (EMITTER, "", "Logiciel métier", "ARCHIVAGE"),
    ]
    assert emitter.ask(wire.GetCircuitRequest("Actes", "nul"), kind).steps == ()


BEGUN = [("NonLu", "Création de dossier"), ("NonLu", "Emission du dossier")]
ENDED = ("Archive", "Circuit terminé, dossier archivable")
HISTORIES = {
    "visa": ("Actes", "visa sans meta", MANAGER, "visa", ("EnCoursVisa", "pour Visa"), "Vise", "RejetVisa"),
    "signature": ("Actes", "signature", MAYOR, "sign", ("NonLu", "pour signature"), "Signe", "RejetSignataire"),
    "seal": ("PDF", "cachet", MANAGER, "seal", ("PretCachet", "pour cachet serveur."), "CachetOK", "RejetCachet"),
}


@pytest.mark.parametrize("accepted", [True, False], ids=["done", "rejected"])
@pytest.mark.parametrize("step", HISTORIES)
def test_s14_a_history_reads_word_for_word(
    server: Server, emitter: Desk, request_: wire.CreerDossierRequest, step: str, accepted: bool
) -> None:
    kind, subtype, desk, gesture, (opened, purpose), done, rejected = HISTORIES[step]
    dossier = emitter.create(replace(request_, type=kind, subtype=subtype))
    waiting = [*BEGUN, (opened, f"Dossier déposé sur le bureau {desk} {purpose}"), ("NonLu", "À viser")]
    assert emitter.history(dossier) == waiting
    server.act(desk, dossier, gesture if accepted else "reject", "Mon avis")
    end = [(done, "Mon avis"), ENDED] if accepted else [(rejected, "Mon avis")]
    assert emitter.history(dossier) == [*waiting, *end]
    answer = emitter.ask(wire.GetHistoDossierRequest(dossier), wire.GetHistoDossierResponse)
    assert answer.entries[0].name == "Logiciel métier"
    assert [entry.moment for entry in answer.entries] == sorted(entry.moment for entry in answer.entries)


def test_s14_each_step_opens_when_the_one_before_is_done(
    server: Server, emitter: Desk, request_: wire.CreerDossierRequest
) -> None:
    dossier = emitter.create(replace(request_, subtype="visa et signature"))
    server.act(MANAGER, dossier, "visa", "Vu")
    server.act(MAYOR, dossier, "sign", "Signé")
    assert emitter.history(dossier)[4:] == [
        ("Vise", "Vu"),
        ("NonLu", f"Dossier déposé sur le bureau {MAYOR} pour signature"),
        ("Signe", "Signé"),
        ENDED,
    ]


def test_s14_all_desks_of_a_step_act_or_the_first_decides(
    server: Server, emitter: Desk, request_: wire.CreerDossierRequest
) -> None:
    every = emitter.create(replace(request_, subtype="visas de tous"))
    server.act(ACCOUNTS, every, "visa")
    assert emitter.history(every)[-1][0] == "Vise"
    server.act(MANAGER, every, "visa")
    assert emitter.history(every)[-1] == ENDED
    one = emitter.create(replace(request_, subtype="visa de l’un"))
    server.act(ACCOUNTS, one, "visa")
    assert emitter.history(one)[-1] == ENDED
    rejected = emitter.create(replace(request_, subtype="visas de tous"))
    server.act(ACCOUNTS, rejected, "reject", "Non")
    assert emitter.history(rejected)[-1] == ("RejetVisa", "Non")


@pytest.mark.parametrize(("code", "status"), [(Code.OK, "Archive"), (Code.KO, "RejetVisa")])
def test_s15_whoever_holds_the_desk_can_force_its_step(
    server: Server, folder: Path, emitter: Desk, request_: wire.CreerDossierRequest, code: Code, status: str
) -> None:
    dossier = emitter.create(request_)
    assert emitter.force(dossier, code).code is Code.KO
    assert Desk(server, folder, MANAGER).force(dossier, code, "Forcé") == wire.MessageRetour(Code.OK, "", "INFO")
    assert emitter.history(dossier)[-1][0] == status
    assert ("Vise" if code is Code.OK else "RejetVisa", "Forcé") in emitter.history(dossier)
    assert Desk(server, folder, MANAGER).force(dossier, code).code is Code.KO


def test_s16_a_dossier_is_taken_back_as_long_as_nobody_acted(
    server: Server, folder: Path, emitter: Desk, request_: wire.CreerDossierRequest
) -> None:
    dossier = emitter.create(request_)
    kind = wire.ExercerDroitRemordDossierResponse
    answer = emitter.ask(wire.ExercerDroitRemordDossierRequest(dossier), kind)
    assert answer.notice == wire.MessageRetour(Code.OK, f"Dossier {dossier} récupéré.", "INFO")
    assert Desk(server, folder, MANAGER).force(dossier, Code.OK).code is Code.KO
    assert emitter.ask(wire.ExercerDroitRemordDossierRequest(dossier), kind).notice.code is Code.KO
    acted = emitter.create(request_)
    server.act(MANAGER, acted, "visa")
    assert emitter.ask(wire.ExercerDroitRemordDossierRequest(acted), kind).notice.code is Code.KO


@pytest.mark.parametrize(("action", "done"), [(ArchiveAction.KEEP, "archivé."), (ArchiveAction.DELETE, "supprimé du Parapheur.")])
def test_s17_an_ended_dossier_is_put_away_or_erased_and_then_gone(
    server: Server, emitter: Desk, request_: wire.CreerDossierRequest, action: ArchiveAction, done: str
) -> None:
    dossier = emitter.create(request_)
    asked = wire.ArchiverDossierRequest(dossier, action)
    assert emitter.ask(asked, wire.ArchiverDossierResponse).notice.code is Code.KO
    server.act(MANAGER, dossier, "visa")
    notice = emitter.ask(asked, wire.ArchiverDossierResponse).notice
    assert notice == wire.MessageRetour(Code.OK, f"Dossier {dossier} {done}", "INFO")
    assert emitter.get(dossier).notice.code is Code.KO  # type: ignore[union-attr]
    assert emitter.search() == []


def test_s18_a_rejected_dossier_is_erased_and_a_pending_one_is_not(
    server: Server, emitter: Desk, request_: wire.CreerDossierRequest
) -> None:
    kind = wire.EffacerDossierRejeteResponse
    dossier = emitter.create(request_)
    assert emitter.ask(wire.EffacerDossierRejeteRequest(dossier), kind).notice.code is Code.KO
    server.act(MANAGER, dossier, "reject", "Non")
    assert emitter.ask(wire.EffacerDossierRejeteRequest(dossier), kind).notice.code is Code.OK
    assert emitter.get(dossier).notice.code is Code.KO  # type: ignore[union-attr]


@pytest.mark.parametrize(("kind", "format_"), [("PDF", "PAdES"), ("CAdES", "CAdES"), ("XAdES", "XAdES")])
def test_a_signature_that_comes_back_holds(
    server: Server, emitter: Desk, request_: wire.CreerDossierRequest, pdf: Path, kind: str, format_: str
) -> None:
    dossier = emitter.create(replace(request_, type=kind, subtype="signature"))
    server.act(MAYOR, dossier, "sign")
    told = emitter.get(dossier)
    assert told.document is not None
    if format_ == "PAdES":
        assert told.signature is None
        assert intact(told.document.path) == [format_]
    else:
        assert octets(told.document) == pdf.read_bytes()
        assert intact(told.signature.path, over=pdf) == [format_]  # type: ignore[union-attr]


@pytest.mark.parametrize(("place", "count"), [("//Bordereau", 2), (".", 1)])
def test_a_pes_comes_back_signed_where_it_was_asked(
    server: Server, emitter: Desk, request_: wire.CreerDossierRequest, folder: Path, place: str, count: int
) -> None:
    flow = folder / "flux.xml"
    write_sample(Sample("FLUX", bordereaux=2, dematerialised=False), flow)
    asked = replace(request_, type="HELIOS", subtype="signature", document=Document(flow, XML), signature_place=place)
    if place == "." and not server.signs_whole:
        answer = emitter.ask(asked, wire.CreerDossierResponse)
        assert (answer.notice.code, "//Bordereau" in answer.notice.message) == (Code.KO, True)
        return
    dossier = emitter.create(asked)
    server.act(MAYOR, dossier, "sign")
    told = emitter.get(dossier)
    assert told.document is None
    assert len(intact(told.pes.path)) == count  # type: ignore[union-attr]
