"""The file of the further places of the archive: what it says, and every way in which it can be wrong, without the secret."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from core.errors import Misconfigured
from core.places import further_places
from core.platform import open_platform
from core.settings import Settings, load_settings

SECRET = "le-secret-du-second-site"


def place(folder: Path, **other: object) -> dict[str, Any]:
    (folder / "secret").write_text(f"{SECRET}\n")
    known = {
        "name": "site-b",
        "endpoint": "https://s3.example:9000",
        "access_key": "tabellion",
        "secret_key_file": str(folder / "secret"),
        "bucket_prefix": "tabellion-b",
    }
    return {name: value for name, value in (known | other).items() if value is not None}


def settings(folder: Path, told: object) -> Settings:
    path = folder / "places.json"
    path.write_text(told if isinstance(told, str) else json.dumps(told))
    return Settings(archive_places_file=path, s3_endpoint="http://s3.example", s3_bucket_prefix="tabellion")


def test_without_a_file_there_is_one_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TABELLION_ARCHIVE_PLACES_FILE", "")
    assert load_settings().archive_places_file is None
    assert further_places(load_settings()) == ()


def test_each_place_has_its_bucket_its_secret_and_its_rhythm(tmp_path: Path) -> None:
    told = [place(tmp_path), place(tmp_path, name="site-c", bucket_prefix="c", audit_days=30)]
    first, second = further_places(settings(tmp_path, told))
    assert [(one.name, one.store.archive, one.audit_days) for one in (first, second)] == [
        ("site-b", "tabellion-b-archive", 365),
        ("site-c", "c-archive", 30),
    ]
    assert first.store._credentials.secret_key == SECRET


@pytest.mark.parametrize(
    ("told", "where"),
    [
        ("{", "JSON"),
        ({}, "JSON"),
        ([{"nom": "b"}], "0.nom"),
        ([{"name": "Site B"}], "0.name"),
        ([{"name": "site-b", "audit_days": 0}], "0.audit_days"),
        ([{"secret_key": SECRET}], "0.secret_key"),
    ],
)
def test_a_file_that_does_not_describe_places_is_refused_where_it_is_wrong(tmp_path: Path, told: object, where: str) -> None:
    with pytest.raises(Misconfigured, match="TABELLION_ARCHIVE_PLACES_FILE") as refused:
        further_places(settings(tmp_path, told))
    assert where in str(refused.value)
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize(
    "other",
    [
        [{}, {}],
        [{"name": "principal"}],
        [{"endpoint": "http://s3.example", "bucket_prefix": "tabellion"}],
    ],
    ids=["the same", "the principal's name", "the principal's bucket"],
)
def test_no_name_and_no_bucket_is_given_twice(tmp_path: Path, other: list[dict[str, object]]) -> None:
    with pytest.raises(Misconfigured, match="deux fois"):
        further_places(settings(tmp_path, [place(tmp_path, **one) for one in other]))


def test_a_file_or_a_secret_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"absent\.json"):
        further_places(Settings(archive_places_file=tmp_path / "absent.json"))
    with pytest.raises(Misconfigured, match=r"site-b\.secret_key_file.*nowhere"):
        further_places(settings(tmp_path, [place(tmp_path, secret_key_file=str(tmp_path / "nowhere"))]))
    with pytest.raises(Misconfigured, match="TABELLION_S3_ENDPOINT"):
        further_places(settings(tmp_path, [place(tmp_path, endpoint="s3.example")]))


@pytest.mark.parametrize(("access_key", "secret"), [("", "secret"), ("tabellion", "")])
def test_a_store_without_its_keys_says_which_settings_are_missing(access_key: str, secret: str, tmp_path: Path) -> None:
    told = Settings(
        state_dir=tmp_path, s3_endpoint="http://s3.example", s3_access_key=access_key, s3_secret_key=SecretStr(secret)
    )
    with pytest.raises(Misconfigured, match="TABELLION_S3_ACCESS_KEY"):
        open_platform(told)
