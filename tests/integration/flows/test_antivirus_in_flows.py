"""A real antivirus looks at everything before it is opened: acts, answers, letters of the préfecture, PES and their documents."""

from __future__ import annotations

import base64
import gzip
import io
import re
from dataclasses import replace
from email.message import EmailMessage
from pathlib import Path

import pytest

from core.errors import Refused, Unavailable
from core.principal import PLATFORM
from flows.actes import checking, following, incoming
from flows.actes.following import Reply
from flows.engine.models import Step
from flows.engine.work import KeptFile
from flows.helios import scanning
from flows.invoices.issued import deciding
from schemas.actes import writer
from schemas.actes.codes import MessageCode
from schemas.actes.messages import DemandePieceComplementaire, SignedFile
from tests.acts import ADDRESS, ActsTown, today
from tests.clamd import MARK, SIGNATURE, Clamd
from tests.sales import Shop, at_rest
from tests.town import Town
from tests.waiting import wait_until

pytestmark = pytest.mark.parametrize("shape", ["embedded"], indirect=True)
INFECTED = b"%PDF-1.4 " + MARK


@pytest.fixture
def socket(tmp_path: Path) -> Path:
    """Where the platform believes the antivirus to be: a name that a test puts there, or takes away."""
    return tmp_path / "clamd.ctl"


@pytest.fixture
def settings_changes(antivirus: Clamd, socket: Path) -> dict[str, object]:
    socket.symlink_to(antivirus.unix.removeprefix("unix:"))
    return {"poll_seconds": 0.2, "archive_lock_days": 1, "antivirus": f"unix:{socket}"}


def test_an_act_with_an_infected_file_is_rejected_by_its_name_and_no_rule_opens_it(
    acts: ActsTown, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(checking, "signature_problem", lambda _, name: opened.append(name))
    with acts.at_work():
        dossier = acts.send(annexes=(acts.file("plan.pdf", INFECTED),))
        ended = acts.wait_for(dossier, "rejected")
    (told,) = [problem for problem in ended.problems if problem["rule"] == "R38"]
    assert (told["path"], told["found"]) == ("plan.pdf", SIGNATURE)
    assert "plan.pdf" in told["message"]
    assert opened == []
    assert acts.envelopes(dossier) == []


def test_while_the_antivirus_is_away_nothing_passes_and_the_act_goes_on_by_itself(
    acts: ActsTown, socket: Path, antivirus: Clamd
) -> None:
    socket.unlink()
    with acts.at_work():
        dossier = acts.send()
        wait_until(lambda: _trouble(acts, dossier) is not None)
        assert "clamd" in (_trouble(acts, dossier) or "")
        assert acts.dossier(dossier).state == "received"
        socket.symlink_to(antivirus.unix.removeprefix("unix:"))
        acts.wait_for(dossier, "acknowledged")


def test_an_answer_with_an_infected_document_is_refused_to_whoever_gives_it(acts: ActsTown, socket: Path) -> None:
    with acts.at_work():
        dossier = acts.send()
        acts.wait_for(dossier, "acknowledged")
        acts.state.send_letter(acts.dossier(dossier).facts["id_acte"], "3-1", "Transmettez le plan.")
        acts.wait_for_messages(dossier, ["1-1", "1-2", "3-1", "3-2"])
        letter = acts.message(dossier, "3-1").id
        answer = Reply(letter, MessageCode.PIECE_COMPLEMENTAIRE, (acts.file("plan.pdf", INFECTED),))
        with pytest.raises(Refused) as refused:
            following.reply(acts.platform, PLATFORM, dossier, answer)
        assert [problem.rule for problem in refused.value.problems] == ["R38"]
        socket.unlink()
        with pytest.raises(Unavailable):
            following.reply(acts.platform, PLATFORM, dossier, Reply(letter, answer.code, (acts.file("plan.pdf"),)))


def test_an_infected_letter_is_told_to_its_act_without_the_file_which_may_come_again(acts: ActsTown, tmp_path: Path) -> None:
    with acts.at_work():
        dossier = acts.send()
        acts.wait_for(dossier, "acknowledged")
        identifier = acts.dossier(dossier).facts["id_acte"]
        xml = tmp_path / f"{identifier}-3-1_7.xml"
        writer.write(DemandePieceComplementaire(identifier, today(), SignedFile("lettre.pdf"), "Transmettez."), xml)
        acts.office.put(ADDRESS, _mail("Demande", (xml.name, xml.read_bytes()), ("lettre.pdf", INFECTED)))
        acts.wait_for_messages(dossier, ["1-1", "1-2", "3-1", "3-2"])
        letter = acts.message(dossier, "3-1")
        assert letter.facts["infected"] == [["lettre.pdf", SIGNATURE]]
        assert "lettre.pdf" not in {kept.name for kept in acts.files(dossier).values()}
        acts.office.put(ADDRESS, _mail("Encore", (xml.name, xml.read_bytes()), ("lettre.pdf", b"%PDF-1.4 saine")))
        wait_until(lambda: "lettre.pdf" in {kept.name for kept in acts.files(dossier).values()})
    assert acts.message(dossier, "3-1").facts["infected"] == []
    infected = [part for mail in acts.mails("applied") for part in mail.parts if part.get("infected")]
    assert [part["name"] for part in infected] == ["lettre.pdf"]


def test_a_mail_waits_for_the_antivirus_and_one_whose_message_is_infected_goes_to_a_person(
    acts: ActsTown, socket: Path, antivirus: Clamd
) -> None:
    socket.unlink()
    acts.office.put(ADDRESS, _mail("Piégé", ("040-214009995----1-2_1.xml", b"<?xml version='1.0'?><acte>" + MARK + b"</acte>")))
    with pytest.raises(Unavailable):
        incoming.collect(acts.platform, acts.organisation.id)
    assert all(len(acts.mails(state)) == 0 for state in ("unmatched", "applied"))
    assert acts.mails("kept")
    socket.symlink_to(antivirus.unix.removeprefix("unix:"))
    incoming.collect(acts.platform, acts.organisation.id)
    (told,) = acts.mails("unmatched")
    assert SIGNATURE in (told.reason or "")


def test_a_pes_and_what_it_encloses_are_looked_at(town: Town) -> None:
    clean, whole, enclosed = town.pes("SAIN"), town.pes("PIEGE"), town.pes("PIECE_PIEGEE")
    whole.write_bytes(whole.read_bytes() + b"<!-- " + MARK + b" -->")
    packed = base64.b64encode(gzip.compress(MARK))
    octets, count = re.subn(rb"(<Fichier[^>]*>)[^<]+(</Fichier>)", rb"\g<1>" + packed + rb"\g<2>", enclosed.read_bytes())
    assert count
    enclosed.write_bytes(octets)
    with town.at_work():
        passed, first, second = (town.deposit(path) for path in (clean, whole, enclosed))
        town.wait_for(passed, "archived")
        for dossier in (first, second):
            ended = town.wait_for(dossier, "rejected")
            errors = [one for one in ended.problems if one["severity"] == "error"]  # B02 may remark on the number before, refused
            assert [(problem["rule"], problem["found"]) for problem in errors] == [("R15", SIGNATURE)]


def test_a_document_that_is_too_large_for_any_page_is_looked_at_all_the_same(town: Town) -> None:
    path = town.pes("GROS")
    packed = base64.b64encode(gzip.compress(MARK + bytes(60_000)))
    path.write_bytes(re.sub(rb"(<Fichier[^>]*>)[^<]+(</Fichier>)", rb"\g<1>" + packed + rb"\g<2>", path.read_bytes()))
    small = replace(town.platform, settings=town.platform.settings.model_copy(update={"upload_limit": path.stat().st_size}))
    assert [problem.found for problem in scanning.attachment_problems(small, path)] == [SIGNATURE]


def _trouble(acts: ActsTown, dossier: str) -> str | None:
    with acts.platform.database.reading(PLATFORM) as session:
        step = session.get(Step, dossier)
        return step.trouble if step else None


def _mail(subject: str, *files: tuple[str, bytes]) -> bytes:
    written = EmailMessage()
    written["From"], written["To"], written["Subject"] = "quelquun@exemple.test", ADDRESS, subject
    written.set_content("Bonjour")
    for name, content in files:
        kind = "xml" if name.endswith(".xml") else "pdf"
        written.add_attachment(content, maintype="application", subtype=kind, filename=name)
    return written.as_bytes()


def test_an_infected_invoice_does_not_leave_and_an_infected_piece_answers_nothing(shop: Shop) -> None:
    town = shop.town
    with town.at_work():
        dossier = shop.receive(shop.invoice() + b"<!-- " + MARK + b" -->")
        town.wait_for(dossier.id, "rejected")
    assert shop.rules(dossier.id) == ["V06"]
    assert shop.deposits() == []
    suspended = at_rest(town.platform, town.organisation, "suspended", "SUSPENDUE")
    blob = town.platform.objects.put(io.BytesIO(INFECTED))
    infected = KeptFile("piece", "bon.pdf", "application/pdf", blob.sha256, blob.size)
    with pytest.raises(Refused) as refused:
        deciding.complete(town.platform, PLATFORM, suspended, "Le voici.", [infected])
    assert [problem.rule for problem in refused.value.problems] == ["V06"]
    assert town.dossier(suspended).state == "suspended"
