"""The gateway of the simulated Chorus Pro: tokens, accounts, subscriptions, rights, quota; then the service that is asked for."""

from __future__ import annotations

import base64
import contextlib
import hmac
import json
import secrets
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from connectors.chorus import services
from connectors.chorus.evidence import without_files
from connectors.chorus.simulated_deposits import Deposits
from connectors.chorus.simulated_directory import Directory
from connectors.chorus.simulated_faults import Faults, Mishap
from connectors.chorus.simulated_oddities import Oddity, distort
from connectors.chorus.simulated_portal import SUCCESS, Answerer, Asked, Portal, Refusal
from connectors.chorus.simulated_received import Received
from connectors.chorus.simulated_store import Call
from connectors.chorus.simulated_world import Technical
from core.clock import in_paris
from core.identifiers import new_id

TOKEN = "/api/oauth/token"  # noqa: S105 - a path
BASE = "/cpro/"


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back over HTTP: ``told`` is JSON, whose ``fichierResultat`` is a file when there is one; or text, as it is."""

    status: int
    told: Any
    headers: Mapping[str, str] = field(default_factory=dict)
    file: Path | None = None
    mishap: Mishap | None = None


@dataclass
class Quota:
    """How many calls are taken in a second; any number when zero."""

    calls: int = 0
    _made: deque[float] = field(default_factory=deque)

    def passed(self) -> bool:
        """Count a call, and tell whether it is one too many."""
        moment = time.monotonic()
        while self._made and self._made[0] < moment - 1:
            self._made.popleft()
        self._made.append(moment)
        return bool(self.calls) and len(self._made) > self.calls


class Gateway:
    """Answers requests.

    Attributes:
        portal: what the services know.
        faults: what goes wrong.
        quota: calls taken in a second.
        oddities: in what ways answers are irregular.
        token_seconds: how long a token is good for.
    """

    def __init__(self, portal: Portal) -> None:
        self.portal = portal
        self.faults, self.quota = Faults(), Quota()
        self.oddities: set[Oddity] = set()
        self.token_seconds = 3600
        self.deposits = Deposits(portal)
        self.received = Received(portal)
        self._answerers = self.received.answerers() | Directory(portal).answerers() | self.deposits.answerers()

    def token(self, body: bytes) -> Answer:
        """Give a token (RFC 6749, 4.4.2)."""
        mishap = self.faults.next("token")
        if mishap in {Mishap.FAILED, Mishap.BUSY, Mishap.QUOTA, Mishap.PAGE}:
            return self._failed(mishap)
        form = parse_qs(body.decode(errors="replace"))
        world = self.portal.world
        known = form.get("client_id") == [world.client_id] and hmac.compare_digest(
            form.get("client_secret", [""])[0].encode(), world.client_secret.encode()
        )
        if not known:
            return Answer(401, {"error": "invalid_client", "error_description": "Client authentication failed"})
        if form.get("grant_type") != ["client_credentials"]:
            return Answer(400, {"error": "unsupported_grant_type"})
        value = "" if mishap is Mishap.EMPTY else secrets.token_urlsafe(32)
        if value:
            self.portal.store.keep_token(value, self.portal.clock() + timedelta(seconds=self.token_seconds))
        told = {"access_token": value, "token_type": "Bearer", "expires_in": self.token_seconds, "scope": "openid"}
        return Answer(200, told, mishap=mishap)

    def answer(self, method: str, service: str, headers: Mapping[str, str], data: bytes, folder: Path) -> Answer:
        """Answer a call of a service, and note it.

        Args:
            method: of HTTP.
            service: path below ``/cpro``.
            headers: of the request, names in small letters.
            data: its body.
            folder: private, for files of the answer.
        """
        mishap = self.faults.next(service)
        login, password = _account(headers.get("cpro-account", ""))
        try:
            body = json.loads(data or b"{}")
        except ValueError:
            body = None
        if mishap in {Mishap.FAILED, Mishap.BUSY, Mishap.QUOTA, Mishap.PAGE}:
            answer = self._failed(mishap)
        elif self.quota.passed():
            answer = self._failed(Mishap.QUOTA)
        elif mishap is Mishap.UNAUTHORIZED or not self._bears(headers.get("authorization", "")):
            answer = Answer(401, {"error": "invalid_token"})
        else:
            answer = self._served(method, service, (login, password), body, folder, mishap)
        kept = without_files(body) if isinstance(body, dict) else {}
        self.portal.store.note(Call(self.portal.clock(), login, service, answer.status, kept))
        return Answer(answer.status, answer.told, {"x-correlationid": new_id(), **answer.headers}, answer.file, mishap)

    def _served(
        self, method: str, service: str, shown: tuple[str, str], body: Any, folder: Path, mishap: Mishap | None
    ) -> Answer:
        world = self.portal.world
        if service.partition("/")[0] not in world.subscribed:
            return Answer(403, {})
        account = world.account(shown[0])
        if account is None:
            return Answer(403, {"message": "Compte technique inconnu"})
        current = in_paris(self.portal.clock()).date() <= account.expires
        if not (hmac.compare_digest(shown[1].encode(), account.password.encode()) and current):
            return Answer(401, {"error": "invalid_account"})
        if service == services.HEALTH.path and method == "GET":
            return Answer(200, {"status": "UP"})
        answerer = self._answerers.get(service)
        if answerer is None or method != "POST":
            return Answer(403, {})
        if service in account.denied:
            return Answer(403, body)
        if not isinstance(body, dict):
            return Answer(400, {"codeRetour": 10000, "libelle": "TRA_MSG_00.001"})
        return self._told(answerer, account, body, folder, mishap)

    def _told(self, answerer: Answerer, account: Technical, body: dict[str, Any], folder: Path, mishap: Mishap | None) -> Answer:
        self.deposits.settle()
        repeated = _page_before(body) if mishap is Mishap.REPEATED else None
        try:
            told = answerer(Asked(account, repeated or body, folder))
        except Refusal as refusal:
            if refusal.status == 413:
                return Answer(413, "")
            return Answer(refusal.status, {"codeRetour": refusal.code, "libelle": refusal.wording})
        members = told.members
        if repeated and "pageCourante" in members:
            members = members | {"pageCourante": members["pageCourante"] + 1}
        return Answer(200, distort({"codeRetour": 0, "libelle": SUCCESS, **members}, self.oddities), file=told.file)

    def _bears(self, authorization: str) -> bool:
        scheme, _, value = authorization.partition(" ")
        end = self.portal.store.token_end(value) if scheme == "Bearer" else None
        return end is not None and self.portal.clock() < end

    def _failed(self, mishap: Mishap | None) -> Answer:
        if mishap is Mishap.QUOTA:
            return Answer(429, {"error": "quota"}, {"Retry-After": str(self.faults.wait)})
        if mishap is Mishap.PAGE:
            return Answer(200, "<html><body>Maintenance</body></html>")
        return Answer(500 if mishap is Mishap.FAILED else 503, "<html><body>Erreur</body></html>")


def _account(header: str) -> tuple[str, str]:
    """Return login and password of ``cpro-account``; the password may hold a colon."""
    with contextlib.suppress(ValueError):
        login, _, password = base64.b64decode(header, validate=True).decode().partition(":")
        return login, password
    return "", ""


def _page_before(body: dict[str, Any]) -> dict[str, Any]:
    """Return a request for the page before, wherever its paging stands."""

    def before(value: Any) -> Any:
        if isinstance(value, dict) and "pageResultatDemandee" in value:
            return value | {"pageResultatDemandee": max(1, value["pageResultatDemandee"] - 1)}
        return value

    return {name: before(value) for name, value in body.items()}
