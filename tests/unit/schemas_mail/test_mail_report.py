"""What comes back is read as what it is, whoever wrote it; and nothing that a stranger sends makes a fall or a false failure."""

from __future__ import annotations

import os
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from returned_mails import RETURN_ADDRESS, VERP, Sample, dsn, plain
from returned_mails import SAMPLES as REPORTS
from returned_words import SAMPLES as WORDS

from schemas.mail.report import Report, What, read_report

SAMPLES = (*REPORTS, *WORDS)


def octets(sample: Sample) -> bytes:
    return sample.raw if isinstance(sample.raw, bytes) else sample.raw.encode()


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda one: one.name)
def test_what_came_back_is_read(sample: Sample) -> None:
    wanted = Report(
        sample.what, sample.envelopes, sample.envid, sample.status, sample.diagnostic, sample.recipient, sample.reporting
    )
    assert read_report(octets(sample), RETURN_ADDRESS) == wanted
    with_returns = re.sub(rb"\r?\n", b"\r\n", octets(sample))
    assert read_report(with_returns, RETURN_ADDRESS) == wanted


def test_the_path_that_it_was_sent_to_comes_first() -> None:
    raw = "References: <retour+other@mairie.test>\n" + dsn("x", returned="X: retour+third@mairie.test, retour+8F3A01@mairie.test")
    assert read_report(raw.encode(), RETURN_ADDRESS).envelopes == ("8f3a01", "other", "third")


@pytest.mark.parametrize(
    "written",
    ["xretour+1@mairie.test", "retour+1@mairie.test.fr", "retour+1@autre.test", "retour@mairie.test", "retour+@mairie.test"],
)
def test_another_address_names_no_message(written: str) -> None:
    assert read_report(f"To: {written}\n\n{written}".encode(), RETURN_ADDRESS).envelopes == ()


def test_paths_are_found_in_encoded_text() -> None:
    body = f"{VERP} a répondu".encode().hex(" ").upper().replace(" ", "=")
    raw = f"Content-Type: text/plain\nContent-Transfer-Encoding: quoted-printable\n\n={body}\n"
    assert read_report(raw.encode(), RETURN_ADDRESS).envelopes == ("8f3a01",)


def test_everything_that_is_told_has_an_end() -> None:
    long = "x" * 20_000
    fields = f"Reporting-MTA: dns; {long}\nOriginal-Envelope-Id: {long}\n\nFinal-Recipient: rfc822; {long}\nAction: failed\n"
    more = "".join(f"retour+{rank}@mairie.test " for rank in range(1000))
    found = read_report(
        dsn(f"{fields}Status: 5.1.1\nDiagnostic-Code: smtp; a\x00\x1bb {long}\n", said=more).encode(), RETURN_ADDRESS
    )
    assert (len(found.diagnostic), len(found.recipient), len(found.reporting), len(found.envelopes)) == (1000, 320, 320, 20)
    assert found.diagnostic.startswith("a b x") or found.diagnostic.startswith("ab x")
    assert len(found.original_envelope) == 320


HOSTILE = (
    b"Content-Type: text/html\nFrom: postmaster@x\n\n" + b"<style" * 60_000,
    b"Content-Type: text/html\nFrom: postmaster@x\n\n" + b"<" * 300_000,
    b"From: postmaster@x\n\n" + b"delivery to " * 30_000,
    b"From: postmaster@x\n\n" + b"retour+" * 300_000,
    b"From: postmaster@x\nSubject: " + b"not able to be been " * 20_000 + b"\n\nx",
    b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (rank, rank) for rank in range(3000)),
    b"Content-Type: multipart/report; boundary=b\n\n" + b"--b\nContent-Type: message/delivery-status\n\n\n" * 3000,
    b"From: postmaster@x\nContent-Type: text/plain; charset=nowhere\n\n\xff\xfe could not be delivered",
    b"\x00" * 1000,
    os.urandom(5000),
)


@pytest.mark.parametrize("raw", HOSTILE, ids=range(len(HOSTILE)))
def test_what_is_made_to_hurt_is_read_like_anything_else(raw: bytes) -> None:
    assert read_report(raw, RETURN_ADDRESS).what in {What.UNKNOWN, What.FAILED}


WHOLE = [
    octets(one) for one in SAMPLES if one.name in {"postfix failed", "exim failed", "read, says a program", "fields in base64"}
]


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(WHOLE),
    st.lists(st.tuples(st.integers(0, 1500), st.binary(max_size=4), st.integers(0, 6)), min_size=1, max_size=6),
)
def test_a_damaged_report_is_read_and_never_raises(raw: bytes, damages: list[tuple[int, bytes, int]]) -> None:
    damaged = bytearray(raw)
    for place, added, removed in damages:
        damaged[place : place + removed] = added
    assert read_report(bytes(damaged), RETURN_ADDRESS).what in set(What)


def test_no_absence_is_a_failure_whatever_its_words() -> None:
    for words in ("550 5.1.1 User unknown", "could not be delivered", "n'a pas pu être remis"):
        raw = plain("Camille <camille.aubert@elus.test>", "Absence du bureau", words, "Auto-Submitted: auto-replied\n")
        assert read_report(raw, RETURN_ADDRESS).what is What.AUTOMATIC
