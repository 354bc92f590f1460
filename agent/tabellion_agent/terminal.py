"""The agent without a window: for computers without a screen, and for those who read with their ears."""

from __future__ import annotations

import getpass
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from tabellion_agent import token
from tabellion_agent.errors import Abandoned, AgentError, TokenProblem, WrongPin
from tabellion_agent.link import Link
from tabellion_agent.protocol import Item, Outcome, Platform
from tabellion_agent.session import SIGNED, Session
from tabellion_agent.settings import Settings


@dataclass(frozen=True, slots=True)
class Choices:
    """What was decided on the command line, rather than asked.

    Attributes:
        modules: the PKCS#11 libraries to look at.
        certificate: part of the name of the certificate to sign with; None asks when there are several.
        pin_file: where the PIN is read; None asks for it.
        documents: folder where the documents are put before anything is asked; None puts them nowhere.
        sure: whether the last question is skipped.
    """

    modules: tuple[Path, ...]
    certificate: str | None = None
    pin_file: Path | None = None
    documents: Path | None = None
    sure: bool = False


def run(link: Link, settings: Settings, choices: Choices) -> int:
    """Sign what a link names, asking at the terminal; return the exit status: 0 when every document is signed, else 1."""
    try:
        if link.origin not in settings.origins:
            _confirm(f"Faire confiance à la plateforme {link.origin} ?")
            settings.approve(link.origin)
        session = Session(Platform(link))
    except AgentError as error:
        return _failed(error)
    try:
        outcomes = _signed(session, choices)
    except AgentError as error:
        session.abandon(str(error))
        return _failed(error)
    except (KeyboardInterrupt, EOFError):
        session.abandon("Abandon par le signataire.")
        return _failed(Abandoned("Vous avez abandonné : rien n’a été signé."))
    return _told(session, outcomes)


def _signed(session: Session, choices: Choices) -> list[Outcome]:
    opening = session.opening
    _say(f"{opening.organisation} — {opening.person}")
    for item in opening.items:
        _say(f"  {item.sha256[:12]}  {item.title}")
        if choices.documents is not None:
            _keep(session, item, choices.documents)
    identity = _chosen(token.identities(choices.modules), choices.certificate)
    _say(f"Certificat : {identity.described}")
    if not choices.sure:
        _confirm(f"Signer {_documents(len(opening.items))} ?")
    return _unlock_and_sign(session, identity, choices.pin_file)


def _unlock_and_sign(session: Session, identity: token.Identity, pin_file: Path | None) -> list[Outcome]:
    """Sign; a wrong PIN that was typed is asked for again, one that was read from a file is not tried twice."""
    while True:
        try:
            with token.unlocked(identity, _pin(identity, pin_file)) as key:
                return session.sign(identity, key, _progress)
        except WrongPin as error:
            if pin_file is not None:
                raise
            _say(str(error))


def _pin(identity: token.Identity, pin_file: Path | None) -> str:
    if pin_file is not None:
        try:
            return pin_file.read_text(encoding="utf-8").strip()
        except (OSError, ValueError) as error:
            raise TokenProblem(f"Le fichier {pin_file} du code PIN n’est pas lisible.") from error
    last = " (dernier essai avant blocage)" if identity.last_try else ""
    pin = getpass.getpass(f"Code PIN du jeton « {identity.token} »{last}, ou rien pour abandonner : ")
    if not pin:
        raise Abandoned("Vous avez abandonné : rien n’a été signé.")
    return pin


def _chosen(identities: list[token.Identity], name: str | None) -> token.Identity:
    fitting = [one for one in identities if name is None or name.casefold() in one.described.casefold()]
    if not fitting:
        raise TokenProblem(f"Aucun certificat du jeton ne porte le nom « {name} ».")
    if len(fitting) == 1:
        return fitting[0]
    for number, one in enumerate(fitting, 1):
        _say(f"  {number}. {one.described}")
    answer = input("Numéro du certificat, ou rien pour abandonner : ").strip()
    if not answer.isdecimal() or not 1 <= int(answer) <= len(fitting):
        raise Abandoned("Aucun certificat choisi : rien n’a été signé.")
    return fitting[int(answer) - 1]


def _keep(session: Session, item: Item, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    name = re.sub(r"[^\w.-]+", "_", item.title).strip("._") or "document"
    (folder / f"{item.sha256[:12]}_{name[:100]}").write_bytes(session.document(item))


def _told(session: Session, outcomes: list[Outcome]) -> int:
    titles = {item.id: item.title for item in session.opening.items}
    for outcome in outcomes:
        if outcome.state != SIGNED:
            _say(f"Non signé : {titles.get(outcome.id, outcome.id)} — {outcome.detail}")
    signed = sum(outcome.state == SIGNED for outcome in outcomes)
    _say(f"Documents signés : {signed} sur {len(titles)}.")
    return 0 if signed == len(titles) else 1


def _documents(number: int) -> str:
    return f"{number} document{'s' if number > 1 else ''}"


def _progress(doing: str, done: int, total: int) -> None:
    _say(f"{doing} : {done} sur {total}")


def _confirm(question: str) -> None:
    if input(f"{question} [oui/non] ").strip().casefold() not in {"oui", "o"}:
        raise Abandoned("Vous avez abandonné : rien n’a été signé.")


def _failed(error: AgentError) -> int:
    sys.stderr.write(f"{error}\n")
    return 1


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
