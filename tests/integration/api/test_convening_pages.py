"""Convocations by their requests: assemblies, convening, answers for others, additions, the sheet; and who may do what."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta

import httpx
import pytest

from core import clock
from core.organisations import Organisation
from core.people import add_person, grant_role
from core.principal import PLATFORM, Right
from core.s3_server import S3Server
from flows.engine.models import Dossier
from flows.mail.convening.models import Meeting
from flows.mail.models import Mail, RecipientState
from tests.integration.api.acts_forms import csrf, somebody
from tests.integration.api.service import PASSWORD, Service, web_service
from tests.meetings import NAMES, Council, clerk_of, on
from tests.office import pdf

MAYOR, DOMINIQUE, SACHA = NAMES[:3]
SEANCES, ASSEMBLEES = "/courriers/seances", "/administration/assemblees"


@dataclass
class Town:
    """A mairie that convenes its council, and its people."""

    service: Service
    council: Council
    people: dict[str, str] = field(default_factory=dict)

    def hire(self, name: str, rights: set[Right], organisation: Organisation | None = None) -> None:
        owner = organisation or self.council.organisation
        with self.service.platform.database.writing(PLATFORM) as session:
            self.people[name] = f"{name}@{owner.siren}.test"
            grant_role(session, add_person(session, self.people[name], name.capitalize(), PASSWORD), owner, name, rights)

    def state(self, dossier_id: str) -> str:
        with self.service.platform.database.reading(PLATFORM) as session:
            return session.get_one(Dossier, dossier_id).state


@pytest.fixture(scope="module")
def town(s3: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with web_service(s3, tmp_path_factory.mktemp("convening")) as service:
        owner = service.mairie.organisation
        made = Town(service, Council(service.platform, owner, clerk_of(owner)).seat(remote=True))
        made.hire("clerc", {Right.READ, Right.DEPOSIT})
        made.hire("lecteur", {Right.READ})
        made.hire("admin", {Right.ADMINISTER})
        made.hire("ailleurs", {Right.READ, Right.DEPOSIT, Right.ADMINISTER}, service.syndicat.organisation)
        yield made


@pytest.fixture
def clerk(town: Town) -> Iterator[httpx.Client]:
    with somebody(town.service, town.people["clerc"]) as client:
        yield client


def text_of(answer: httpx.Response) -> str:
    """The words of a page: no markup, plain spaces."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.text)).replace("\u00a0", " ")


def filled(town: Town, **changes: str) -> dict[str, str]:
    day = on(10).date().isoformat()
    said = {"key": changes.pop("key", "premier"), "assembly": town.council.assembly.id, "day": day, "hour": "18:30"}
    return {**said, "case": "usual", "agenda": "Budget\r\nTarifs", **changes}


def test_an_assembly_and_its_members_are_kept(town: Town, clerk: httpx.Client) -> None:
    made = {"name": "Commission des finances", "rule": "statutes", "days": "7", "reminder": "24", "proxies": "1"}
    made["organisation"] = town.council.organisation.id
    refused = clerk.post(f"{ASSEMBLEES}/ajout", data={**csrf(clerk), **made, "days": "0"})
    assert (refused.status_code, "1 à 60 jours francs" in text_of(refused), made["name"] in refused.text) == (400, True, True)
    done = clerk.post(f"{ASSEMBLEES}/ajout", data={**csrf(clerk), **made})
    assembly = done.headers["location"].partition("?")[0]
    assert (done.status_code, "Ajoutez ses membres" in text_of(clerk.get(done.headers["location"]))) == (303, True)
    member = {"name": "Ada <b>Roy</b>", "address": "ada@elus.test", "by": "mail", "title": "Présidente"}
    clerk.post(f"{assembly}/membres/ajout", data={**csrf(clerk), **member})
    assert "Ada &lt;b&gt;Roy&lt;/b&gt;" in clerk.get(assembly).text
    twice = clerk.post(f"{assembly}/membres/ajout", data={**csrf(clerk), **member, "name": "Autre"})
    assert (twice.status_code, "a déjà l’adresse" in text_of(twice), 'value="Autre"' in twice.text) == (409, True, True)
    faulty = ("membres.csv", b"nom;adresse\nA;x\nB;y\n")
    told = clerk.post(f"{assembly}/import", data=csrf(clerk), files={"file": faulty})
    assert (told.status_code, "2 lignes sont à corriger" in text_of(told), "Ligne 3 :" in text_of(told)) == (422, True, True)
    good = ("membres.csv", b"nom;adresse;papier\nBo Li;bo@elus.test;\nCy Da;1 rue Haute;oui\n")
    assert clerk.post(f"{assembly}/import", data=csrf(clerk), files={"file": good}).status_code == 303
    page = clerk.get(assembly)
    assert "sur papier depuis" in text_of(page)
    one = re.findall(rf'href="({assembly}/membres/[0-9A-Z]{{26}})"', page.text)[0]
    assert clerk.post(one, data={**csrf(clerk), **member, "name": "Ada Roy", "rank": "x"}).status_code == 400
    assert clerk.post(one, data={**csrf(clerk), **member, "name": "Ada Roy", "rank": "2"}).status_code == 303
    assert clerk.post(f"{one}/fin", data={**csrf(clerk), "until": "hier"}).status_code == 400
    assert clerk.post(f"{one}/fin", data={**csrf(clerk), "until": "2026-01-31"}).status_code == 303
    assert "jusqu’au 31 janvier 2026" in text_of(clerk.get(assembly))
    assert clerk.post(assembly, data={**csrf(clerk), **made, "name": "Finances"}).status_code == 303
    for deed, said in (("fermeture", "Ne se réunit plus"), ("reouverture", "Assemblée rouverte")):
        gone = clerk.post(f"{assembly}/{deed}", data=csrf(clerk))
        assert said in text_of(clerk.get(gone.headers["location"]))


def test_the_last_day_is_computed_while_the_form_is_filled_in_and_without_script(town: Town, clerk: httpx.Client) -> None:
    asked = {"assembly": town.council.assembly.id, "day": "2027-03-12", "hour": "18:30", "case": "usual"}
    part = clerk.get(f"{SEANCES}/dernier-jour", params=asked)
    assert text_of(part).strip().startswith("lundi 8 mars 2027 au plus tard 3 jours francs – CGCT, L. 2121-11")
    assert "<html" not in part.text
    asked |= {"day": "2027-03-08", "case": "urgency"}
    urgent = text_of(clerk.get(f"{SEANCES}/dernier-jour", params=asked))
    assert ("samedi 6 mars 2027" in urgent, "un jour franc" in urgent, "dimanche ou un jour férié" in urgent) == (
        True,
        True,
        True,
    )
    for nothing in ({"day": "demain"}, {"assembly": ""}, {"case": "rien"}):
        assert "Choisissez l’assemblée" in text_of(clerk.get(f"{SEANCES}/dernier-jour", params={**asked, **nothing}))
    page = clerk.post(f"{SEANCES}/nouvelle", data={**csrf(clerk), **filled(town), **asked, "do": "compute"})
    assert (page.status_code, "samedi 6 mars 2027" in text_of(page), "Budget\nTarifs" in page.text) == (200, True, True)


def test_a_clerk_convenes_joins_the_documents_and_sends(town: Town, clerk: httpx.Client) -> None:
    wrong = {"guests": "pas une adresse", "key": "faux"}
    refused = clerk.post(f"{SEANCES}/nouvelle", data={**csrf(clerk), **filled(town, **wrong)})
    assert (refused.status_code, "pas une adresse" in refused.text) == (400, True)
    for changes in ({"day": ""}, {"case": "autre"}, {"case": "urgency"}):
        assert clerk.post(f"{SEANCES}/nouvelle", data={**csrf(clerk), **filled(town, **changes)}).status_code == 400
    data = {**csrf(clerk), **filled(town, guests="La Gazette <presse@gazette.test>", questions="Huis clos ?", message="Venez.")}
    made = clerk.post(f"{SEANCES}/nouvelle", data=data)
    meeting = made.headers["location"].partition("?")[0]
    assert clerk.post(f"{SEANCES}/nouvelle", data=data).headers["location"].startswith(meeting)  # a double click
    page = clerk.get(meeting)
    assert "Aucun document n’accompagne la convocation" in text_of(page)
    assert "Envoyer la convocation" not in text_of(page)
    assert clerk.post(f"{meeting}/envoi", data=csrf(clerk)).status_code == 400
    nothing = clerk.post(f"{meeting}/documents", data={**csrf(clerk), "kind": "main"}, files={"document": ("", b"")})
    assert (nothing.status_code, "Choisissez au moins un fichier" in text_of(nothing)) == (400, True)
    for kind, name in (("annex", "annexe.pdf"), ("main", "convocation.pdf"), ("note", "note.pdf")):
        joined = clerk.post(f"{meeting}/documents", data={**csrf(clerk), "kind": kind}, files={"document": (name, pdf(name))})
        assert joined.status_code == 303
    again = clerk.post(
        f"{meeting}/documents", data={**csrf(clerk), "kind": "annex"}, files={"document": ("n.pdf", pdf("note.pdf"))}
    )
    assert (again.status_code, "déjà joint" in text_of(again)) == (400, True)
    page = clerk.get(meeting)
    assert re.findall(r">(\w+\.pdf)</a>", page.text) == ["convocation.pdf", "note.pdf", "annexe.pdf"]
    assert text_of(page).count("Note de synthèse") == 1
    first, *_, last = re.findall(rf"{meeting}/documents/([0-9A-Z]{{26}})/retrait", page.text)
    assert clerk.get(f"{meeting}/documents/{first}").content == pdf("convocation.pdf")
    assert clerk.post(f"{meeting}/documents/{last}/retrait", data=csrf(clerk)).status_code == 303
    assert clerk.post(f"{meeting}/documents/{last}/retrait", data=csrf(clerk)).status_code == 404
    assert "Budget" in clerk.get(f"{meeting}/modifier").text
    edited = clerk.post(f"{meeting}/modifier", data={**csrf(clerk), **filled(town, agenda="Budget\nTarifs\nVœu")})
    assert edited.status_code == 303
    page = clerk.get(meeting)
    assert ("Vœu" in page.text, "convocation.pdf" in page.text, "À convoquer par écrit" in page.text) == (True, True, True)
    assert "Envoyer la convocation à 6 personnes" in text_of(page)
    assert clerk.post(f"{meeting}/envoi", data=csrf(clerk)).status_code == 303
    assert town.state(meeting.rpartition("/")[2]) == "received"
    late = clerk.post(f"{meeting}/envoi", data=csrf(clerk))
    assert late.status_code == 409
    assert clerk.get(f"{meeting}/modifier").headers["location"].endswith("fait=fige")


def test_a_draft_is_given_up(town: Town, clerk: httpx.Client) -> None:
    draft = town.council.convene()
    gone = clerk.post(f"{SEANCES}/{draft}/abandon", data=csrf(clerk))
    assert "Brouillon abandonné" in text_of(clerk.get(gone.headers["location"]))
    assert (clerk.get(f"{SEANCES}/{draft}").status_code, town.state(draft)) == (404, "abandoned")


def test_the_meeting_says_who_was_told_who_comes_and_what_is_wrong(town: Town, clerk: httpx.Client) -> None:
    council = town.council
    sent = council.convened(6)
    council.stand(sent, SACHA, RecipientState.FAILED)
    path = f"{SEANCES}/{sent}"
    mayor, giver = council.recipient(sent, MAYOR), council.recipient(sent, DOMINIQUE)
    question = re.findall(r'name="question\.([0-9A-Z]{26})"', clerk.get(f"{path}/reponse/{mayor}").text)[0]
    noted = clerk.post(f"{path}/reponse/{mayor}", data={**csrf(clerk), "presence": "present", f"question.{question}": "yes"})
    assert noted.headers["location"] == f"{path}?fait=reponse"
    assert clerk.post(f"{path}/reponse/{giver}", data={**csrf(clerk), "presence": "proxy", "proxy_to": mayor}).status_code == 303
    said = text_of(clerk.get(noted.headers["location"]))
    for words in (
        "Réponse notée",
        "Présences annoncées : 1. Il en faut 4",
        f"Pouvoir à {MAYOR}",
        "Oui : 1",
        "Non remise",
        f"arrivé à : {SACHA}",
    ):
        assert words in said
    taken = clerk.post(
        f"{path}/reponse/{council.recipient(sent, SACHA)}", data={**csrf(clerk), "presence": "proxy", "proxy_to": mayor}
    )
    assert (taken.status_code, "n’en tient qu’un" in text_of(taken)) == (409, True)
    assert clerk.post(f"{path}/reponse/{mayor}", data={**csrf(clerk), "presence": ""}).status_code == 400
    other = council.convened()
    assert clerk.post(f"{SEANCES}/{other}/reponse/{mayor}", data={**csrf(clerk), "presence": "present"}).status_code == 404


def test_an_annex_is_added_and_another_agenda_is_another_convocation(town: Town, clerk: httpx.Client) -> None:
    sent = town.council.convened()
    path = f"{SEANCES}/{sent}"
    files = [("document", ("plan.pdf", pdf("plan"))), ("document", ("devis.pdf", pdf("devis")))]
    assert clerk.post(f"{path}/annexes", data={**csrf(clerk), "tell": "1"}, files=files).status_code == 303
    assert [one.partition("-")[0] for one in town.council.occasions(sent, MAYOR)] == ["addition"] * 2
    assert "plan.pdf" in clerk.get(path).text
    program = clerk.post(f"{path}/annexes", data=csrf(clerk), files={"document": ("outil.exe", b"MZ\x90\x00")})
    assert (program.status_code, "outil.exe" in program.text) == (400, True)
    page = clerk.get(f"{path}/autre")
    assert ("Budget primitif" in page.text, f'value="{town.council.assembly.id}" selected' in page.text) == (True, True)
    assert clerk.post(f"{path}/modifier", data={**csrf(clerk), **filled(town)}).headers["location"].endswith("fait=fige")


def test_the_sheet_is_printed_and_closed(town: Town, clerk: httpx.Client) -> None:
    council = town.council
    sent = council.convened()
    path = f"{SEANCES}/{sent}"
    printed = clerk.get(f"{path}/feuille.pdf")
    assert (printed.headers["content-type"], printed.content[:5]) == ("application/pdf", b"%PDF-")
    assert clerk.get(f"{path}/feuille").status_code == 303  # not before it begins
    council.starts(sent, clock.now() - timedelta(hours=2))
    assert "À préciser" in clerk.get(f"{path}/feuille").text
    members = {name: one.id for name, one in council.members.items()}
    said = {f"presence.{members[name]}": "present" for name in members if name != "Lou Second"}
    lacking = clerk.post(f"{path}/feuille", data={**csrf(clerk), **said, f"presence.{members[SACHA]}": "proxy"})
    assert (lacking.status_code, f"Le pouvoir de {SACHA}" in text_of(lacking)) == (400, True)
    given = {f"presence.{members[SACHA]}": "proxy", f"proxy.{members[SACHA]}": members[MAYOR]}
    assert clerk.post(f"{path}/feuille", data={**csrf(clerk), **said, **given}).status_code == 303
    page = text_of(clerk.get(path))
    assert ("Quorum atteint – présences : 5, quorum : 4" in page, "Clore la feuille" in page) == (True, False)
    assert clerk.post(f"{path}/feuille", data={**csrf(clerk), **said, **given}).status_code == 409


def test_the_list_tells_what_is_to_come_and_pages_through_the_past(town: Town, clerk: httpx.Client) -> None:
    council = town.council
    failed = council.convened(15)
    council.stand(failed, MAYOR, RecipientState.FAILED)
    past = [council.convened() for _ in range(26)]
    with town.service.platform.database.writing(PLATFORM) as session:
        for rank, dossier_id in enumerate(past):
            session.get_one(Meeting, dossier_id).starts = clock.now() - timedelta(days=30 + rank // 2)
        session.get_one(Mail, past[0]).cancelled = clock.now()
    page = clerk.get(SEANCES)
    assert ("Une personne n’est pas jointe" in text_of(page), "Annulée" in text_of(page)) == (True, True)
    found = re.findall(rf'href="{SEANCES}/([0-9A-Z]{{26}})"', page.text)
    more = re.findall(r'href="(/courriers/seances\?avant=[^"]+)"', page.text)[0]
    following = clerk.get(more)
    found += re.findall(rf'href="{SEANCES}/([0-9A-Z]{{26}})"', following.text)
    assert set(past) <= set(found)
    assert len(found) == len(set(found))
    assert clerk.get(f"{SEANCES}?avant=hier").status_code == 400


def test_who_only_reads_changes_nothing_who_administers_keeps_assemblies_and_others_find_nothing(town: Town) -> None:
    council = town.council
    sent, draft = council.convened(), council.convene()
    held = council.convened()
    council.starts(held, clock.now() - timedelta(hours=1))
    recipient, member = council.recipient(sent, MAYOR), council.members[MAYOR].id
    assembly = f"{ASSEMBLEES}/{council.assembly.id}"
    forms = [
        f"{SEANCES}/{draft}/envoi",
        f"{SEANCES}/{draft}/abandon",
        f"{SEANCES}/{draft}/modifier",
        f"{SEANCES}/{sent}/reponse/{recipient}",
        f"{SEANCES}/{held}/feuille",
    ]
    of_assemblies = [
        assembly,
        f"{assembly}/fermeture",
        f"{assembly}/import",
        f"{assembly}/membres/ajout",
        f"{assembly}/membres/{member}",
    ]
    with somebody(town.service, town.people["lecteur"]) as reader:
        page = reader.get(f"{SEANCES}/{sent}")
        assert ("Répondre pour" in page.text, "annexes" in page.text, page.status_code) == (False, False, 200)
        assert reader.get(f"{SEANCES}/{sent}/feuille.pdf").status_code == 200
        for form in [*forms, *of_assemblies]:
            assert reader.post(form, data=csrf(reader)).status_code == 403
    with somebody(town.service, town.people["admin"]) as admin:
        assert council.assembly.name in admin.get(ASSEMBLEES).text
        assert admin.get(assembly).status_code == 200
        assert admin.get(f"{SEANCES}/{sent}").status_code == 403
    with somebody(town.service, town.people["ailleurs"]) as stranger:
        assert council.assembly.name not in stranger.get(ASSEMBLEES).text
        assert sent not in stranger.get(SEANCES).text
        for form in [*forms, *of_assemblies]:
            assert stranger.post(form, data=csrf(stranger)).status_code == 404
        made = {"name": "X", "rule": "commune", "organisation": council.organisation.id}
        assert stranger.post(f"{ASSEMBLEES}/ajout", data={**csrf(stranger), **made}).status_code == 403
    with somebody(town.service, town.people["clerc"]) as forger:
        for form in [*forms, *of_assemblies, f"{SEANCES}/nouvelle", f"{ASSEMBLEES}/ajout"]:
            assert forger.post(form, data={"csrf": "x"}).status_code == 403
        files = {"document": ("a.pdf", b"%PDF-")}
        for form in (f"{SEANCES}/{draft}/documents", f"{SEANCES}/{sent}/annexes"):
            assert forger.post(form, data={"csrf": "x"}, files=files).status_code == 403
