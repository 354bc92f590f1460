"""The sequence of a signature: what comes before what, and what the platform is told when it stops."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from asn1crypto import cms, tsp
from tabellion_agent import session as session_module
from tabellion_agent.errors import AgentError, NotWhatWasShown, Refused, TokenProblem, Unreachable
from tabellion_agent.protocol import Item, Opening, Outcome, Prepared, Value
from tabellion_agent.session import Session

DOCUMENTS = {str(number): f"document {number}".encode() for number in range(25)}
DER = b"certificate"


def octets_of(document: bytes) -> bytes:
    values = {
        "content_type": "data",
        "message_digest": hashlib.sha256(document).digest(),
        "signing_certificate_v2": tsp.SigningCertificateV2({"certs": [{"cert_hash": hashlib.sha256(DER).digest()}]}),
    }
    der: bytes = cms.CMSAttributes([cms.CMSAttribute({"type": kind, "values": [value]}) for kind, value in values.items()]).dump()
    return der


class Platform:
    """A platform in memory, which may be made to fail."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.prepared = {name: octets_of(document) for name, document in DOCUMENTS.items()}
        self.documents = dict(DOCUMENTS)
        self.problem: str | None = None
        self.fails: dict[str, AgentError] = {}
        self.reason: str | None = None
        self.slow = 0

    def open(self) -> Opening:
        items = [
            Item(name, f"Titre {name}", "cades", hashlib.sha256(one).hexdigest(), len(one)) for name, one in DOCUMENTS.items()
        ]
        return Opening("Commune", "Personne", "2030-01-01T00:00:00Z", tuple(items))

    def document(self, item: Item) -> Iterator[bytes]:
        self._do("document")
        yield self.documents[item.id]
        if self.documents[item.id] != DOCUMENTS[item.id]:
            raise NotWhatWasShown(item.title)

    def prepare(self, certificate: bytes, chain: Sequence[bytes], progress: Callable[[int, int], None]) -> list[Prepared]:
        assert (certificate, chain) == (DER, [])
        self._do("prepare")
        progress(1, 25)
        refused = "3" if self.problem else ""
        return [Prepared(name, {"s": one}, self.problem if name == refused else None) for name, one in self.prepared.items()]

    def send(self, values: Sequence[Value]) -> list[Outcome]:
        self._do("send")
        assert all(one.value == b"signed:" + self.prepared[one.id] for one in values)
        if self.slow:
            self.slow -= 1
            return [Outcome(values[0].id, "signed", None), *(Outcome(one.id, "waiting", "Plus tard.") for one in values[2:])]
        return [Outcome(one.id, "signed", None) for one in values]

    def close(self) -> None:
        self._do("close")

    def abandon(self, reason: str) -> None:
        self.log.append("abandon")
        self.reason = reason

    def _do(self, what: str) -> None:
        self.log.append(what)
        if what in self.fails and self.log.count(what) == 2:
            raise self.fails[what]


class Key:
    """A key in memory, which may be pulled out after some signatures."""

    def __init__(self, log: list[str], most: int = 1000) -> None:
        self.log = log
        self.most = most

    def sign(self, octets: bytes) -> bytes:
        if self.log.count("sign") >= self.most:
            raise TokenProblem("Le jeton a été retiré.")
        self.log.append("sign")
        return b"signed:" + octets


class Identity:
    der = DER
    chain = ()


@pytest.fixture
def platform() -> Platform:
    return Platform()


def sign(platform: Platform, most: int = 1000, progress: Any = lambda *_: None) -> tuple[Session, list[Outcome]]:
    session = Session(platform)  # type: ignore[arg-type]
    return session, session.sign(Identity(), Key(platform.log, most), progress)  # type: ignore[arg-type]


def test_every_document_is_read_before_any_is_signed_and_every_value_made_before_any_is_sent(platform: Platform) -> None:
    seen: list[tuple[str, int, int]] = []
    session, outcomes = sign(platform, progress=lambda *step: seen.append(step))
    assert platform.log == ["document"] * 25 + ["prepare"] + ["sign"] * 25 + ["send"] * 3 + ["close"]
    assert [one.state for one in outcomes] == ["signed"] * 25
    assert ("Signature", 12, 25) in seen
    assert seen[-1] == ("Envoi", 25, 25)
    assert session.over


def test_a_document_that_cannot_be_prepared_does_not_hold_the_others(platform: Platform) -> None:
    platform.problem = "Déjà signé."
    outcomes = sign(platform)[1]
    assert outcomes[0] == Outcome("3", "refused", "Déjà signé.")
    assert sum(one.state == "signed" for one in outcomes) == 24


def test_a_token_pulled_out_in_the_middle_leaves_everything_unsigned(platform: Platform) -> None:
    with pytest.raises(TokenProblem):
        sign(platform, most=12)
    assert "send" not in platform.log
    assert platform.reason == "Le jeton a été retiré."


def test_another_document_than_announced_is_not_even_prepared(platform: Platform) -> None:
    platform.documents["7"] = b"something else"
    with pytest.raises(NotWhatWasShown):
        sign(platform)
    assert "prepare" not in platform.log
    assert platform.log[-1] == "abandon"


@pytest.mark.parametrize("octets", [hashlib.sha256(b"document 7").digest(), octets_of(b"something else"), b""])
def test_octets_that_are_not_of_the_document_stop_the_whole_batch_before_the_key_is_touched(
    platform: Platform, octets: bytes
) -> None:
    platform.prepared["7"] = octets
    with pytest.raises(NotWhatWasShown, match="Titre 7"):
        sign(platform)
    assert "sign" not in platform.log
    assert platform.log[-1] == "abandon"


@pytest.mark.parametrize("failure", [Unreachable("Plus de réseau."), Refused("La séance a expiré.")])
def test_a_failure_while_sending_says_how_many_are_signed(platform: Platform, failure: AgentError) -> None:
    platform.fails["send"] = failure
    with pytest.raises(type(failure), match=rf"^{failure} Documents signés avant cela : 10 sur 25\.$"):
        sign(platform)
    assert platform.log[-1] == "abandon"


def test_what_the_platform_had_no_time_for_is_given_again(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_module, "_PAUSE", 0.0)
    platform.slow = 4
    outcomes = sign(platform)[1]
    assert {one.id: one.state for one in outcomes} == dict.fromkeys(DOCUMENTS, "signed")
    assert platform.log.count("sign") == 25


def test_patience_ends_and_what_still_waits_is_said(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_module, "_PAUSE", 0.0)
    monkeypatch.setattr(session_module, "_PATIENCE", 0.05)
    platform.slow = 10**9
    states = [one.state for one in sign(platform)[1]]
    assert states.count("signed") + states.count("waiting") == 25
    assert platform.log[-1] == "close"


def test_what_is_signed_is_signed_even_if_the_last_word_is_lost(platform: Platform) -> None:
    platform.log = ["close"]
    platform.fails["close"] = Unreachable("Plus de réseau.")
    assert len(sign(platform)[1]) == 25
    assert platform.reason is None


def test_the_platform_is_told_once_that_nothing_more_comes(platform: Platform) -> None:
    session = Session(platform)  # type: ignore[arg-type]
    session.abandon("first")
    session.abandon("second")
    assert (platform.log, platform.reason) == (["abandon"], "first")
