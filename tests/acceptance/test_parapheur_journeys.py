"""The signing book from end to end, as people live it: software pushes, clerks send, officials read, decide and sign."""

from __future__ import annotations

import re
from urllib.parse import urlencode

from playwright.sync_api import Page, expect

from schemas.pes.sample import Authority, Sample, write_sample
from tests.acceptance.parapheur_town import CCAS, DESKTOP, PHONE, ParapheurTown
from tests.office import pdf
from tests.softhsm import needs_softhsm

pytestmark = needs_softhsm
_numbers = iter(range(1, 10_000))


def sent(town: ParapheurTown, subtype: str, title: str | None = None) -> tuple[str, str]:
    """Send a letter; return its title and its dossier, once people can see it."""
    named = title or f"Lettre {next(_numbers):04d}"
    dossier = town.sends_letter(named, subtype, pdf(named))
    town.wait_for(dossier, "in_parapheur")
    return named, dossier


def open_folder(page: Page, title: str, tray: str = "a-traiter") -> None:
    page.goto(f"/parapheur/{tray}?q={title.replace(' ', '+')}")
    page.get_by_role("link", name=re.compile(re.escape(title))).first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text(title)


def signs_with_the_token(town: ParapheurTown, page: Page, signed: str) -> None:
    link = page.locator("#open-agent").get_attribute("href")
    assert link
    ended = town.agent(link)
    assert ended.returncode == 0, ended.stderr + ended.stdout
    expect(page.get_by_role("heading", name=f"Signé : {signed}")).to_be_visible()


def test_a_pes_pushed_over_the_api_is_read_approved_signed_with_a_token_and_transmitted(town: ParapheurTown) -> None:
    number = next(_numbers)
    path = town.folder / f"pes{number}.xml"
    name = f"PESALR1_{CCAS}_E2E_{number}"
    authority = Authority(siret=CCAS, cod_col="124", name="CCAS DE VALMORIN")
    write_sample(Sample(name, authority, bordereaux=2, pieces=3, first_bordereau=7000 + number * 2), path)
    dossier = town.sends_pes(path)
    town.wait_for(dossier, "in_parapheur")
    director = town.tab("dgs", DESKTOP)
    open_folder(director, name)
    expect(director.locator(".folder-document")).to_contain_text("CCAS DE VALMORIN")
    director.get_by_role("button", name="Viser").click()
    expect(director.get_by_role("status").filter(has_text="Visé").first).to_be_visible()
    mayor = town.tab("maire", DESKTOP)
    open_folder(mayor, name)
    mayor.get_by_role("button", name="Signer").click()
    signs_with_the_token(town, mayor, "1 sur 1")
    assert town.wait_for(dossier, "sent", "acquitted", "archived", "refused") != "refused"
    assert town.wait_for(dossier, "archived") == "archived"


def test_a_letter_is_approved_and_signed_from_a_telephone(town: ParapheurTown) -> None:
    title, dossier = sent(town, "Visa puis signature")
    director = town.tab("dgs", PHONE)
    open_folder(director, title)
    director.get_by_role("button", name="Viser").click()
    expect(director.get_by_role("status").filter(has_text="Visé").first).to_be_visible()
    mayor = town.tab("maire", PHONE)
    open_folder(mayor, title)
    mayor.get_by_role("button", name="Signer").click()
    mayor.get_by_label("Code PIN").fill("0000")
    mayor.get_by_role("button", name=re.compile("à distance")).click()
    expect(mayor.get_by_role("alert")).to_be_visible()
    mayor.get_by_label("Code PIN").fill(town.shown["pin"])
    mayor.get_by_role("button", name=re.compile("à distance")).click()
    expect(mayor.get_by_role("heading", name="Signé : 1 sur 1")).to_be_visible()
    town.wait_for(dossier, "archived")


def test_forty_folders_are_signed_in_one_go_with_one_pin(town: ParapheurTown) -> None:
    batch = f"Lot {next(_numbers)}"
    dossiers = [town.sends_letter(f"{batch} n° {rank:02d}", "Pour signature", pdf(f"{batch} {rank}")) for rank in range(40)]
    for dossier in dossiers:
        town.wait_for(dossier, "in_parapheur")
    mayor = town.tab("maire")
    mayor.goto(f"/parapheur/a-traiter?q={batch.replace(' ', '+')}")
    chosen: list[str] = []
    while True:
        boxes = mayor.locator("input[name=choix]")
        chosen += [str(boxes.nth(rank).get_attribute("value")) for rank in range(boxes.count())]
        following = mayor.get_by_role("link", name="Page suivante")
        if not following.count():
            break
        with mayor.expect_navigation():
            following.click()
    assert len(chosen) == 40
    mayor.goto("/parapheur/selection?" + urlencode([("geste", "signer"), *(("choix", one) for one in chosen)]))
    mayor.get_by_role("button", name="Signer 40 dossiers").click()
    expect(mayor.get_by_role("heading", level=1)).to_have_text("Signer 40 dossiers")
    signs_with_the_token(town, mayor, "40 sur 40")
    for dossier in dossiers:
        town.wait_for(dossier, "archived")


def test_a_session_that_was_interrupted_is_taken_up_where_it_stopped(town: ParapheurTown) -> None:
    titles = [sent(town, "Pour signature") for _ in range(2)]
    mayor = town.tab("maire")
    open_folder(mayor, titles[0][0])
    mayor.get_by_role("button", name="Signer").click()
    mayor.get_by_role("button", name="Annuler la séance").click()
    expect(mayor.get_by_role("heading", name=re.compile("Arrêté"))).to_be_visible()
    mayor.get_by_role("button", name=re.compile("Reprendre")).click()
    signs_with_the_token(town, mayor, "1 sur 1")
    town.wait_for(titles[0][1], "archived")


def test_a_rejected_letter_says_why_and_is_mended_and_sent_again(town: ParapheurTown) -> None:
    title, dossier = sent(town, "Pour visa")
    director = town.tab("dgs")
    open_folder(director, title)
    director.get_by_role("link", name="Rejeter…").click()
    director.get_by_label("Motif", exact=True).fill("La date de la séance est fausse")
    director.get_by_role("button", name="Rejeter le dossier").click()
    expect(director.get_by_role("status").filter(has_text="Rejeté").first).to_be_visible()
    clerk = town.tab("agent")
    clerk.goto("/parapheur/rejetes")
    expect(clerk.locator("main")).to_contain_text("La date de la séance est fausse")
    open_folder(clerk, title, "rejetes")
    clerk.get_by_role("button", name="Corriger et relancer").first.click()
    clerk.get_by_role("button", name="Démarrer le circuit").click()
    open_folder(director, title)
    director.get_by_role("button", name="Viser").click()
    town.wait_for(dossier, "archived")


def test_who_approved_takes_it_back_while_nobody_has_acted(town: ParapheurTown) -> None:
    title, _ = sent(town, "Visa puis signature")
    director = town.tab("dgs", PHONE)
    open_folder(director, title)
    director.get_by_role("button", name="Viser").click()
    director.get_by_role("button", name="Récupérer").first.click()
    open_folder(director, title)
    expect(director.get_by_role("button", name="Viser")).to_be_visible()


def test_a_desk_that_is_absent_is_replaced_and_the_history_says_so(town: ParapheurTown) -> None:
    title, dossier = sent(town, "Pour visa")
    director = town.tab("dgs")
    director.goto("/parapheur/absences")
    director.get_by_label("Bureau suppléant").select_option(label="Secrétariat général")
    director.get_by_role("button", name="Enregistrer l’absence").click()
    clerk = town.tab("agent")
    open_folder(clerk, title, "delegues")
    clerk.get_by_role("button", name="Viser").click()
    town.wait_for(dossier, "archived")
    open_folder(clerk, title, "en-fin-de-circuit")
    expect(clerk.locator("main")).to_contain_text("en l’absence de")


def test_of_two_who_act_at_once_the_second_is_told_and_nothing_is_lost(town: ParapheurTown) -> None:
    title, dossier = sent(town, "Pour visa")
    first, second = town.tab("dgs"), town.tab("dgs", PHONE)
    open_folder(first, title)
    open_folder(second, title)
    first.get_by_role("button", name="Viser").click()
    expect(first.get_by_role("status").filter(has_text="Visé").first).to_be_visible()
    second.get_by_role("button", name="Viser").click()
    expect(second.get_by_role("alert")).to_contain_text("vient d’être traité par Directrice des services")
    town.wait_for(dossier, "archived")


def test_all_of_it_works_without_scripts(town: ParapheurTown) -> None:
    title, dossier = sent(town, "Visa puis signature")
    director = town.tab("dgs", PHONE, java_script_enabled=False)
    open_folder(director, title)
    director.get_by_role("button", name="Viser").click()
    expect(director.get_by_role("status").filter(has_text="Visé").first).to_be_visible()
    mayor = town.tab("maire", DESKTOP, java_script_enabled=False)
    open_folder(mayor, title)
    mayor.get_by_role("button", name="Signer").click()
    link = mayor.locator("#open-agent").get_attribute("href")
    assert link
    assert town.agent(link).returncode == 0
    mayor.get_by_role("link", name="Actualiser").click()
    expect(mayor.get_by_role("heading", name="Signé : 1 sur 1")).to_be_visible()
    town.wait_for(dossier, "archived")


def test_a_letter_pushed_by_software_can_be_neither_approved_nor_signed_by_it(town: ParapheurTown) -> None:
    _, dossier = sent(town, "Pour visa")
    with town.api() as client:
        assert client.post(f"/parapheur/taches/{dossier}/viser").status_code in {303, 401, 403}
    assert town.state(dossier) == "in_parapheur"
