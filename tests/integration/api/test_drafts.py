"""Documents sent into the signing book by hand: what arrives decides, drafts are completed and started, desks keep their own."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, timedelta

import httpx
import pytest
from sqlmodel import col, select

from api.web.deposit.sorting import Arrived, folders_of, is_pes, signatures_among
from core import clock, uploads
from core.identifiers import new_id
from core.principal import PLATFORM
from core.s3_server import S3Server
from flows.engine.models import Dossier
from flows.parapheur.conclusion import perform
from signing.parapheur import actions, folders, metadata, sending, typology
from signing.parapheur.choice import Condition, Operator, Row
from signing.parapheur.folders import Joined, NewFolder
from signing.parapheur.history import Said, events_of
from signing.parapheur.metadata import MetadataKind
from signing.parapheur.models import DocumentKind, Folder, FolderDocument, FolderEvent, FolderState, FolderType, Notice, TaskState
from signing.parapheur.typology import FieldUse, SubtypeOptions
from tests.integration.api.service import Service, pes, web_service
from tests.integration.api.test_pages import token_in
from tests.integration.api.test_uploads import patch_service, sent
from tests.office import PASSWORD, Office, pdf

DRAFTS = "/parapheur/brouillons"
Files = list[tuple[str, tuple[str, bytes]]]


@pytest.fixture(scope="module")
def service(s3: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with pytest.MonkeyPatch.context() as patch:
        patch_service(patch)
        with web_service(s3, tmp_path_factory.mktemp("drafts")) as running:
            yield running


@pytest.fixture(scope="module")
def office(service: Service) -> Office:
    """The first collectivité's signing book, with a kind of folder that asks for something of each sort."""
    return furnished(Office.opened(service.platform, service.mairie.organisation))


@pytest.fixture(scope="module")
def neighbours(service: Service) -> Office:
    """The second collectivité's signing book."""
    return Office.opened(service.platform, service.syndicat.organisation, domain="lavoir.test")


def furnished(office: Office) -> Office:
    owner = office.organisation.id
    with office.platform.database.writing(PLATFORM) as session:
        for key, name, kind, choices in (
            ("montant", "Montant", MetadataKind.DECIMAL, ()),
            ("jour", "Jour de la commande", MetadataKind.DATE, ()),
            ("urgent", "Urgent", MetadataKind.BOOLEAN, ()),
            ("service", "Service", MetadataKind.TEXT, ("Voirie", "Écoles")),
            ("lien", "Lien", MetadataKind.URL, ()),
        ):
            metadata.declare(session, owner, key, name, kind, choices)
        letters = session.exec(select(FolderType).where(FolderType.organisation_id == owner, FolderType.name == "Courrier")).one()
        uses = [FieldUse(key=key, mandatory=key == "montant") for key in ("montant", "jour", "urgent", "service", "lien")]
        above = Row(when=(Condition(field="montant", operator=Operator.ABOVE, value="5000"),), circuit="complet")
        options = SubtypeOptions(fields=tuple(uses), main_documents=2)
        made = typology.add_subtype(session, letters, "Commande", options, (above, Row(circuit="visa")))
        office.kinds["commande"] = made.id
        reserved = SubtypeOptions(creation_desks=(office.desks["maire"].id,))
        office.kinds["reserve"] = typology.add_subtype(session, letters, "Réservé", reserved, (Row(circuit="visa"),)).id
    return office


@contextmanager
def signed_in(service: Service, office: Office, short: str) -> Iterator[httpx.Client]:
    with service.client() as client:
        csrf = token_in(client.get("/connexion").text)
        entered = client.post("/connexion", data={"csrf": csrf, "email": office.people[short].email, "password": PASSWORD})
        assert entered.status_code == 303
        yield client


@pytest.fixture
def clerk(service: Service, office: Office) -> Iterator[httpx.Client]:
    """A browser of whoever holds the Secrétariat."""
    with signed_in(service, office, "secretariat") as client:
        yield client


def deposited(client: httpx.Client, office: Office, files: Files, **said: str) -> httpx.Response:
    page = client.get("/deposer").text
    fields = {"csrf": token_in(page), "organisation": office.organisation.id, "desk": office.desks["secretariat"].id}
    return client.post("/deposer", data=fields | said, files=files)


def document(name: str, content: bytes) -> tuple[str, tuple[str, bytes]]:
    return ("document", (name, content))


def draft(client: httpx.Client, office: Office, *files: tuple[str, bytes], **said: str) -> str:
    """Deposit files as one folder, and return the folder."""
    chosen = [document(*file) for file in files or (("arrete.pdf", pdf()),)]
    answer = deposited(client, office, chosen, together="1", **said)
    assert answer.status_code == 303, answer.text
    found = re.fullmatch(rf"{DRAFTS}/(\w{{26}})\?fait=depot", answer.headers["location"])
    assert found
    office.ready()
    return found[1]


def folder_in(office: Office, folder_id: str) -> Folder:
    with office.platform.database.reading(PLATFORM) as session:
        return folders.folder_of(session, folder_id)


def papers(office: Office, folder_id: str) -> list[FolderDocument]:
    with office.platform.database.reading(PLATFORM) as session:
        return folders.documents_of(session, folder_id)


def shape(office: Office, folder_id: str) -> list[tuple[str, str]]:
    return [(one.kind, one.name) for one in papers(office, folder_id)]


def form(office: Office, folder_id: str, **said: str) -> dict[str, str]:
    """Return the form of a draft as its page would send it, with something typed."""
    folder = folder_in(office, folder_id)
    values = {"title": folder.title, "subtype": folder.subtype_id or "", "asked": folder.subtype_id or ""}
    return values | {name.replace("__", "."): value for name, value in said.items()}


def post(client: httpx.Client, office: Office, folder_id: str, do: str, **said: str) -> httpx.Response:
    csrf = token_in(client.get("/deposer").text)
    return client.post(f"{DRAFTS}/{folder_id}", data={"csrf": csrf, "do": do} | form(office, folder_id, **said))


def act(client: httpx.Client, folder_id: str, what: str) -> httpx.Response:
    return client.post(f"{DRAFTS}/{folder_id}/{what}", data={"csrf": token_in(client.get("/deposer").text)})


def started(client: httpx.Client, office: Office, kind: str = "visa") -> str:
    folder_id = draft(client, office, subtype=office.kinds[kind])
    assert post(client, office, folder_id, "start").status_code == 303
    return folder_id


def rejected(office: Office, folder_id: str) -> None:
    who = office.principal("dgs")
    (task,) = office.tasks(folder_in(office, folder_id).dossier_id, "dgs")
    perform(office.platform, who, lambda session: actions.reject(session, who, task.id, Said("Il manque une annexe.")))


# What arrives


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["a.pdf", "a.pdf.p7s"], {1: 0}),
        (["a.pdf.xml", "A.PDF"], {0: 1}),
        (["a.p7s", "a.pdf"], {0: 1}),
        (["a.p7s", "a.pdf", "a.odt"], {}),
        (["a.xml", "a.pdf"], {}),
        (["a.pdf", "b.pdf.p7s"], {}),
        (["a.pdf", "a.pdf.p7s", "a.pdf.p7s.p7s"], {1: 0}),
    ],
)
def test_detached_signatures_are_known_by_their_names(names: list[str], found: dict[int, int]) -> None:
    assert signatures_among(names) == found


def test_files_are_shared_out_among_folders_and_what_is_signed_is_a_main_document() -> None:
    files = [Arrived(name, name, 1) for name in ("a.pdf", "b.pdf", "b.pdf.p7s", "a.pdf", "c.pdf")]
    apart = folders_of(files, together=False, main=1)
    assert [[(one.kind.value, one.name, one.signature_of) for one in folder] for folder in apart] == [
        [("main", "a.pdf", None)],
        [("main", "b.pdf", None), ("signature", "b.pdf.p7s", "b.pdf")],
        [("main", "a (2).pdf", None)],
        [("main", "c.pdf", None)],
    ]
    (together,) = folders_of(files, together=True, main=2)
    assert [(one.kind.value, one.name) for one in together] == [
        ("main", "a.pdf"),
        ("main", "b.pdf"),
        ("annex", "a (2).pdf"),
        ("annex", "c.pdf"),
        ("signature", "b.pdf.p7s"),
    ]


def test_a_pes_is_known_by_its_head() -> None:
    assert is_pes(pes()[:-10])
    assert is_pes(pes().replace(b"<NomFic", b"<Nom<Fic")), "its check says where it breaks"
    assert not is_pes(b"\0" * 10 + b"<PES_Aller>")
    assert not is_pes(pdf())
    assert not is_pes(b"<?xml version='1.0'?><facture/>")


def test_a_single_file_becomes_a_draft_at_the_desk_that_was_chosen(clerk: httpx.Client, office: Office) -> None:
    folder_id = draft(clerk, office, ("arrete.pdf", pdf()), subtype=office.kinds["visa"])
    folder = folder_in(office, folder_id)
    assert (folder.title, folder.state, folder.emitter_id) == ("arrete", "draft", office.desks["secretariat"].id)
    assert folder.subtype_id == office.kinds["visa"]
    page = clerk.get(f"{DRAFTS}/{folder_id}?fait=depot").text
    assert "Complétez le brouillon" in page
    assert "Direction générale, Dominique Exemple" in page


def test_several_files_make_a_folder_each_and_a_pes_among_them_goes_to_helios(clerk: httpx.Client, office: Office) -> None:
    name = f"MIXTE_{new_id()}"
    files = [
        document("un.pdf", pdf("un")),
        document("pes.xml", pes(name)),
        document("deux.pdf", pdf("deux")),
        document("un.pdf.p7s", b"p7"),
    ]
    once = new_id()
    first, again = (deposited(clerk, office, files, once=once, together="0") for _ in range(2))
    assert first.status_code == again.status_code == 200
    assert sorted(set(re.findall(rf"{DRAFTS}/(\w{{26}})", first.text))) == sorted(
        set(re.findall(rf"{DRAFTS}/(\w{{26}})", again.text))
    )
    made = list(dict.fromkeys(re.findall(rf"{DRAFTS}/(\w{{26}})", first.text)))
    assert [shape(office, one) for one in made] == [[("main", "un.pdf"), ("signature", "un.pdf.p7s")], [("main", "deux.pdf")]]
    with office.platform.database.reading(PLATFORM) as session:
        assert [one.flow for one in session.exec(select(Dossier).where(Dossier.title == name))] == ["helios"]
    altered = deposited(clerk, office, [document("pes.xml", pes(name) + b"\n"), document("trois.pdf", pdf("trois"))])
    assert "Non déposé" in altered.text
    assert len(set(re.findall(rf"{DRAFTS}/(\w{{26}})", altered.text))) == 1


def test_uploads_in_pieces_are_deposited_once(clerk: httpx.Client, office: Office, service: Service) -> None:
    who = office.principal("secretariat")
    ids = [sent(service, who, content, name).id for name, content in (("a.pdf", pdf("a")), ("a.pdf.p7s", b"signature"))]
    first = deposited(clerk, office, [document("", b"")], uploads=",".join(ids), together="1")
    assert first.status_code == 303, first.text
    folder_id = first.headers["location"].removeprefix(f"{DRAFTS}/")[:26]
    kept = papers(office, folder_id)
    assert [(one.kind, one.name, one.media_type) for one in kept] == [
        ("main", "a.pdf", "application/pdf"),
        ("signature", "a.pdf.p7s", "application/pkcs7-signature"),
    ]
    assert kept[1].signature_of == kept[0].id
    again = deposited(clerk, office, [document("", b"")], uploads=",".join(ids))
    assert (again.status_code, "déjà été utilisé" in again.text) == (409, True)
    assert uploads.waiting(service.platform, who) == []


def test_a_person_without_a_desk_deposits_pes_only(service: Service, office: Office) -> None:
    assert office.desks
    with service.client() as client:
        csrf = token_in(client.get("/connexion").text)
        client.post("/connexion", data={"csrf": csrf, "email": service.mairie.email, "password": PASSWORD})
        page = client.get("/deposer").text
        assert 'name="desk"' not in page
        assert 'name="flow" value="helios"' in page
        fields = {"csrf": token_in(page), "organisation": service.mairie.organisation.id}
        refused = client.post("/deposer", data=fields, files=[document("a.pdf", pdf())])
        assert (refused.status_code, "bureau émetteur" in refused.text) == (400, True)
        taken = client.post("/deposer", data=fields, files=[document("a.xml", pes(f"SEUL_{new_id()}"))])
        assert taken.headers["location"].startswith("/dossiers/")


def test_a_desk_that_is_not_held_a_foreign_kind_and_an_empty_form_are_refused(
    clerk: httpx.Client, office: Office, neighbours: Office
) -> None:
    files = [document("a.pdf", pdf())]
    assert deposited(clerk, office, files, desk=office.desks["maire"].id).status_code == 403
    assert deposited(clerk, office, files, desk=neighbours.desks["secretariat"].id).status_code == 400
    assert deposited(clerk, office, files, organisation=neighbours.organisation.id).status_code == 404
    assert deposited(clerk, office, files, subtype=office.kinds["reserve"]).status_code == 400
    assert deposited(clerk, office, files, subtype=neighbours.kinds["visa"]).status_code == 400
    assert deposited(clerk, office, files, csrf="x").status_code == 403
    assert "pas de document" in deposited(clerk, office, [document("", b"")]).text
    assert deposited(clerk, office, [document("vide.pdf", b"")]).status_code == 400


def test_a_form_that_was_cut_off_or_has_a_field_after_its_files_makes_nothing(clerk: httpx.Client, office: Office) -> None:
    fields = {"csrf": token_in(clerk.get("/deposer").text), "organisation": office.organisation.id, "together": "0"}
    whole = clerk.build_request(
        "POST",
        "/deposer",
        data=fields | {"desk": office.desks["secretariat"].id},
        files=[document("coupe-1.odt", b"un" * 99), document("coupe-2.odt", b"deux" * 99)],
    )
    body = whole.read()
    kind = {"Content-Type": whole.headers["content-type"]}
    boundary = kind["Content-Type"].rpartition("boundary=")[2].encode()
    late = body.replace(
        b"--" + boundary + b"--", b"--" + boundary + b'\r\nContent-Disposition: form-data; name="subtype"\r\n\r\nx'
    )
    for content in (body[:-200], body[:-4], late + b"\r\n--" + boundary + b"--\r\n"):
        assert clerk.post("/deposer", content=content, headers=kind).status_code == 400
    with office.platform.database.reading(PLATFORM) as session:
        assert session.exec(select(Folder.id).where(col(Folder.title).like("coupe%"))).all() == []
    assert clerk.post("/deposer", content=body, headers=kind).status_code == 200


# The draft


def test_what_is_typed_is_kept_and_read_by_its_kind(clerk: httpx.Client, office: Office) -> None:
    folder_id = draft(clerk, office, subtype=office.kinds["commande"])
    said = {
        "f__montant": "41 230,12",
        "f__jour": "2026-12-01",
        "f__urgent": "false",
        "f__service": "Écoles",
        "f__lien": "https://valmorin.test/",
        "due": "2026-12-24",
        "visibility": "public",
        "note": "Merci d’avance.\r\nC. E.",
        "private_note": "Voir le devis.",
    }
    assert post(clerk, office, folder_id, "save", title="  Commande   de sel ", **said).status_code == 303
    folder = folder_in(office, folder_id)
    assert (folder.title, folder.due, folder.visibility) == ("Commande de sel", date(2026, 12, 24), "public")
    assert folder.fields == {
        "montant": "41230.12",
        "jour": "2026-12-01",
        "urgent": "false",
        "service": "Écoles",
        "lien": "https://valmorin.test/",
    }
    page = clerk.get(f"{DRAFTS}/{folder_id}").text
    assert "Voir le devis." in page
    assert '<option value="false" selected>' in page
    assert post(clerk, office, folder_id, "save", subtype=office.kinds["visa"], asked="").status_code == 303
    assert folder_in(office, folder_id).fields == {}, "what another kind asks for goes"


def test_what_is_wrong_is_said_beside_each_field_and_on_top_and_nothing_typed_is_lost(
    clerk: httpx.Client, office: Office
) -> None:
    folder_id = draft(clerk, office, subtype=office.kinds["commande"])
    wrong = {"f__montant": "beaucoup", "f__jour": "demain", "f__service": "Piscine", "f__lien": "javascript:1", "due": "Noël"}
    answer = post(clerk, office, folder_id, "save", title=" ", note="n" * 600, **wrong)
    assert answer.status_code == 400
    anchors = set(re.findall(r'<li><a href="#([\w-]+)">', answer.text))
    assert anchors == {"title", "f-montant", "f-jour", "f-service", "f-lien", "due", "note"}
    for anchor in anchors:
        assert f'id="{anchor}"' in answer.text
        assert f'id="{anchor}-fault"' in answer.text
    assert "beaucoup" in answer.text
    assert 'id="summary"' in answer.text
    assert folder_in(office, folder_id).fields == {}
    missing = post(clerk, office, folder_id, "start")
    assert "« Montant » est à renseigner" in missing.text.replace("\u00a0", " ")
    assert folder_in(office, folder_id).state == "draft"
    assert post(clerk, office, folder_id, "save").status_code == 303, "a draft may wait for what is mandatory"


def test_the_circuit_follows_what_is_typed_and_nothing_is_kept(clerk: httpx.Client, office: Office) -> None:
    folder_id = draft(clerk, office, subtype=office.kinds["commande"])
    csrf = token_in(clerk.get("/deposer").text)

    def circuit(path: str = "/apercu", **said: str) -> str:
        values = {"csrf": csrf, "do": "circuit"} | form(office, folder_id, **said)
        return clerk.post(f"{DRAFTS}/{folder_id}{path}", data=values).text

    assert "Circuit visa" in circuit(f__montant="100")
    big = circuit(f__montant="5000,01")
    assert "Circuit complet" in big
    assert "Maire, Claude Modèle" in big
    assert "Circuit complet" in circuit("", f__montant="9000"), "by the plain button too"
    assert "Choisissez un type" in circuit(subtype="")
    assert 'name="f.montant"' in circuit(subtype=office.kinds["commande"], asked="")
    assert folder_in(office, folder_id).fields == {}
    assert clerk.post(f"{DRAFTS}/{folder_id}/apercu", data=form(office, folder_id)).status_code == 403


def test_a_desk_is_chosen_among_those_that_can_be_reached(clerk: httpx.Client, office: Office, neighbours: Office) -> None:
    folder_id = draft(clerk, office, subtype=office.kinds["au-choix"])
    assert 'name="variable.0"' in clerk.get(f"{DRAFTS}/{folder_id}").text
    refused = post(clerk, office, folder_id, "start")
    assert (refused.status_code, "bureau au choix" in refused.text) == (400, True)
    assert post(clerk, office, folder_id, "save", variable__0=neighbours.desks["dgs"].id).status_code == 400
    assert post(clerk, office, folder_id, "start", variable__0=office.desks["adjoint"].id).status_code == 303
    assert office.tasks(folder_in(office, folder_id).dossier_id, "adjoint")


def test_a_draft_starts_with_its_words_and_is_a_draft_no_more(clerk: httpx.Client, office: Office) -> None:
    folder_id = draft(clerk, office, subtype=office.kinds["complet"])
    answer = post(clerk, office, folder_id, "start", note="À signer vite.", private_note="Le devis est joint.")
    assert answer.headers["location"].startswith(f"/parapheur/dossiers/{folder_id}")
    folder = folder_in(office, folder_id)
    assert folder.state == "pending"
    with office.platform.database.reading(PLATFORM) as session:
        last = events_of(session, folder_id)[-1]
        assert sending.words_of(session, folder_id) == Said()
    assert (last.kind, last.note, last.private_note) == ("started", "À signer vite.", "Le devis est joint.")
    assert clerk.get(f"{DRAFTS}/{folder_id}").headers["location"] == f"/parapheur/dossiers/{folder_id}"
    assert post(clerk, office, folder_id, "save").status_code == 409
    assert post(clerk, office, folder_id, "start").status_code == 409


def test_documents_are_named_ordered_made_annexes_and_taken_out_without_losing_what_is_typed(
    clerk: httpx.Client, office: Office
) -> None:
    files = (("a.pdf", pdf("a")), ("b.pdf", pdf("b")), ("c.odt", b"c"), ("a.pdf.p7s", b"p7"))
    folder_id = draft(clerk, office, *files)
    assert shape(office, folder_id) == [("main", "a.pdf"), ("annex", "b.pdf"), ("annex", "c.odt"), ("signature", "a.pdf.p7s")]
    a, b, c, signature = (one.id for one in papers(office, folder_id))
    assert post(clerk, office, folder_id, f"up:{c}", title="Gardé", **{f"name__{b}": "Devis.pdf"}).status_code == 303
    assert [name for _, name in shape(office, folder_id)][1:3] == ["c.odt", "Devis.pdf"]
    assert folder_in(office, folder_id).title == "Gardé"
    post(clerk, office, folder_id, f"down:{c}")
    post(clerk, office, folder_id, f"main:{b}")
    assert shape(office, folder_id) == [("main", "a.pdf"), ("main", "Devis.pdf"), ("annex", "c.odt"), ("signature", "a.pdf.p7s")]
    assert "détachée" in post(clerk, office, folder_id, f"annex:{a}").text
    assert post(clerk, office, folder_id, f"main:{signature}").status_code == 400
    assert post(clerk, office, folder_id, "save", **{f"name__{c}": "../c"}).status_code == 400
    post(clerk, office, folder_id, f"remove:{a}")
    assert shape(office, folder_id) == [("main", "Devis.pdf"), ("annex", "c.odt")]
    assert post(clerk, office, folder_id, f"remove:{a}").status_code == 404
    with_fault = post(clerk, office, folder_id, f"annex:{b}", due="Noël")
    assert (with_fault.status_code, "Noël" in with_fault.text) == (200, True)
    assert shape(office, folder_id) == [("annex", "c.odt"), ("annex", "Devis.pdf")]


def test_documents_are_added_by_a_form_and_by_uploads_and_what_nobody_can_read_is_refused(
    clerk: httpx.Client, office: Office, service: Service
) -> None:
    folder_id = draft(clerk, office)
    fields = {"csrf": token_in(clerk.get("/deposer").text), "folder": folder_id}
    address = f"{DRAFTS}/documents"
    plain = clerk.post(
        address, data=fields | {"as": "annex"}, files=[document("b.pdf", pdf("b")), document("arrete.pdf.p7s", b"p7")]
    )
    assert plain.status_code == 303, plain.text
    assert shape(office, folder_id) == [("main", "arrete.pdf"), ("annex", "b.pdf"), ("signature", "arrete.pdf.p7s")]
    upload = sent(service, office.principal("secretariat"), pdf("c"), "c.pdf")
    assert post(clerk, office, folder_id, "add", uploads=upload.id, **{"as": "main"}, title="Avec c").status_code == 303
    assert ("main", "c.pdf") in shape(office, folder_id)
    assert folder_in(office, folder_id).title == "Avec c"
    broken = clerk.post(address, data=fields, files=[document("d.pdf", b"%PDF-1.7 rien")])
    assert (broken.status_code, "ne peut pas être lu" in broken.text) == (400, True)
    assert clerk.post(address, data=fields, files=[document("", b"")]).status_code == 400
    assert clerk.post(address, data=fields | {"csrf": "x"}, files=[document("d.odt", b"d")]).status_code == 403
    assert len(papers(office, folder_id)) == 4


def test_a_kind_that_the_desk_may_not_send_and_too_many_documents_do_not_start(clerk: httpx.Client, office: Office) -> None:
    folder_id = draft(clerk, office)
    assert "Réservé" not in clerk.get(f"{DRAFTS}/{folder_id}").text
    assert post(clerk, office, folder_id, "start", subtype=office.kinds["reserve"]).status_code == 400
    assert post(clerk, office, folder_id, "start", subtype="").status_code == 400
    (only,) = papers(office, folder_id)
    post(clerk, office, folder_id, f"remove:{only.id}")
    empty = post(clerk, office, folder_id, "start", subtype=office.kinds["visa"])
    assert (empty.status_code, "0 documents principaux" in empty.text) == (400, True)
    assert folder_in(office, folder_id).state == "draft"


# Afterwards


def test_a_rejected_folder_is_mended_and_sent_again(clerk: httpx.Client, office: Office) -> None:
    folder_id = started(clerk, office)
    assert act(clerk, folder_id, "correction").status_code == 409
    rejected(office, folder_id)
    assert act(clerk, folder_id, "correction").headers["location"].startswith(f"{DRAFTS}/{folder_id}")
    assert folder_in(office, folder_id).state == "draft"
    assert post(clerk, office, folder_id, "start", note="Annexe ajoutée.").status_code == 303
    assert office.tasks(folder_in(office, folder_id).dossier_id, "dgs", TaskState.OPEN)


def test_a_folder_is_sent_again_as_it_was_before_anybody_signed_it(clerk: httpx.Client, office: Office) -> None:
    folder_id = draft(clerk, office, ("a.pdf", pdf("a")), ("b.pdf", pdf("b")), subtype=office.kinds["signature"])
    assert post(clerk, office, folder_id, "start", due="2026-12-24").status_code == 303
    before = [(one.name, one.source_sha256, one.size) for one in papers(office, folder_id)]
    office.signs("maire", folder_in(office, folder_id).dossier_id)
    assert [one.size for one in papers(office, folder_id)] != [size for _, _, size in before]
    copied = act(clerk, folder_id, "copie").headers["location"]
    copy = folder_in(office, copied.removeprefix(f"{DRAFTS}/")[:26])
    assert [(one.name, one.sha256, one.size) for one in papers(office, copy.id)] == before
    assert (copy.state, copy.due, copy.subtype_id) == ("draft", None, office.kinds["signature"])
    assert copy.dossier_id != folder_in(office, folder_id).dossier_id


def test_whoever_holds_a_folder_is_reminded_once_a_day(clerk: httpx.Client, office: Office) -> None:
    folder_id = started(clerk, office)
    with office.platform.database.writing(PLATFORM) as session:
        for notice in session.exec(select(Notice).where(Notice.folder_id == folder_id)):
            notice.sent = clock.now()
            session.add(notice)
    assert act(clerk, folder_id, "rappel").status_code == 303
    with office.platform.database.reading(PLATFORM) as session:
        waiting = session.exec(select(Notice).where(Notice.folder_id == folder_id, col(Notice.sent).is_(None))).all()
    assert [(one.person_id, one.category) for one in waiting] == [(office.people["dgs"].id, "to_do")]
    assert act(clerk, folder_id, "rappel").status_code == 409
    with office.platform.database.writing(PLATFORM) as session:
        event = session.exec(select(FolderEvent).where(FolderEvent.folder_id == folder_id, FolderEvent.kind == "reminded")).one()
        event.at = clock.now() - timedelta(hours=25)
        session.add(event)
    assert act(clerk, folder_id, "rappel").status_code == 303
    assert act(clerk, draft(clerk, office), "rappel").status_code == 409


def test_a_draft_is_erased_once_it_was_confirmed(clerk: httpx.Client, office: Office) -> None:
    folder_id = draft(clerk, office)
    post(clerk, office, folder_id, "save", note="Rien.")
    assert "Effacer définitivement" in clerk.get(f"{DRAFTS}/{folder_id}/effacement").text
    assert folder_in(office, folder_id).state == "draft"
    assert act(clerk, folder_id, "effacement").headers["location"] == f"{DRAFTS}?fait=efface"
    assert folder_in(office, folder_id).state == FolderState.ERASED.value
    assert papers(office, folder_id) == []
    with office.platform.database.reading(PLATFORM) as session:
        assert sending.words_of(session, folder_id) == Said()
    assert clerk.get(f"{DRAFTS}/{started(clerk, office)}/effacement").status_code == 409


def test_what_kept_a_folder_from_starting_is_shown(clerk: httpx.Client, office: Office) -> None:
    folder_id = draft(clerk, office)
    with office.platform.database.writing(PLATFORM) as session:
        folders.locked(session, folder_id).trouble = "Le bureau « Trésorerie » est fermé."
    assert "Trésorerie" in clerk.get(f"{DRAFTS}/{folder_id}").text


def of_flow(office: Office, fields: dict[str, str]) -> str:
    """A draft that was made for a dossier of HELIOS, with metadata of its own."""
    blob, owner = office.platform.objects.put(io.BytesIO(pdf())), office.organisation.id
    main = Joined(DocumentKind.MAIN, "arrete.pdf", "application/pdf", blob.sha256, blob.size)
    with office.platform.database.writing(PLATFORM) as session:
        dossier = Dossier(organisation_id=owner, flow="helios", title="arrete", state="in_parapheur", facts={})
        session.add(dossier)
        new = NewFolder(dossier.id, owner, "arrete", office.desks["secretariat"].id, "platform", [main], office.kinds["commande"])
        return folders.create(session, replace(new, fields=fields, bound=True)).id


def test_a_draft_of_a_flow_takes_words_and_what_its_kind_asks_for_and_nothing_else(clerk: httpx.Client, office: Office) -> None:
    folder_id = of_flow(office, {"service": "Voirie"})
    (only,) = papers(office, folder_id)
    page = clerk.get(f"{DRAFTS}/{folder_id}").text
    asked = {name for name in re.findall(r'name="([^"]+)"', page) if name not in {"csrf", "do", "viewport"}}
    assert asked >= {"f.montant", "note"}
    assert not asked & {"title", "subtype", "due", "visibility", "f.service", f"name.{only.id}", "document"}
    assert "remove:" not in page
    typed = {"title": "Autre", "subtype": office.kinds["visa"], "f__service": "Écoles", "visibility": "public", "note": "Merci."}
    for amount in ("41", "6000"):
        assert post(clerk, office, folder_id, "save", f__montant=amount, **typed).status_code == 303
    kept = folder_in(office, folder_id)
    assert (kept.title, kept.subtype_id, kept.visibility) == ("arrete", office.kinds["commande"], "confidential")
    assert kept.fields == {"service": "Voirie", "montant": "6000"}
    for complete in (folder_id, of_flow(office, {"montant": "7000"})):
        assert "Circuit complet" in clerk.get(f"{DRAFTS}/{complete}").text
    assert post(clerk, office, folder_id, f"remove:{only.id}").status_code == 403
    fields = {"csrf": token_in(clerk.get("/deposer").text), "folder": folder_id}
    assert clerk.post(f"{DRAFTS}/documents", data=fields, files=[document("x.odt", b"x")]).status_code == 403
    assert shape(office, folder_id) == [("main", "arrete.pdf")]
    assert post(clerk, office, folder_id, "start", f__montant="6000").status_code == 303
    assert folder_in(office, folder_id).state == "pending"


def test_nobody_at_another_desk_or_elsewhere_sees_or_touches_a_draft(
    service: Service, clerk: httpx.Client, office: Office, neighbours: Office
) -> None:
    folder_id = draft(clerk, office, subtype=office.kinds["visa"])
    (only,) = papers(office, folder_id)
    for whose, short in ((office, "dgs"), (office, "maire"), (neighbours, "secretariat")):
        with signed_in(service, whose, short) as stranger:
            assert stranger.get(f"{DRAFTS}/{folder_id}").status_code == 404
            assert stranger.get(f"{DRAFTS}/{folder_id}/effacement").status_code == 404
            for what in ("correction", "copie", "rappel", "effacement", "apercu"):
                assert act(stranger, folder_id, what).status_code == 404, what
            for do in ("save", "start", f"remove:{only.id}", "add", "circuit"):
                answer = post(stranger, office, folder_id, do)
                assert (answer.status_code, "arrete" in answer.text) == (404, False), do
            fields = {"csrf": token_in(stranger.get("/deposer").text), "folder": folder_id}
            assert stranger.post(f"{DRAFTS}/documents", data=fields, files=[document("x.odt", b"x")]).status_code == 404
    assert shape(office, folder_id) == [("main", "arrete.pdf")]
    assert folder_in(office, folder_id).state == "draft"


def test_a_pes_of_the_signing_book_is_mended_where_it_was_made(clerk: httpx.Client, office: Office) -> None:
    folder_id = started(clerk, office)
    rejected(office, folder_id)
    with office.platform.database.writing(PLATFORM) as session:
        session.exec(select(Dossier).where(Dossier.id == folders.folder_of(session, folder_id).dossier_id)).one().flow = "helios"
    for what in ("correction", "copie"):
        refused = act(clerk, folder_id, what)
        assert (refused.status_code, "logiciel financier" in refused.text) == (409, True)
