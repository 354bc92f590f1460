"""What an organisation configures: one named model each, encrypted at rest, inherited from the organisations above."""

from __future__ import annotations

import json
from datetime import datetime
from functools import lru_cache
from typing import Any, TypeVar

from pydantic import BaseModel, SecretStr
from pydantic_core import to_jsonable_python
from sqlalchemy import Column
from sqlmodel import Field, Session, select

from core import clock
from core.database import Owned, UtcDateTime
from core.errors import NotFound
from core.messages import Catalogue
from core.organisations import Organisation
from core.secrets import Encrypted, SecretBox

_messages = Catalogue("core")
Model = TypeVar("Model", bound=BaseModel)


class Configuration(Owned, table=True):
    """One configured model of an organisation."""

    organisation_id: str = Field(foreign_key="organisation.id", primary_key=True, max_length=26)
    name: str = Field(primary_key=True, max_length=60)
    encrypted: bytes = Field(sa_column=Column(Encrypted, nullable=False))
    changed: datetime = Field(default_factory=clock.now, sa_column=Column(UtcDateTime, nullable=False))


def configure(session: Session, box: SecretBox, organisation_id: str, name: str, model: BaseModel) -> None:
    """Keep a model as the organisation's configuration of that name, in place of an earlier one; all of it is encrypted."""
    encrypted = box.encrypt(json.dumps(revealed(model.model_dump())).encode())
    kept = session.get(Configuration, (organisation_id, name))
    if kept is None:
        session.add(Configuration(organisation_id=organisation_id, name=name, encrypted=encrypted))
    else:
        kept.encrypted, kept.changed = encrypted, clock.now()


def revealed(value: Any) -> Any:
    """Return a dumped model with its secrets in clear and nothing but JSON values: for encryption only."""
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, dict):
        return {key: revealed(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [revealed(inner) for inner in value]
    return to_jsonable_python(value)


def configuration_of(session: Session, box: SecretBox, organisation_id: str, name: str, model: type[Model]) -> Model:
    """Return the configuration in force: the organisation's own, else that of the nearest one above.

    Raises:
        NotFound: none, neither here nor above.
        Misconfigured: it cannot be decrypted.
    """
    found = _kept(session, organisation_id, name)
    if not found:
        raise NotFound(_messages("configuration.missing", name=name))
    return _read(box, model, found[-1])


def configurations_of(session: Session, box: SecretBox, organisation_id: str, name: str, model: type[Model]) -> dict[str, Model]:
    """Return all that is configured by that name in an organisation and above, by organisation, for what adds up.

    Raises:
        Misconfigured: one cannot be decrypted.
    """
    return {kept.organisation_id: _read(box, model, kept) for kept in _kept(session, organisation_id, name)}


def _kept(session: Session, organisation_id: str, name: str) -> list[Configuration]:
    """Return the configurations of that name in an organisation and above, from the top of the tree down."""
    organisation = session.get(Organisation, organisation_id)
    ancestors = organisation.path.strip("/").split("/") if organisation else []
    found = session.exec(
        select(Configuration).where(Configuration.name == name, Configuration.organisation_id.in_(ancestors))  # type: ignore[attr-defined]
    ).all()
    return sorted(found, key=lambda kept: ancestors.index(kept.organisation_id))


def _read(box: SecretBox, model: type[Model], kept: Configuration) -> Model:
    opened = _opened(box, model, kept.encrypted)
    if not isinstance(opened, model):
        raise TypeError(f"{kept.name} is no {model.__name__}")
    return opened


@lru_cache(maxsize=1024)
def _opened(box: SecretBox, model: type[BaseModel], encrypted: bytes) -> BaseModel:
    """Decrypt and read once what every stage of every dossier asks for: the same bytes always say the same."""
    return model.model_validate_json(box.decrypt(encrypted))
