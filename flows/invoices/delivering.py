"""What a delivery holds, and putting it into a place of the finance software, once.

As for what goes to the State: what will be written is recorded before anything leaves, and that it is about to be published
before it is. The rename of each temporary file succeeds once, so that what stands in the place after a crash tells what is still
to be done.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from sqlmodel import col, select

from connectors.finance.client import opened
from connectors.finance.errors import NameTaken, TemporaryMissing
from connectors.finance.manifest import Manifest, ManifestFile, read
from connectors.finance.naming import MANIFEST, file_name
from connectors.finance.places import Place
from connectors.finance.settings import Bounds, FolderPlace, SftpPlace
from core import clock
from core.configuration import Configuration
from core.errors import NeedsOperator
from core.messages import Catalogue
from core.organisations import Organisation, OrganisationKind
from core.platform import Platform
from core.principal import PLATFORM
from flows.engine.models import DossierFile
from flows.engine.overtaken import resumed_since
from flows.engine.work import Work
from flows.invoices.models import ReceivedInvoice
from flows.invoices.settings import HANDOVER, Form, InvoiceHandover

_messages = Catalogue("flows.invoices")
PIVOT, ORIGINAL, READABLE, PIECE = "pivot", "original", "readable", "piece"
OFFERED_ROLES = (PIVOT, ORIGINAL, READABLE, PIECE)
"""What the finance software is given of an invoice, in this order."""
INTENDED, PUBLISHING = "intended", "publishing"

_TOLD = (
    "environment", "chorus_id", "kind", "type", "number", "supplier", "supplier_name", "recipient", "service_code",
    "service_name", "engagement", "contract", "issued", "deposited", "net", "gross", "payable", "currency", "status",
    "available", "due",
)  # fmt: skip
_FORMS = {PIVOT: Form.PIVOT, ORIGINAL: Form.ORIGINAL, READABLE: Form.PDF, PIECE: Form.PIECES}
# A place may be cleared of what was left unfinished: past this age, an absent temporary file proves nothing any more.
_PROOF_HOLDS_FOR = timedelta(hours=12)


class _Doubt(NeedsOperator):
    """Nobody can tell whether a file was delivered."""


@dataclass(frozen=True, slots=True)
class _Item:
    """A file of a delivery."""

    name: str
    sha256: str


def bounds_of(platform: Platform, organisation_id: str) -> Bounds:
    """Return what the operator permits whoever configured an organisation's way to name.

    Each collectivité has a folder of its own below that of the operator, named by its SIREN: none reaches that of another. What
    the platform's own administrators configured stands below the operator's folder itself.
    """
    folder, networks = platform.settings.handover_dir, platform.settings.permitted_networks
    if folder is None:
        return Bounds(None, networks)
    with platform.database.reading(PLATFORM) as session:
        above = session.get_one(Organisation, organisation_id).path.strip("/").split("/")
        saying = select(Organisation).join(Configuration, col(Configuration.organisation_id) == col(Organisation.id))
        owners = session.exec(saying.where(Configuration.name == HANDOVER, col(Organisation.id).in_(above))).all()
    owner = max(owners, key=lambda one: above.index(one.id), default=None)
    if owner is not None and owner.kind != OrganisationKind.PLATFORM:
        folder /= owner.siren or owner.id
    return Bounds(folder, networks)


def offered_files(files: Sequence[DossierFile]) -> list[DossierFile]:
    """Return the files of the present cycle that the finance software is given: those that came with the newest pivot.

    Args:
        files: of the dossier, oldest first.
    """
    starts = [rank for rank, kept in enumerate(files) if kept.role == PIVOT]
    found = {(kept.role, kept.sha256): kept for kept in files[starts[-1] if starts else 0 :] if kept.role in _FORMS}
    return sorted(found.values(), key=lambda kept: OFFERED_ROLES.index(kept.role))


def described(invoice: ReceivedInvoice) -> dict[str, Any]:
    """Return an invoice as a delivery tells it: amounts, days and moments as texts."""
    return {name: _as_text(getattr(invoice, name)) for name in _TOLD}


def _as_text(value: Any) -> Any:
    if isinstance(value, datetime):
        return clock.iso(value)
    if isinstance(value, date):
        return value.isoformat()
    return f"{value:.2f}" if isinstance(value, Decimal) else value


def manifest_of(work: Work, invoice: ReceivedInvoice, delivery: str, settings: InvoiceHandover) -> Manifest:
    """Return what a delivery says of itself."""
    here = f"{work.platform.settings.public_url.rstrip('/')}/v1/invoices/{work.dossier_id}"
    rows = select(DossierFile).where(DossierFile.dossier_id == work.dossier_id)
    with work.platform.database.reading(PLATFORM) as session:
        files = session.exec(rows.order_by(col(DossierFile.created), col(DossierFile.id))).all()
    forms = settings.forms if settings.place is not None else ()
    return Manifest(
        delivery=delivery,
        dossier=work.dossier_id,
        cycle=invoice.cycle,
        offered=clock.iso(clock.now()),
        invoice=described(invoice),
        warnings=tuple(sorted({str(problem["rule"]) for problem in work.facts.get("warnings", ())})),
        files=tuple(_described(offered_files(files), work.facts.get("marks") or {}, delivery, forms, here)),
        href=here,
    )


def _described(
    files: Sequence[DossierFile], marks: dict[str, str], delivery: str, forms: Sequence[Form], here: str
) -> Iterator[ManifestFile]:
    rank = 0
    for kept in files:
        rank += kept.role == PIECE
        wanted = _FORMS[kept.role] in forms and (kept.role == PIVOT or kept.sha256 not in marks)
        yield ManifestFile(
            role=kept.role,
            name=kept.name,
            delivered_as=_delivered_as(kept, delivery, rank) if wanted else None,
            media_type=kept.media_type,
            size=kept.size,
            sha256=kept.sha256,
            mark=marks.get(kept.sha256),
            href=f"{here}/files/{kept.id}",
        )


def _delivered_as(kept: DossierFile, delivery: str, rank: int) -> str:
    if kept.role == PIVOT:
        return file_name(delivery, "", "pivot.xml")
    if kept.role == READABLE:
        return file_name(delivery, "", "readable.pdf")
    return file_name(delivery, "original" if kept.role == ORIGINAL else f"pj{rank:02d}", kept.name)


def bring(work: Work, place: FolderPlace | SftpPlace, sending: dict[str, Any]) -> None:
    """Put a delivery into its place: every file once, its manifest last.

    Args:
        work: the dossier in hand.
        place: where.
        sending: what was recorded of the delivery: its name, the digest of its manifest, how far it has come.

    Raises:
        NeedsOperator: another file stands under one of its names, or nobody can tell any more whether it was delivered.
        TabellionError: see ``connectors.finance.errors``.
    """
    manifest = read(_fetched(work, sending["sha256"]).read_bytes())
    items = [_Item(file.delivered_as, file.sha256) for file in manifest.files if file.delivered_as]
    items.append(_Item(manifest.delivery + MANIFEST, sending["sha256"]))
    with opened(place, bounds_of(work.platform, work.organisation_id)) as there:
        if sending["phase"] == PUBLISHING and not _is_resumed(work, sending):
            _conclude(work, there, items, sending, _place_of(place))
            return
        absent = [item for item in items if not _is_there(there, item)]
        for item in absent:
            there.upload(_fetched(work, item.sha256), item.name)
        told = {name: value for name, value in sending.items() if name != "doubted"}
        work.note(PUBLISHING, handing={**told, "phase": PUBLISHING, "place": _place_of(place), "at": clock.iso(clock.now())})
        for item in absent:
            _publish(there, item)


def _fetched(work: Work, sha256: str) -> Path:
    path = work.folder / sha256
    if not path.exists():
        work.platform.objects.fetch(sha256, path)
    return path


def _is_there(there: Place, item: _Item) -> bool:
    """Tell whether a file is delivered: these very octets under its name.

    Raises:
        NeedsOperator: other ones are.
    """
    found = there.digest(item.name)
    if found not in {None, item.sha256}:
        raise NeedsOperator(_messages("handover.foreign", name=item.name))
    return found is not None


def _publish(there: Place, item: _Item) -> None:
    try:
        there.publish(item.name)
    except TemporaryMissing:
        return  # only a worker that had recorded the same intent can have renamed it: it is delivered
    except NameTaken:
        _is_there(there, item)


def _place_of(place: FolderPlace | SftpPlace) -> str:
    """Return where files go: what one place shows proves nothing about another."""
    return place.directory if isinstance(place, FolderPlace) else f"{place.username}@{place.host}:{place.port}/{place.directory}"


def _conclude(work: Work, there: Place, items: Sequence[_Item], sending: dict[str, Any], here: str) -> None:
    """Conclude a delivery that was recorded as about to be published; what nobody can tell is asked of a person, once.

    Whoever resumes the dossier then has it delivered again: under the same names, which the software knows.
    """
    try:
        _require_place(sending, here)
        for item in items:
            _finish(work, there, item, str(sending["at"]))
    except _Doubt:
        work.note("doubted", handing={**sending, "doubted": clock.iso(clock.now())})
        raise


def _require_place(sending: dict[str, Any], here: str) -> None:
    if sending.get("place", here) != here:
        raise _Doubt(_messages("handover.moved", place=sending["place"]))


def _is_resumed(work: Work, sending: dict[str, Any]) -> bool:
    asked = sending.get("doubted")
    return asked is not None and resumed_since(work.platform.database, work.dossier_id, clock.from_iso(asked))


def _finish(work: Work, there: Place, item: _Item, at: str) -> None:
    """Conclude the publication of a file that was recorded as about to happen and of which no more is known."""
    if _is_there(there, item):
        return
    size = there.presence(item.name).temporary_size
    if size is None:
        if clock.now() - clock.from_iso(at) > _PROOF_HOLDS_FOR:
            raise _Doubt(_messages("handover.unknown", name=item.name))
        return  # renamed, and taken by the software since
    path = _fetched(work, item.sha256)
    if size != path.stat().st_size:
        there.upload(path, item.name)
    _publish(there, item)
