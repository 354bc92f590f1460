"""Acts found by what is said of them, and their numbers for software: on each database alike, and by many who ask at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest

from api.acts import finding
from api.s2low import asking
from api.s2low.calls import Call
from api.s2low.door import Account
from api.s2low.numbers import message_numbered, numbers_of
from core import clock
from core.database import Database
from core.errors import NotFound
from core.organisations import Organisation, OrganisationKind, add_organisation
from core.platform import Platform
from core.principal import PLATFORM, Principal, Right
from flows.actes.models import ActesMessage
from flows.engine.models import Dossier

DECIDED = date(2026, 11, 20)


@dataclass(frozen=True)
class Archive:
    """Two collectivités with acts, in one database."""

    platform: Platform
    town: Organisation
    other: Organisation
    messages: dict[str, ActesMessage]

    def numbers(self, **wanted: Any) -> list[str]:
        """The numbers of the acts that are wanted, newest first."""
        with self.platform.database.reading(PLATFORM) as session:
            return [one.facts["act"]["number"] for one in finding.page(session, finding.Wanted(**wanted), 10).acts]

    def call(self, **query: str) -> Call:
        reader = Principal("token:essai", {self.town.id: frozenset({Right.READ, Right.DEPOSIT})})
        return Call(self.platform, Account(reader, self.town, ""), query)


@pytest.fixture
def kept(database: Database) -> Archive:
    platform = cast("Platform", SimpleNamespace(database=database))
    messages = {}
    with database.writing(PLATFORM) as session:
        town, other = (add_organisation(session, name, OrganisationKind.COLLECTIVITE) for name in ("Ici", "Ailleurs"))
        for rank in range(6):
            owner = other if rank == 5 else town
            made = _act(owner, rank)
            session.add(made)
            session.flush()
            for code in ("1-1", *(("2-1", "3-1") if rank == 2 else ())):
                message = _message(made, code)
                session.add(message)
                messages[f"{rank}.{code}"] = message
    return Archive(platform, town, other, messages)


def _act(owner: Organisation, rank: int) -> Dossier:
    decided = DECIDED + timedelta(days=rank)
    act = {
        "number": f"N_{rank}",
        "decision_date": decided.isoformat(),
        "nature": 1 + rank % 2,
        "matieres": [7, 10],
        "subject": f"Objet {rank}",
        "paper": False,
        "previous": None,
        "pieces": [["document", None, None]],
    }
    facts = {"act": act, "id_acte": f"040-214009995-{decided:%Y%m%d}-N_{rank}-DE"}
    state = "sent" if rank == 1 else "received"
    moment = clock.now() - timedelta(hours=10 - rank)
    return Dossier(
        organisation_id=owner.id, flow="actes", title=f"N_{rank} – Objet {rank}", state=state, facts=facts, created=moment
    )


def _message(act: Dossier, code: str) -> ActesMessage:
    ours = code == "1-1"
    return ActesMessage(
        organisation_id=act.organisation_id,
        dossier_id=act.id,
        code=code,
        id_acte=act.facts["id_acte"],
        outgoing=ours,
        state="to_send" if ours else "received",
        actor="platform",
    )


def test_acts_are_found_by_what_is_said_of_them(kept: Archive) -> None:
    assert kept.numbers() == ["N_5", "N_4", "N_3", "N_2", "N_1", "N_0"]
    assert kept.numbers(organisations=(kept.town.id,), nature=2) == ["N_3", "N_1"]
    assert kept.numbers(number="N_4") == ["N_4"]
    assert kept.numbers(states=("sent",)) == ["N_1"]
    assert kept.numbers(decided_from=DECIDED + timedelta(days=4)) == ["N_5", "N_4"]
    assert kept.numbers(decided_to=DECIDED) == ["N_0"]
    assert kept.numbers(text="objet 3") == ["N_3"]


def test_pages_follow_each_other_without_a_gap(kept: Archive) -> None:
    walked, after = [], None
    with kept.platform.database.reading(PLATFORM) as session:
        while True:
            page = finding.page(session, finding.Wanted(), 4, after)
            walked += [one.title for one in page.acts]
            if page.after is None:
                break
            after = page.after
    assert (len(walked), len(set(walked)), page.total, page.exact) == (6, 6, 6, True)


def test_a_number_is_given_once_whoever_asks_at_the_same_time(kept: Archive) -> None:
    messages = list(kept.messages.values())
    with ThreadPoolExecutor(4) as threads:
        given = list(threads.map(lambda _: numbers_of(kept.platform, messages), range(4)))
    assert all(one == given[0] for one in given)
    assert len(set(given[0].values())) == len(messages)
    assert numbers_of(kept.platform, messages) == given[0]


def test_a_number_opens_the_messages_of_its_own_organisation_only(kept: Archive) -> None:
    message = kept.messages["5.1-1"]
    number = numbers_of(kept.platform, [message])[message.id]
    with kept.platform.database.reading(PLATFORM) as session:
        assert message_numbered(session, kept.other.id, number).id == message.id
        for organisation, asked in ((kept.town.id, number), (kept.other.id, number + 1), (kept.other.id, 2**40)):
            with pytest.raises(NotFound):
                message_numbered(session, organisation, asked)


def test_letters_are_unread_until_they_are_said_to_be_read(kept: Archive) -> None:
    unread = asking.unread(kept.call())
    numbers = numbers_of(kept.platform, [kept.messages["2.2-1"], kept.messages["2.3-1"]])
    plain = numbers[kept.messages["2.2-1"].id]
    assert f'"id": "{plain}"' in bytes(unread.body).decode()
    asking.read(kept.call(transaction_id=str(plain)))
    left = bytes(asking.unread(kept.call()).body).decode()
    assert f'"id": "{plain}"' not in left
    assert f'"id": "{numbers[kept.messages["2.3-1"].id]}"' in left


def test_acts_are_listed_and_counted_by_status(kept: Archive) -> None:
    listed = bytes(asking.acts(kept.call(status_id="1")).body).decode()
    assert [number for number in ("N_4", "N_3", "N_2", "N_0") if f'"{number}"' in listed] == ["N_4", "N_3", "N_2", "N_0"]
    assert '"N_5"' not in listed
    assert '"nb_transactions": "1"' in bytes(asking.count(kept.call(status_id="3")).body).decode()
