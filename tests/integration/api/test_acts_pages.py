"""The page of an act, by its requests: letters answered, transmissions cancelled or repeated; and who may do what."""

from __future__ import annotations

import re
from datetime import date, datetime

import httpx
import pytest
from fastapi.routing import iter_route_contexts
from sqlmodel import select

from api.app import create_app
from core.clock import PARIS
from core.identifiers import new_id
from core.principal import PLATFORM, Right
from core.problems import Problem, Severity
from flows.actes.models import ActesMessage
from flows.engine.models import DossierFile
from schemas.actes.codes import MessageCode
from tests.integration.api.acts_forms import NEW, csrf, faults, filled, pieces, send, somebody
from tests.integration.api.acts_mairie import ROLES, ActsMairie
from tests.integration.api.service import Service, add_dossier
from tests.office import pdf

NOBODYS = "0" * 26


def test_the_page_tells_until_when_the_prefet_may_go_to_court_and_why(clerk: httpx.Client, mairie: ActsMairie) -> None:
    act = mairie.acknowledged(received=date(2026, 10, 12))
    page = clerk.get(f"/actes/{act}").text
    assert "Le préfet peut saisir le tribunal jusqu’au 12 décembre 2026." in page or "ne peut plus saisir" in page
    assert "La préfecture a reçu l’acte." in page
    letter = mairie.letter(act, "3-1", "Le plan & la coupe", date(2026, 11, 2))
    with mairie.platform.database.writing(PLATFORM) as session:  # it came on a later day, from which silence is counted
        session.get_one(ActesMessage, letter.id).created = datetime(2026, 11, 5, 9, tzinfo=PARIS)
    page = clerk.get(f"/actes/{act}").text
    assert "Le plan &amp; la coupe" in page
    assert "courrier-3-1.pdf" in page
    assert "5 janvier 2027" in page
    for code in ("Demande de pièces complémentaires", "Accusé de réception de la demande de pièces", "automatique"):
        assert code in page


def test_the_classification_is_named_by_its_day_in_words(clerk: httpx.Client, mairie: ActsMairie) -> None:
    act = mairie.acknowledged()
    mairie.stand(act, "acknowledged", facts={**mairie.dossier(act).facts, "classification_date": "2026-01-15"})
    page = clerk.get(f"/actes/{act}").text
    assert "<dd>15 janvier 2026</dd>" in page
    assert "2026-01-15" not in page


def test_what_was_remarked_before_the_sending_is_no_more_to_be_mended_after_it(clerk: httpx.Client, mairie: ActsMairie) -> None:
    remark = Problem("R32", Severity.WARNING, "La classification n’est pas encore connue.").as_json()
    waiting, received = mairie.act(), mairie.acknowledged()
    for act in (waiting, received):
        mairie.stand(act, mairie.dossier(act).state, facts={**mairie.dossier(act).facts, "warnings": [remark]})
    assert remark["message"] in clerk.get(f"/actes/{waiting}").text
    assert remark["message"] not in clerk.get(f"/actes/{received}").text


def test_a_referral_and_a_cancellation_stop_the_clock(clerk: httpx.Client, mairie: ActsMairie) -> None:
    referred, cancelled = mairie.acknowledged(), mairie.acknowledged()
    mairie.letter(referred, "5-1", "Incompétence")
    mairie.cancelled(cancelled)
    assert "Le préfet a saisi le tribunal administratif." in clerk.get(f"/actes/{referred}").text
    page = clerk.get(f"/actes/{cancelled}").text
    assert "il n’y a plus de délai" in page
    assert "annulation" not in re.findall(rf'href="/actes/{cancelled}/(\w+)', page)


def test_a_letter_is_answered_once(clerk: httpx.Client, mairie: ActsMairie) -> None:
    act = mairie.acknowledged()
    letter = mairie.letter(act, "4-1", "Cette décision excède votre compétence.")
    where = f"/actes/{act}/courriers/{letter.id}/reponse"
    page = clerk.get(where, follow_redirects=True).text
    assert "Cette décision excède votre compétence." in page
    sheet = {"saisie": new_id(), "do": "send"}
    empty = send(clerk, sheet, to=where)
    assert (empty.status_code, set(faults(empty))) == (400, {"code", "document"})
    several = send(clerk, {**sheet, "code": "4-4"}, ("a.pdf", pdf()), ("b.pdf", pdf("b")), to=where)
    assert "un seul document" in faults(several)["document"]
    assert 'value="4-4" checked' in several.text
    sent = send(clerk, {**sheet, "code": "4-4", "piece": pieces(several)[:1], "saisie": new_id()}, ("c.pdf", pdf("c")), to=where)
    assert sent.status_code == 303, faults(sent)
    assert mairie.message(act, "4-4").answers_id == letter.id
    assert send(clerk, {**sheet, "code": "4-3", "saisie": new_id()}, ("d.pdf", pdf("d")), to=where).status_code == 409
    assert where not in clerk.get(f"/actes/{act}").text


def test_the_stamped_copy_is_offered_once_the_prefecture_has_the_act(clerk: httpx.Client, mairie: ActsMairie) -> None:
    act = mairie.acknowledged()
    page = clerk.get(f"/actes/{act}").text
    (address,) = re.findall(rf"/actes/{act}/fichiers/[0-9A-Z]{{26}}/tampon", page)
    copy = clerk.get(address)
    assert (copy.status_code, copy.headers["content-type"]) == (200, "application/pdf")
    assert "-tampon.pdf" in copy.headers["content-disposition"]
    assert clerk.get(address, params={"publie": "1999-01-01"}).status_code == 400
    waiting = mairie.act()
    assert "/tampon" not in clerk.get(f"/actes/{waiting}").text
    assert clerk.get(address.replace(act, waiting)).status_code == 404


def test_a_plain_letter_is_answered_without_choosing_how(clerk: httpx.Client, mairie: ActsMairie) -> None:
    act = mairie.acknowledged()
    letter = mairie.letter(act, "2-1")
    where = f"/actes/{act}/courriers/{letter.id}/reponse"
    wrong = send(clerk, {"saisie": new_id(), "do": "send"}, ("a.docx", b"PK"), to=where)
    assert "format admis" in faults(wrong)["piece"]
    assert send(clerk, {"saisie": new_id(), "do": "send"}, ("a.pdf", pdf()), to=where).status_code == 303
    assert mairie.codes(act) == ["1-1", "1-2", "2-1", "2-2"]


def test_only_a_letter_of_that_act_is_answered(clerk: httpx.Client, mairie: ActsMairie) -> None:
    act, other = mairie.acknowledged(), mairie.acknowledged()
    letter = mairie.letter(other, "2-1")
    ours = mairie.message(act, "1-1").id
    for message in (letter.id, ours, NOBODYS, mairie.message(act, "1-2").id):
        where = f"/actes/{act}/courriers/{message}/reponse?saisie={NOBODYS}"
        assert clerk.get(where).status_code == 404


def test_a_transmission_is_cancelled_after_a_page_that_says_what_it_means(clerk: httpx.Client, mairie: ActsMairie) -> None:
    act = mairie.acknowledged()
    page = clerk.get(f"/actes/{act}/annulation").text
    assert "L’acte n’est ni retiré ni abrogé" in page
    assert clerk.post(f"/actes/{act}/annulation", data={"csrf": "faux"}).status_code == 403
    assert "6-1" not in mairie.codes(act)
    assert clerk.post(f"/actes/{act}/annulation", data=csrf(clerk)).status_code == 303
    assert clerk.post(f"/actes/{act}/annulation", data=csrf(clerk)).status_code == 409
    assert clerk.get(f"/actes/{act}/annulation").status_code == 303
    assert mairie.codes(act).count("6-1") == 1


def test_an_uncertain_sending_is_repeated_by_an_operator_only(
    acts_service: Service, clerk: httpx.Client, mairie: ActsMairie
) -> None:
    act = mairie.act()
    mairie.stand(act, "uncertain")
    assert "renvoi" not in clerk.get(f"/actes/{act}").text
    assert clerk.get(f"/actes/{act}/renvoi").status_code == 403
    assert clerk.post(f"/actes/{act}/renvoi", data=csrf(clerk)).status_code == 403
    with somebody(acts_service, mairie.people["exploitant"]) as operator:
        assert f"/actes/{act}/renvoi" in operator.get(f"/actes/{act}").text
        assert "refusera comme doublon" in operator.get(f"/actes/{act}/renvoi").text
        assert operator.post(f"/actes/{act}/renvoi", data=csrf(operator)).status_code == 303
        assert mairie.dossier(act).state == "packed"
        assert operator.post(f"/actes/{act}/renvoi", data=csrf(operator)).status_code == 409
        assert operator.get(f"/actes/{act}/renvoi").status_code == 303


def test_a_message_that_was_refused_is_sent_again_by_an_operator(acts_service: Service, mairie: ActsMairie) -> None:
    act = mairie.acknowledged()
    mairie.letter(act, "2-1")
    mairie.reply(act, mairie.message(act, "2-1"), MessageCode.REPONSE_COURRIER_SIMPLE)
    answer = mairie.message(act, "2-2")
    with mairie.platform.database.writing(PLATFORM) as session:
        row = session.get_one(type(answer), answer.id)
        row.state, row.facts = "refused", {**row.facts, "anomaly": {"nature": "100", "detail": "Illisible <b>"}}
    with somebody(acts_service, mairie.people["exploitant"]) as operator:
        page = operator.get(f"/actes/{act}").text
        assert "Illisible &lt;b&gt;" in page
        assert f"/actes/{act}/renvoi?message={answer.id}" in page
        assert "refusé ce message" in operator.get(f"/actes/{act}/renvoi?message={answer.id}").text
        sent = operator.post(f"/actes/{act}/renvoi", data={**csrf(operator), "message": answer.id})
        assert sent.status_code == 303
    assert mairie.message(act, "2-2").state == "to_send"


def test_proofs_are_to_be_had(clerk: httpx.Client, mairie: ActsMairie) -> None:
    act = mairie.acknowledged()
    page = clerk.get(f"/actes/{act}").text
    address = re.search(r'href="([^"]+)">Accusé de réception \(XML\)', page)
    assert address is not None
    assert b"ARActe" in clerk.get(address[1]).content


def test_a_dossier_of_another_flow_is_no_act(acts_service: Service, clerk: httpx.Client) -> None:
    other = add_dossier(acts_service.platform, acts_service.mairie.organisation, "PES", "sent")
    assert clerk.get(f"/actes/{other}").status_code == 404
    assert clerk.get(f"/actes/{NOBODYS}").status_code == 404


def test_the_following_part_is_sent_when_something_has_changed(clerk: httpx.Client, mairie: ActsMairie) -> None:
    act = mairie.act()
    page = clerk.get(f"/actes/{act}").text
    version = re.search(r'name="version" value="(\w+)"', page)
    assert version is not None
    assert clerk.get(f"/actes/{act}/suivi", params={"version": version[1]}).status_code == 204
    mairie.stand(act, "sent")
    assert "Transmis" in clerk.get(f"/actes/{act}/suivi", params={"version": version[1]}).text
    mairie.stand(act, "refused")
    assert clerk.get(f"/actes/{act}/suivi").status_code == 286


# Rights

_ASKED = (
    ("/actes/nouveau", Right.DEPOSIT),
    ("/actes/lot", Right.DEPOSIT),
    ("/actes/brouillons", Right.DEPOSIT),
    ("/actes/{act_id}/courriers", Right.DEPOSIT),
    ("/actes/{act_id}/annulation", Right.DEPOSIT),
    ("/actes/{act_id}/renvoi", Right.OPERATE),
    ("/actes/courriels", Right.OPERATE),
    ("/administration/actes", Right.ADMINISTER),
)


@pytest.mark.parametrize("role", sorted(ROLES))
def test_without_the_right_no_route_gives_a_page_or_does_anything(acts_service: Service, mairie: ActsMairie, role: str) -> None:
    act = mairie.acknowledged()
    letter = mairie.letter(act, "2-1")
    before = mairie.codes(act)
    names = {"act_id": act, "message_id": letter.id, "mail_id": NOBODYS, "rank": "1", "act_draft_id": NOBODYS}
    with acts_service.platform.database.reading(PLATFORM) as session:
        kept = session.exec(select(DossierFile.id).where(DossierFile.dossier_id == act, DossierFile.role == "document")).one()
    names["act_file_id"] = kept
    walked = 0
    with somebody(acts_service, mairie.people[role]) as client:
        for route in iter_route_contexts(create_app(acts_service.platform).routes):
            template = route.path or ""
            if not template.startswith(("/actes", "/administration/actes")):
                continue
            right = next((asked for part, asked in _ASKED if template.startswith(part)), None)
            allowed = right in ROLES[role] if right else bool(ROLES[role] & {Right.READ, Right.DEPOSIT})
            for method in sorted((route.methods or {"GET"}) - {"HEAD"}):
                if allowed:
                    continue
                answer = client.request(method, template.format(**names), data=csrf(client) if method == "POST" else None)
                assert answer.status_code in {403, 404}, (role, method, template)
                walked += 1
        menu = client.get("/compte").text
        assert ('href="/actes"' in menu) == bool(ROLES[role] & {Right.READ, Right.DEPOSIT})
        if Right.READ in ROLES[role]:
            page = client.get(f"/actes/{act}").text
            listed = client.get("/actes").text
            assert (f"/actes/{act}/annulation" in page) == (Right.DEPOSIT in ROLES[role])
            assert ("/reponse" in page) == (Right.DEPOSIT in ROLES[role])
            assert ("/actes/nouveau" in listed) == (Right.DEPOSIT in ROLES[role])
            assert "/actes/courriels" not in listed
    assert walked
    assert mairie.codes(act) == before


def test_a_depositor_who_reads_nothing_is_told_that_the_act_is_deposited(acts_service: Service, mairie: ActsMairie) -> None:
    with somebody(acts_service, mairie.people["deposant"]) as client:
        answer = send(client, filled(mairie, "AVEUGLE"), ("acte.pdf", pdf()))
        assert answer.headers["location"] == "/actes/nouveau?fait=depot"
        assert "L’acte est déposé." in client.get(answer.headers["location"], follow_redirects=True).text
        assert client.get("/actes").status_code == 200


def test_no_form_is_taken_from_elsewhere(clerk: httpx.Client, mairie: ActsMairie) -> None:
    act = mairie.acknowledged()
    letter = mairie.letter(act, "2-1")
    for address in (NEW, f"{NEW}/pieces", f"{NEW}/numero", f"/actes/{act}/courriers/{letter.id}/reponse"):
        answer = clerk.post(address, data=filled(mairie, "AILLEURS"), files={"document": ("a.pdf", pdf())})
        assert answer.status_code == 403
    assert not mairie.has("AILLEURS")
