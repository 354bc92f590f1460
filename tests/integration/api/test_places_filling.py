"""The page of the places says how many copies a place lacks, and to an operator how far the round is that brings them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from archive.replication import rounds
from archive.watch.looking import Budget
from core.identifiers import new_id
from core.organisations import Organisation
from core.people import add_person, grant_role
from core.principal import PLATFORM, Right
from core.s3_server import S3Server
from tests.bit_flips import flip
from tests.integration.api.acts_forms import somebody
from tests.integration.api.service import PASSWORD, web_service
from tests.kept_records import SECOND, seal

PATH, OPERATOR = "/archives/lieux", "exploitante@lieux.test"


def test_what_a_place_lacks_is_counted_for_who_watches_and_the_round_is_told_to_who_operates(
    s3: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "secret").write_text(s3.secret_key)
    place = {
        "name": SECOND,
        "endpoint": s3.endpoint,
        "access_key": s3.access_key,
        "secret_key_file": str(tmp_path / "secret"),
        "bucket_prefix": f"t{new_id().lower()[-12:]}",
    }
    (tmp_path / "places.json").write_text(json.dumps([place]))
    with web_service(s3, tmp_path, archive_places_file=tmp_path / "places.json") as service:
        before = replace(service.platform, further=())
        records = [seal(before, service.mairie.organisation, tmp_path) for _ in range(3)]
        flip(s3, (tmp_path / f"{records[0].id}.zip").read_bytes(), 50, bucket=before.objects.archive)
        with before.database.writing(PLATFORM) as session:
            root = session.get_one(Organisation, service.mairie.organisation.parent_id)
            grant_role(session, add_person(session, OPERATOR, "Exploitante", PASSWORD), root, "exploite", {Right.OPERATE})
        with somebody(service, OPERATOR) as operator, somebody(service, service.mairie.email) as agent:
            assert "3 copies manquent encore" in operator.get(PATH).text
            monkeypatch.setattr(rounds, "_RUN", Budget(2, 1 << 30))
            rounds.go_on(service.platform)
            page, told = operator.get(PATH).text, agent.get(PATH).text
            assert ("2 copies manquent encore" in page, "1 objet apporté depuis le" in page) == (True, True)
            assert "Un objet que nul autre lieu ne donne intact" in page
            assert ("2 copies manquent encore" in told, "apporté" in told, "intact" in told) == (True, False, False)
            rounds.go_on(service.platform)
            rounds.go_on(service.platform)
            page = operator.get(PATH).text
            assert ("Une copie manque encore" in page, "apporté" in page) == (True, False)
        with somebody(service, service.syndicat.email) as neighbour:
            assert "manque" not in neighbour.get(PATH).text
