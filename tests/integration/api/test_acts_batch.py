"""A batch of acts: one act for each file, errors for each line, nothing twice, nothing lost."""

from __future__ import annotations

import html
import re
from typing import Any

import httpx
import pytest
from sqlmodel import select

from api.web.acts import submitting
from api.web.acts.lines import numbered
from core.errors import Unavailable, UsageError
from core.identifiers import new_id
from core.principal import PLATFORM
from flows.actes.drafts import ActesDraft
from flows.engine.models import DepositKey, Dossier
from tests.integration.api.acts_forms import csrf, pieces, send, somebody
from tests.integration.api.acts_mairie import ActsMairie, today
from tests.integration.api.service import Service
from tests.office import pdf

BATCH = "/actes/lot"
NAMES = ("tarifs_cantine.pdf", "reglement-marche.pdf", "voirie.pdf")
FILES = tuple((name, pdf(name)) for name in NAMES)


def shared(mairie: ActsMairie, **changes: Any) -> dict[str, Any]:
    return {
        "organisation": mairie.organisation.id,
        "saisie": new_id(),
        "decision_date": today().isoformat(),
        "nature": "1",
        "matiere": "7.10",
        "do": "look",
        **changes,
    }


def lines(answer: httpx.Response) -> dict[str, tuple[str, str]]:
    """Number and object of each line, by the key of its file."""
    numbers = dict(re.findall(r'name="number\.(\w+)"[^>]* value="([^"]*)"', answer.text))
    objects = dict(re.findall(r'<textarea[^>]*name="subject\.(\w+)"[^>]*>(.*?)</textarea>', answer.text, re.DOTALL))
    return {key: (numbers[key], html.unescape(objects[key])) for key in numbers}


def filled(found: dict[str, tuple[str, str]], prefix: str) -> dict[str, Any]:
    """The lines, numbered and with their objects, as the form sends them."""
    told = {f"number.{key}": f"{prefix}_{rank}" for rank, key in enumerate(found)}
    return {"piece": list(found), **told, **{f"subject.{key}": words for key, (_, words) in found.items()}}


def faults(answer: httpx.Response) -> dict[str, str]:
    found = re.findall(r'<p class="fault-said" id="([\w-]+)-fault">(.*?)</p>', answer.text, re.DOTALL)
    return {name: html.unescape(words) for name, words in found}


def made(mairie: ActsMairie, sheet: str) -> list[Dossier]:
    with mairie.platform.database.reading(PLATFORM) as session:
        keys = session.exec(select(DepositKey)).all()
        own = {one.dossier_id for one in keys if one.key.startswith(f"{sheet}.")}
        return [one for one in session.exec(select(Dossier).order_by(Dossier.created, Dossier.id)) if one.id in own]


def test_each_file_becomes_an_act_with_what_all_share(clerk: httpx.Client, mairie: ActsMairie) -> None:
    given = shared(mairie, paper="1")
    there = send(clerk, given, *FILES, ("voirie.pdf.p7s", b"0\x03\x02\x01\x01"), to=BATCH)
    found = lines(there)
    assert [words for _, words in found.values()] == ["tarifs cantine", "reglement marche", "voirie"]
    keys = pieces(there)
    assert len(keys) == 4
    told = {**given, **filled(found, "LOT"), "piece": keys, "do": "send"}
    sent = send(clerk, told, to=BATCH)
    assert sent.status_code == 303, faults(sent)
    acts = made(mairie, given["saisie"])
    assert [act.title for act in acts] == ["LOT_0 – tarifs cantine", "LOT_1 – reglement marche", "LOT_2 – voirie"]
    for act in acts:
        assert act.facts["act"]["decision_date"] == today().isoformat()
        assert (act.facts["act"]["nature"], act.facts["act"]["matieres"], act.facts["act"]["paper"]) == (1, [7, 10], True)
    assert [act.facts["act"]["pieces"] for act in acts][1:] == [
        [["document", "99_DE", None]],
        [["document", "99_DE", "document.signature"]],
    ]
    page = clerk.get(sent.headers["location"]).text
    assert "3 actes de ce lot sont déposés" in page
    assert all(f'href="/actes/{act.id}"' in page for act in acts)
    assert 'name="number' not in page
    again = send(clerk, told, to=BATCH)
    assert again.status_code == 303
    assert len(made(mairie, given["saisie"])) == 3


def test_nothing_leaves_while_a_line_is_wrong_and_each_says_why(clerk: httpx.Client, mairie: ActsMairie) -> None:
    mairie.act("LOT_PRIS", decision_date=today())
    given = shared(mairie)
    found = lines(send(clerk, given, *FILES, ("tableur.xlsx", b"PK"), to=BATCH))
    one, two, three, four = found
    told = {
        **given,
        **filled(found, "FAUX"),
        f"number.{one}": "2026-1",
        f"number.{two}": "LOT_PRIS",
        f"subject.{three}": " ",
        f"number.{three}": "FAUX_9",
        f"number.{four}": "faux_9",
        "do": "send",
    }
    answer = send(clerk, told, to=BATCH)
    assert answer.status_code == 400
    said = faults(answer)
    assert set(said) == {f"number-{one}", f"number-{two}", f"subject-{three}", f"number-{four}", f"piece-{four}"}
    assert "déjà pris" in said[f"number-{two}"]
    assert "déjà celui d’une autre ligne" in said[f"number-{four}"]
    assert "format admis" in said[f"piece-{four}"]
    assert all(f'href="#{anchor}"' in answer.text for anchor in said)
    assert made(mairie, given["saisie"]) == []
    assert lines(answer)[one] == ("2026-1", "tarifs cantine")


def test_what_all_share_is_wrong_once(clerk: httpx.Client, mairie: ActsMairie) -> None:
    given = shared(mairie, decision_date="2999-01-01", nature="", matiere="9.99")
    found = lines(send(clerk, given, *FILES, to=BATCH))
    answer = send(clerk, {**given, **filled(found, "PARTAGE"), "do": "send"}, to=BATCH)
    assert set(faults(answer)) == {"decision_date", "nature", "matiere"}
    empty = send(clerk, shared(mairie, do="send"), to=BATCH)
    assert set(faults(empty)) == {"document"}


def test_a_file_that_cannot_be_sent_stays_alone_on_the_page(clerk: httpx.Client, mairie: ActsMairie) -> None:
    given = shared(mairie)
    found = lines(send(clerk, given, FILES[0], ("faux.pdf", b"rien"), FILES[2], to=BATCH))
    one, wrong, _ = found
    answer = send(clerk, {**given, **filled(found, "SEUL"), "do": "send"}, to=BATCH)
    assert answer.status_code == 409
    assert set(faults(answer)) == {f"piece-{wrong}"}
    assert list(lines(answer)) == [wrong]
    assert "2 actes de ce lot sont déposés" in answer.text
    assert [act.title for act in made(mairie, given["saisie"])] == ["SEUL_0 – tarifs cantine", "SEUL_2 – voirie"]
    with mairie.platform.database.reading(PLATFORM) as session:
        draft = session.get_one(ActesDraft, given["saisie"])
    assert ["piece", wrong] in draft.fields
    assert ["piece", one] not in draft.fields
    replaced = send(clerk, {**given, "piece": [wrong], "do": "delete.0"}, ("vrai.pdf", pdf("vrai")), to=BATCH)
    (key,) = lines(replaced)
    rest = {"piece": [key], f"number.{key}": "SEUL_1", f"subject.{key}": "Vrai"}
    assert send(clerk, {**given, **rest, "do": "send"}, to=BATCH).status_code == 303
    assert len(made(mairie, given["saisie"])) == 3


def test_what_stops_every_act_is_said_once_and_the_rest_waits(
    clerk: httpx.Client, mairie: ActsMairie, monkeypatch: pytest.MonkeyPatch
) -> None:
    given, submit, calls = shared(mairie), submitting.submit, []

    def fails_at_the_second(*told: Any) -> Any:
        calls.append(told)
        if len(calls) > 1:
            raise Unavailable("L’antivirus ne répond pas.")
        return submit(*told)

    monkeypatch.setattr(submitting, "submit", fails_at_the_second)
    found = lines(send(clerk, given, *FILES, to=BATCH))
    told = {**given, **filled(found, "PANNE"), "do": "send"}
    answer = send(clerk, told, to=BATCH)
    assert answer.status_code == 409
    assert "L’antivirus ne répond pas." in answer.text
    assert len(calls) == 2
    assert list(lines(answer)) == list(found)[1:]
    monkeypatch.setattr(submitting, "submit", submit)
    rest = {**told, "piece": list(lines(answer))}
    assert send(clerk, rest, to=BATCH).status_code == 303
    assert len(made(mairie, given["saisie"])) == 3


def test_lines_are_numbered_from_the_first(clerk: httpx.Client, mairie: ActsMairie) -> None:
    given = shared(mairie)
    found = lines(send(clerk, given, *FILES, to=BATCH))
    for where in (BATCH, f"{BATCH}/lignes"):
        counted = {**csrf(clerk), **given, **filled(found, "X"), "first_number": "del_099", "do": "number"}
        answer = clerk.post(where, data=counted)
        assert [number for number, _ in lines(answer).values()] == ["DEL_099", "DEL_100", "DEL_101"]
        wrong = clerk.post(where, data=counted | {"first_number": "SANS"})
        assert set(faults(wrong)) == {"first_number"}
        assert [number for number, _ in lines(wrong).values()] == ["X_0", "X_1", "X_2"]


@pytest.mark.parametrize(
    ("first", "count", "numbers"),
    [
        ("2026_9", 2, ["2026_9", "2026_10"]),
        ("a007b", 2, ["A007B", "A008B"]),
        ("99", 2, ["99", "100"]),
        ("2026_118", 0, []),
    ],
)
def test_numbers_follow_each_other(first: str, count: int, numbers: list[str]) -> None:
    assert numbered(first, count) == numbers


@pytest.mark.parametrize("first", ["", "ABC"])
def test_a_first_number_must_be_one(first: str) -> None:
    with pytest.raises(UsageError):
        numbered(first, 2)


def test_a_line_is_taken_out_and_what_was_written_elsewhere_stays(clerk: httpx.Client, mairie: ActsMairie) -> None:
    given = shared(mairie)
    found = lines(send(clerk, given, *FILES, to=BATCH))
    left = clerk.post(f"{BATCH}/lignes", data={**csrf(clerk), **given, **filled(found, "RESTE"), "do": "delete.1"})
    assert [number for number, _ in lines(left).values()] == ["RESTE_0", "RESTE_2"]
    assert f'data-total="{sum(len(FILES[rank][1]) for rank in (0, 2))}"' in left.text


def test_a_batch_is_kept_as_a_draft_and_taken_up_where_it_stood(clerk: httpx.Client, mairie: ActsMairie) -> None:
    given = shared(mairie)
    found = lines(send(clerk, given, *FILES, to=BATCH))
    saved = send(clerk, {**given, **filled(found, "GARDE"), "first_number": "GARDE_0", "do": "save"}, to=BATCH)
    assert saved.headers["location"] == f"{BATCH}?saisie={given['saisie']}&fait=brouillon"
    listed = clerk.get("/actes").text
    assert f'href="/actes/lot?saisie={given["saisie"]}"' in listed
    assert "Lot de fichiers (3)" in listed
    resumed = clerk.get(saved.headers["location"])
    assert lines(resumed) == {key: (f"GARDE_{rank}", words) for rank, (key, (_, words)) in enumerate(found.items())}
    assert 'value="GARDE_0"' in resumed.text
    assert "GARDE_1" not in clerk.get(f"/actes/nouveau?saisie={given['saisie']}").text
    assert send(clerk, {**given, **filled(found, "GARDE"), "do": "send"}, to=BATCH).status_code == 303
    with mairie.platform.database.reading(PLATFORM) as session:
        assert session.get(ActesDraft, given["saisie"]) is None


def test_who_may_deposit_sends_a_batch_and_nobody_else(acts_service: Service, mairie: ActsMairie) -> None:
    with somebody(acts_service, mairie.people["lecteur"]) as reader:
        assert reader.get(BATCH).status_code == 403
        assert reader.post(BATCH, data={**csrf(reader), **shared(mairie)}).status_code == 403
    with somebody(acts_service, mairie.people["deposant"]) as depositor:
        given = shared(mairie)
        found = lines(send(depositor, given, FILES[0], to=BATCH))
        sent = send(depositor, {**given, **filled(found, "AVEUGLE"), "do": "send"}, to=BATCH)
        page = depositor.get(sent.headers["location"]).text
        assert "1 acte de ce lot est déposé" in page
        assert "/actes/0" not in page
        theirs = shared(mairie, organisation=acts_service.syndicat.organisation.id)
        assert send(depositor, theirs, FILES[1], to=BATCH).status_code == 404
        for address in (BATCH, f"{BATCH}/lignes"):
            assert depositor.post(address, data=shared(mairie)).status_code == 403
