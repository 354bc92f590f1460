"""The seal of a server (*cachet serveur*): the organisation's own key signs the documents of a folder.

The key lives in the organisation's configuration, encrypted. The work is done outside any transaction, in a private folder; the
task is closed afterwards, in the transaction of whoever asked.
"""

from __future__ import annotations

import base64
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from pydantic import BaseModel, Field, SecretStr
from sqlmodel import Session

from core.blobs import Blob
from core.configuration import configuration_of
from core.errors import Misconfigured, NeedsOperator, NotFound
from core.messages import Catalogue
from core.platform import Platform
from core.principal import PLATFORM
from signing.keys import KeyRefused, Pkcs12Signer, Signer, name_of
from signing.legs import Format, sign
from signing.parapheur import typology
from signing.parapheur.actions import Result
from signing.parapheur.folders import folder_of, main_documents
from signing.parapheur.forms import Speaker, form_of, rank_of, result_name
from signing.parapheur.models import FolderDocument, StepKind, Task

_messages = Catalogue("signing.parapheur")
SEAL = "parapheur.seal"


class ServerSeal(BaseModel):
    """The organisation's key, and what its seal says."""

    pkcs12: SecretStr = Field(description="PKCS#12 file of the key and its certificate, in base64.")
    password: SecretStr = Field(description="Password of the PKCS#12 file.")
    quality: str = Field("", max_length=100, description="In what capacity; the organisation's name as a rule.")
    city: str = Field("", max_length=100)
    postal_code: str = Field("", pattern=r"^(\d{5})?$")

    def signer(self) -> Pkcs12Signer:
        """Return the key, ready to sign.

        Raises:
            KeyRefused: unreadable, too weak, out of date, or not for signing.
        """
        return _opened(self.pkcs12, self.password)


@lru_cache(maxsize=64)
def _opened(pkcs12: SecretStr, password: SecretStr) -> Pkcs12Signer:
    """Open a PKCS#12 once a process: its key derivation is made to be slow."""
    return Pkcs12Signer.load(base64.b64decode(pkcs12.get_secret_value()), password.get_secret_value())


@dataclass(frozen=True, slots=True)
class _ToSeal:
    """A document, how it is sealed, and the name of what comes of it when that is apart."""

    document: FolderDocument
    how: Format
    detached: tuple[str, str] | None


def seal_of(session: Session, platform: Platform, organisation_id: str) -> ServerSeal:
    """Return the seal of an organisation, its own or that of the nearest above.

    Raises:
        NeedsOperator: there is none.
    """
    try:
        return configuration_of(session, platform.secrets, organisation_id, SEAL, ServerSeal)
    except NotFound as error:
        raise NeedsOperator(_messages("seal.none")) from error


def seal(platform: Platform, task_id: str) -> list[Result]:
    """Seal the documents of a task's folder, and return what came of them; the task itself is not touched.

    Raises:
        NeedsOperator: no key is configured, or it must not sign any more.
        NotFound: no such task.
        UsageError, AlreadySigned, NotSignable: a document cannot bear the seal.
    """
    with platform.database.reading(PLATFORM) as session:
        task = session.get(Task, task_id)
        if task is None:
            raise NotFound(_messages("task.unknown"))
        folder = folder_of(session, task.folder_id)
        configured = seal_of(session, platform, folder.organisation_id)
        signer = _key(configured)
        kind = typology.kind_of(session, folder.subtype_id or "")
        said = Speaker(
            configured.quality, configured.city or kind.signing.city, configured.postal_code or kind.signing.postal_code
        )
        wanted = []
        for document in main_documents(session, folder.id):
            how = form_of(session, folder, document, kind, said, StepKind.SEAL)
            name = result_name(document, how, name_of(signer.certificate), rank_of(session, folder, document))
            wanted.append(_ToSeal(document, how, name))
    return _sealed(platform, wanted, signer)


def _key(configured: ServerSeal) -> Signer:
    try:
        return configured.signer()
    except KeyRefused as error:
        raise NeedsOperator(_messages("seal.key", reason=error)) from error


def _sealed(platform: Platform, wanted: Sequence[_ToSeal], signer: Signer) -> list[Result]:
    results = []
    for one in wanted:
        with tempfile.TemporaryDirectory(prefix="tabellion-", ignore_cleanup_errors=True) as folder:
            source, target = Path(folder) / "source", Path(folder) / "sealed"
            platform.objects.fetch(one.document.sha256, source)
            try:
                sign(one.how, source, target, signer)
            except KeyRefused as error:
                raise NeedsOperator(_messages("seal.key", reason=error)) from error
            blob: Blob = platform.objects.put_file(target)
        results.append(Result(one.document.id, one.document.sha256, blob.sha256, blob.size, one.detached))
    return results


def check(configured: ServerSeal) -> str:
    """Return whose key it is, once it was opened and found fit.

    Raises:
        Misconfigured: it is not.
    """
    try:
        return name_of(configured.signer().certificate)
    except KeyRefused as error:
        raise Misconfigured(_messages("seal.key", reason=error)) from error
