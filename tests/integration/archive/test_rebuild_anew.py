"""Packages that no journal in the places names are entered as records anew, as what they say of themselves."""

from __future__ import annotations

import hashlib
from datetime import date
from pathlib import Path

from sqlmodel import select

from archive.models import Record
from archive.places import places
from archive.retention.defaults import FREE, PRIVATE_LIFE
from archive.stored_zip import stored_zip
from core import clock
from core.identifiers import new_id
from core.organisations import Organisation
from core.platform import Platform
from core.principal import PLATFORM
from signing.timestamp.client import TimestampClient
from tests.conftest import on_one_shape
from tests.kept_records import seal
from tests.rebuilt import copied, rebuilt

_MANIFEST = """<ArchiveTransfer xmlns="fr:gouv:culture:archivesdefrance:seda:v2.1"><DataObjectPackage><DescriptiveMetadata>
{units}</DescriptiveMetadata><ManagementMetadata/></DataObjectPackage></ArchiveTransfer>"""
_UNIT = """<ArchiveUnit id="{name}"><Management><AppraisalRule><Rule>{rule}</Rule><StartDate>2010-01-01</StartDate>
<FinalAction>Keep</FinalAction></AppraisalRule><AccessRule><Rule>{access}</Rule><StartDate>{start}</StartDate></AccessRule>
</Management><Content><Title>{name}</Title></Content></ArchiveUnit>"""


def unit(name: str, access: str, start: str, rule: str = "APP-COMPTA-10ANS") -> str:
    return _UNIT.format(name=name, access=access, start=start, rule=rule)


def put(platform: Platform, folder: Path, key: str, *units: str) -> str:
    """Put a package under lock, and nothing else; return its key, in which ``{}`` stands for its digest."""
    path = folder / f"{new_id()}.zip"
    with stored_zip(path, clock.now()) as zipped:
        zipped.add("manifest.xml", _MANIFEST.format(units="".join(units)).encode())
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    named = key.format(sha256[:16])
    places.seal(platform, named, path, sha256)
    return named


def found(platform: Platform) -> dict[str, Record]:
    with platform.database.reading(PLATFORM) as session:
        return {record.key: record for record in session.exec(select(Record))}


@on_one_shape
def test_what_was_sealed_after_the_last_head_in_the_places_is_entered_anew(
    kept: Platform, dropped: Platform, mairie: Organisation, stamps: TimestampClient, tmp_path: Path
) -> None:
    seal(kept, mairie, tmp_path)
    copied(kept, stamps)
    late = seal(kept, mairie, tmp_path)

    done = rebuilt(dropped)

    assert (done.records, done.anew, done.unknown) == (2, 1, ())
    entered = found(dropped)[late.key]
    assert (entered.sha256, entered.title, entered.keep_until) == (late.sha256, late.title, late.keep_until)
    assert (entered.dossier_id, entered.kind) == (late.dossier_id, "transfer")
    assert (entered.confidential, entered.withheld) == (True, True)


@on_one_shape
def test_packages_of_no_dossier_are_entered_each_as_its_kind(
    kept: Platform, dropped: Platform, mairie: Organisation, stamps: TimestampClient, tmp_path: Path
) -> None:
    seal(kept, mairie, tmp_path)
    copied(kept, stamps)
    keys = {put(kept, tmp_path, f"{mairie.id}/elimination/{{}}.zip", unit(name, FREE.identifier, "2020-01-01")) for name in "ab"}

    assert (rebuilt(dropped).anew, rebuilt(dropped).anew) == (2, 2)

    entered = [record for key, record in found(dropped).items() if key in keys]
    assert [(record.kind, record.dossier_id) for record in entered] == [("elimination", None)] * 2


@on_one_shape
def test_the_rule_that_ends_last_counts_and_the_manifest_says_what_comes_then(
    kept: Platform, dropped: Platform, mairie: Organisation, stamps: TimestampClient, tmp_path: Path
) -> None:
    seal(kept, mairie, tmp_path)
    copied(kept, stamps)
    several = unit("a", PRIVATE_LIFE.identifier, "2020-01-01"), unit("b", FREE.identifier, "2021-01-01")
    known = put(kept, tmp_path, f"{mairie.id}/{new_id()}/{{}}.zip", *several)
    unheard_of = put(kept, tmp_path, f"{mairie.id}/{new_id()}/{{}}.zip", unit("c", FREE.identifier, "2021-01-01", "APP-PERDUE"))

    assert rebuilt(dropped).anew == 2

    record, other = (found(dropped)[key] for key in (known, unheard_of))
    assert (record.access, record.open_from) == ("AR048 v1", date(2070, 1, 1))
    assert (record.rule, record.final_action, record.keep_until) == ("APP-COMPTA-10ANS v1", "Keep", date(2020, 1, 1))
    assert (other.final_action, other.keep_until, other.open_from) == ("Keep", None, None)


@on_one_shape
def test_what_is_no_record_of_ours_is_told_and_stops_nothing(
    kept: Platform, dropped: Platform, mairie: Organisation, stamps: TimestampClient, tmp_path: Path
) -> None:
    record = seal(kept, mairie, tmp_path)
    copied(kept, stamps)
    one = unit("a", FREE.identifier, "2020-01-01")
    unknown = {
        put(kept, tmp_path, f"{mairie.id}/{record.dossier_id}/{{}}.zip", one),  # left by an earlier try of the same sealing
        put(kept, tmp_path, f"{mairie.id}/{new_id()}/0123456789abcdef.zip", one),
        put(kept, tmp_path, f"{new_id()}/{new_id()}/{{}}.zip", one),
        put(kept, tmp_path, f"{mairie.id}/a folder/whose name is longer than/that of any dossier/{{}}.zip", one),
    }
    twice = f"{mairie.id}/{new_id()}/{{}}.zip"
    pair = [put(kept, tmp_path, twice, unit(name, FREE.identifier, "2020-01-01")) for name in "bc"]

    done = rebuilt(dropped)

    assert (done.anew, set(done.unknown)) == (1, {*unknown, max(pair)})
