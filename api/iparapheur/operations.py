"""The fourteen operations: each request to its answer, business refusals as notices."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sqlmodel import Session

from api.iparapheur import acting
from api.iparapheur.creation import create, kind_of, kinds_at
from api.iparapheur.door import Account
from api.iparapheur.finding import find, history, names_of, search
from api.iparapheur.giving import give
from connectors.iparapheur import messages as wire
from connectors.iparapheur.messages import ERROR, Code, MessageRetour
from connectors.iparapheur.writing import spoken
from core.blobs import TooLarge
from core.errors import Conflict, Forbidden, NeedsOperator, NotFound, UsageError
from core.messages import Catalogue
from core.platform import Platform
from signing.parapheur import foresight, metadata
from signing.parapheur.desks import desk_of, holders
from signing.parapheur.history import Said
from signing.parapheur.metadata import MetadataKind
from signing.parapheur.models import Desk, MetadataField, StepKind
from signing.parapheur.typology import Kind

_messages = Catalogue("api.iparapheur")
_OK = MessageRetour(Code.OK)
_NATURES = {
    MetadataKind.TEXT: wire.Nature.TEXT,
    MetadataKind.DATE: wire.Nature.DATE,
    MetadataKind.INTEGER: wire.Nature.INTEGER,
    MetadataKind.DECIMAL: wire.Nature.DOUBLE,
    MetadataKind.BOOLEAN: wire.Nature.BOOLEAN,
    MetadataKind.URL: wire.Nature.URL,
}
_ROLES = {
    StepKind.VISA: "VISEUR",
    StepKind.SIGNATURE: "SIGNATAIRE",
    StepKind.EXTERNAL: "SIGNATAIRE",
    StepKind.SEAL: "CACHET",
    StepKind.MAIL: "MAILSEC",
}
_ARCHIVING = "ARCHIVAGE"
_REFUSALS = (UsageError, Forbidden, NotFound, Conflict, NeedsOperator, TooLarge)
_Operation = Callable[[Platform, Account, Any, Path], wire.Answer]


def answer(platform: Platform, account: Account, request: wire.Request, room: Path) -> wire.Answer:
    """Return the answer to a request.

    Args:
        platform: its parts.
        account: who asks.
        request: decoded, its documents in files.
        room: a private folder for the documents of the answer.

    Raises:
        What is no refusal but a fault: of a part outside, or ours.
    """
    try:
        return _OPERATIONS[type(request)](platform, account, request, room)
    except _REFUSALS as refusal:
        kind: Any = wire.OPERATIONS[type(request)]
        if kind in _WITHOUT_NOTICE:
            raise
        told: wire.Answer = kind(notice=MessageRetour(Code.KO, spoken(str(refusal)), ERROR))
        return told


def _echo(_platform: Platform, _account: Account, asked: wire.EchoRequest, _room: Path) -> wire.Answer:
    return wire.EchoResponse(asked.text)


def _types(platform: Platform, account: Account, _asked: wire.GetListeTypesRequest, _room: Path) -> wire.Answer:
    with platform.database.reading(account.principal) as session:
        names = (kind.type_name for desk in account.senders for kind in kinds_at(session, desk))
        return wire.GetListeTypesResponse(tuple(dict.fromkeys(names)))


def _subtypes(platform: Platform, account: Account, asked: wire.GetListeSousTypesRequest, _room: Path) -> wire.Answer:
    with platform.database.reading(account.principal) as session:
        found = (kind for desk in account.senders for kind in kinds_at(session, desk))
        return wire.GetListeSousTypesResponse(tuple(dict.fromkeys(kind.name for kind in found if kind.type_name == asked.type)))


def _declared(platform: Platform, account: Account, _asked: wire.GetListeMetaDonneesRequest, _room: Path) -> wire.Answer:
    with platform.database.reading(account.principal) as session:
        owners = dict.fromkeys(desk.organisation_id for desk in account.senders)
        found = {key: one for owner in owners for key, one in metadata.declared(session, owner).items()}
    return wire.GetListeMetaDonneesResponse(tuple(_defined(one) for one in found.values()))


def _required(
    platform: Platform, account: Account, asked: wire.GetMetaDonneesRequisesPourTypeSoustypeRequest, _room: Path
) -> wire.Answer:
    with platform.database.reading(account.principal) as session:
        desk, kind = _kind(session, account, asked.type, asked.subtype)
        if desk is None or kind is None:
            return wire.GetMetaDonneesRequisesPourTypeSoustypeResponse()
        uses = kind.options.fields
        known = metadata.declared(session, desk.organisation_id, [use.key for use in uses])
    return wire.GetMetaDonneesRequisesPourTypeSoustypeResponse(
        tuple(_defined(known[use.key], mandatory=use.mandatory) for use in uses if use.key in known)
    )


def _kind(session: Session, account: Account, type_name: str, name: str) -> tuple[Desk | None, Kind | None]:
    found = ((desk, kind_of(session, desk, type_name, name)) for desk in account.senders)
    return next(((desk, kind) for desk, kind in found if kind is not None), (None, None))


def _defined(one: MetadataField, *, mandatory: bool | None = None) -> wire.MetaDonneeDefinition:
    return wire.MetaDonneeDefinition(one.key, one.name, _NATURES[MetadataKind(one.kind)].value, mandatory)


def _circuit(platform: Platform, account: Account, asked: wire.GetCircuitRequest, _room: Path) -> wire.Answer:
    """Tell the circuit of a folder that bears no metadata; a desk that is chosen with each folder is left empty."""
    with platform.database.reading(account.principal) as session:
        desk, kind = _kind(session, account, asked.type, asked.subtype)
        if desk is None or kind is None:
            return wire.GetCircuitResponse()
        steps = [*_asked(session, kind, desk), (desk.id, _ARCHIVING)]
        held = holders(session, {desk_id for desk_id, _ in steps if desk_id})
        return wire.GetCircuitResponse(
            tuple(
                wire.EtapeCircuit(
                    desk_of(session, desk_id).name if desk_id else "",
                    "",
                    ", ".join(person.name for person in held.get(desk_id, ())),
                    role,
                )
                for desk_id, role in steps
            )
        )


def _asked(session: Session, kind: Kind, desk: Desk) -> list[tuple[str, str]]:
    try:
        found = foresight.foresee(session, kind, desk, {})
        return [(desk_id, _ROLES[one.step.kind]) for one in found.asked for desk_id in one.desks]
    except UsageError:
        steps = foresight.way(session, kind, desk, {}).steps
        return [(place.desk or "", _ROLES[step.kind]) for step in steps for place in step.places]


def _search(platform: Platform, account: Account, asked: wire.RechercherDossiersRequest, _room: Path) -> wire.Answer:
    with platform.database.reading(account.principal) as session:
        return wire.RechercherDossiersResponse(tuple(search(session, platform, account, asked)))


def _create(platform: Platform, account: Account, asked: wire.CreerDossierRequest, _room: Path) -> wire.Answer:
    identifier, title = create(platform, account, asked)
    return wire.CreerDossierResponse(MessageRetour(Code.OK, f"Dossier {title} soumis dans le circuit"), identifier)


def _get(platform: Platform, account: Account, asked: wire.GetDossierRequest, room: Path) -> wire.Answer:
    return give(platform, account, asked.dossier_id, room)


def _history(platform: Platform, account: Account, asked: wire.GetHistoDossierRequest, _room: Path) -> wire.Answer:
    with platform.database.reading(account.principal) as session:
        lines = history(session, platform, find(session, account, asked.dossier_id))
        names = names_of(session, {line.actor for line in lines})
    entries = (wire.LogDossier(one.moment, names.get(one.actor, ""), one.status, one.annotation) for one in lines)
    return wire.GetHistoDossierResponse(tuple(entries), _OK)


def _recall(platform: Platform, account: Account, asked: wire.ExercerDroitRemordDossierRequest, _room: Path) -> wire.Answer:
    acting.take_back(platform, account, asked.dossier_id)
    return wire.ExercerDroitRemordDossierResponse(MessageRetour(Code.OK, f"Dossier {asked.dossier_id} récupéré."))


def _force(platform: Platform, account: Account, asked: wire.ForcerEtapeRequest, _room: Path) -> wire.Answer:
    said = Said(asked.public_note or "", asked.private_note or "")
    acting.force(platform, account, asked.dossier_id, said, passes=asked.transition is Code.OK)
    return wire.ForcerEtapeResponse(notice=_OK)


def _archive(platform: Platform, account: Account, asked: wire.ArchiverDossierRequest, _room: Path) -> wire.Answer:
    erases = asked.action is wire.ArchiveAction.DELETE
    acting.put_away(platform, account, asked.dossier_id, erases=erases)
    done = _erased(asked.dossier_id) if erases else f"Dossier {asked.dossier_id} archivé."
    return wire.ArchiverDossierResponse(notice=MessageRetour(Code.OK, done))


def _erase(platform: Platform, account: Account, asked: wire.EffacerDossierRejeteRequest, _room: Path) -> wire.Answer:
    acting.erase_rejected(platform, account, asked.dossier_id)
    return wire.EffacerDossierRejeteResponse(MessageRetour(Code.OK, _erased(asked.dossier_id)))


def _erased(identifier: str) -> str:
    return f"Dossier {identifier} supprimé du Parapheur."


_WITHOUT_NOTICE = {
    wire.EchoResponse,
    wire.GetListeTypesResponse,
    wire.GetListeSousTypesResponse,
    wire.GetListeMetaDonneesResponse,
    wire.GetMetaDonneesRequisesPourTypeSoustypeResponse,
    wire.GetCircuitResponse,
    wire.RechercherDossiersResponse,
}
_OPERATIONS: Mapping[type[wire.Request], _Operation] = {
    wire.EchoRequest: _echo,
    wire.GetListeTypesRequest: _types,
    wire.GetListeSousTypesRequest: _subtypes,
    wire.GetListeMetaDonneesRequest: _declared,
    wire.GetMetaDonneesRequisesPourTypeSoustypeRequest: _required,
    wire.GetCircuitRequest: _circuit,
    wire.RechercherDossiersRequest: _search,
    wire.CreerDossierRequest: _create,
    wire.GetDossierRequest: _get,
    wire.GetHistoDossierRequest: _history,
    wire.ExercerDroitRemordDossierRequest: _recall,
    wire.ForcerEtapeRequest: _force,
    wire.ArchiverDossierRequest: _archive,
    wire.EffacerDossierRejeteRequest: _erase,
}
