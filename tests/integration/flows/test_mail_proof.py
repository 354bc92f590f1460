"""The proof of a tracked mail convinces a third party who has nothing but its own guide and the tools of any machine."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from pydantic import SecretStr
from sqlmodel import select

from api.runtime import build_engine
from archive.ingest.inspection import check_package
from archive.models import Record
from archive.proof import heads
from archive.proof.proving import write_evidence
from archive.proof.verification import EvidenceVerdict, verify_evidence
from core.errors import Conflict, Forbidden, NotFound
from core.messages import speaking
from core.organisations import OrganisationKind, add_organisation
from core.platform import open_platform
from core.principal import PLATFORM, Principal, Right
from core.s3_server import S3Server
from core.settings import Settings
from flows.engine.brokers import open_broker
from flows.engine.models import DossierFile
from flows.engine.work import KeptFile, Work
from flows.mail import acting, archiving, attestation, checking, events, following, links, opening, pieces, proof, proving
from flows.mail.door import Given
from flows.mail.events import EventKind
from flows.mail.models import Mail, MailRecipient, MailReturn, Place, RecipientState
from flows.mail.opening import Deed
from flows.mail.sightings import Circumstances
from signing.timestamp.client import AuthoritySettings, TimestampClient
from signing.timestamp.simulator import TsaSimulator
from signing.trust import TrustStore
from tests.conftest import MAIRIE
from tests.databases import sqlite_at
from tests.mails import ADDRESSES, MailsMairie

TOOLS = ("sh", "cat", "sha256sum", "openssl", "xxd", "unzip")
HOSTILE = "Avis\n    touch pwned\n    exit 0"
BROWSER = Circumstances(ip="198.51.100.7", agent="Mozilla/5.0 (essai)", language="fr-FR", tls="https", method="POST")
FILES = (("avis de passage.pdf", b"%PDF-1.7\n%%EOF\n" + b"avis" * 50), ("plan.png", b"\x89PNG" + bytes(range(200))))


@dataclass
class Town(MailsMairie):
    """The mairie, with an authority that timestamps its journal when told to."""

    stamps: TimestampClient | None = None
    trust: TrustStore | None = None

    def cut(self) -> None:
        """Have the journal timestamped as it is."""
        assert self.stamps is not None
        heads.cut(self.platform, self.stamps)

    def proof(self, dossier_id: str, target: Path, recipient_id: str | None = None) -> Path:
        """Ask for a proof until all of it is timestamped; the first time enters the statements in the journal."""
        for _ in range(2):
            self.cut()
            proving.package(self.platform, PLATFORM, dossier_id, target, recipient_id)
        return target

    def sent(self, subject: str = HOSTILE) -> str:
        """A send to three, the third of them unknown to the others: accepted and handed over, one withdrawn, one bounced."""
        dossier_id = self.mail(recipients=ADDRESSES, subject=subject, files=FILES, password="")
        first, second, third = self.recipients(dossier_id)
        self.change(third, place=Place.BCC.value)
        with self.platform.database.writing(PLATFORM) as session:
            mail, kept = session.get_one(Mail, dossier_id), self.kept(dossier_id)
            events.record(session, mail, EventKind.ACCEPTED, checking.accepted_facts(mail, kept))
            for one in (first, second, third):
                events.record(session, one, EventKind.ACCEPTED, checking.addressed_facts(one))
            events.record(session, mail, EventKind.CANCELLED, {"reason": f"Erreur sur {third.address}"})
            events.record(session, mail, EventKind.CLOSED, {"recipients": {"handed": 3}})
        opening.withdraw(self.platform, self.token(dossier_id), Deed(Given(), BROWSER, "Retirer le document"))
        self.back(second, b"Final-Recipient: rfc822; x\r\nAction: failed\r\nStatus: 5.1.1\r\n")
        self.back(third, f"<http://mairie.test/courrier/{self.token(dossier_id, 2)}>".encode())
        return dossier_id

    def kept(self, dossier_id: str) -> tuple[KeptFile, ...]:
        """The files of a send."""
        with self.platform.database.reading(PLATFORM) as session:
            rows = session.exec(select(DossierFile).where(DossierFile.dossier_id == dossier_id)).all()
            return tuple(KeptFile(one.role, one.name, one.media_type, one.sha256, one.size, one.created) for one in rows)

    def back(self, recipient: MailRecipient, raw: bytes) -> None:
        """Have a message come back about the notice of a recipient."""
        blob = self.platform.objects.put(io.BytesIO(raw))
        with self.platform.database.writing(PLATFORM) as session:
            session.add(
                MailReturn(
                    organisation_id=recipient.organisation_id,
                    dossier_id=recipient.dossier_id,
                    recipient_id=recipient.id,
                    what="failed",
                    status="5.1.1",
                    source=secrets.token_hex(8),
                    sha256=blob.sha256,
                    size=blob.size,
                )
            )
            events.record(session, recipient, EventKind.RETURNED, {"sha256": blob.sha256, "what": "failed"})

    def work(self, dossier_id: str, folder: Path) -> Work:
        """A send in the hands of the archiving."""
        folder.mkdir()
        return Work(
            self.platform, dossier_id, self.organisation.id, "", "closing", {}, self.kept(dossier_id), folder, 1,
            lambda *_, **__: None,
        )  # fmt: skip

    def seal(self, dossier_id: str) -> None:
        """End a send, and have a worker seal its proof."""
        for one in self.recipients(dossier_id):
            if one.withdrawn is None:
                self.change(one, state=RecipientState.EXPIRED.value)
        with self.platform.database.writing(PLATFORM) as session:
            session.get_one(Mail, dossier_id).answers = False
            assert following.settle(session, dossier_id)
        broker = open_broker("memory://")
        build_engine(self.platform, broker)
        broker.get_actor("mail.archive")(dossier_id)


@pytest.fixture(scope="module")
def town(s3: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    folder = tmp_path_factory.mktemp("proof")
    with TsaSimulator(folder / "tsa") as tsa:
        (folder / "trust").mkdir()
        (folder / "trust/tsa.pem").write_bytes(tsa.anchor.public_bytes(Encoding.PEM))
        settings = Settings(
            state_dir=folder,
            database_url=SecretStr(sqlite_at(folder / "t.sqlite3")),
            s3_bucket_prefix=f"t{secrets.token_hex(6)}",
            trust_dir=folder / "trust",
            archive_lock_days=1,
        )
        platform = open_platform(settings, s3.store(settings.s3_bucket_prefix))
        platform.objects.prepare()
        with platform.database.writing(PLATFORM) as session:
            root = add_organisation(session, "Plateforme d’essai", OrganisationKind.PLATFORM)
            mairie = add_organisation(session, "Commune de Valmorin", OrganisationKind.COLLECTIVITE, parent=root, siret=MAIRIE)
        trust = TrustStore.from_folder(folder / "trust")
        yield Town(platform, mairie, stamps=TimestampClient(AuthoritySettings(urls=[tsa.url]), trust), trust=trust)
        platform.database.close()


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the programs that the guide may use, and no other."""
    folder = tmp_path_factory.mktemp("tools")
    for name in TOOLS:
        found = shutil.which(name)
        assert found, f"{name} is absent from this machine"
        (folder / name).symlink_to(found)
    (folder / "python3").symlink_to(Path(sys._base_executable).resolve())  # type: ignore[attr-defined]
    return folder


@dataclass(frozen=True)
class Expert:
    """Somebody with a proof, a terminal, and no platform."""

    folder: Path
    tools: Path

    @classmethod
    def given(cls, package: Path, folder: Path, tools: Path) -> Expert:
        subprocess.run([tools / "unzip", "-q", package, "-d", folder], check=True)
        return cls(folder, tools)

    def guide(self) -> str:
        return (self.folder / proving.README).read_text("utf-8")

    def follows(self) -> tuple[int, str]:
        """Run the commands of the guide, one after the other, until one fails."""
        commands = "\n".join(line[4:] for line in self.guide().splitlines() if line.startswith("    "))
        run = subprocess.run(
            [self.tools / "sh", "-ec", commands],
            cwd=self.folder, env={"PATH": str(self.tools)}, capture_output=True, encoding="utf-8", check=False,
        )  # fmt: skip
        return run.returncode, run.stdout + run.stderr

    def names(self) -> list[str]:
        return sorted(str(path.relative_to(self.folder)) for path in self.folder.rglob("*") if path.is_file())

    def read(self, name: str) -> dict[str, Any]:
        told: dict[str, Any] = json.loads((self.folder / name).read_bytes())
        return told

    @contextmanager
    def flipped(self, name: str, position: int, *, mended: bool) -> Iterator[None]:
        """Flip a bit of a piece; a careful forger mends the list of digests as well."""
        path, list_of_digests = self.folder / name, self.folder / "SHA256SUMS"
        before, digests = path.read_bytes(), list_of_digests.read_bytes()
        altered = bytearray(before)
        altered[position] ^= 1
        path.write_bytes(altered)
        if mended:
            old, new = (hashlib.sha256(data).hexdigest().encode() for data in (before, bytes(altered)))
            list_of_digests.write_bytes(digests.replace(old, new))
        yield
        path.write_bytes(before)
        list_of_digests.write_bytes(digests)


@cache
def words(path: Path) -> str:
    """What people read in a PDF."""
    said = subprocess.run(["pdftotext", "-raw", path, "-"], capture_output=True, text=True, check=True).stdout
    return " ".join(said.split())


@pytest.fixture(scope="module")
def dossier_id(town: Town) -> str:
    return town.sent()


@pytest.fixture(scope="module")
def expert(town: Town, dossier_id: str, tools: Path, tmp_path_factory: pytest.TempPathFactory) -> Expert:
    """The proof of a send that is under way, in the hands of an expert."""
    folder = tmp_path_factory.mktemp("expert")
    return Expert.given(town.proof(dossier_id, folder / "preuve.zip"), folder / "unpacked", tools)


def test_the_guide_leads_through_the_verification_with_stock_tools_alone(expert: Expert) -> None:
    code, said = expert.follows()
    assert code == 0, said
    assert "Verification: OK" in said
    assert "pas encore horodatée" not in said
    assert len((expert.folder / "journal.jsonl").read_bytes().splitlines()) >= 12
    assert expert.names()[:2] == ["LISEZ-MOI.txt", "SHA256SUMS"]
    assert {name for name in expert.names() if "/" in name and not name.startswith("cert")} == {
        *(f"attestations/0{rank}.pdf" for rank in (1, 2, 3)),
        *(f"releves/{stem}.json" for stem in ("01", "02", "03", "envoi")),
        "documents/01-avis_de_passage.pdf",
        "documents/02-plan.png",
        "retours/02-1.eml",
    }
    assert "pwned" not in expert.names()


PIECES = {
    "documents/01-avis_de_passage.pdf": "documents/01-avis_de_passage.pdf\u00a0: AUCUN RELEVÉ",
    "documents/02-plan.png": "documents/02-plan.png\u00a0: AUCUN RELEVÉ",
    "message.txt": "message.txt\u00a0: AUCUN RELEVÉ",
    "retours/02-1.eml": "retours/02-1.eml\u00a0: AUCUN RELEVÉ",
    "releves/01.json": "releves/01.json\u00a0: le journal NE LE NOMME PAS",
    "releves/envoi.json": "releves/envoi.json\u00a0: le journal NE LE NOMME PAS",
    "journal.jsonl": "journal.jsonl, ligne",
    "proof.json": "",
    "head.json": "token.der n’horodate PAS head.json",
    "token.der": "token.der n’horodate PAS head.json",
}


@pytest.mark.parametrize("name", PIECES)
def test_a_flipped_byte_makes_the_verification_fail_and_say_which_piece(expert: Expert, name: str) -> None:
    size = (expert.folder / name).stat().st_size
    for position in {0, size // 3, size // 2, size - 1}:
        with expert.flipped(name, position, mended=False):
            code, said = expert.follows()
            assert (code, f"{name}: FAILED" in said) == (1, True), position
            assert said.count("FAILED") == 1
    for position in {1, size - 2, *range(size // 9, size, size // 8)}:
        with expert.flipped(name, position, mended=True):
            code, said = expert.follows()
            assert code != 0, (position, said)
            assert PIECES[name] in said, (position, said)
    assert expert.follows()[0] == 0


def test_the_proof_for_one_recipient_shows_no_other(town: Town, dossier_id: str, tools: Path, tmp_path: Path) -> None:
    people = town.recipients(dossier_id)
    for rank, one in enumerate(people):
        target = town.proof(dossier_id, tmp_path / f"{rank}.zip", one.id)
        theirs = Expert.given(target, tmp_path / str(rank), tools)
        code, said = theirs.follows()
        assert code == 0, said
        assert [name for name in theirs.names() if name.startswith("releves/")] == ["releves/01.json"]
        told = theirs.read("releves/01.json")
        assert told["recipient"]["address"] == one.address
        assert [event["kind"] for event in told["events"] if "facts" not in event] == [
            *["send_cancelled"] * (rank != 2), "send_closed",
        ]  # fmt: skip
        pdf = words(theirs.folder / "attestations/01.pdf").casefold()
        octets = b"".join((theirs.folder / name).read_bytes() for name in theirs.names()).lower()
        assert b'"recipients"' not in octets
        for other in people:
            for word in (other.id, other.address, other.name):
                seen = word.lower().encode() in octets or word.casefold() in pdf
                assert seen == (other is one), (rank, word)


def test_an_attestation_says_what_is_proved_and_what_is_not(expert: Expert) -> None:
    first, second = (words(expert.folder / f"attestations/{rank}.pdf") for rank in ("01", "02"))
    for said in (
        f"Le détenteur du lien envoyé à {ADDRESSES[0]} a retiré le courrier",
        "Identité\u00a0: le lien seul (niveau 0)".replace("\u00a0", " "),
        "Le serveur de messagerie mx.elus.test a accepté le message",
        "Que le détenteur du lien soit le destinataire",
        "adresse réseau 198.51.100.7",
        "Que les documents aient été lus",
        "service d’envoi qualifié",
        hashlib.sha256((expert.folder / "releves/01.json").read_bytes()).hexdigest(),
    ):
        assert said in first.replace("\u00a0", " "), said
    assert "personne n’a retiré le courrier" in second
    assert "Un serveur annonce un échec" in second
    whole = words(expert.folder / "attestation.pdf")
    assert "Courrier retiré par 1 des 3 destinataires" in whole.replace("\u00a0", " ")
    assert all(address in whole for address in ADDRESSES)
    guide = expert.guide()
    assert not any(word in text.casefold() for text in (first, second, whole, guide) for word in ("recommandé", " lre"))
    assert b"pdfuaid" in (expert.folder / "attestation.pdf").read_bytes()
    with speaking("en"):
        pages = [attestation.send_page({None: expert.read("releves/envoi.json"), "1": expert.read("releves/01.json")})]
        pages.append(attestation.recipient_page(expert.read("releves/01.json")))
    assert [page.verdict for page in pages] == ["Withdrawn by 1 of 1 recipients", "Withdrawn"]


def test_every_state_and_event_has_its_words(expert: Expert) -> None:
    told = expert.read("releves/01.json")
    event = {"id": "x", "at": told["send"]["sent"], "sha256": "0" * 64, "facts": {"name": "n", "automatic": True}}
    told["events"] = [{**event, "kind": kind.value} for kind in EventKind]
    lost = {"attempt": 1, "at": event["at"], "unknown": True}
    told["notices"][0]["evidence"] = [lost, {"attempt": 1, "at": event["at"], "host": "mx.elus.test", "report": "01H"}]
    for state in RecipientState:
        for level in (0, 1, 2):
            told["recipient"] |= {"state": state.value, "level": level}
            proved, *_ = attestation.recipient_page(told).sections
    assert [row.lines[0][:40] for row in proved.rows if "mx.elus.test" in row.lines[0]] == [
        "Un avis revenu du serveur mx.elus.test é"
    ]


def test_entries_that_wait_for_their_timestamp_are_told_and_the_rest_is_proved(town: Town, tools: Path, tmp_path: Path) -> None:
    town.cut()
    dossier_id = town.sent("Sans attendre")
    proving.package(town.platform, PLATFORM, dossier_id, tmp_path / "1.zip")
    early = Expert.given(tmp_path / "1.zip", tmp_path / "early", tools)
    code, said = early.follows()
    assert (code, "0 inscriptions mènent" in said) == (0, True), said
    assert said.count("pas encore horodatée") == len((early.folder / "journal.jsonl").read_bytes().splitlines())
    assert "attendent leur horodatage" in early.guide()
    town.proof(dossier_id, tmp_path / "2.zip")
    proving.package(town.platform, PLATFORM, dossier_id, tmp_path / "3.zip")
    assert (tmp_path / "2.zip").read_bytes() == (tmp_path / "3.zip").read_bytes()
    late = Expert.given(tmp_path / "2.zip", tmp_path / "late", tools)
    assert "pas encore horodatée" not in late.follows()[1]
    lines = [json.loads(line)["kind"] for line in (late.folder / "journal.jsonl").read_bytes().splitlines()]
    assert lines.count(proof.ENTERED) == 4


def test_a_sealed_send_proves_its_record_and_a_purge_breaks_nothing_that_was_given(
    town: Town, tools: Path, tmp_path: Path
) -> None:
    dossier_id = town.sent("Avis de passage")
    town.seal(dossier_id)
    assert [one.name for one in town.kept(dossier_id) if one.role == "proof"] == ["attestation.pdf"]
    before = Expert.given(town.proof(dossier_id, tmp_path / "before.zip"), tmp_path / "before", tools)
    code, said = before.follows()
    assert code == 0, said
    assert check_package(before.folder / "package.zip") == []
    size = (before.folder / "package.zip").stat().st_size
    with before.flipped("package.zip", size // 2, mended=True):
        code, said = before.follows()
        assert (code != 0, "package.zip\u00a0: le journal NE LE NOMME PAS" in said) == (True, True)
    with town.platform.database.reading(PLATFORM) as session:
        record = session.exec(select(Record).where(Record.dossier_id == dossier_id)).one()
    assert (record.rule, record.title) == ("APP-COURRIER-SUIVI-5ANS v1", "Avis de passage")
    write_evidence(town.platform, PLATFORM, record.id, tmp_path / "evidence.zip")
    assert verify_evidence(tmp_path / "evidence.zip", trust=town.trust).verdict is EvidenceVerdict.VALID
    listed = subprocess.run([tools / "unzip", "-Z1", before.folder / "package.zip"], capture_output=True, text=True, check=True)
    content = {name.removeprefix("content/") for name in listed.stdout.split()}
    assert content >= {"message.txt", "plan.png", "releve-03.json", "attestation-03.pdf", "retour-02-1.eml", "releve-envoi.json"}
    assert not any(name.startswith("retour-03") for name in content), "a message with a working link is never handed out"

    acting.purge(town.platform, PLATFORM, dossier_id)
    assert before.follows()[0] == 0
    after = Expert.given(town.proof(dossier_id, tmp_path / "after.zip"), tmp_path / "after", tools)
    code, said = after.follows()
    assert code == 0, said
    assert "restent leurs empreintes" in after.guide()
    assert not {name for name in after.names() if name.startswith(("documents/", "message"))}
    held = {hashlib.sha256(path.read_bytes()).hexdigest() for path in (before.folder / "documents").iterdir()}
    told = after.read("releves/envoi.json")
    assert {one["sha256"] for one in told["documents"]} == held
    assert told["message"]["sha256"] == hashlib.sha256((before.folder / "message.txt").read_bytes()).hexdigest()


def test_a_second_try_of_the_sealing_makes_the_same_package(town: Town, tmp_path: Path) -> None:
    dossier_id = town.sent("Deux fois")
    town.seal(dossier_id)
    town.back(town.recipient(dossier_id, 1), b"trop tard")
    again = archiving.seal(town.work(dossier_id, tmp_path / "again"))
    with town.platform.database.reading(PLATFORM) as session:
        record = session.exec(select(Record).where(Record.dossier_id == dossier_id)).one()
    assert again.journal["package"] == record.sha256


def test_a_message_that_holds_a_link_is_known_however_it_is_written() -> None:
    token = links.new_token()
    known = frozenset({links.digest(token)})
    link = f"http://mairie.test/courrier/{token}"
    folded, quoted = f"{link[:40]}=\r\n{link[40:]}", "Subject: x\r\n\r\nVotre message :\r\n> "
    encoded = base64.encodebytes(f"Bonjour,\n\nRetirez le courrier ici : {link}\n\nMairie\n".encode()).decode()
    headed = "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: "
    for raw in (
        f"Subject: x\r\n\r\n{link}\r\n",
        f"{headed}quoted-printable\r\n\r\n{folded}\r\n",
        f"{headed}base64\r\n\r\n{encoded}",
        f"{quoted}{headed}quoted-printable\r\n> \r\n> {folded.replace(chr(10), chr(10) + '> ')}\r\n",
        f"{quoted}{encoded.replace(chr(10), chr(10) + '> ')}",
    ):
        assert pieces.holds_link(raw.encode(), known), raw
        assert not pieces.holds_link(raw.encode(), frozenset({links.digest("x")}))


def test_who_may_not_read_a_send_gets_no_proof_and_a_draft_has_none(town: Town, dossier_id: str, tmp_path: Path) -> None:
    target, here = tmp_path / "p.zip", town.organisation.id
    clerk = Principal("person:1", {here: frozenset({Right.READ})})
    proving.package(town.platform, clerk, dossier_id, target)
    target.unlink()
    for refused, who in (
        (Forbidden, Principal("person:2", {here: frozenset({Right.ACT})})),
        (NotFound, Principal("person:3", {"01HELSEWHERE": frozenset({Right.READ})})),
    ):
        with pytest.raises(refused):
            proving.package(town.platform, who, dossier_id, target)
    with pytest.raises(NotFound):
        proving.package(town.platform, clerk, dossier_id, target, "01HNOBODY")
    with pytest.raises(Conflict, match="n’est pas parti"):
        proving.package(town.platform, clerk, town.mail("draft"), target)
    assert not target.exists()
