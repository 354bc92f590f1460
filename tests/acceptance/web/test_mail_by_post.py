"""A tracked mail end to end: a real Postfix, a gateway that opens every link first, then the recipients in their browsers."""

from __future__ import annotations

import email
import email.policy
import os
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import expect

from api.runtime import build_engine
from core.s3_server import S3Server
from flows.engine.brokers import open_broker
from flows.mail import returning
from flows.mail.models import RecipientState
from tests.acceptance.web.conftest import Opening, Site
from tests.integration.api.service import web_service
from tests.postfix import PostOffice
from tests.sending import Sending, links_in
from tests.waiting import wait_until

CAMILLE, NOBODY = "camille.aubert@elus.test", "personne@elus.test"


@pytest.fixture(scope="module")
def post() -> Iterator[PostOffice]:
    with PostOffice() as running:
        yield running


@pytest.fixture(scope="module")
def site(post: PostOffice, s3: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    told = {
        "smtp_url": post.smtp_url,
        "mail_from": "secretariat@mairie.test",
        "mail_return_address": post.return_address,
        "mail_returns": post.returns_url,
    }
    with web_service(s3, tmp_path_factory.mktemp("post"), **told) as service:
        yield Site(service, {})


@pytest.fixture
def town(site: Site) -> Sending:
    broker = open_broker("memory://")
    build_engine(site.service.platform, broker)
    return Sending(site.service.platform, site.service.mairie.organisation, broker)


def test_a_mail_is_sent_scanned_withdrawn_on_two_devices_bounced_elsewhere_and_closed(
    site: Site, town: Sending, post: PostOffice, visit: Opening, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", os.fspath(post.authority_file))
    mail = town.sent(CAMILLE, NOBODY, answers=False)
    wait_until(lambda: post.mails_of(CAMILLE), seen=post.log)
    (letter,) = post.mails_of(CAMILLE)
    read = email.message_from_bytes(letter, policy=email.policy.default)
    body = read.get_body(("plain",))
    assert body is not None
    (token,) = links_in(body.get_content())

    # The gateway of the recipient's office, before anybody has seen the message.
    with httpx.Client(base_url=site.service.address, follow_redirects=True) as gateway:
        seen = [gateway.request(method, f"/courrier/{token}").status_code for method in ("HEAD", "GET", "GET")]
    assert seen == [200, 200, 200]
    robot = visit(signed_in=False)
    robot.goto(f"/courrier/{token}")
    robot.wait_for_load_state("networkidle")
    assert town.states(mail)[0] == RecipientState.HANDED

    # What came back: delivered to one, refused of the other; one bounce spoils nobody else's mail.
    wait_until(lambda: all(post.returned(one.envelope) for one in town.notices(mail)), seen=post.log)
    returning.collect(town.platform)
    assert town.states(mail) == [RecipientState.HANDED, RecipientState.FAILED]
    assert town.recipients(mail)[0].delivered is not None

    telephone, desk = visit(width=390, signed_in=False), visit(signed_in=False)
    for device in (telephone, desk):
        device.goto(f"/courrier/{token}")
    telephone.get_by_role("button", name="Retirer le document").click()
    expect(telephone.get_by_role("heading", level=1)).to_have_text("Avis de passage du service des eaux")
    desk.get_by_role("button", name="Retirer le document").click()
    expect(desk.get_by_role("heading", level=1)).to_have_text("Avis de passage du service des eaux")
    assert town.states(mail)[0] == RecipientState.WITHDRAWN
    kinds = town.kinds(mail)
    assert (kinds.count("content_handover"), kinds.count("content_consulted")) == (1, 1)
