"""Killed anywhere between a send and the mail server's answer, the platform writes once to each recipient."""

from __future__ import annotations

import os
import signal
from collections import Counter
from pathlib import Path

import pytest

from core.platform import Platform
from core.s3_server import S3Server
from flows.engine import transitions
from flows.mail.models import MailNotice, NoticeState
from tests.chaos.conftest import environment_of, last_words, worker
from tests.chaos.points import MAIL_POINTS
from tests.conftest import Shape
from tests.postfix import PostOffice
from tests.sending import Sending
from tests.waiting import wait_until

TWO = ("camille.aubert@elus.test", "dominique.marchal@elus.test")


def delivered(office: PostOffice) -> Counter[str]:
    """How often each message stands in the mailbox of its recipient, by its Message-ID."""
    lines = (line for address in TWO for mail in office.mails_of(address) for line in mail.splitlines())
    return Counter(line.split(b"<")[1].rstrip(b">").decode() for line in lines if line.startswith(b"Message-ID:"))


def every_notice(sending: Sending, dossiers: list[str]) -> list[MailNotice]:
    return [notice for dossier_id in dossiers for notice in sending.notices(dossier_id)]


@pytest.mark.parametrize("shape", ["postgresql-rabbitmq"], indirect=True)
def test_a_kill_anywhere_writes_once_to_each_recipient(platform: Platform, shape: Shape, s3: S3Server, tmp_path: Path) -> None:
    sending, dossiers = Sending.opened(platform), list[str]()
    with PostOffice() as office:
        environment = {
            **environment_of(platform, s3, shape),
            "TABELLION_SMTP_URL": office.smtp_url.get_secret_value(),
            "TABELLION_MAIL_FROM": "secretariat@mairie.test",
            "TABELLION_MAIL_RETURN_ADDRESS": office.return_address,
            "TABELLION_MAIL_RETURNS": office.returns_url.get_secret_value(),
            "SSL_CERT_FILE": os.fspath(office.authority_file),
        }
        for rank, point in enumerate(MAIL_POINTS):
            dossiers.append(sending.checked(*TWO))
            with worker(environment, point.name, str(tmp_path / f"died-{rank}")) as process:
                process.join(timeout=120)
                died = process.exitcode
            assert died == -signal.SIGKILL, f"{point.name}: the worker ended with {died}\n{last_words(environment)}"
            transitions.take_up(platform.database)

        def uncertain() -> list[MailNotice]:
            """Messages that left, and of which the platform does not know it yet: their reports are under way."""
            kept = delivered(office)
            return [one for one in every_notice(sending, dossiers) if one.state == NoticeState.LEAVING and kept[one.message_id]]

        with worker(environment):
            wait_until(lambda: not uncertain(), seen=lambda: repr(uncertain()))
            sending.let_come()  # a quarter of an hour passes: what did not leave is sent
            wait_until(
                lambda: (
                    all(sending.dossier(one).state == "sent" for one in dossiers)
                    and all(one.state == NoticeState.ACCEPTED for one in every_notice(sending, dossiers))
                ),
                seen=lambda: repr([(sending.dossier(one).state, sending.states(one)) for one in dossiers]),
            )
        kept = delivered(office)
    notices = every_notice(sending, dossiers)
    assert len(notices) == 2 * len(MAIL_POINTS)
    assert kept == Counter(one.message_id for one in notices)
    for dossier_id in dossiers:
        assert sending.states(dossier_id) == ["handed", "handed"]
        assert sending.kinds(dossier_id).count("relay_to_non_erds") == 2
