"""A file in base64 inside a JSON answer: out of it whatever the cuts, nothing else lost, limits held."""

from __future__ import annotations

import base64
import io
import json
import random

import pytest

from connectors.chorus.lifting import Lifter, NotBase64, TooMuch

OCTETS = bytes(range(256)) * 3 + b"?>"
TEXT = base64.b64encode(OCTETS).decode()
ANSWER = {"codeRetour": 0, "libelle": 'dit "fichierResultat": "AAAA"', "fichierResultat": TEXT, "suite": [{"x": "\\"}]}
PLAIN = json.dumps(ANSWER)
WRITTEN = {
    "plain": PLAIN,
    "slashes": PLAIN.replace("/", "\\/"),
    "unicode": PLAIN.replace("=", "\\u003d").replace("+", "\\u002B"),
    "lines": PLAIN.replace(TEXT, "\\r\\n".join(TEXT[start : start + 76] for start in range(0, len(TEXT), 76))),
    "spread": json.dumps(ANSWER, indent=4).replace('": "', '"  :\n "'),
    "first": json.dumps({"fichierResultat": TEXT, "codeRetour": 0}),
}


def lifted(pieces: list[bytes], *, limit: int = 1 << 20, rest: int = 1 << 20) -> tuple[Lifter, bytes]:
    target = io.BytesIO()
    lifter = Lifter("fichierResultat", target, limit=limit, rest=rest)
    for piece in pieces:
        lifter.feed(piece)
    return lifter, target.getvalue()


@pytest.mark.parametrize("written", WRITTEN.values(), ids=WRITTEN)
def test_the_file_is_found_whatever_the_cuts(written: str) -> None:
    answer = written.encode()
    random_cuts = random.Random(1)
    ways = [[answer], [answer[at : at + 1] for at in range(len(answer))]]
    ways += [[answer[:at], answer[at:]] for at in sorted(random_cuts.sample(range(len(answer)), 200))]
    for pieces in ways:
        lifter, octets = lifted(pieces)
        assert octets == OCTETS
        assert lifter.whole
        assert lifter.lifted == len(OCTETS)
        assert json.loads(lifter.remainder()) == json.loads(written) | {"fichierResultat": ""}


def test_an_answer_without_the_file_is_left_as_it_is() -> None:
    answer = json.dumps({"codeRetour": 20001, "fichierResultat": None}).encode()
    lifter, octets = lifted([answer])
    assert (lifter.whole, octets, lifter.remainder()) == (False, b"", answer)


@pytest.mark.parametrize("text", ["AAA", "A", "AA==AAAA", "AAA=AAAA", "é", "A-_A", '\\"AAA', "\\u00e9AAA", "AA\\b=="])
def test_what_is_no_base64_is_refused_at_every_cut(text: str) -> None:
    answer = f'{{"fichierResultat": "{text}"}}'.encode()
    for at in range(len(answer)):
        with pytest.raises(NotBase64):
            lifted([answer[:at], answer[at:]])


def test_a_file_beyond_the_limit_is_not_read() -> None:
    with pytest.raises(TooMuch):
        lifted([PLAIN.encode()], limit=len(OCTETS) - 1)
    lifted([PLAIN.encode()], limit=len(OCTETS))


def test_an_answer_beyond_the_limit_beside_its_file_is_not_read() -> None:
    with pytest.raises(TooMuch):
        lifted([b'{"x": "' + b"y" * 2000], rest=1000)
    with pytest.raises(TooMuch):
        lifted([PLAIN.encode()[:-1], b', "x": "' + b"y" * 2000], rest=1000)


def test_an_answer_that_ends_in_its_file_says_so() -> None:
    lifter, _ = lifted([PLAIN.encode()[:200]])
    with pytest.raises(EOFError):
        lifter.remainder()
