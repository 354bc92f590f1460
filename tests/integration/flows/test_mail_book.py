"""The book on a real database: what is shared from above, what others do not see, groups, tables, templates."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from pydantic import SecretStr

from core import clock
from core.blobs import ObjectStore
from core.errors import Conflict, Forbidden, NotFound, UsageError
from core.organisations import Organisation, OrganisationKind, add_organisation
from core.platform import Platform, open_platform
from core.principal import PLATFORM, Principal, Right
from core.settings import Settings
from flows.mail.book import contacts, exchanging, groups, templates
from flows.mail.book.contacts import Told
from flows.mail.book.models import Contact
from flows.mail.book.written import FaultyLines
from tests.databases import empty

EVERYTHING = frozenset({Right.READ, Right.DEPOSIT})


@dataclass(frozen=True)
class Tree:
    """A syndicat, a commune below it with a service, and another commune; a clerk of each."""

    platform: Platform
    syndicat: Organisation
    mairie: Organisation
    service: Organisation
    other: Organisation

    def clerk(self, *organisations: Organisation, rights: frozenset[Right] = EVERYTHING) -> Principal:
        return Principal("person:essai", {one.id: rights for one in organisations})


@pytest.fixture(scope="module")
def tree(migrated_postgres: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tree]:
    folder, no_store = tmp_path_factory.mktemp("book"), ObjectStore("http://127.0.0.1:9", "nobody", "asks", "book")
    platform = open_platform(Settings(state_dir=folder, database_url=SecretStr(migrated_postgres)), no_store)
    with platform.database.writing(PLATFORM) as session:
        kind = OrganisationKind.COLLECTIVITE
        root = add_organisation(session, "Plateforme du carnet", OrganisationKind.PLATFORM)
        syndicat = add_organisation(session, "Syndicat du Val", kind, parent=root)
        mairie = add_organisation(session, "Commune du Val", kind, parent=syndicat)
        service = add_organisation(session, "Service des assemblées", OrganisationKind.SERVICE, parent=mairie)
        other = add_organisation(session, "Commune d’ailleurs", kind, parent=root)
    yield Tree(platform, syndicat, mairie, service, other)
    platform.database.close()
    empty(migrated_postgres)


def found(tree: Tree, who: Organisation, text: str = "") -> list[str]:
    page = contacts.search(tree.platform, tree.clerk(who), who.id, text)
    return [one.name for one in page.contacts]


def test_groups_templates_and_contacts_from_above_serve_those_below_and_nobody_else(tree: Tree) -> None:
    platform, above, below = tree.platform, tree.clerk(tree.syndicat), tree.clerk(tree.mairie)
    maire = contacts.add(platform, above, tree.syndicat.id, Told("elodie@val.test", "Élodie  Roy", "maire"))
    mine = contacts.add(platform, below, tree.mairie.id, Told("Sacha@Val.test", "Sacha Perrin"))
    shared = groups.make(platform, above, tree.syndicat.id, "Maires")
    kept = groups.make(platform, above, tree.syndicat.id, "Bureau", shared=False)
    for group in (shared, kept):
        assert groups.put(platform, above, group.id, [maire.id, maire.id]) == 1
    local = groups.make(platform, below, tree.mairie.id, "Maires")
    assert groups.put(platform, below, local.id, [maire.id, mine.id]) == 2
    templates.keep(platform, above, tree.syndicat.id, templates.Told("Avis", "secured", "Avis de {service}", "Bonjour {nom}"))

    for place in (tree.mairie, tree.service):
        clerk = tree.clerk(place)
        assert found(tree, place, "elo ROY") == ["Élodie Roy"]
        assert found(tree, place, "VAL.test perrin") == ["Sacha Perrin"]
        assert found(tree, place, "_lodie %") == []
        seen = [(one.group.id, one.members, one.inherited) for one in groups.reached(platform, clerk, place.id)]
        expected = [(shared.id, 1, True)] + ([(local.id, 2, False)] if place is tree.mairie else [])
        assert sorted(seen) == sorted(expected + ([(local.id, 2, True)] if place is tree.service else []))
        assert [one.name for one in groups.one(platform, clerk, place.id, local.id)[1]] == ["Élodie Roy", "Sacha Perrin"]
        assert [one.name for one in templates.reached(platform, clerk, place.id)] == ["Avis"]
        with pytest.raises(NotFound):
            groups.one(platform, clerk, place.id, kept.id)
    known = contacts.known(platform, below, tree.mairie.id, ["elodie@val.test", "inconnu@val.test"])
    assert {normal: one.id for normal, one in known.items()} == {"elodie@val.test": maire.id}

    stranger = tree.clerk(tree.other)
    assert found(tree, tree.other) == []
    assert groups.reached(platform, stranger, tree.other.id) == []
    assert templates.reached(platform, stranger, tree.other.id) == []
    with pytest.raises(NotFound):
        groups.one(platform, stranger, tree.other.id, shared.id)
    with pytest.raises(Forbidden):
        contacts.search(platform, stranger, tree.mairie.id)
    own = groups.make(platform, stranger, tree.other.id, "Maires")
    for contact in (maire, mine):
        with pytest.raises(NotFound):
            groups.put(platform, stranger, own.id, [contact.id])


def test_whoever_is_not_of_the_organisation_changes_nothing_of_its_book(tree: Tree) -> None:
    platform, clerk = tree.platform, tree.clerk(tree.syndicat)
    contact = contacts.add(platform, clerk, tree.syndicat.id, Told("tenu@val.test"))
    group = groups.make(platform, clerk, tree.syndicat.id, "Tenus")
    template = templates.keep(platform, clerk, tree.syndicat.id, templates.Told("Tenu", "secured", "Avis"))

    def changes(who: Principal) -> list[Callable[[], object]]:
        return [
            lambda: contacts.add(platform, who, tree.syndicat.id, Told("autre@val.test")),
            lambda: contacts.change(platform, who, contact.id, Told("autre@val.test")),
            lambda: contacts.confirm(platform, who, contact.id),
            lambda: contacts.delete(platform, who, contact.id),
            lambda: groups.make(platform, who, tree.syndicat.id, "Autre"),
            lambda: groups.change(platform, who, group.id, "Autre", shared=True),
            lambda: groups.put(platform, who, group.id, [contact.id]),
            lambda: groups.take_out(platform, who, group.id, contact.id),
            lambda: groups.delete(platform, who, group.id),
            lambda: templates.keep(platform, who, tree.syndicat.id, templates.Told("Tenu", "secured", "Pris"), template.id),
            lambda: templates.delete(platform, who, template.id),
            lambda: exchanging.take(platform, who, tree.syndicat.id, b"autre@val.test"),
        ]

    for who, refused in (
        (tree.clerk(tree.mairie), NotFound),
        (tree.clerk(tree.other), NotFound),
        (tree.clerk(tree.syndicat, rights=frozenset({Right.READ})), Forbidden),
    ):
        for change in changes(who):
            with pytest.raises(refused):
                change()


def test_a_contact_in_a_group_is_not_deleted_wherever_the_group_is(tree: Tree) -> None:
    platform, above, below = tree.platform, tree.clerk(tree.syndicat), tree.clerk(tree.mairie)
    contact = contacts.add(platform, above, tree.syndicat.id, Told("groupe@val.test", "Groupé"))
    with pytest.raises(Conflict, match=r"Groupe@VAL\.test est déjà"):
        contacts.add(platform, above, tree.syndicat.id, Told("Groupe@VAL.test"))
    here = groups.make(platform, above, tree.syndicat.id, "Ici")
    there = groups.make(platform, below, tree.mairie.id, "Secret d’en bas")
    for who, group in ((above, here), (below, there)):
        groups.put(platform, who, group.id, [contact.id])
    with pytest.raises(Conflict, match=r"\(Ici\)"):
        contacts.delete(platform, above, contact.id)
    groups.delete(platform, above, here.id)
    with pytest.raises(Conflict) as refused:
        contacts.delete(platform, above, contact.id)
    assert "Secret" not in str(refused.value)
    groups.take_out(platform, below, there.id, contact.id)
    contacts.delete(platform, above, contact.id)
    assert found(tree, tree.syndicat, "groupé") == []


def test_an_address_that_bounced_is_said_to_until_it_is_confirmed_or_mended(tree: Tree) -> None:
    platform, clerk = tree.platform, tree.clerk(tree.syndicat)
    contact = contacts.add(platform, clerk, tree.syndicat.id, Told("rebond@val.test", "Rebond"))

    def bounced() -> list[str]:
        return [one.id for one in contacts.search(platform, clerk, tree.syndicat.id, bounced=True).contacts]

    for mend in (
        lambda: contacts.confirm(platform, clerk, contact.id),
        lambda: contacts.change(platform, clerk, contact.id, Told("rebondi@val.test", "Rebond")),
    ):
        with platform.database.writing(PLATFORM) as session:
            session.get_one(Contact, contact.id).bounced = clock.now()
        contacts.change(platform, clerk, contact.id, Told("Rebond@val.test", "Rebond", "de l’accueil"))
        assert bounced() == [contact.id]
        mend()
        assert bounced() == []


def test_a_table_of_two_thousand_is_taken_whole_or_not_at_all_and_given_back(tree: Tree) -> None:
    platform, clerk = tree.platform, tree.clerk(tree.other)
    lines = [f"p{rank:04d}@ailleurs.test;Personne {rank:04d};{'Pairs' if rank % 2 == 0 else ''};" for rank in range(2000)]
    faulty = [line.replace("@", "#") if rank % 500 == 3 else line for rank, line in enumerate(lines)]
    with pytest.raises(FaultyLines) as refused:
        exchanging.take(platform, clerk, tree.other.id, "\n".join(faulty).encode())
    assert [one.line for one in refused.value.faults] == [4, 504, 1004, 1504]
    assert found(tree, tree.other) == []

    whole = "\n".join(lines).encode()
    assert exchanging.take(platform, clerk, tree.other.id, whole) == exchanging.Taken(2000, 0, 0, 1)
    assert exchanging.take(platform, clerk, tree.other.id, whole) == exchanging.Taken(0, 0, 2000, 0)
    again = "P0001@ailleurs.test;Nouveau nom;Élus\np0002@ailleurs.test;;Élus".encode()
    assert exchanging.take(platform, clerk, tree.other.id, again) == exchanging.Taken(0, 1, 1, 1)
    sizes = {one.group.name: one.members for one in groups.reached(platform, clerk, tree.other.id)}
    assert (sizes["Pairs"], sizes["Élus"]) == (1000, 2)
    given = "".join(exchanging.give(platform, clerk, tree.other.id))
    assert given.count("\r\n") == 2001
    assert "p0002@ailleurs.test;Personne 0002;Pairs|Élus;\r\n" in given
    assert exchanging.take(platform, clerk, tree.other.id, given.encode()) == exchanging.Taken(0, 0, 2000, 0)

    seen, place = [], None
    while True:
        page = contacts.search(platform, clerk, tree.other.id, "ailleurs", after=place, limit=700)
        seen += [one.normal for one in page.contacts]
        if (place := page.after) is None:
            break
    assert len(seen) == len(set(seen)) == 2000


def test_a_template_is_rewritten_under_its_name_and_the_name_serves_once(tree: Tree) -> None:
    platform, clerk = tree.platform, tree.clerk(tree.mairie)
    kept = templates.keep(platform, clerk, tree.mairie.id, templates.Told("Relance", "secured", "Avis", "Bonjour"))
    templates.keep(platform, clerk, tree.mairie.id, templates.Told("Relance", "notification", "Avis", "Bonjour {nom}"), kept.id)
    with pytest.raises(Conflict, match="Relance"):
        templates.keep(platform, clerk, tree.mairie.id, templates.Told("Relance", "secured", "Autre"))
    with pytest.raises(UsageError):
        templates.keep(platform, clerk, tree.mairie.id, templates.Told("Rappel", "secured", "Deux\nlignes"[:4] + "\x07"))
    (own,) = [one for one in templates.reached(platform, clerk, tree.mairie.id) if one.name == "Relance"]
    assert (own.kind, own.body) == ("notification", "Bonjour {nom}")
    templates.delete(platform, clerk, kept.id)
    assert "Relance" not in [one.name for one in templates.reached(platform, clerk, tree.mairie.id)]
