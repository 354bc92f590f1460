"""Whose mails are believed: the only author that a mail names, and what the receiving server attests of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from connectors.actes.senders import Doubt, judge
from connectors.actes.settings import Mailbox

BOX = {"host": "imap.test", "user": "tdt", "password": "s3cret"}
STATE = "From: ACTES <ne-pas-repondre@Actes.interieur.test>"


def doubt_of(folder: Path, *head: str, **settings: Any) -> Doubt | None:
    raw = folder / "mail.eml"
    raw.write_bytes(("\r\n".join(head) + "\r\n\r\nFrom: dans@le.corps\r\n").encode())
    given = {"senders": ("Interieur.test", "prefecture@etat.test"), **settings}
    return judge(raw, Mailbox.model_validate(BOX | given)).doubt


@pytest.mark.parametrize(
    ("head", "doubt"),
    [
        ([STATE], None),
        (["From: x@interieur.test"], None),
        (["From: =?utf-8?q?Pr=C3=A9fecture?= <PREFECTURE@etat.test>"], None),
        (["From: autre@etat.test"], Doubt.STRANGER),
        (["From: x@mauvaisinterieur.test"], Doubt.STRANGER),
        (["From: x@interieur.test.exemple.test"], Doubt.STRANGER),
        (['From: "ne-pas-repondre@actes.interieur.test" <x@exemple.test>'], Doubt.STRANGER),
        ([STATE, "Sender: x@exemple.test"], None),
        ([STATE, "From: x@exemple.test"], Doubt.UNNAMED),
        ([STATE + ", x@exemple.test"], Doubt.UNNAMED),
        (["From: ne-pas-repondre"], Doubt.UNNAMED),
        (["From:"], Doubt.UNNAMED),
        (["Subject: personne"], Doubt.UNNAMED),
    ],
)
def test_the_only_author_is_one_of_those_permitted(tmp_path: Path, head: list[str], doubt: Doubt | None) -> None:
    assert doubt_of(tmp_path, *head) == doubt


@pytest.mark.parametrize(
    ("said", "believed"),
    [
        ("mx.mairie.test; dmarc=pass (p=reject) header.from=actes.interieur.test", True),
        ("MX.mairie.test 1; spf=pass smtp.mailfrom=rebond@interieur.test", True),
        ("mx.mairie.test;\r\n dkim=pass (2048-bit key)\r\n header.d=interieur.test header.s=a", True),
        ("mx.mairie.test; dmarc=none header.from=actes.interieur.test; dkim = pass header.d = interieur.test", True),
        ("mx.mairie.test; dmarc=fail header.from=actes.interieur.test; dkim=pass header.d=interieur.test", False),
        ("mx.mairie.test; dkim=pass header.d=exemple.test; spf=pass smtp.mailfrom=exemple.test", False),
        ("mx.mairie.test; dkim=pass header.d=test", False),
        ("mx.mairie.test; dkim=fail header.d=interieur.test; spf=softfail smtp.mailfrom=interieur.test", False),
        ("mx.exemple.test; dmarc=pass header.from=actes.interieur.test", False),
        ('mx.mairie.test; spf=pass smtp.mailfrom=";dkim=pass header.d=interieur.test;"@exemple.test', False),
        ("mx.mairie.test; spf=fail (dit: ; dkim=pass header.d=interieur.test ;) smtp.mailfrom=exemple.test", False),
        ("mx.mairie.test; spf=fail ((; dkim=pass header.d=interieur.test", False),
        ("mx.mairie.test; none", False),
        ("", False),
    ],
)
def test_the_receiving_server_attests_the_domain(tmp_path: Path, said: str, believed: bool) -> None:
    found = doubt_of(tmp_path, f"Authentication-Results: {said}", STATE, authenticated_by="mx.mairie.test")
    assert found == (None if believed else Doubt.UNPROVED)


def test_without_a_word_of_its_server_a_mail_is_not_attested(tmp_path: Path) -> None:
    assert doubt_of(tmp_path, STATE, authenticated_by="mx.mairie.test") == Doubt.UNPROVED


@pytest.mark.parametrize(
    "given",
    [{"authenticated_by": "mx.mairie.test"}, {"senders": ["interieur"]}, {"senders": ["a b@c.test"]}, {"senders": ["@c.test"]}],
)
def test_what_would_permit_nobody_in_particular_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Mailbox.model_validate(BOX | given)
    assert Mailbox.model_validate(BOX).senders == ()
