"""Desks stand in a tree without a loop; people act for them by a seat, or in the place of one that is absent."""

from __future__ import annotations

import itertools
from datetime import date, datetime, timedelta

import pytest

from core import clock
from core.errors import Conflict, Forbidden, NotFound, UsageError
from core.identifiers import new_id
from core.organisations import OrganisationKind, add_organisation
from core.people import Person, add_person, grant_role
from core.principal import Principal, Right
from signing.parapheur import absences, circuits, desks, typology
from signing.parapheur.choice import Row
from signing.parapheur.circuits import Place, Step
from signing.parapheur.models import Capacity, Folder, StepKind, Subtype, Task, TaskState
from signing.parapheur.typology import SubtypeOptions, TypeOptions
from tests.unit.signing.parapheur_desks import Mairie, database, mairie

__all__ = ["database", "mairie"]
_numbers = itertools.count()


def holder(mairie: Mairie, *short_names: str, capacity: Capacity = Capacity.HOLDER) -> Principal:
    person = Person(email=f"{next(_numbers)}@valmorin.test", name="Titulaire", password_hash="")
    mairie.session.add(person)
    mairie.session.flush()
    for short in short_names:
        desks.seat(mairie.session, mairie[short], person.id, capacity)
    return Principal(f"person:{person.id}", {mairie.id: frozenset({Right.ACT, Right.DEPOSIT})})


def kind(mairie: Mairie, name: str) -> Subtype:
    step = Step(kind=StepKind.VISA, places=(Place(desk=mairie["Maire"].id),))
    circuits.draw_up(mairie.session, mairie.id, name.lower(), name, [step])
    of = typology.add_type(mairie.session, mairie.id, name, TypeOptions())
    return typology.add_subtype(mairie.session, of, name, SubtypeOptions(), [Row(circuit=name.lower())])


def sent(mairie: Mairie, emitter: str, title: str) -> Folder:
    """A folder in its circuit."""
    folder = Folder(
        organisation_id=mairie.id,
        dossier_id=new_id(),
        title=title,
        emitter_id=mairie[emitter].id,
        author="platform",
        state="pending",
    )
    mairie.session.add(folder)
    mairie.session.flush()
    return folder


def delegated(mairie: Mairie, absent: str, substitute: str, start: float, end: float | None, **only: str) -> None:
    """Let a desk stand in from some days from now to some others."""
    now = clock.now()
    ends = now + timedelta(days=end) if end is not None else None
    desks.delegate(mairie.session, "platform", mairie[absent], mairie[substitute], now + timedelta(days=start), ends, **only)


@pytest.mark.parametrize(
    ("name", "short_name"),
    [("", "X"), ("N" * 121, "X"), ("Nom", ""), ("Nom", " "), ("Nom", "-X"), ("Nom", "X;Y"), ("Nom", "x" * 61)],
)
def test_a_name_that_cannot_be_is_refused(mairie: Mairie, name: str, short_name: str) -> None:
    with pytest.raises(UsageError, match="nom court de 60"):
        desks.add_desk(mairie.session, mairie.id, name, short_name)


def test_a_short_name_is_taken_once_in_an_organisation(mairie: Mairie) -> None:
    with pytest.raises(Conflict, match="DGS"):
        desks.add_desk(mairie.session, mairie.id, "Autre", " DGS ")
    elsewhere = add_organisation(mairie.session, "Ailleurs", OrganisationKind.COLLECTIVITE)
    assert desks.add_desk(mairie.session, elsewhere.id, "Autre", "DGS").short_name == "DGS"


def test_no_desk_stands_below_itself_however_far(mairie: Mairie) -> None:
    for parent in ("Maire", "DGS", "Secrétariat"):
        with pytest.raises(UsageError, match="au-dessous de lui-même"):
            desks.change_desk(mairie.session, mairie["Maire"], "Maire", "Maire", parent_id=mairie[parent].id)
    elsewhere = add_organisation(mairie.session, "Ailleurs", OrganisationKind.COLLECTIVITE)
    foreign = desks.add_desk(mairie.session, elsewhere.id, "Autre", "Autre")
    mairie["Adjoint"].closed = clock.now()
    for parent_id in (foreign.id, new_id(), mairie["Adjoint"].id):
        with pytest.raises(UsageError, match="bureau au-dessus"):
            desks.change_desk(mairie.session, mairie["DGS"], "DGS", "DGS", parent_id=parent_id)


def test_a_person_acts_at_the_desk_that_they_hold_and_a_supervisor_does_not(mairie: Mairie) -> None:
    own, watching = holder(mairie, "Maire"), holder(mairie, "Maire", capacity=Capacity.SUPERVISOR)
    hand = desks.hand_for(mairie.session, own, mairie["Maire"].id, None)
    assert (hand.desk_id, hand.behalf_id) == (mairie["Maire"].id, None)
    for other in (watching, holder(mairie, "DGS")):
        with pytest.raises(Forbidden, match="ne tenez pas"):
            desks.hand_for(mairie.session, other, mairie["Maire"].id, None)
    with pytest.raises(Forbidden, match="logiciel"):
        desks.hand_for(mairie.session, Principal("token:01", {mairie.id: frozenset({Right.ACT})}), mairie["Maire"].id, None)
    desks.allow(mairie.session, mairie["Maire"], may_create=True, may_act=False, may_chain=False)
    with pytest.raises(Forbidden, match="ni viser ni signer"):
        desks.hand_for(mairie.session, own, mairie["Maire"].id, None)


def test_a_substitute_acts_in_the_place_of_the_absent_desk_on_the_days_told(mairie: Mairie) -> None:
    substitute = holder(mairie, "Adjoint")
    delegated(mairie, "Maire", "Adjoint", -2, -1)
    delegated(mairie, "Maire", "Adjoint", 1, 2)
    with pytest.raises(Forbidden):
        desks.hand_for(mairie.session, substitute, mairie["Maire"].id, None)
    delegated(mairie, "Maire", "Adjoint", -1, 1)
    hand = desks.hand_for(mairie.session, substitute, mairie["Maire"].id, None)
    assert (hand.desk_id, hand.behalf_id) == (mairie["Adjoint"].id, mairie["Maire"].id)


def test_a_desk_that_may_not_act_does_not_act_for_another(mairie: Mairie) -> None:
    substitute = holder(mairie, "Adjoint")
    delegated(mairie, "Maire", "Adjoint", -1, None)
    desks.allow(mairie.session, mairie["Adjoint"], may_create=True, may_act=False, may_chain=False)
    mairie.session.flush()
    with pytest.raises(Forbidden, match="ne tenez pas"):
        desks.hand_for(mairie.session, substitute, mairie["Maire"].id, None)
    today = clock.in_paris(clock.now()).date()
    with pytest.raises(UsageError, match="ni viser ni signer"):
        absences.announce(mairie.session, holder(mairie, "DGS"), absences.Absence(mairie["DGS"].id, mairie["Adjoint"].id, today))


def test_a_delegation_may_cover_one_type_or_one_subtype_and_several_stand_at_once(mairie: Mairie) -> None:
    mail, market, note = (kind(mairie, name) for name in ("Courrier", "Marche", "Notes"))
    first, second = holder(mairie, "Adjoint"), holder(mairie, "DGS")
    delegated(mairie, "Maire", "Adjoint", -1, None, type_id=mail.type_id)
    delegated(mairie, "Maire", "DGS", -1, None, type_id=market.type_id, subtype_id=market.id)

    def may(who: Principal, of: Subtype) -> bool:
        try:
            return desks.hand_for(mairie.session, who, mairie["Maire"].id, of.id).behalf_id == mairie["Maire"].id
        except Forbidden:
            return False

    assert [may(first, of) for of in (mail, market, note)] == [True, False, False]
    assert [may(second, of) for of in (mail, market, note)] == [False, True, False]


def test_two_desks_do_not_stand_in_for_each_other_at_the_same_time(mairie: Mairie) -> None:
    delegated(mairie, "Maire", "Adjoint", 0, 10)
    with pytest.raises(Conflict, match="lui-même remplacé"):
        delegated(mairie, "Adjoint", "Maire", 5, 6)
    with pytest.raises(Conflict, match="lui-même remplacé"):
        delegated(mairie, "Adjoint", "Maire", 9, None)
    delegated(mairie, "Adjoint", "Maire", 11, 12)
    for absent, substitute, start, end in (("Maire", "Maire", 0, 1), ("Maire", "DGS", 2, 1)):
        with pytest.raises(UsageError):
            delegated(mairie, absent, substitute, start, end)


def test_an_absence_that_is_ended_is_over_and_one_to_come_never_was(mairie: Mairie) -> None:
    own = holder(mairie, "Maire")
    delegated(mairie, "Maire", "Adjoint", -1, 5)
    delegated(mairie, "Maire", "DGS", 8, None)
    found = absences.given(mairie.session, [mairie["Maire"].id])
    assert [(one.substitute, one.under_way, one.last is None) for one in found] == [
        ("Bureau Adjoint", True, False),
        ("Bureau DGS", False, True),
    ]
    assert [one.desk for one in absences.received(mairie.session, [mairie["DGS"].id])] == ["Bureau Maire"]
    for one in found:
        absences.end(mairie.session, own, one.id)
    mairie.session.flush()
    assert absences.given(mairie.session, [mairie["Maire"].id]) == []
    with pytest.raises(NotFound):
        absences.end(mairie.session, own, new_id())


def test_an_absence_that_was_cancelled_before_it_began_forbids_nothing(mairie: Mairie) -> None:
    own, today = holder(mairie, "Maire"), clock.in_paris(clock.now()).date()
    first = today + timedelta(days=8)
    wanted = absences.Absence(mairie["Maire"].id, mairie["Adjoint"].id, first, first + timedelta(days=2))
    absences.end(mairie.session, own, absences.announce(mairie.session, own, wanted).id)
    mairie.session.flush()
    delegated(mairie, "Adjoint", "Maire", 1, 30)
    delegated(mairie, "Adjoint", "Maire", 1, None)
    assert not [user for user in desks.users_of(mairie.session, mairie["Adjoint"]) if "suppléance" in user]
    desks.close_desk(mairie.session, mairie["Adjoint"])


@pytest.mark.parametrize(
    ("first", "last"), [(None, date.max), (date.max, None), (date.max, date.max), (None, date.max - timedelta(days=1))]
)
def test_an_absence_is_of_the_years_to_come(mairie: Mairie, first: date | None, last: date | None) -> None:
    own, today = holder(mairie, "Maire"), clock.in_paris(clock.now()).date()
    with pytest.raises(UsageError, match="10 ans qui viennent"):
        absences.announce(mairie.session, own, absences.Absence(mairie["Maire"].id, mairie["Adjoint"].id, first or today, last))
    far = absences.Absence(mairie["Maire"].id, mairie["Adjoint"].id, today, today.replace(year=today.year + 10, day=1))
    assert absences.announce(mairie.session, own, far).ends is not None


def test_the_last_day_of_an_absence_is_included_in_french_days(mairie: Mairie) -> None:
    own, today = holder(mairie, "Maire"), clock.in_paris(clock.now()).date()
    first, last = today + timedelta(days=3), today + timedelta(days=4)
    wanted = absences.Absence(mairie["Maire"].id, mairie["Adjoint"].id, first, last)
    made = absences.announce(mairie.session, own, wanted)
    assert made.ends is not None
    assert [clock.in_paris(moment) for moment in (made.starts, made.ends)] == [
        datetime(day.year, day.month, day.day, tzinfo=clock.PARIS) for day in (first, last + timedelta(days=1))
    ]
    (shown,) = absences.given(mairie.session, [mairie["Maire"].id])
    assert (shown.first, shown.last) == (first, last)


def test_a_desk_in_use_is_not_closed_and_is_told_by_whom(mairie: Mairie) -> None:
    used = kind(mairie, "Courrier")
    typology.change_subtype(
        mairie.session, used, "Courrier", SubtypeOptions(creation_desks=(mairie["Secrétariat"].id,)), [Row(circuit="courrier")]
    )
    delegated(mairie, "Maire", "Adjoint", 1, 2)
    sent(mairie, "DGS", "Délibération 12")
    told = {
        "Maire": ["circuit « Courrier »", "bureau « Bureau Adjoint » placé au-dessous"],
        "DGS": ["bureau « Bureau Secrétariat » placé au-dessous", "dossier « Délibération 12 »"],
        "Secrétariat": ["sous-type « Courrier »"],
        "Adjoint": ["suppléance du bureau « Bureau Maire »"],
    }
    for short, users in told.items():
        with pytest.raises(Conflict) as refused:
            desks.close_desk(mairie.session, mairie[short])
        for user in users:
            assert user in str(refused.value).replace("\u00a0", " ")
        assert mairie[short].closed is None


def test_a_folder_that_waits_at_a_desk_keeps_it_open(mairie: Mairie) -> None:
    spare = desks.add_desk(mairie.session, mairie.id, "Accueil", "Accueil")
    folder = sent(mairie, "DGS", "Bon 7")
    task = Task(organisation_id=mairie.id, folder_id=folder.id, rank=0, kind="visa", desk_id=spare.id, state=TaskState.OPEN.value)
    mairie.session.add(task)
    mairie.session.flush()
    with pytest.raises(Conflict, match="Bon 7"):
        desks.close_desk(mairie.session, spare)
    task.state = TaskState.DONE.value
    mairie.session.flush()
    desks.close_desk(mairie.session, spare)
    assert desks.around(mairie.session, "personne").any is False


def test_a_reopened_desk_whose_head_is_closed_stands_alone(mairie: Mairie) -> None:
    for short in ("Secrétariat", "DGS"):
        desks.close_desk(mairie.session, mairie[short])
        mairie.session.flush()
    desks.reopen_desk(mairie.session, mairie["Secrétariat"])
    assert (mairie["Secrétariat"].closed, mairie["Secrétariat"].parent_id) == (None, None)


def test_a_closed_desk_is_held_by_nobody_any_more(mairie: Mairie) -> None:
    own = holder(mairie, "Secrétariat")
    desks.close_desk(mairie.session, mairie["Secrétariat"])
    mairie.session.flush()
    assert desks.around(mairie.session, desks.person_of(own)).held == ()


def test_the_desks_that_can_be_chosen_are_those_associated_or_all_that_act(mairie: Mairie) -> None:
    everyone = {desk.short_name for desk in desks.reachable(mairie.session, mairie["DGS"])}
    assert everyone == {"Maire", "DGS", "Secrétariat", "Adjoint"}
    desks.allow(mairie.session, mairie["DGS"], may_create=True, may_act=True, may_chain=False, associated=[mairie["Maire"].id])
    assert [desk.short_name for desk in desks.reachable(mairie.session, mairie["DGS"])] == ["Maire"]
    with pytest.raises(UsageError, match="bureaux ouverts"):
        desks.allow(mairie.session, mairie["DGS"], may_create=True, may_act=True, may_chain=False, associated=[new_id()])


def test_people_who_may_be_seated_have_a_role_in_the_organisation_or_above_it(mairie: Mairie) -> None:
    root = add_organisation(mairie.session, "Plateforme", OrganisationKind.PLATFORM)
    town = add_organisation(mairie.session, "Ville", OrganisationKind.COLLECTIVITE, parent=root)
    service = add_organisation(mairie.session, "Voirie", OrganisationKind.SERVICE, parent=town)
    for name, where in (("Racine", root), ("Ville", town), ("Service", service), ("Ailleurs", mairie.organisation)):
        person = add_person(mairie.session, f"{name}{next(_numbers)}@x.test", name, None)
        grant_role(mairie.session, person, where, "signataire")
    mairie.session.flush()
    assert [person.name for person in desks.seatable(mairie.session, service)] == ["Service", "Ville"]
    assert [person.name for person in desks.seatable(mairie.session, town)] == ["Ville"]
