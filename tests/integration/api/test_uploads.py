"""Uploads in pieces: in order, after a cut, by another process, checked, used once, swept away; nobody else's."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy.exc import OperationalError
from sqlmodel import select

from api import app as application
from api.app import create_app
from api.guard import Guard
from api.uploads import Uploads
from api.v1 import uploads as routes
from api.web.draft import page as draft
from core import clock, uploads
from core.blobs import Blob, ObjectMissing, TooLarge
from core.errors import Conflict, Forbidden, NotFound, Unavailable, UsageError
from core.identifiers import new_id
from core.platform import Platform
from core.principal import PLATFORM, Principal, Right
from core.s3_server import S3Server
from core.uploads import PIECE, Upload
from tests.integration.api import service as services
from tests.integration.api.service import UPLOAD_LIMIT, Service, web_service
from tests.integration.api.test_pages import token_in

LIMITS = {"/v1/uploads/pieces": routes.LARGEST, draft.DOCUMENTS: UPLOAD_LIMIT + 65536}


def with_drafts(platform: Platform) -> FastAPI:
    """Return the application with the routes under test, wherever they are gathered."""
    app = create_app(platform)
    for router in (routes.router, draft.router):
        app.include_router(router)
    return app


def patch_service(patch: pytest.MonkeyPatch) -> None:
    """Have services run with the routes under test and their limits."""
    patch.setattr(services, "create_app", with_drafts)
    patch.setattr(application, "Guard", lambda app, limits, **others: Guard(app, limits={**limits, **LIMITS}, **others))


@pytest.fixture(scope="module")
def service(s3: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with pytest.MonkeyPatch.context() as patch:
        patch_service(patch)
        with web_service(s3, tmp_path_factory.mktemp("uploads")) as running:
            yield running


@pytest.fixture
def software(service: Service) -> Iterator[httpx.Client]:
    with service.client(service.mairie.token) as client:
        yield client


def depositor(service: Service) -> Principal:
    """Return somebody new who may deposit for the first collectivité."""
    return Principal(f"token:{new_id()}", {service.mairie.organisation.id: frozenset({Right.DEPOSIT})})


def digest(octets: bytes) -> str:
    return hashlib.sha256(octets).hexdigest()


def put(client: httpx.Client, upload: str, offset: int, octets: bytes, sha256: bytes | None = None) -> httpx.Response:
    said = base64.b64encode(sha256 or hashlib.sha256(octets).digest()).decode()
    return client.put(
        "/v1/uploads/pieces",
        params={"upload": upload, "offset": offset},
        content=octets,
        headers={"Content-Digest": f"sha-256=:{said}:"},
    )


def begun(client: httpx.Client, octets: bytes, name: str = "delib.pdf", **said: str) -> str:
    answer = client.post("/v1/uploads", json={"name": name, "size": len(octets), **said})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def sent(service: Service, principal: Principal, octets: bytes, name: str = "a.pdf", place: str = "") -> Upload:
    """Send a document of one piece, to its end."""
    upload = uploads.begin(service.platform, principal, service.mairie.organisation.id, name, len(octets), place)
    uploads.receive(service.platform, principal, upload.id, 0, octets, digest(octets))
    return uploads.finish(service.platform, principal, upload.id, digest(octets))


def test_a_document_comes_in_pieces_is_asked_about_after_a_cut_and_becomes_an_object(
    service: Service, software: httpx.Client
) -> None:
    octets = os.urandom(2 * PIECE + 5)
    upload = begun(software, octets)
    assert put(software, upload, 0, octets[:PIECE]).json()["received"] == PIECE
    with service.client(service.mairie.token) as elsewhere:
        assert elsewhere.get(f"/v1/uploads/{upload}").json()["received"] == PIECE
        assert put(elsewhere, upload, PIECE, octets[PIECE : 2 * PIECE]).json()["received"] == 2 * PIECE
    assert put(software, upload, PIECE, octets[PIECE : 2 * PIECE]).json()["received"] == 2 * PIECE, "the same piece again"
    early = software.post(f"/v1/uploads/{upload}/finish", json={"sha256": digest(octets)})
    assert early.status_code == 409
    assert put(software, upload, 2 * PIECE, octets[2 * PIECE :]).json()["received"] == len(octets)
    for _ in range(2):
        finished = software.post(f"/v1/uploads/{upload}/finish", json={"sha256": digest(octets)})
        assert finished.json()["sha256"] == digest(octets)
    token = owner_of(service, upload)
    with uploads.using(service.platform, token, service.mairie.organisation.id, [upload]) as found:
        assert [(one.name, one.sha256, one.size) for one in found] == [("delib.pdf", digest(octets), len(octets))]
    with service.platform.objects.reading(digest(octets)) as stream:
        assert stream.read() == octets


def owner_of(service: Service, upload_id: str) -> Principal:
    with service.platform.database.reading(PLATFORM) as session:
        upload = session.exec(select(Upload).where(Upload.id == upload_id)).one()
    return Principal(upload.actor, {upload.organisation_id: frozenset({Right.DEPOSIT})})


def test_a_piece_out_of_its_place_of_another_size_or_altered_is_refused(software: httpx.Client) -> None:
    octets = os.urandom(PIECE + 5)
    upload = begun(software, octets)
    skipped = put(software, upload, PIECE, octets[PIECE:])
    assert (skipped.status_code, "octet 0" in skipped.json()["detail"]) == (409, True)
    assert put(software, upload, 0, octets[:100]).status_code == 400
    assert put(software, upload, 0, octets[:PIECE], hashlib.sha256(b"other").digest()).status_code == 400
    too_much = put(software, upload, 0, octets + octets[:2000])
    assert too_much.status_code == 413
    unsigned = software.put("/v1/uploads/pieces", params={"upload": upload, "offset": 0}, content=octets[:PIECE])
    assert unsigned.status_code == 422
    assert software.get(f"/v1/uploads/{upload}").json()["received"] == 0


def test_a_whole_with_another_digest_is_forgotten_and_awaited_from_its_beginning(software: httpx.Client) -> None:
    octets = os.urandom(6 * 1024 * 1024)
    upload = begun(software, octets)
    put(software, upload, 0, octets[:PIECE])
    put(software, upload, PIECE, octets[PIECE:])
    assert software.post(f"/v1/uploads/{upload}/finish", json={"sha256": digest(b"other")}).status_code == 400
    standing = software.get(f"/v1/uploads/{upload}").json()
    assert (standing["received"], standing["sha256"]) == (0, None)


def test_sizes_and_numbers_are_bounded(service: Service, software: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "MOST", 3)
    assert software.post("/v1/uploads", json={"name": "a", "size": UPLOAD_LIMIT + 1}).status_code == 413
    assert software.post("/v1/uploads", json={"name": "a", "size": 0}).status_code == 422
    sender = depositor(service)
    for _ in range(uploads.MOST):
        last = uploads.begin(service.platform, sender, service.mairie.organisation.id, "a", 1)
    with pytest.raises(Conflict):
        uploads.begin(service.platform, sender, service.mairie.organisation.id, "a", 1)
    uploads.cancel(service.platform, sender, last.id)
    assert uploads.begin(service.platform, sender, service.mairie.organisation.id, "a", 1).received == 0
    with pytest.raises(TooLarge):
        uploads.begin(service.platform, sender, service.mairie.organisation.id, "a", UPLOAD_LIMIT + 1)


def test_nobody_else_sees_continues_or_uses_an_upload(service: Service, software: httpx.Client) -> None:
    upload = begun(software, b"abc")
    for stranger in (service.mairie.reader_token, service.mairie.depositor_token, service.syndicat.token):
        with service.client(stranger) as other:
            assert other.get(f"/v1/uploads/{upload}").status_code == 404
            assert put(other, upload, 0, b"abc").status_code == 404
            assert other.post(f"/v1/uploads/{upload}/finish", json={"sha256": digest(b"abc")}).status_code == 404
            assert other.delete(f"/v1/uploads/{upload}").status_code == 404
            assert upload not in other.get("/v1/uploads").text
    with service.client() as nobody:
        assert nobody.get(f"/v1/uploads/{upload}").status_code == 401
    with service.client(service.mairie.reader_token) as reader:
        assert reader.post("/v1/uploads", json={"name": "a", "size": 1}).status_code == 403
    with service.client(service.syndicat.token) as other:
        named = {"name": "a", "size": 1, "organisation": service.mairie.organisation.id}
        assert other.post("/v1/uploads", json=named).status_code == 404


def test_a_page_sends_with_its_session_and_only_with_the_token_of_its_forms(service: Service) -> None:
    with service.client() as browser:
        browser.headers["X-CSRF-Token"] = ""
        door = token_in(browser.get("/connexion").text)
        browser.post("/connexion", data={"csrf": door, "email": service.mairie.email, "password": services.PASSWORD})
        announced = {"name": "a.pdf", "size": 3, "organisation": service.mairie.organisation.id, "place": "ici"}
        assert browser.post("/v1/uploads", json=announced).status_code == 403
        browser.headers["X-CSRF-Token"] = token_in(browser.get("/deposer").text)
        upload = browser.post("/v1/uploads", json=announced).json()["id"]
        assert put(browser, upload, 0, b"abc").json()["received"] == 3
        assert [one["id"] for one in browser.get("/v1/uploads?place=ici").json()["uploads"]] == [upload]
        assert browser.get("/v1/uploads?place=ailleurs").json()["uploads"] == []
        assert browser.delete(f"/v1/uploads/{upload}").status_code == 204
        assert browser.get("/v1/uploads?place=ici").json()["uploads"] == []


def test_an_upload_is_used_once_and_can_be_used_again_when_what_it_was_for_failed(service: Service) -> None:
    sender, here = depositor(service), service.mairie.organisation.id
    upload = sent(service, sender, os.urandom(1000))

    def use(organisation_id: str = here) -> None:
        with uploads.using(service.platform, sender, organisation_id, [upload.id]):
            pass

    with pytest.raises(UsageError, match="no"), uploads.using(service.platform, sender, here, [upload.id]):
        raise UsageError("no")
    with pytest.raises(NotFound):
        use(service.syndicat.organisation.id)
    use()
    with pytest.raises(Conflict):
        use()
    unfinished = uploads.begin(service.platform, sender, here, "b.pdf", 10)
    with pytest.raises(Conflict), uploads.using(service.platform, sender, here, [unfinished.id]):
        pass


def test_an_upload_whose_use_was_killed_is_used_again_once_its_claim_has_lapsed(service: Service) -> None:
    sender, here = depositor(service), service.mairie.organisation.id
    upload = sent(service, sender, os.urandom(1000))
    killed = uploads.using(service.platform, sender, here, [upload.id])
    killed.__enter__()  # and nothing more, as after a SIGKILL
    assert [one.id for one in uploads.waiting(service.platform, sender)] == [upload.id]
    with pytest.raises(Conflict, match="en cours"), uploads.using(service.platform, sender, here, [upload.id]):
        pass
    with pytest.raises(Conflict, match="en cours"):
        uploads.cancel(service.platform, sender, upload.id)
    with service.platform.database.writing(PLATFORM) as session:
        session.get_one(Upload, upload.id).claimed = clock.now() - timedelta(minutes=16)
    with uploads.using(service.platform, sender, here, [upload.id]) as again:
        assert [one.id for one in again] == [upload.id]
    with pytest.raises(Conflict, match="déjà été utilisé"), uploads.using(service.platform, sender, here, [upload.id]):
        pass
    killed.gen.close()


def test_what_was_made_stands_when_the_store_or_the_database_is_silent_afterwards(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    sender, here = depositor(service), service.mairie.organisation.id
    upload = sent(service, sender, os.urandom(1000))

    def silent(*_: object, **__: object) -> None:
        raise Unavailable("silent")

    with uploads.using(service.platform, sender, here, [upload.id]):
        monkeypatch.setattr(service.platform.objects, "let_go", silent)
    assert uploads.standing(service.platform, sender, upload.id).used is not None
    monkeypatch.undo()
    other = sent(service, sender, os.urandom(1000))

    def refused(*_: object) -> None:
        raise OperationalError("", {}, Exception("silent"))

    with uploads.using(service.platform, sender, here, [other.id]):
        monkeypatch.setattr(service.platform.database, "writing", refused)


def test_a_finish_that_comes_again_while_the_first_runs_is_answered_alike_and_another_digest_is_refused(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    sender, octets = depositor(service), os.urandom(1000)
    upload = uploads.begin(service.platform, sender, service.mairie.organisation.id, "a.pdf", len(octets))
    uploads.receive(service.platform, sender, upload.id, 0, octets, digest(octets))
    hold = service.platform.objects.hold

    def after_the_first(*asked: Any) -> Blob:
        monkeypatch.undo()
        uploads.finish(service.platform, sender, upload.id, digest(octets))
        return hold(*asked)

    monkeypatch.setattr(service.platform.objects, "hold", after_the_first)
    assert uploads.finish(service.platform, sender, upload.id, digest(octets)).sha256 == digest(octets)
    with pytest.raises(UsageError, match="autre empreinte"):
        uploads.finish(service.platform, sender, upload.id, digest(b"other"))
    assert uploads.standing(service.platform, sender, upload.id).sha256 == digest(octets)


def test_an_upload_is_put_together_in_a_turn_of_its_caller(software: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    upload = begun(software, b"abc")
    put(software, upload, 0, b"abc")

    async def busy(*_: object) -> None:
        raise Unavailable("busy")

    monkeypatch.setattr(Uploads, "finish", busy)
    assert software.post(f"/v1/uploads/{upload}/finish", json={"sha256": digest(b"abc")}).status_code == 503


def test_what_was_left_is_swept_away_after_a_day_and_what_was_used_stays(service: Service) -> None:
    sender, here = depositor(service), service.mairie.organisation.id
    left, used = sent(service, sender, b"left" * 10), sent(service, sender, b"used" * 10)
    half = uploads.begin(service.platform, sender, here, "half.pdf", 2 * PIECE)
    uploads.receive(service.platform, sender, half.id, 0, bytes(PIECE), digest(bytes(PIECE)))
    with uploads.using(service.platform, sender, here, [used.id]):
        pass
    uploads.sweep(service.platform)
    assert [one.id for one in uploads.waiting(service.platform, sender)] == [left.id, half.id]
    age(service, sender)
    with pytest.raises(NotFound):
        uploads.finish(service.platform, sender, left.id, digest(b"left" * 10))
    assert uploads.sweep(service.platform) >= 3
    with pytest.raises(ObjectMissing), service.platform.objects.reading_held(f"{half.id}/pieces/{digest(bytes(PIECE))}"):
        pass
    with pytest.raises(ObjectMissing), service.platform.objects.reading_held(f"{left.id}/whole"):
        pass
    with service.platform.objects.reading(digest(b"used" * 10)) as stream:
        assert stream.read() == b"used" * 10
    with pytest.raises(ObjectMissing), service.platform.objects.reading(digest(b"left" * 10)):
        pass


def age(service: Service, sender: Principal) -> None:
    with service.platform.database.writing(PLATFORM) as session:
        for upload in session.exec(select(Upload).where(Upload.actor == sender.actor)):
            upload.expires = clock.now() - timedelta(seconds=1)
            session.add(upload)


def test_whoever_may_not_deposit_begins_nothing(service: Service) -> None:
    reader = Principal("token:x", {service.mairie.organisation.id: frozenset({Right.READ})})
    with pytest.raises(Forbidden):
        uploads.begin(service.platform, reader, service.mairie.organisation.id, "a", 1)


@pytest.mark.parametrize(("name", "kept"), [("C:\\docs\\a.pdf", "a.pdf"), ("../../etc/passwd", "passwd"), ("\x07\n", "document")])
def test_a_name_is_kept_without_its_folders_and_without_what_cannot_be_printed(service: Service, name: str, kept: str) -> None:
    assert uploads.begin(service.platform, depositor(service), service.mairie.organisation.id, name, 1).name == kept
