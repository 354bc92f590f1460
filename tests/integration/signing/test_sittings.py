"""Sittings on both databases and a real object store: one ticket, one certificate, each document signed wholly or not at all."""

from __future__ import annotations

import base64
import io
import secrets
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from reportlab.pdfgen.canvas import Canvas
from sqlalchemy import update
from sqlmodel import col, select

from core import clock
from core.blobs import Blob
from core.canonical import canonical_bytes
from core.database import Database
from core.errors import Conflict, NotFound, Unauthenticated, Unavailable, UnreadableInput, UsageError
from core.journal import JournalEntry
from core.organisations import Organisation, OrganisationKind, add_organisation
from core.platform import Platform
from core.principal import PLATFORM, Principal, Right
from core.s3_server import S3Server
from core.secrets import SecretBox
from core.settings import Settings
from schemas.pes.sample import Sample, write_sample
from signing import formats
from signing.cades import verifier as cades
from signing.cades.seal import Cades
from signing.keys import KeyOutOfDate, Pkcs12Signer
from signing.pades import verifier as pades
from signing.pades.seal import Pades
from signing.pades.stamp import Stamp
from signing.pes.envelope import SealContext
from signing.pes.format import Pes
from signing.pes.verifier import verify
from signing.pki import TestAuthority
from signing.sittings import items, sittings
from signing.sittings.items import Answer, Reception, Value
from signing.sittings.models import ItemState, Sitting, SittingItem, SittingState
from signing.sittings.sittings import Document
from signing.verdicts import Belief
from tests.conftest import AUTRE_MAIRIE, MAIRIE

PERSON = "Camille Exemple"
LONG = 30.0


@pytest.fixture
def place(database: Database, s3: S3Server, tmp_path: Path) -> Platform:
    """The parts that a sitting works with, on each kind of database."""
    store = s3.store(f"t{secrets.token_hex(6)}")
    store.prepare()
    return Platform(Settings(state_dir=tmp_path), database, store, SecretBox.created_at(tmp_path / "secret.key"))


@pytest.fixture
def town(place: Platform) -> Organisation:
    with place.database.writing(PLATFORM) as session:
        root = add_organisation(session, "Plateforme d’essai", OrganisationKind.PLATFORM)
        add_organisation(session, "Commune de Rochebrune", OrganisationKind.COLLECTIVITE, parent=root, siret=AUTRE_MAIRIE)
        return add_organisation(session, "Commune de Valmorin", OrganisationKind.COLLECTIVITE, parent=root, siret=MAIRIE)


class Desk:
    """A sitting, and the desk at which it is held: the key is here."""

    def __init__(self, place: Platform, town: Organisation, signer: Pkcs12Signer) -> None:
        self.place, self.town, self.signer = place, town, signer
        self.principal = Principal("token:01TEST", {town.id: frozenset({Right.DEPOSIT})})

    def document(self, title: str, how: Any, content: bytes) -> Document:
        return Document(title, how, self.place.objects.put(io.BytesIO(content)), reference=f"dossier {title}")

    def opened(self, *documents: Document) -> sittings.Pass:
        return sittings.open_sitting(self.place.database, self.principal, self.town.id, PERSON, documents)

    def entered(self, *documents: Document) -> Sitting:
        token = sittings.redeem(self.place.database, self.opened(*documents).secret)
        return sittings.holder(self.place.database, token.secret)

    def bound(self, *documents: Document) -> Sitting:
        return sittings.bind(self.place.database, self.entered(*documents).id, self.der, [])

    def rebound(self, sitting: Sitting) -> Sitting:
        return sittings.bind(self.place.database, sitting.id, self.der, [])

    def prepared(self, *documents: Document) -> Sitting:
        sitting = self.bound(*documents)
        assert items.prepare(self.place, sitting, LONG) == 0
        return sitting

    @property
    def der(self) -> bytes:
        return self.signer.certificate.public_bytes(Encoding.DER)

    def values(self, sitting: Sitting) -> list[Value]:
        asked = items.to_sign(self.place.database, sitting.id)
        return [Value(one.id, slot.identifier, self.signer.sign(slot.octets)) for one in asked for slot in one.slots]

    def give(self, sitting: Sitting, values: list[Value]) -> list[Answer]:
        return items.accept(self.place, sitting, values, None, LONG)

    def outcome(self, sitting: Sitting) -> sittings.Outcome:
        with self.place.database.reading(self.principal) as session:
            return sittings.outcome(session, sitting.id)

    def kept(self, blob: Blob | None, path: Path) -> Path:
        assert blob is not None
        self.place.objects.fetch(blob.sha256, path)
        return path

    def told(self) -> list[JournalEntry]:
        with self.place.database.reading(PLATFORM) as session:
            return list(session.exec(select(JournalEntry).order_by(col(JournalEntry.number))))


@pytest.fixture
def desk(place: Platform, town: Organisation, signer: Pkcs12Signer) -> Desk:
    return Desk(place, town, signer)


@pytest.fixture
def pes(desk: Desk, flow: Path, context: SealContext) -> Document:
    return desk.document("Bordereau 12", Pes(context), flow.read_bytes())


@pytest.fixture
def letter(desk: Desk) -> Document:
    return desk.document("Courrier", Cades(role="Maire"), b"Madame, Monsieur,")


@pytest.fixture
def act(desk: Desk) -> Document:
    """A PDF, whose format writes a draft aside."""
    page = io.BytesIO()
    canvas = Canvas(page)
    canvas.drawString(72, 720, "Article premier")
    canvas.save()
    return desk.document("Arrêté", Pades(role="Maire", stamp=Stamp()), page.getvalue())


def states(outcome: sittings.Outcome) -> list[ItemState]:
    return [item.state for item in outcome.items]


def both_at_once(act: Callable[[], Any]) -> list[Any]:
    """Do it twice at the same moment; what it raises is returned."""
    barrier = threading.Barrier(2)

    def one() -> Any:
        barrier.wait()
        try:
            return act()
        except Exception as error:  # noqa: BLE001 - compared by the test
            return error

    with ThreadPoolExecutor(2) as pool:
        return [future.result() for future in [pool.submit(one) for _ in range(2)]]


def later(database: Database, sitting_id: str, moment: timedelta) -> None:
    """Let the time of a sitting pass."""
    with database.writing(PLATFORM) as session:
        session.connection().execute(
            update(Sitting.__table__).where(col(Sitting.id) == sitting_id).values(expires=clock.now() - moment)  # type: ignore[attr-defined]
        )


def test_documents_of_two_formats_are_signed_in_one_go(desk: Desk, pes: Document, letter: Document, tmp_path: Path) -> None:
    sitting = desk.prepared(pes, letter)
    answers = desk.give(sitting, desk.values(sitting))
    assert [(answer.state, answer.detail) for answer in answers] == [(Reception.SIGNED, None)] * 2
    sittings.close(desk.place.database, sitting.id)
    outcome = desk.outcome(sitting)
    assert (outcome.state, outcome.person) == (SittingState.CLOSED, PERSON)
    first, second = outcome.items
    assert (first.reference, second.reference) == ("dossier Bordereau 12", "dossier Courrier")
    sealed = verify(desk.kept(first.result, tmp_path / "sealed.xml"), trust=None)
    assert [signature.intact for signature in sealed.signatures] == [True, True]
    detached = desk.kept(second.result, tmp_path / "letter.p7s")
    verdict = cades.verify(detached, detached=desk.kept(letter.blob, tmp_path / "letter"), trust=None)
    assert verdict.verdict is not Belief.INVALID
    assert second.verdict == verdict.as_json() | {"signatures": second.verdict["signatures"]}
    assert second.verdict["signatures"][0]["intact"] is True


def test_what_is_prepared_survives_a_restart_of_the_web_process(
    desk: Desk, pes: Document, act: Document, s3: S3Server, tmp_path: Path
) -> None:
    sitting = desk.prepared(pes, act)
    before = items.to_sign(desk.place.database, sitting.id)
    fresh = Database(str(desk.place.database.url.render_as_string(hide_password=False)))
    place = Platform(
        desk.place.settings, fresh, s3.store(desk.place.objects.documents.removesuffix("-documents")), desk.place.secrets
    )
    desk.place.database.close()
    again = Desk(place, desk.town, desk.signer)
    rebound = sittings.bind(fresh, sitting.id, desk.der, [])
    assert items.prepare(place, rebound, LONG) == 0
    assert items.to_sign(fresh, sitting.id) == before
    assert [answer.state for answer in again.give(rebound, again.values(rebound))] == [Reception.SIGNED] * 2
    signed = again.kept(again.outcome(rebound).items[1].result, tmp_path / "act.pdf")
    assert [signature.intact for signature in pades.verify(signed, trust=None).signatures] == [True]
    fresh.close()


def test_of_two_who_redeem_a_ticket_one_wins(desk: Desk, letter: Document) -> None:
    ticket = desk.opened(letter).secret
    results = both_at_once(lambda: sittings.redeem(desk.place.database, ticket))
    assert {type(result) for result in results} == {sittings.Pass, Unauthenticated}
    (won,) = (result for result in results if isinstance(result, sittings.Pass))
    assert sittings.holder(desk.place.database, won.secret).state == SittingState.CLAIMED.value


def test_no_ticket_and_no_token_is_kept_in_the_clear(desk: Desk, letter: Document) -> None:
    opened = desk.opened(letter)
    token = sittings.redeem(desk.place.database, opened.secret)
    sitting = sittings.holder(desk.place.database, token.secret)
    kept = repr(sitting.model_dump())
    for shown in (opened.secret, token.secret):
        assert shown.partition("_")[2] not in kept


@pytest.mark.parametrize(
    "spoil", [lambda t: t[:-1] + ("A" if t[-1] != "A" else "B"), lambda _: "", lambda t: t + "é", lambda _: "01" * 13]
)
def test_another_ticket_or_token_opens_nothing(desk: Desk, letter: Document, spoil: Callable[[str], str]) -> None:
    opened = desk.opened(letter)
    with pytest.raises(Unauthenticated):
        sittings.redeem(desk.place.database, spoil(opened.secret))
    with pytest.raises(Unauthenticated):
        sittings.holder(desk.place.database, opened.secret)
    token = sittings.redeem(desk.place.database, opened.secret).secret
    with pytest.raises(Unauthenticated):
        sittings.holder(desk.place.database, spoil(token))
    with pytest.raises(Unauthenticated):
        sittings.redeem(desk.place.database, token)


def test_a_ticket_and_a_token_end_with_their_time(desk: Desk, letter: Document) -> None:
    waiting, entered = desk.opened(letter), desk.prepared(letter)
    values = desk.values(entered)
    going_on = desk.entered(letter)
    for sitting_id in (waiting.sitting_id, entered.id):
        later(desk.place.database, sitting_id, timedelta(seconds=1))
    with pytest.raises(Unauthenticated):
        sittings.redeem(desk.place.database, waiting.secret)
    with pytest.raises(Conflict):
        desk.give(entered, values)
    assert desk.outcome(entered).state is SittingState.EXPIRED
    assert sittings.expire(desk.place.database) == 2
    assert sittings.expire(desk.place.database) == 0
    assert desk.outcome(going_on).state is SittingState.CLAIMED
    assert [entry.kind for entry in desk.told()].count("sitting.expired") == 2


def test_a_certificate_is_bound_once(desk: Desk, letter: Document, authority: TestAuthority) -> None:
    sitting = desk.prepared(letter)
    other = authority.seal(bits=2048).certificate.public_bytes(Encoding.DER)
    with pytest.raises(Conflict):
        sittings.bind(desk.place.database, sitting.id, other, [])
    sittings.bind(desk.place.database, sitting.id, desk.der, [])
    assert [entry.kind for entry in desk.told()].count("sitting.bound") == 1


def test_a_certificate_that_must_not_sign_is_not_bound(desk: Desk, letter: Document, authority: TestAuthority) -> None:
    sitting = desk.entered(letter)
    start = authority.certificate.not_valid_before_utc
    old = authority.seal(bits=2048, start=start, end=start + timedelta(hours=1)).certificate.public_bytes(Encoding.DER)
    with pytest.raises(KeyOutOfDate):
        sittings.bind(desk.place.database, sitting.id, old, [])
    for certificate, chain in (
        (b"", []),
        (desk.der[:-3], []),
        (desk.der, [b"x"]),
        (desk.der, [desk.der] * 11),
        (b"0" * 70_000, []),
    ):
        with pytest.raises(UnreadableInput):
            sittings.bind(desk.place.database, sitting.id, certificate, chain)
    with pytest.raises(Conflict):
        items.prepare(desk.place, sitting, LONG)


def test_preparation_goes_on_by_slices(desk: Desk, pes: Document, letter: Document) -> None:
    sitting = desk.bound(pes, letter, letter)
    left = [items.prepare(desk.place, sitting, 0.0) for _ in range(4)]
    assert left == [2, 1, 0, 0]
    assert states(desk.outcome(sitting)) == [ItemState.PREPARED] * 3


def test_a_document_that_cannot_be_signed_does_not_stop_the_others(
    desk: Desk, letter: Document, sealed: Path, tmp_path: Path, context: SealContext
) -> None:
    attachments = tmp_path / "attachments.xml"
    write_sample(Sample("ATTACHMENTS", bordereaux=0, pieces=0), attachments)
    contents = [b"no XML", sealed.read_bytes(), attachments.read_bytes(), b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>"]
    wrong = [desk.document(f"n° {rank}", Pes(context), content) for rank, content in enumerate(contents)]
    sitting = desk.prepared(*wrong, letter)
    *refused, good = items.to_sign(desk.place.database, sitting.id)
    assert all(one.problem and not one.slots for one in refused)
    assert refused[2].problem == "Il n’y a rien à signer dans ce document."
    assert good.problem is None
    answers = desk.give(sitting, [*desk.values(sitting), Value(refused[0].id, "signature", b"1")])
    assert [answer.state for answer in answers] == [Reception.SIGNED, Reception.REFUSED]
    assert answers[1].detail == refused[0].problem


def test_a_fault_of_a_library_refuses_one_document(desk: Desk, letter: Document, monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        name: ClassVar[str] = "cades"

        def prepare(self, *_: object) -> None:
            raise RuntimeError("out of order")

    sitting = desk.bound(letter)
    monkeypatch.setattr(formats, "from_json", lambda *_: Broken())
    assert items.prepare(desk.place, sitting, LONG) == 0
    (one,) = desk.outcome(sitting).items
    assert one.state is ItemState.REFUSED
    assert "out of order" not in str(one.detail)


def test_an_altered_value_is_refused_and_the_document_stays_prepared(desk: Desk, pes: Document) -> None:
    sitting = desk.prepared(pes)
    first, second = desk.values(sitting)
    (answer,) = desk.give(sitting, [first, Value(second.item_id, second.identifier, first.octets)])
    assert answer.state is Reception.REFUSED
    assert "pas la signature attendue" in str(answer.detail)
    assert states(desk.outcome(sitting)) == [ItemState.PREPARED]
    (stray,) = desk.give(sitting, [Value(first.item_id, "elsewhere", first.octets)])
    assert stray.state is Reception.REFUSED
    (answer,) = desk.give(sitting, [second])
    assert answer.state is Reception.SIGNED


def test_values_may_come_one_by_one_and_again(desk: Desk, pes: Document) -> None:
    sitting = desk.prepared(pes)
    first, second = desk.values(sitting)
    assert [desk.give(sitting, [first])[0].state for _ in range(2)] == [Reception.WAITING] * 2
    answers = [desk.give(sitting, [first, second]) for _ in range(2)]
    assert answers[0] == answers[1]
    assert answers[0][0].state is Reception.SIGNED
    result = desk.outcome(sitting).items[0].result
    assert desk.give(sitting, [Value(first.item_id, first.identifier, b"other")])[0].state is Reception.SIGNED
    assert desk.outcome(sitting).items[0].result == result
    assert [entry.kind for entry in desk.told()].count("sitting.signed") == 1


def test_two_requests_with_the_same_values_complete_once(desk: Desk, pes: Document, monkeypatch: pytest.MonkeyPatch) -> None:
    sitting = desk.prepared(pes)
    values, completions, complete = desk.values(sitting), [], Pes.complete

    def counted(*given: Any) -> Any:
        completions.append(1)
        return complete(*given)

    monkeypatch.setattr(Pes, "complete", staticmethod(counted))
    results = both_at_once(lambda: desk.give(sitting, values))
    assert [[answer.state for answer in answers] for answers in results] == [[Reception.SIGNED]] * 2
    assert len(completions) == 1
    assert [entry.kind for entry in desk.told()].count("sitting.signed") == 1


def test_two_requests_with_a_value_each_lose_none(desk: Desk, pes: Document) -> None:
    sitting = desk.prepared(pes)
    waiting = iter(desk.values(sitting))
    both_at_once(lambda: desk.give(sitting, [next(waiting)]))
    assert states(desk.outcome(sitting)) == [ItemState.SIGNED]


def test_a_process_that_died_in_the_middle_is_followed_by_another(desk: Desk, letter: Document) -> None:
    sitting = desk.prepared(letter)
    values = desk.values(sitting)
    with desk.place.database.writing(PLATFORM) as session:
        item = session.exec(select(SittingItem)).one()
        item.lease, item.leased_until = "OF-THE-DEAD", clock.now() + timedelta(minutes=1)
    assert items.accept(desk.place, sitting, values, None, 0.1)[0].state is Reception.WAITING
    with desk.place.database.writing(PLATFORM) as session:
        session.exec(select(SittingItem)).one().leased_until = clock.now() - timedelta(seconds=1)
    assert desk.give(sitting, values)[0].state is Reception.SIGNED


def test_without_an_authority_a_timestamped_signature_waits_and_nothing_is_written(desk: Desk) -> None:
    sitting = desk.prepared(desk.document("Arrêté", Cades(level="T"), b"Article premier"))
    (answer,) = desk.give(sitting, desk.values(sitting))
    assert answer.state is Reception.WAITING
    assert answer.detail
    assert desk.outcome(sitting).items[0].result is None
    with pytest.raises(Unavailable):
        items.finish(desk.place, sitting, None, LONG)
    assert desk.outcome(sitting).state is SittingState.CLAIMED


def test_an_abandoned_sitting_leaves_nothing_half_signed(desk: Desk, pes: Document, letter: Document) -> None:
    sitting = desk.prepared(pes, letter)
    first, second, third = desk.values(sitting)
    desk.give(sitting, [first, third])
    for _ in range(2):
        sittings.abandon(desk.place.database, sitting.id, "La carte a été retirée.")
    outcome = desk.outcome(sitting)
    assert (outcome.state, outcome.reason) == (SittingState.ABANDONED, "La carte a été retirée.")
    assert states(outcome) == [ItemState.PREPARED, ItemState.SIGNED]
    assert outcome.items[0].result is None
    with desk.place.database.reading(PLATFORM) as session:
        assert [item.given for item in session.exec(select(SittingItem).where(SittingItem.state == "prepared"))] == [{}]
    for attempt in (
        lambda: desk.give(sitting, [second]),
        lambda: items.prepare(desk.place, desk.rebound(sitting), LONG),
        lambda: sittings.close(desk.place.database, sitting.id),
    ):
        with pytest.raises(Conflict):
            attempt()


def test_a_document_completed_after_the_sitting_was_abandoned_is_not_recorded(
    desk: Desk, letter: Document, monkeypatch: pytest.MonkeyPatch
) -> None:
    sitting, complete = desk.prepared(letter), Cades.complete

    def meanwhile(*given: Any) -> Any:
        sittings.abandon(desk.place.database, sitting.id, "")
        return complete(*given)

    monkeypatch.setattr(Cades, "complete", staticmethod(meanwhile))
    with pytest.raises(Conflict):
        desk.give(sitting, desk.values(sitting))
    assert states(desk.outcome(sitting)) == [ItemState.PREPARED]
    assert desk.outcome(sitting).items[0].result is None


def test_a_source_that_the_store_lost_is_refused_and_said(desk: Desk) -> None:
    sitting = desk.prepared(Document("Perdu", Cades(), Blob("0" * 64, 3)))
    (one,) = desk.outcome(sitting).items
    assert (one.state, bool(one.detail)) == (ItemState.REFUSED, True)


def test_the_journal_tells_all_and_names_nobody(desk: Desk, pes: Document, letter: Document, sealed: Path) -> None:
    sitting = desk.prepared(pes, letter, desk.document("Signé", Pes(pes.how.context), sealed.read_bytes()))
    desk.give(sitting, desk.values(sitting))
    sittings.close(desk.place.database, sitting.id)
    told = [entry for entry in desk.told() if entry.kind.startswith("sitting.")]
    assert [entry.kind for entry in told] == [
        "sitting.opened",
        "sitting.bound",
        "sitting.refused",
        "sitting.signed",
        "sitting.signed",
        "sitting.closed",
    ]
    assert told[-1].facts == {"sitting": sitting.id, "waiting": 0, "prepared": 0, "signed": 2, "refused": 1}
    assert all(entry.facts["sitting"] == sitting.id and entry.actor == "token:01TEST" for entry in told)
    leaves = b"".join(canonical_bytes(entry.facts) + entry.leaf() for entry in told).decode()
    for personal in (PERSON, "Bordereau", "Courrier", "Maire", "Exemple", base64.b64encode(desk.der).decode()[:40]):
        assert personal not in leaves


def test_the_sitting_of_another_organisation_is_not_found(desk: Desk, letter: Document) -> None:
    sitting = desk.entered(letter)
    with desk.place.database.reading(PLATFORM) as session:
        other = session.exec(select(Organisation.id).where(Organisation.siret == AUTRE_MAIRIE)).one()
    stranger = Principal("token:01OTHER", {other: frozenset(Right)})
    with desk.place.database.reading(stranger) as session, pytest.raises(NotFound):
        sittings.outcome(session, sitting.id)
    other_sitting = desk.bound(letter)
    with pytest.raises(NotFound):
        desk.give(other_sitting, [Value(items_id(desk, sitting), "signature", b"1")])
    with pytest.raises(NotFound):
        sittings.item_of(desk.place.database, other_sitting.id, items_id(desk, sitting))


def items_id(desk: Desk, sitting: Sitting) -> str:
    return sittings.items_of(desk.place.database, sitting.id)[0].id


@pytest.mark.parametrize("count", [0, 1001])
def test_a_sitting_has_documents_and_not_too_many(desk: Desk, count: int) -> None:
    with pytest.raises(UsageError):
        desk.opened(*[Document("x", Cades(), Blob("0" * 64, 1))] * count)
