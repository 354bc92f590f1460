"""A publication as it is made: what it holds of its act, the package that proves it, and the row that the public reads."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path

from archive.kinds.publication import PublicationRecord, PublicationRole, publication_package
from archive.package import PackageFile
from archive.retention.referential import rules_for
from core import clock
from core.blobs import Blob
from core.folding import folded
from core.identifiers import new_id
from core.platform import Platform
from core.principal import PLATFORM
from flows.actes.act import Act
from flows.actes.knowledge import classification_of, labels_of
from flows.actes.models import ActesPublication
from flows.actes.settings import Author
from flows.actes.transmitted import readable
from flows.engine.models import Dossier, DossierFile
from flows.sealing import producer_of

_LONGEST_LABEL = 1000


def _this_second() -> datetime:
    return clock.now().replace(microsecond=0)


@dataclass(frozen=True, slots=True)
class Publication:
    """What is about to be published.

    Attributes:
        dossier: of the act, acknowledged.
        author: named whole.
        files: what was chosen, by role, in the order of the act.
        proof: the State's acknowledgement (1-2).
        at: the moment of going online, to the second.
    """

    dossier: Dossier
    author: Author
    files: Mapping[str, DossierFile]
    proof: DossierFile
    id: str = field(default_factory=new_id)
    at: datetime = field(default_factory=_this_second)

    @property
    def act(self) -> Act:
        """The act, as its dossier keeps it."""
        return Act.from_facts(self.dossier.facts)

    @property
    def matieres(self) -> str:
        """The codes of its matière: ``7.1``."""
        return ".".join(map(str, self.act.matieres))

    @property
    def id_acte(self) -> str:
        """How the State knows it."""
        return str(self.dossier.facts.get("id_acte_of_state") or self.dossier.facts["id_acte"])

    @property
    def received(self) -> date:
        """The day on which the State received it."""
        return date.fromisoformat(self.dossier.facts["reception_date"])


def keep_package(platform: Platform, publication: Publication) -> tuple[Blob, str | None]:
    """Build the package of a publication and keep it among the documents; return what it is, and the label of the matière.

    Raises:
        ObjectMissing, ObjectAltered: the store no longer holds a file as it was transmitted.
        Unavailable: the store does not answer.
    """
    used = date.fromisoformat(publication.dossier.facts["classification_date"])
    labels = labels_of(publication.act, classification_of(platform, publication.dossier.organisation_id, used))
    record = _record(platform, publication, *labels)
    with tempfile.TemporaryDirectory(prefix="tabellion-") as name:
        folder = Path(name)
        package = publication_package(folder / "package.zip", record, list(_fetched(platform, publication, folder)))
        return platform.objects.put_file(package.path), labels[1]


def _record(platform: Platform, publication: Publication, nature: str, matiere: str | None) -> PublicationRecord:
    dossier, act, author = publication.dossier, publication.act, publication.author
    with platform.database.reading(PLATFORM) as session:
        agency, name = producer_of(session, dossier.organisation_id)
        rules = rules_for(session, dossier.organisation_id, "publication")
    return PublicationRecord(
        transfer=f"tabellion-{publication.id}",
        dossier=dossier.id,
        at=publication.at,
        archival_agency=agency,
        transferring_agency=agency,
        producer=agency,
        producer_name=name,
        number=act.number,
        subject=act.subject,
        nature_label=nature,
        matiere=publication.matieres,
        matiere_label=matiere,
        decided=act.decision_date,
        received=publication.received,
        id_acte=publication.id_acte,
        first_name=author.first_name,
        last_name=author.last_name,
        capacity=author.capacity,
        retention=rules.appraisal,
        access=rules.access,
    )


def _fetched(platform: Platform, publication: Publication, folder: Path) -> Iterator[PackageFile]:
    for role, kept in publication.files.items():
        as_ = PublicationRole.DOCUMENT if role == "document" else PublicationRole.ANNEX
        yield _file(platform, as_, kept, folder)
    yield _file(platform, PublicationRole.ACKNOWLEDGEMENT, publication.proof, folder)


def _file(platform: Platform, role: PublicationRole, kept: DossierFile, folder: Path) -> PackageFile:
    path = folder / kept.sha256
    platform.objects.fetch(kept.sha256, path)
    return PackageFile(role.value, path, kept.media_type, readable(kept.name))


def row_of(publication: Publication, package: Blob, matiere: str | None, entry_id: str, actor: str) -> ActesPublication:
    """Return the row of a publication.

    Args:
        publication: it.
        package: of it, kept already.
        matiere: label of the matière, when it is known.
        entry_id: the journal entry that names the package.
        actor: who published it.
    """
    act, author = publication.act, publication.author
    return ActesPublication(
        id=publication.id,
        organisation_id=publication.dossier.organisation_id,
        dossier_id=publication.dossier.id,
        id_acte=publication.id_acte,
        number=act.number,
        decision_date=act.decision_date,
        nature=act.nature,
        matieres=publication.matieres,
        matiere_label=matiere[:_LONGEST_LABEL] if matiere else None,
        subject=act.subject,
        author_first_name=author.first_name,
        author_last_name=author.last_name,
        author_capacity=author.capacity,
        files=[
            {"role": role, "name": readable(kept.name), "sha256": kept.sha256, "size": kept.size, "type": kept.media_type}
            for role, kept in publication.files.items()
        ],
        reception_date=publication.received,
        package_sha256=package.sha256,
        package_size=package.size,
        entry_id=entry_id,
        actor=actor,
        published=publication.at,
        words=folded(" ".join((act.number, act.subject, matiere or "", publication.id_acte))),
    )
