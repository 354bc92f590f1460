"""The one interface to platforms: what is never submitted, what is told in words, a platform in memory that stands behind it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from connectors.einvoicing.errors import FlowUnknown, FlowUnsendable, PlatformRefused
from connectors.einvoicing.flows import Direction, Fate, Fetched, Flow, Form, Outgoing, Profile, Remark, Rule, Search, Syntax
from connectors.einvoicing.platform import ApprovedPlatform
from core.errors import NeedsOperator, NotFound, UsageError
from core.messages import LOCALES, Catalogue, speaking

START = datetime(2026, 10, 1, 8, 0, tzinfo=UTC)


class Memory:
    """A platform that keeps what it is given, each flow a second later."""

    def __init__(self) -> None:
        self.flows: dict[str, tuple[Flow, bytes]] = {}

    def submit(self, flow: Outgoing) -> Flow:
        octets, moved = flow.path.read_bytes(), START + timedelta(seconds=len(self.flows))
        right = hashlib.sha256(octets).hexdigest() == flow.sha256
        remarks = () if right else (Remark("Error", flow.name, "ChecksumMismatch", ""),)
        fate, number = (Fate.PENDING if right else Fate.REFUSED), f"F{len(self.flows)}"
        kept = Flow(
            number,
            flow.tracking,
            flow.name,
            "CustomerInvoice",
            Direction.OUT,
            flow.syntax,
            flow.rule,
            moved,
            moved,
            fate,
            remarks,
        )
        self.flows[number] = (kept, octets)
        return kept

    def search(self, wanted: Search) -> Iterator[Flow]:
        for flow, _ in self.flows.values():
            if flow.updated and flow.updated > wanted.after and wanted.tracking in {"", flow.tracking}:
                yield flow

    def find(self, flow_id: str) -> Flow:
        if flow_id not in self.flows:
            raise FlowUnknown(flow_id)
        return self.flows[flow_id][0]

    def fetch(self, flow_id: str, form: Form, target: Path) -> Fetched:
        if form is not Form.ORIGINAL or flow_id not in self.flows:
            raise FlowUnknown(flow_id)
        octets = self.flows[flow_id][1]
        target.write_bytes(octets)
        return Fetched(target, hashlib.sha256(octets).hexdigest(), len(octets))


@pytest.fixture
def platform() -> ApprovedPlatform:
    return Memory()


@pytest.fixture
def invoice(tmp_path: Path) -> Outgoing:
    path = tmp_path / "facture.xml"
    path.write_bytes(b"<facture/>")
    digest = hashlib.sha256(b"<facture/>").hexdigest()
    return Outgoing(path, digest, "facture.xml", Syntax.CII, Rule.B2G, "01K6", Profile.CIUS)


def test_a_flow_is_submitted_found_again_and_fetched(platform: ApprovedPlatform, invoice: Outgoing, tmp_path: Path) -> None:
    kept = platform.submit(invoice)
    platform.submit(replace(invoice, tracking="01K7"))
    assert (kept.fate, kept.tracking) == (Fate.PENDING, "01K6")
    assert [one.id for one in platform.search(Search(START - timedelta(seconds=1), tracking="01K7"))] == ["F1"]
    assert [one.id for one in platform.search(Search(START))] == ["F1"]
    assert platform.find(kept.id) == kept
    fetched = platform.fetch(kept.id, Form.ORIGINAL, tmp_path / "back.xml")
    assert (fetched.path.read_bytes(), fetched.sha256) == (b"<facture/>", invoice.sha256)
    with pytest.raises(FlowUnknown):
        platform.fetch(kept.id, Form.READABLE, tmp_path / "read.pdf")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"tracking": ""}, "suivi"),
        ({"tracking": "x" * 65}, "65"),
        ({"name": "x" * 256}, "256"),
        ({"sha256": "abc"}, "SHA-256"),
        ({"syntax": Syntax.CDAR}, "CDAR"),
    ],
)
def test_what_no_platform_takes_is_refused_before_it_leaves(changes: dict[str, str], told: str, invoice: Outgoing) -> None:
    with pytest.raises(FlowUnsendable, match=told):
        replace(invoice, **changes)  # type: ignore[arg-type]
    replace(invoice, syntax=Syntax.CDAR, profile=None, tracking="x" * 64, name="x" * 255)


def test_why_a_flow_was_refused_is_told_in_words(platform: ApprovedPlatform, invoice: Outgoing) -> None:
    (remark,) = platform.submit(replace(invoice, sha256="0" * 64)).remarks
    assert remark.words == "facture.xml\u00a0: Empreinte différente de celle annoncée"
    assert Remark("Error", "", "NEW_CODE", "in its words").words == "-\u00a0: NEW_CODE — in its words"
    assert Remark("Error", "", "", "").words == "-\u00a0: -"


@pytest.mark.parametrize("locale", LOCALES)
def test_errors_say_what_to_do(locale: str) -> None:
    with speaking(locale):
        refused = PlatformRefused("Lavoir", "", "x" * 1000)
        assert "Lavoir" in str(refused)
        assert len(str(refused)) < 700
        assert "F9" in str(FlowUnknown("F9"))
    assert issubclass(PlatformRefused, NeedsOperator)
    assert issubclass(FlowUnknown, NotFound)
    assert issubclass(FlowUnsendable, UsageError)
    reasons = [key for key in Catalogue("connectors.einvoicing").texts("fr") if key.startswith("reason.")]
    assert len(reasons) == 15
