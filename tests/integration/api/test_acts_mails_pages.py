"""The mails of the ministry that nobody understood, by the requests of who operates the mailbox."""

from __future__ import annotations

import re
from datetime import timedelta

from sqlmodel import select

from core.journal import JournalEntry
from core.principal import PLATFORM, Right
from flows.actes.models import ActesMail, MailState
from schemas.actes import messages as said
from schemas.actes.messages import SignedFile
from tests.integration.api.acts_forms import csrf, somebody
from tests.integration.api.acts_mairie import ActsMairie, today
from tests.integration.api.service import Service
from tests.office import pdf


def test_a_mail_that_nobody_understood_is_analysed_again_once_its_reason_is_gone(
    acts_service: Service, mairie: ActsMairie
) -> None:
    identifier = f"040-{mairie.organisation.siren}-{today() - timedelta(days=1):%Y%m%d}-TARDIF-DE"
    mail = mairie.state_says(said.CourrierSimple(identifier, today(), SignedFile("c.pdf")), {"c.pdf": pdf("c")})
    with somebody(acts_service, mairie.people["exploitant"]) as operator:
        page = operator.get("/actes/courriels").text
        assert "acte inconnu ici" in page
        assert operator.get(f"/actes/courriels/{mail}/fichiers/3").content == pdf("c")
        assert operator.get(f"/actes/courriels/{mail}/fichiers/0").headers["content-type"] == "message/rfc822"
        assert operator.get(f"/actes/courriels/{mail}/fichiers/4").status_code == 404
        still = operator.post(f"/actes/courriels/{mail}/analyse", data=csrf(operator))
        assert still.headers["location"].endswith("fait=encore")
        act = mairie.acknowledged("TARDIF")
        done = operator.post(f"/actes/courriels/{mail}/analyse", data=csrf(operator))
        assert done.headers["location"].endswith("fait=applique")
        assert mairie.codes(act) == ["1-1", "1-2", "2-1"]
        assert f"/actes/{act}" in operator.get("/actes/courriels?etat=applied").text
    with mairie.platform.database.reading(PLATFORM) as session:
        entries = session.exec(select(JournalEntry).where(JournalEntry.kind == "actes.mail_analysed")).all()
    assert len(entries) == 2


def test_mails_are_shown_to_those_who_operate_their_mailbox(acts_service: Service, mairie: ActsMairie) -> None:
    reason = "Une raison que personne d’autre ne lit"
    mail = mairie.mail(
        [{"name": "a.xml", "media_type": "application/xml", "sha256": "0" * 64, "size": 3}], MailState.UNMATCHED, reason
    )
    local = mairie.hire("local", {Right.READ, Right.OPERATE})  # of the mairie only: the mailbox is above
    with somebody(acts_service, local) as client:
        assert reason not in client.get("/actes/courriels").text
        assert client.get(f"/actes/courriels/{mail}/fichiers/1").status_code == 404
        assert client.post(f"/actes/courriels/{mail}/analyse", data=csrf(client)).status_code == 404
    with somebody(acts_service, mairie.people["exploitant"]) as operator:
        assert reason in operator.get("/actes/courriels").text
        assert operator.post(f"/actes/courriels/{mail}/analyse").status_code == 403


def test_mails_come_in_pages(acts_service: Service, mairie: ActsMairie) -> None:
    for rank in range(27):
        mairie.mail([], MailState.NOISE, f"avis {rank}")
    with somebody(acts_service, mairie.people["exploitant"]) as operator:
        page = operator.get("/actes/courriels?etat=noise").text
        onward = re.search(r'href="([^"]+)" rel="next"', page)
        assert onward is not None
        rest = operator.get(onward[1].replace("&amp;", "&")).text
    with mairie.platform.database.reading(PLATFORM) as session:
        noise = len(session.exec(select(ActesMail.id).where(ActesMail.state == "noise")).all())
    assert page.count("Reçu le") == 25
    assert rest.count("Reçu le") == noise - 25


def test_of_two_acts_that_a_mail_may_be_about_the_operator_chooses_one(acts_service: Service, mairie: ActsMairie) -> None:
    first = mairie.acknowledged("JUMEAU", subject="Le <premier>")
    mairie.stand(first, "refused", reference=None)
    second = mairie.acknowledged("JUMEAU", subject="Le second")
    mairie.stand(first, "acknowledged")  # as of before a number served one act of a SIREN
    identifier = mairie.dossier(first).facts["id_acte"]
    mail = mairie.state_says(said.CourrierSimple(identifier, today(), SignedFile("c.pdf")), {"c.pdf": pdf("jumeau")})
    blind = mairie.hire("aveugle", {Right.OPERATE}, above=True)
    with somebody(acts_service, blind) as client:
        page = client.get("/actes/courriels").text
        assert (page.count(f'value="{first}"'), page.count(identifier)) == (1, 3)  # in the reason, and for each
        assert "second" not in page
    with somebody(acts_service, mairie.people["exploitant"]) as operator:
        assert "Le &lt;premier&gt;" in operator.get("/actes/courriels").text
        for meant, done in ((mairie.act(), "encore"), (second, "applique")):
            answer = operator.post(f"/actes/courriels/{mail}/analyse", data={**csrf(operator), "acte": meant})
            assert answer.headers["location"].endswith(f"fait={done}")
    assert [mairie.codes(one) for one in (first, second)] == [["1-1", "1-2"], ["1-1", "1-2", "2-1"]]
    with mairie.platform.database.reading(PLATFORM) as session:
        entries = session.exec(select(JournalEntry).where(JournalEntry.kind == "actes.mail_analysed")).all()
    assert [entry.facts.get("act") for entry in entries][-2:] == [None, second]
