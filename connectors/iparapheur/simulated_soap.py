"""The legacy SOAP service of the simulated parapheur: each request to its answer, business refusals as notices."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from connectors.iparapheur import messages as wire
from connectors.iparapheur.messages import ERROR, Code, DocAnnexe, Document, MessageRetour
from connectors.iparapheur.simulated_bordereau import write_bordereau
from connectors.iparapheur.simulated_circuit import Circuit, Refusal, main_documents, new_identifier
from connectors.iparapheur.simulated_signing import PDF, imported
from connectors.iparapheur.simulated_store import Dossier, Kept, Octets, Store
from connectors.iparapheur.simulated_typology import Action, Metadata, Person, SignatureFormat
from core.identifiers import new_id

_OK = MessageRetour(Code.OK)
_ROLES = {Action.VISA: "VISEUR", Action.SIGNATURE: "SIGNATAIRE", Action.SEAL: "CACHET", Action.MAIL: "MAILSEC"}
_ARCHIVING = "ARCHIVAGE"


class SoapDoor:
    """Answers the fourteen operations."""

    def __init__(self, circuit: Circuit) -> None:
        self._circuit = circuit
        self._typology = circuit.typology
        self._store = circuit.store
        self._answers: Mapping[type[wire.Request], Callable[[Any, Person, Path], wire.Answer]] = {
            wire.EchoRequest: self._echo,
            wire.GetListeTypesRequest: self._types,
            wire.GetListeSousTypesRequest: self._subtypes,
            wire.GetListeMetaDonneesRequest: self._metadata,
            wire.GetMetaDonneesRequisesPourTypeSoustypeRequest: self._required,
            wire.GetCircuitRequest: self._steps,
            wire.RechercherDossiersRequest: self._search,
            wire.CreerDossierRequest: self._create,
            wire.GetDossierRequest: self._get,
            wire.GetHistoDossierRequest: self._history,
            wire.ExercerDroitRemordDossierRequest: self._recall,
            wire.ForcerEtapeRequest: self._force,
            wire.ArchiverDossierRequest: self._archive,
            wire.EffacerDossierRejeteRequest: self._erase,
        }

    def answer(self, request: wire.Request, person: Person, folder: Path) -> wire.Answer:
        """Return the answer to a request.

        Args:
            request: decoded, its documents in files.
            person: whose account it came with.
            folder: a private folder for documents that are made for the answer.
        """
        try:
            return self._answers[type(request)](request, person, folder)
        except Refusal as refusal:
            notice = MessageRetour(Code.KO, str(refusal), ERROR)
            kind: Any = wire.OPERATIONS[type(request)]
            return kind(notice=notice)  # type: ignore[no-any-return]

    def _echo(self, request: wire.EchoRequest, _person: Person, _folder: Path) -> wire.Answer:
        return wire.EchoResponse(request.text)

    def _types(self, _request: wire.GetListeTypesRequest, person: Person, _folder: Path) -> wire.Answer:
        return wire.GetListeTypesResponse(tuple(one.name for one in self._typology.creatable(person.desk)))

    def _subtypes(self, request: wire.GetListeSousTypesRequest, person: Person, _folder: Path) -> wire.Answer:
        found = next((one for one in self._typology.creatable(person.desk) if one.name == request.type), None)
        return wire.GetListeSousTypesResponse(tuple(one.name for one in found.subtypes) if found else ())

    def _metadata(self, _request: wire.GetListeMetaDonneesRequest, _person: Person, _folder: Path) -> wire.Answer:
        return wire.GetListeMetaDonneesResponse(tuple(_defined(one) for one in self._typology.metadata))

    def _required(
        self, request: wire.GetMetaDonneesRequisesPourTypeSoustypeRequest, person: Person, _folder: Path
    ) -> wire.Answer:
        found = self._typology.subtype(person.desk, request.type, request.subtype)
        known = {one.name: one for one in self._typology.metadata}
        asked = [(name, True) for name in found[1].mandatory] + [(name, False) for name in found[1].optional] if found else []
        return wire.GetMetaDonneesRequisesPourTypeSoustypeResponse(
            tuple(_defined(known[name], mandatory=mandatory) for name, mandatory in asked)
        )

    def _steps(self, request: wire.GetCircuitRequest, person: Person, _folder: Path) -> wire.Answer:
        found = self._typology.subtype(person.desk, request.type, request.subtype)
        if found is None:
            return wire.GetCircuitResponse()
        steps = [(desk, _ROLES[step.action]) for step in found[1].steps for desk in step.desks]
        steps.append((person.desk, _ARCHIVING))
        return wire.GetCircuitResponse(
            tuple(wire.EtapeCircuit(desk, "", self._typology.holder(desk).name, role) for desk, role in steps)
        )

    def _search(self, request: wire.RechercherDossiersRequest, person: Person, _folder: Path) -> wire.Answer:
        wanted = set(request.dossier_ids)
        entries = []
        for dossier in self._circuit.visible(person):
            status = self._circuit.status(dossier)
            given = ((request.type, dossier.type), (request.subtype, dossier.subtype), (request.status, status))
            if all(not asked or asked == found for asked, found in given) and (not wanted or dossier.known_as in wanted):
                entries.append(self._entry(dossier, person, status))
        return wire.RechercherDossiersResponse(tuple(entries[: request.most or None]))

    def _entry(self, dossier: Dossier, person: Person, status: str) -> wire.LogDossier:
        last = dossier.history[-1]
        if self._circuit.recallable(person, dossier):
            accessible = "Recuperable"
        else:
            ended = dossier.emitter == person.login and dossier.stage.value != "PENDING"
            accessible = "OK" if ended or self._circuit.holds(person, dossier) else "KO"
        return wire.LogDossier(last.moment, dossier.known_as, status, last.note, accessible)

    def _create(self, request: wire.CreerDossierRequest, person: Person, _folder: Path) -> wire.Answer:
        identifier = new_identifier()
        dossier = Dossier(
            id=identifier,
            legacy_id=request.dossier_id or None,
            name=request.title or request.dossier_id or identifier,
            type=request.type,
            subtype=request.subtype,
            format=SignatureFormat.AUTO,
            emitter=person.login,
            desk=person.desk,
            visibility=request.visibility,
            email=request.email,
            due=request.due,
            public_note=request.public_note or "",
            private_note=request.private_note or "",
            place=request.signature_place,
            metadata={one.name: one.value for one in request.metadata},
        )
        self._circuit.create(person, dossier, 1 + len(request.more), lambda: _documents(request, self._store))
        return wire.CreerDossierResponse(
            MessageRetour(Code.OK, f"Dossier {dossier.name} soumis dans le circuit"), dossier.known_as
        )

    def _get(self, request: wire.GetDossierRequest, person: Person, folder: Path) -> wire.Answer:
        dossier = self._circuit.find(person, request.dossier_id)
        main, *more = main_documents(dossier)
        bordereau = folder / new_id()
        write_bordereau(dossier, self._typology, bordereau)
        last = DocAnnexe(f"{dossier.name}_bordereau.pdf", Document(bordereau, PDF), PDF, "UTF-8")
        document, is_pes = self._document(main), dossier.format is SignatureFormat.PES
        signature = main.signatures[-1] if main.signatures else None
        titled = {"ph:dossierTitre": dossier.name, **dossier.metadata}
        return wire.GetDossierResponse(
            type=dossier.type,
            subtype=dossier.subtype,
            email=dossier.email,
            dossier_id=request.dossier_id,
            pes=document if is_pes else None,
            signature_place=dossier.place,
            public_note=dossier.public_note,
            private_note=dossier.private_note,
            visibility=dossier.visibility,
            due=dossier.due,
            document=None if is_pes else document,
            document_name=main.name,
            signature=self._document(signature) if signature else None,
            more=tuple(self._annex(one) for one in more),
            annexes=(*(self._annex(one) for one in dossier.documents if not one.main), last),
            metadata=tuple(wire.MetaDonnee(name, value) for name, value in titled.items()),
            notice=_OK,
        )

    def _history(self, request: wire.GetHistoDossierRequest, person: Person, _folder: Path) -> wire.Answer:
        dossier = self._circuit.find(person, request.dossier_id)
        people = {one.login: one.name for one in self._typology.people}
        return wire.GetHistoDossierResponse(
            tuple(wire.LogDossier(one.moment, people.get(one.login, ""), one.status, one.note) for one in dossier.history), _OK
        )

    def _recall(self, request: wire.ExercerDroitRemordDossierRequest, person: Person, _folder: Path) -> wire.Answer:
        self._circuit.recall(person, request.dossier_id)
        return wire.ExercerDroitRemordDossierResponse(MessageRetour(Code.OK, f"Dossier {request.dossier_id} récupéré."))

    def _force(self, request: wire.ForcerEtapeRequest, person: Person, _folder: Path) -> wire.Answer:
        passes = request.transition is Code.OK
        self._circuit.force(person, request.dossier_id, passes=passes, note=request.public_note or "")
        return wire.ForcerEtapeResponse(notice=_OK)

    def _archive(self, request: wire.ArchiverDossierRequest, person: Person, _folder: Path) -> wire.Answer:
        keep = request.action is not wire.ArchiveAction.DELETE
        self._circuit.archive(person, request.dossier_id, keep=keep)
        done = f"Dossier {request.dossier_id} archivé." if keep else _erased(request.dossier_id)
        return wire.ArchiverDossierResponse(notice=MessageRetour(Code.OK, done))

    def _erase(self, request: wire.EffacerDossierRejeteRequest, person: Person, _folder: Path) -> wire.Answer:
        self._circuit.erase_rejected(person, request.dossier_id)
        return wire.EffacerDossierRejeteResponse(MessageRetour(Code.OK, _erased(request.dossier_id)))

    def _document(self, kept: Octets) -> Document:
        return Document(self._store.path(kept.sha256), kept.media)

    def _annex(self, kept: Kept) -> DocAnnexe:
        signature = self._document(kept.signatures[-1]) if kept.signatures else None
        return DocAnnexe(kept.name, self._document(kept), kept.media, "UTF-8", signature)


def _documents(request: wire.CreerDossierRequest, store: Store) -> list[Kept]:
    """Keep the documents of a request: the signature of a main document is kept with it, that of an annex is ignored."""
    name = request.document_name or request.title or request.dossier_id or "document"
    found = [_kept(name, request.document, request.signature, store, main=True)]
    found += [_kept(one.name, one.file, one.signature, store, main=True) for one in request.more]
    return found + [_kept(one.name, one.file, None, store, main=False) for one in request.annexes]


def _kept(name: str, document: Document, signature: Document | None, store: Store, *, main: bool) -> Kept:
    kept = Kept(name=name, media=document.media, sha256=store.keep(document.path), main=main)
    if signature is not None:
        kept.signatures.append(imported(name, signature.path, signature.media, store))
    return kept


def _defined(one: Metadata, *, mandatory: bool | None = None) -> wire.MetaDonneeDefinition:
    return wire.MetaDonneeDefinition(one.name, one.label, one.nature.value, mandatory)


def _erased(dossier_id: str) -> str:
    return f"Dossier {dossier_id} supprimé du Parapheur."
