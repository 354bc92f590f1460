"""A reader may be given some files of a record, and nothing then that describes or holds the others."""

from __future__ import annotations

import hashlib
import io
import zipfile
from datetime import date

import pytest

from api.web.archive.requests.parts import ranks_in
from archive.finding import requests
from archive.finding.files import files_of
from archive.models import Record
from core.errors import UsageError
from core.principal import PLATFORM
from tests.integration.api.archive_town import Town, town
from tests.kept_records import seal

__all__ = ["town"]


@pytest.fixture(scope="module")
def opened(town: Town, tmp_path_factory: pytest.TempPathFactory) -> Record:
    """A record that anyone may read, with its four files."""
    record = seal(town.service.platform, town.organisation, tmp_path_factory.mktemp("opened"))
    with town.service.platform.database.writing(PLATFORM) as session:
        session.get_one(Record, record.id).open_from = date(2020, 1, 1)
    return record


def asked(town: Town, record: Record, pieces: str, status: int = 303) -> str:
    """Write a request down; return its page, or what was said against it."""
    wish = {"requester": "Une lectrice", "contact": "guichet", "reason": "Étude", "records": record.id}
    answer = town.post("archiviste", "/archives/demandes", {**wish, f"pieces-{record.id}": pieces})
    assert answer.status_code == status, answer.text
    return answer.headers["location"].partition("?")[0] if status == 303 else answer.text


def given(town: Town, place: str) -> tuple[str, dict[str, bytes]]:
    """Agree to a request; return the page of its reader, and what they take."""
    assert town.post("archiviste", f"{place}/reponse", {"decision": "accord"}).status_code == 303
    with town.service.client() as reader:
        link = town.link(place)
        page, taken = reader.get(link).text, reader.post(link).content
    with zipfile.ZipFile(io.BytesIO(taken)) as zipped:
        return page, {name: zipped.read(name) for name in zipped.namelist()}


def test_a_reader_of_some_files_is_given_these_and_no_manifest_of_the_others(town: Town, opened: Record) -> None:
    form = town.see("archiviste", f"/archives/demandes/nouvelle?archive={opened.id}")
    assert 'value="2" class="long">acquit.xml' in form
    place = asked(town, opened, "2 ; 3")
    shown = town.see("archiviste", place)
    assert ("Seulement" in shown, "2. acquit.xml" in shown, "flux.xml" in shown) == (True, True, False)
    page, held = given(town, place)
    assert ("acquit.xml" in page, "Une partie de cette archive" in page, "flux.xml" in page) == (True, True, False)
    assert set(held) == {
        *("LISEZ-MOI.txt", "documents/acquit.xml", "documents/signatures.json", "index.csv", "manifest.xml", "SHA256SUMS")
    }
    assert b"bordereau.xml" not in held["manifest.xml"] + held["LISEZ-MOI.txt"]
    readme = held["LISEZ-MOI.txt"].decode()
    assert "Une partie de l’archive vous a été communiquée" in readme
    entry = town.entries("archive.reading_given")[-1]
    assert (entry.facts["records"], entry.facts["parts"]) == ([opened.id], {opened.id: [2, 3]})


def test_the_digest_of_the_sealed_manifest_goes_with_a_part(town: Town, opened: Record) -> None:
    whole = town.people["lecteur"].get(f"/archives/{opened.id}/communication").content
    with zipfile.ZipFile(io.BytesIO(whole)) as zipped:
        digest = hashlib.sha256(zipped.read("bordereau.xml")).hexdigest()
    _, held = given(town, asked(town, opened, "1"))
    assert digest in held["LISEZ-MOI.txt"].decode()


def test_all_files_one_by_one_are_the_whole_record(town: Town, opened: Record) -> None:
    with town.service.platform.database.reading(PLATFORM) as session:
        count = len(files_of(session, opened.id))
    place = asked(town, opened, f"1-{count}")
    assert "Seulement" not in town.see("archiviste", place)
    _, held = given(town, place)
    assert "bordereau.xml" in held
    assert "parts" not in town.entries("archive.reading_given")[-1].facts


def test_files_that_are_not_there_are_not_written_down(town: Town, opened: Record) -> None:
    assert "ne désigne pas des pièces" in asked(town, opened, "la première", status=400)
    assert "n’a pas de pièce" in asked(town, opened, "2, 9", status=404)
    refused = asked(town, opened, "1-99999", status=400)
    assert ("demandez-la entière" in refused, 'value="1-99999"' in refused) == (True, True)


def test_numbers_are_read_as_people_write_them() -> None:
    assert ranks_in("") == frozenset()
    assert ranks_in("1, 3-5 ;7 – 8 10") == {1, 3, 4, 5, 7, 8, 10}
    assert len(ranks_in("1-999999")) == requests.MOST_FILES + 1
    for text in ("5-3", "a", "1--2", "-1", "1234567", "1 " * 600):
        with pytest.raises(UsageError):
            ranks_in(text)
