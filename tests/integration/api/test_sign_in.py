"""The door as a browser meets it: passwords, codes, cookies, waits, the end of a session; and one's own account."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from urllib.parse import parse_qsl

import httpx
import pyotp
import pytest
from sqlmodel import select

from core import clock, lockout, second_factor, web_sessions
from core.people import Person, add_person, grant_role
from core.principal import PLATFORM
from core.web_sessions import WebSession
from tests.integration.api.service import PASSWORD, Service

OTHER = "une autre phrase"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


@pytest.fixture
def person(service: Service) -> Iterator[Person]:
    """Somebody of their own for each test, in the first collectivité."""
    with service.platform.database.writing(PLATFORM) as session:
        added = add_person(session, f"{clock.now():%H%M%S%f}@valmorin.test", "Odile Personne", PASSWORD)
        grant_role(session, added, service.mairie.organisation, "agent")
    yield added
    with service.platform.database.writing(PLATFORM) as session:
        lockout.clear(session, lockout.network("127.0.0.1"))


@pytest.fixture
def browser(service: Service) -> Iterator[httpx.Client]:
    """A browser that nobody has used yet."""
    with service.client(**{"User-Agent": FIREFOX}) as client:
        yield client


def token_in(page: str) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', page)
    assert found
    return found[1]


def enter(browser: httpx.Client, person: Person, password: str = PASSWORD, **more: str) -> httpx.Response:
    csrf = token_in(browser.get("/connexion").text)
    return browser.post("/connexion", data={"csrf": csrf, "email": person.email, "password": password} | more)


def give_code(browser: httpx.Client, code: str, **more: str) -> httpx.Response:
    csrf = token_in(browser.get("/connexion").text)
    return browser.post("/connexion", data={"csrf": csrf, "code": code} | more)


def enrol(service: Service, person: Person) -> tuple[pyotp.TOTP, list[str]]:
    box = service.platform.secrets
    with service.platform.database.writing(PLATFORM) as session:
        application = pyotp.TOTP(second_factor.begin(session, box, person.id))
        return application, second_factor.confirm(session, box, person.id, application.now())


def next_code(application: pyotp.TOTP) -> str:
    return application.at(clock.now() + timedelta(seconds=30))


def given(answer: httpx.Response, cookie: str) -> list[str]:
    return [
        value for value in answer.headers.get_list("set-cookie") if value.startswith(f"{cookie}=") and "Max-Age=0" not in value
    ]


def test_a_code_is_asked_for_once_enrolled_and_what_is_given_before_it_is_no_session(
    service: Service, browser: httpx.Client, person: Person
) -> None:
    application, _ = enrol(service, person)
    half = enter(browser, person, suite="/deposer")
    assert (half.status_code, half.headers["location"]) == (303, "/connexion?suite=%2Fdeposer")
    assert given(half, "tabellion_session") == []
    (cookie,) = given(half, "tabellion_double")
    assert {"HttpOnly", "SameSite=lax", "Path=/connexion"} <= {part.strip() for part in cookie.split(";")}
    assert browser.get("/dossiers").status_code == 303
    secret = cookie.partition("=")[2].partition(";")[0]
    assert browser.get("/dossiers", headers={"Cookie": f"tabellion_session={secret}"}).status_code == 303
    page = browser.get("/connexion?suite=/deposer").text
    assert 'autocomplete="one-time-code"' in page
    assert give_code(browser, "000000").status_code == 401
    through = give_code(browser, next_code(application), suite="/deposer")
    assert (through.status_code, through.headers["location"]) == (303, "/deposer")
    assert browser.get("/deposer").status_code == 200


def test_a_recovery_code_lets_in_once(service: Service, browser: httpx.Client, person: Person) -> None:
    _, codes = enrol(service, person)
    enter(browser, person)
    assert give_code(browser, codes[0]).status_code == 303
    assert browser.get("/dossiers").status_code == 200
    with service.client() as again:
        enter(again, person)
        assert give_code(again, codes[0]).status_code == 401


def test_one_goes_back_from_the_code_to_the_password(service: Service, browser: httpx.Client, person: Person) -> None:
    enrol(service, person)
    enter(browser, person)
    csrf = token_in(browser.get("/connexion").text)
    assert browser.post("/connexion", data={"csrf": csrf, "recommencer": "1"}).status_code == 303
    assert 'name="password"' in browser.get("/connexion").text


def test_signing_in_gives_a_fresh_cookie_and_closes_the_one_before(browser: httpx.Client, person: Person) -> None:
    enter(browser, person)
    earlier = browser.cookies["tabellion_session"]
    entered = enter(browser, person)
    assert browser.cookies["tabellion_session"] != earlier
    (cookie,) = given(entered, "tabellion_session")
    assert {"HttpOnly", "SameSite=lax", "Max-Age=43200"} <= {part.strip() for part in cookie.split(";")}
    assert browser.get("/dossiers", headers={"Cookie": f"tabellion_session={earlier}"}).status_code == 303


def test_too_many_tries_are_answered_alike_for_an_address_that_somebody_has_and_one_that_nobody_has(
    service: Service, browser: httpx.Client, person: Person
) -> None:
    unknown = Person(email=f"x{person.email}", name="", password_hash="")
    answers = {}
    for who in (person, unknown):
        tried = [enter(browser, who, "un mot de passe faux") for _ in range(6)]
        answers[who.email] = [(one.status_code, one.text.replace(who.email, "").replace(token_in(one.text), "")) for one in tried]
        assert int(tried[-1].headers["retry-after"]) <= 31
    assert answers[person.email] == answers[unknown.email]
    assert [status for status, _ in answers[person.email]] == [401] * 5 + [429]
    assert enter(browser, person).status_code == 429
    with service.platform.database.writing(PLATFORM) as session:
        lockout.unlock(session, person.email)
    assert enter(browser, person).status_code == 303


def test_a_page_asked_for_after_the_end_of_a_session_leads_to_the_door_which_says_why_and_back(
    service: Service, browser: httpx.Client, person: Person
) -> None:
    enter(browser, person)
    with service.platform.database.writing(PLATFORM) as session:
        for opened in session.exec(select(WebSession).where(WebSession.person_id == person.id)):
            opened.seen -= web_sessions.IDLE
    sent = browser.get("/deposer")
    assert (sent.status_code, sent.headers["location"]) == (303, "/connexion?suite=%2Fdeposer")
    door = browser.get(sent.headers["location"])
    assert "Votre session a pris fin" in door.text
    assert 'name="suite" value="/deposer"' in door.text
    assert enter(browser, person, suite="/deposer").headers["location"] == "/deposer"
    assert "Votre session a pris fin" not in browser.get("/connexion").text


def test_what_was_asked_for_is_come_back_to_whole_whatever_host_the_request_names(browser: httpx.Client, person: Person) -> None:
    sent = browser.get("/dossiers?q=a%20b&etat=sent", headers={"Host": "ailleurs.example"})
    assert sent.headers["location"] == "/connexion?suite=%2Fdossiers%3Fq%3Da%2520b%26etat%3Dsent"
    asked = dict(parse_qsl(sent.headers["location"].partition("?")[2]))["suite"]
    assert enter(browser, person, suite=asked).headers["location"] == "/dossiers?q=a%20b&etat=sent"
    slash = browser.get("/v1/dossiers/", headers={"Host": "ailleurs.example"})
    assert (slash.status_code, slash.headers["location"]) == (307, "/v1/dossiers")


@pytest.mark.parametrize(
    "suite", ["//ailleurs.example", "https://ailleurs.example", "/\\ailleurs", "/dossiers\n", "javascript:x"]
)
def test_nobody_is_sent_elsewhere_after_the_door(browser: httpx.Client, person: Person, suite: str) -> None:
    assert enter(browser, person, suite=suite).headers["location"] == "/"


def test_asking_how_long_is_left_and_the_news_of_a_page_keep_no_session_open_and_staying_does(
    service: Service, browser: httpx.Client, person: Person
) -> None:
    enter(browser, person)

    def seen() -> timedelta:
        with service.platform.database.reading(PLATFORM) as session:
            return clock.now() - session.exec(select(WebSession).where(WebSession.person_id == person.id)).one().seen

    with service.platform.database.writing(PLATFORM) as session:
        session.exec(select(WebSession).where(WebSession.person_id == person.id)).one().seen -= timedelta(minutes=58, seconds=30)
    left = browser.get("/compte/session").json()
    assert 0 < left["left"] <= 90
    browser.get("/dossiers", headers={"HX-Request": "true"})
    assert seen() > timedelta(minutes=58)
    assert browser.post("/compte/session", data={"csrf": "x"}).status_code == 403
    kept = browser.post("/compte/session", data={"csrf": left["csrf"]})
    assert 3500 < kept.json()["left"] <= 3600
    assert seen() < timedelta(minutes=1)
    page = browser.get("/compte/session/avis?langue=en").text
    assert "Stay signed in" in page


def test_nobody_without_a_session_is_told_anything_of_one(browser: httpx.Client) -> None:
    assert browser.get("/compte/session").status_code == 303
    assert browser.get("/compte").status_code == 303
    assert browser.post("/compte/nom", data={"name": "x"}).status_code == 401


# One's own account


def test_a_name_and_preferences_are_changed_and_the_pages_speak_the_language_that_was_chosen(
    browser: httpx.Client, person: Person
) -> None:
    enter(browser, person)
    csrf = token_in(browser.get("/compte").text)
    assert browser.post("/compte/nom", data={"csrf": csrf, "name": "  Odile   Lavoir "}).status_code == 303
    assert 'value="Odile Lavoir"' in browser.get("/compte").text
    for unfit in ("", " ", "x" * 121, "a\u202eb"):
        refused = browser.post("/compte/nom", data={"csrf": csrf, "name": unfit})
        assert (refused.status_code, 'role="alert"' in refused.text) == (400, True)
    browser.post("/compte/preferences", data={"csrf": csrf, "language": "en", "density": "compact"})
    english = browser.get("/compte", headers={"Accept-Language": "fr"}).text
    assert '<html lang="en">' in english
    assert '<option value="compact" selected>' in english
    browser.post("/compte/preferences", data={"csrf": csrf, "language": "xx", "density": "xx"})
    assert '<html lang="fr">' in browser.get("/compte", headers={"Accept-Language": "fr"}).text


def test_whoever_signs_does_not_rename_themselves(service: Service, browser: httpx.Client, person: Person) -> None:
    with service.platform.database.writing(PLATFORM) as session:
        grant_role(session, session.get_one(Person, person.id), service.mairie.organisation, "signataire")
    enter(browser, person)
    page = browser.get("/compte").text
    assert 'action="/compte/nom"' not in page
    assert "seul un administrateur le change" in page
    assert browser.post("/compte/nom", data={"csrf": token_in(page), "name": "Dupont"}).status_code == 403
    with service.platform.database.reading(PLATFORM) as session:
        assert session.get_one(Person, person.id).name == "Odile Personne"


def test_a_password_is_changed_with_the_present_one_and_the_other_sessions_end(
    service: Service, browser: httpx.Client, person: Person
) -> None:
    enter(browser, person)
    with service.client() as other:
        enter(other, person)
        csrf, earlier = token_in(browser.get("/compte").text), browser.cookies["tabellion_session"]
        form = {"csrf": csrf, "current": PASSWORD, "password": OTHER, "again": OTHER}
        for wrong in ({"current": "faux"}, {"again": "faux"}, {"password": "court", "again": "court"}):
            assert browser.post("/compte/mot-de-passe", data=form | wrong).status_code == 400
        assert browser.post("/compte/mot-de-passe", data=form).status_code == 303
        assert other.get("/compte").status_code == 303
    assert browser.cookies["tabellion_session"] != earlier
    assert browser.get("/compte").status_code == 200
    with service.client() as again:
        assert enter(again, person).status_code == 401
        assert enter(again, person, OTHER).status_code == 303


def test_guessing_the_password_from_an_open_session_is_locked_like_any_other(browser: httpx.Client, person: Person) -> None:
    enter(browser, person)
    form = {"csrf": token_in(browser.get("/compte").text), "current": "faux", "password": OTHER, "again": OTHER}
    statuses = [browser.post("/compte/mot-de-passe", data=form).status_code for _ in range(6)]
    assert statuses == [400] * 5 + [429]


def test_a_second_factor_is_turned_on_with_the_password_and_a_code_and_off_with_the_password(
    service: Service, browser: httpx.Client, person: Person
) -> None:
    enter(browser, person)
    csrf = token_in(browser.get("/compte").text)
    assert browser.post("/compte/second-facteur/debut", data={"csrf": csrf}).status_code == 303
    page = browser.get("/compte/second-facteur").text
    assert "<svg" in page
    assert "style=" not in page
    secret = re.search(r'class="code secret">([A-Z2-7 ]+)<', page)
    assert secret
    application = pyotp.TOTP(secret[1].replace(" ", ""))
    turned = {"csrf": csrf, "code": application.now(), "password": PASSWORD}
    assert browser.post("/compte/second-facteur", data=turned | {"code": "000000"}).status_code == 400
    for passing in ("", "faux"):
        assert browser.post("/compte/second-facteur", data=turned | {"password": passing}).status_code == 400
    earlier = browser.cookies["tabellion_session"]
    shown = browser.post("/compte/second-facteur", data=turned)
    codes = re.findall(r"<li>([a-z0-9]{4}(?:-[a-z0-9]{4}){3})</li>", shown.text)
    assert (shown.status_code, len(codes)) == (200, 10)
    assert browser.cookies["tabellion_session"] != earlier
    page = browser.get("/compte/second-facteur").text
    assert secret[1] not in page
    assert not [code for code in codes if code in page]
    csrf = token_in(page)
    renewed = browser.post("/compte/second-facteur/codes", data={"csrf": csrf, "password": PASSWORD})
    assert codes[0] not in renewed.text
    assert browser.post("/compte/second-facteur/retrait", data={"csrf": csrf, "password": "faux"}).status_code == 400
    assert browser.post("/compte/second-facteur/retrait", data={"csrf": csrf, "password": PASSWORD}).status_code == 303
    with service.client() as again:
        assert given(enter(again, person), "tabellion_session")


def test_open_sessions_are_listed_and_closed_one_by_one_or_all_at_once(
    service: Service, browser: httpx.Client, person: Person
) -> None:
    enter(browser, person)
    with service.client(**{"User-Agent": "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) Safari/605"}) as telephone:
        enter(telephone, person)
        page = browser.get("/compte").text
        assert "Firefox · Linux" in page
        assert "Safari · iPhone" in page
        csrf = token_in(page)
        with service.platform.database.reading(PLATFORM) as session:
            theirs = {found.device: found.id for found in web_sessions.open_of(session, person.id)}
        closed = browser.post("/compte/sessions", data={"csrf": csrf, "session": theirs["Safari · iPhone"]})
        assert closed.headers["location"] == "/compte?fait=session"
        assert telephone.get("/compte").status_code == 303
        enter(telephone, person)
        assert browser.post("/compte/sessions", data={"csrf": csrf}).headers["location"] == "/compte?fait=session"
        closed = browser.post("/compte/sessions", data={"csrf": csrf, "tout": "1"})
        assert closed.headers["location"] == "/connexion?fait=partout"
        assert (browser.get("/compte").status_code, telephone.get("/compte").status_code) == (303, 303)


def test_cookies_are_for_https_only_where_the_platform_is_reached_so(
    service: Service, browser: httpx.Client, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(service.platform.settings.__dict__, "public_url", "https://tabellion.example")
    form = browser.get("/connexion")
    cookies = [*form.headers.get_list("set-cookie")]
    csrf = token_in(form.text)
    bearing = {"Cookie": f"tabellion_connexion={cookies[0].partition('=')[2].partition(';')[0]}"}
    data = {"csrf": csrf, "email": person.email, "password": PASSWORD}
    cookies += given(browser.post("/connexion", data=data, headers=bearing), "tabellion_session")
    assert len(cookies) == 2
    assert all("Secure" in cookie and "HttpOnly" in cookie and "SameSite=lax" in cookie for cookie in cookies)
