"""How an organisation receives invoices, by the requests of its administrator: account, reception, visa, finance software."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from sqlmodel import col, select

from connectors.chorus.simulator import ChorusSimulator
from core.configuration import configure
from core.journal import JournalEntry
from core.principal import PLATFORM, Right
from core.s3_server import S3Server
from flows.engine.models import Schedule
from flows.invoices.configuring import kinds
from flows.invoices.handing import handover_of
from flows.invoices.knowledge import account_of, reception_of, visa_of
from flows.invoices.models import Watch
from flows.invoices.settings import ACCOUNT, HANDOVER, OPERATOR, Channel, Form, InvoiceHandover
from signing.parapheur import desks, first_steps, typology
from signing.parapheur.first_steps import ProposedDesk, ProposedTypes
from tests.integration.api.acts_forms import csrf, somebody
from tests.integration.api.invoices_mairie import InvoicesMairie, today
from tests.integration.api.service import Service, web_service

WHERE = "/administration/factures"
SECRET = "un secret que personne ne relit jamais"


@pytest.fixture(scope="module")
def administered(s3: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with web_service(s3, tmp_path_factory.mktemp("administered")) as running:
        yield running


@pytest.fixture(scope="module")
def mairie(administered: Service) -> InvoicesMairie:
    found = InvoicesMairie(administered.platform, administered.mairie.organisation)
    found.hire("administrateur", {Right.READ, Right.ADMINISTER})
    found.hire("clerc", {Right.READ, Right.DEPOSIT})
    return found


@pytest.fixture
def administrator(administered: Service, mairie: InvoicesMairie) -> Iterator[httpx.Client]:
    with somebody(administered, mairie.people["administrateur"]) as client:
        yield client


@pytest.fixture(scope="module")
def chorus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChorusSimulator]:
    with ChorusSimulator(tmp_path_factory.mktemp("chorus")) as running:
        yield running


def post(client: httpx.Client, path: str = "", **fields: object) -> httpx.Response:
    return client.post(WHERE + path, data={**csrf(client), **fields})


def test_only_an_administrator_comes_here(administered: Service, mairie: InvoicesMairie) -> None:
    with somebody(administered, mairie.people["clerc"]) as clerk:
        for path in ("", "/reception", "/visa", "/logiciel"):
            assert clerk.get(WHERE + path).status_code == 403
            assert post(clerk, path).status_code == 403
        assert post(clerk, "/essai").status_code == 403


def test_the_account_is_kept_and_its_password_is_never_shown(administrator: httpx.Client, mairie: InvoicesMairie) -> None:
    page = administrator.get(WHERE).text
    assert "Les factures n’arrivent pas encore" in page
    assert "Aucun compte technique" in page
    assert "/essai" not in page
    given = {"environment": "sandbox", "login": "TECH_9@cpro.fr"}
    assert post(administrator, **given).status_code == 400
    assert post(administrator, csrf="faux", password=SECRET, **given).status_code == 403
    assert post(administrator, password=SECRET, **given).status_code == 303
    kept = account_of(mairie.platform, mairie.organisation.id)
    assert (kept.login, kept.password.get_secret_value()) == ("TECH_9@cpro.fr", SECRET)
    assert SECRET not in administrator.get(WHERE).text
    assert post(administrator, password="", **{**given, "environment": "production"}).status_code == 303
    kept = account_of(mairie.platform, mairie.organisation.id)
    assert (kept.environment, kept.password.get_secret_value()) == ("production", SECRET)
    other = post(administrator, **{**given, "login": "TECH_8@cpro.fr"})
    assert other.status_code == 400
    assert "Saisissez le mot de passe" in other.text
    assert "deux-points" in post(administrator, password="x", **{**given, "login": "a:b"}).text
    with mairie.platform.database.reading(PLATFORM) as session:
        told = session.exec(select(JournalEntry).where(JournalEntry.kind == "configuration.changed")).all()
        planned = session.exec(select(Schedule.name).where(col(Schedule.name).startswith("invoices."))).all()
    assert {one.facts["configuration"] for one in told} == {ACCOUNT}
    assert f"invoices.collect:{mairie.organisation.id}" in planned


def test_the_account_is_tried_and_the_end_of_its_password_is_learnt(
    administrator: httpx.Client, mairie: InvoicesMairie, chorus: ChorusSimulator
) -> None:
    platform, owner = mairie.platform, mairie.organisation
    mairie.configure(ACCOUNT, chorus.account())
    nobody = post(administrator, "/essai")
    assert nobody.status_code == 409
    with platform.database.writing(PLATFORM) as session:
        configure(session, platform.secrets, owner.parent_id or "", OPERATOR, chorus.operator())
    answer = post(administrator, "/essai")
    assert answer.status_code == 200
    for body in chorus.portal.world.bodies[:2]:
        assert body.name in answer.text
        assert f"identifiant {body.id}" in answer.text
    assert chorus.portal.world.bodies[2].name not in answer.text
    expected = chorus.portal.world.accounts[0].expires
    assert account_of(platform, owner.id).expires == expected
    assert "Le mot de passe du compte expire le" in administrator.get(WHERE).text
    mairie.configure(ACCOUNT, chorus.account(password="faux"))
    wrong = post(administrator, "/essai")
    assert wrong.status_code == 409
    assert "compte technique" in wrong.text


@pytest.mark.parametrize(("days", "said"), [(-1, "a expiré le"), (12, "dans 12"), (90, "expire le")])
def test_a_password_that_ends_is_said_in_time(
    administrator: httpx.Client, mairie: InvoicesMairie, chorus: ChorusSimulator, days: int, said: str
) -> None:
    mairie.configure(ACCOUNT, chorus.account(expires=today().fromordinal(today().toordinal() + days)))
    page = administrator.get(WHERE).text
    assert said in page
    assert ("dans 90" in page) is False


def test_what_the_last_search_met_is_said(administrator: httpx.Client, mairie: InvoicesMairie) -> None:
    with mairie.platform.database.writing(PLATFORM) as session:
        session.add(Watch(organisation_id=mairie.organisation.id, trouble="Chorus Pro ne répond pas <nulle part>."))
    assert "Chorus Pro ne répond pas &lt;nulle part&gt;." in administrator.get(WHERE).text


def test_reception_is_set(administrator: httpx.Client, mairie: InvoicesMairie) -> None:
    given = {"since": "2026-03-01", "kinds": ["FACTURE", "MOE"], "structures": "12 34 12", "term_days": "50", "overlap_days": "4"}
    assert "Réception fermée" in administrator.get(f"{WHERE}/reception").text
    assert post(administrator, "/reception", open="1", **given).headers["location"].endswith("fait=reception")
    kept = reception_of(mairie.platform, mairie.organisation.id)
    assert (kept.open, kept.tell, kept.structures, kept.term_days, kept.overlap_days) == (True, False, (12, 34), 50, 4)
    assert (kept.since.isoformat(), list(kept.kinds)) == ("2026-03-01", ["FACTURE", "MOE"])
    page = administrator.get(f"{WHERE}/reception").text
    assert "Factures déposées depuis le 1 mars 2026." in page
    assert ">12 34</textarea>" in page
    for wrong, words in (
        ({"since": "hier"}, "Donnez un jour"),
        ({"kinds": []}, "au moins une sorte"),
        ({"structures": "12 x"}, "sont des nombres"),
        ({"term_days": "500"}, "de 1 à 120"),
        ({"overlap_days": ""}, "de 1 à 60"),
    ):
        answer = post(administrator, "/reception", **{**given, **wrong})
        assert answer.status_code == 400
        assert words in answer.text
    assert reception_of(mairie.platform, mairie.organisation.id) == kept


def test_rules_of_the_visa_are_added_moved_and_kept(administrator: httpx.Client, mairie: InvoicesMairie) -> None:
    subtype, desk, helios = furnished(mairie)
    fields = {"service.0": "ECOLE", "engagement.0": "", "subtype.0": subtype, "emitter.0": desk}
    fields |= {"service.1": "", "engagement.1": "ENG", "subtype.1": subtype, "emitter.1": desk}
    assert "Sans visa" in administrator.get(f"{WHERE}/visa").text
    added = post(administrator, "/visa", rows="2", do="add", **fields).text
    assert "Rien n’est encore enregistré." in added
    assert added.count('<fieldset class="visa-route"') == 3
    turned = post(administrator, "/visa", rows="2", do="down.0", **fields).text
    assert turned.index('value="ENG"') < turned.index('value="ECOLE"')
    assert post(administrator, "/visa", rows="2", do="delete.1", **fields).text.count('<fieldset class="visa-route"') == 1
    assert visa_of(mairie.platform, mairie.organisation.id).routes == ()
    assert post(administrator, "/visa", rows="2", do="save", **fields).headers["location"].endswith("fait=visa")
    routes = visa_of(mairie.platform, mairie.organisation.id).routes
    assert [(one.service, one.engagement) for one in routes] == [("ECOLE", ""), ("", "ENG")]
    assert "2 règles" in administrator.get(f"{WHERE}/visa").text
    for wrong, words in (
        ({"subtype.1": ""}, "un type et un bureau"),
        ({"subtype.1": helios}, "La règle 2"),
        ({"emitter.0": helios}, "bureau"),
    ):
        answer = post(administrator, "/visa", rows="2", do="save", **{**fields, **wrong})
        assert answer.status_code == 400
        assert words in answer.text
    assert post(administrator, "/visa", rows="0", do="save").headers["location"].endswith("fait=sans-visa")
    assert visa_of(mairie.platform, mairie.organisation.id).routes == ()


def furnished(mairie: InvoicesMairie) -> tuple[str, str, str]:
    """Make desks and types; return a subtype for letters, a desk that sends, and a subtype of HELIOS."""
    with mairie.platform.database.writing(PLATFORM) as session:
        owner = mairie.organisation.id
        first_steps.make_desks(
            session, PLATFORM, owner, [ProposedDesk("Secrétariat", "Sec", ""), ProposedDesk("Maire", "Maire", "")]
        )
        known = desks.desks_of(session, owner)
        wanted = ProposedTypes(known[0].id, known[-1].id, "Valmorin", "40099", mail=True, helios=True)
        first_steps.make_types(session, PLATFORM, owner, wanted)
        plain = kinds(session, owner)[0].id
        helios = next(one.id for one in typology.kinds(session, owner) if one.id != plain and one.signing.protocol == "helios")
        sender = next(one.id for one in known if one.may_create)
    return plain, sender, helios


def test_the_finance_software_is_given_invoices_by_the_way_that_is_chosen(
    administrator: httpx.Client, mairie: InvoicesMairie
) -> None:
    page = administrator.get(f"{WHERE}/logiciel").text
    assert "Rien n’est réglé" in page
    assert "n’a réservé aucun dossier" in page
    webhook = {"channel": "webhook", "forms": "pivot", "webhook.address": "https://logiciel.test/factures"}
    short = post(administrator, "/logiciel", **{**webhook, "webhook.secret": "court"})
    assert short.status_code == 400
    assert "32 caractères au moins" in short.text
    assert "court" not in short.text.partition('id="webhook"')[2]
    assert (
        "Donnez l’adresse"
        in post(administrator, "/logiciel", **{**webhook, "webhook.address": "", "webhook.secret": SECRET}).text
    )
    near = post(administrator, "/logiciel", **{**webhook, "webhook.address": "https://10.0.0.5/", "webhook.secret": SECRET})
    assert (near.status_code, "10.0.0.5 n’est pas joint" in near.text) == (400, True)
    assert post(administrator, "/logiciel", **{**webhook, "webhook.secret": SECRET}).status_code == 303
    first = handover_of(mairie.platform, mairie.organisation.id)
    assert (first.channel, first.webhook and first.webhook.secret.get_secret_value()) == (Channel.WEBHOOK, SECRET)
    assert SECRET not in administrator.get(f"{WHERE}/logiciel").text
    moved = {**webhook, "webhook.address": "https://autre.test/", "webhook.secret": ""}
    assert post(administrator, "/logiciel", **moved).status_code == 400, "a secret goes nowhere but where it was given for"
    assert post(administrator, "/logiciel", **{**webhook, "webhook.secret": "", "forms": ["pivot", "pdf"]}).status_code == 303
    second = handover_of(mairie.platform, mairie.organisation.id)
    assert second.webhook and second.webhook.secret.get_secret_value() == SECRET
    assert second.forms == (Form.PIVOT, Form.PDF)
    sftp = {"channel": "sftp", "forms": "pivot", "sftp.host": "sftp.test", "sftp.username": "t", "sftp.directory": "in"}
    wrong = post(
        administrator,
        "/logiciel",
        **sftp,
        **{"sftp.host_key": "AAAA", "sftp.host_key_algorithm": "ssh-ed25519", "sftp.port": "22"},
    )
    assert wrong.status_code == 400
    assert 'value="sftp.test"' in wrong.text
    assert post(administrator, "/logiciel", channel="pull", forms="pivot").status_code == 303
    third = handover_of(mairie.platform, mairie.organisation.id)
    assert (third.channel, third.webhook) == (Channel.PULL, None)


def test_the_secret_of_an_organisation_above_is_nobodys_to_send_elsewhere(
    administrator: httpx.Client, mairie: InvoicesMairie
) -> None:
    webhook = {"channel": "webhook", "forms": "pivot", "webhook.address": "https://logiciel.test/factures"}
    with mairie.platform.database.writing(PLATFORM) as session:
        above = InvoiceHandover.model_validate(
            {"channel": "webhook", "webhook": {"address": webhook["webhook.address"], "secret": SECRET}}
        )
        configure(session, mairie.platform.secrets, mairie.organisation.parent_id or "", HANDOVER, above)
    assert "Laissez vide pour garder" not in administrator.get(f"{WHERE}/logiciel").text
    assert post(administrator, "/logiciel", **{**webhook, "webhook.secret": ""}).status_code == 400
    assert post(administrator, "/logiciel", **{**webhook, "webhook.secret": SECRET[::-1]}).status_code == 303
