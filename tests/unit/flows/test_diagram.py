"""The diagram of a flow: everything in the table is in the drawing, and the drawing is well-formed."""

from __future__ import annotations

from datetime import timedelta
from itertools import combinations, pairwise
from xml.etree import ElementTree as ET

import pytest

from flows.engine.diagram import draw
from flows.engine.table import End, Flow, On, Wait, stage
from flows.engine.work import Advance, Work
from flows.registry import FLOWS

SVG = "{http://www.w3.org/2000/svg}"


@stage("cpu", "accepted", "refused")
def weigh(_work: Work) -> Advance:
    """A stage with two outcomes."""
    return Advance("accepted")


BRANCHED = Flow(
    "toy",
    On("received", weigh, accepted="waiting", refused="rejected"),
    Wait("waiting", waits_for="an answer", within=timedelta(days=1), answered="done", declined="refused", mended="received"),
    End("done", good=True),
    End("rejected"),
    End("refused"),
)
ALL = [BRANCHED, *FLOWS.values()]
every_flow = pytest.mark.parametrize("flow", ALL, ids=lambda flow: flow.name)


def drawn(flow: Flow, current: str | None = None, title: str = "") -> ET.Element:
    return ET.fromstring(draw(flow, lambda key: f"<{key}> & “co”", current, title))


def texts(svg: ET.Element) -> list[str]:
    return [element.text or "" for element in svg.iter(f"{SVG}text")]


def boxes(svg: ET.Element) -> dict[str, ET.Element]:
    """The box of each state, by the words in it: each rectangle is followed by its text."""
    elements = list(svg)
    return {(after.text or ""): element for element, after in pairwise(elements) if element.tag == f"{SVG}rect"}


@every_flow
def test_every_state_is_drawn_once(flow: Flow) -> None:
    words = texts(drawn(flow))
    for state in flow.states:
        assert words.count(f"<state.{state}> & “co”") == 1


@every_flow
def test_every_way_between_two_states_is_an_arrow_with_the_words_of_an_outcome(flow: Flow) -> None:
    svg = drawn(flow)
    words = texts(svg)
    ways = [(state, target) for state, row in flow.rows.items() for target in set(row.leads.values())]
    arrows = [path for path in svg.iter(f"{SVG}path") if path.get("marker-end")]
    assert len(arrows) == len(ways)
    for state, row in flow.rows.items():
        for target in set(row.leads.values()):
            outcomes = [outcome for outcome, leads_to in row.leads.items() if leads_to == target]
            assert any(f"<outcome.{outcome}> & “co”" in words for outcome in outcomes), (state, target)


@every_flow
def test_no_two_states_are_drawn_over_each_other_and_all_are_within_the_drawing(flow: Flow) -> None:
    svg = drawn(flow)
    places = [tuple(int(box.get(side, "")) for side in ("x", "y", "width", "height")) for box in boxes(svg).values()]
    assert len(places) == len(flow.states)
    for (x, y, width, height), (other_x, other_y, _, _) in combinations(places, 2):
        assert abs(x - other_x) >= width or abs(y - other_y) >= height
    for x, y, width, height in places:
        assert 0 <= x <= int(svg.get("width", "")) - width
        assert 0 <= y <= int(svg.get("height", "")) - height


@every_flow
def test_only_the_current_state_is_marked(flow: Flow) -> None:
    plain = {words: box.get("fill") for words, box in boxes(drawn(flow)).items()}
    assert len(set(plain.values())) == 1
    for state in flow.states:
        marked = {words: box.get("fill") for words, box in boxes(drawn(flow, state)).items()}
        assert [words for words in marked if marked[words] != plain[words]] == [f"<state.{state}> & “co”"]


def test_the_good_end_a_bad_end_and_a_wait_look_different() -> None:
    found = boxes(drawn(BRANCHED))
    looks = {
        name: (found[f"<state.{name}> & “co”"].get("stroke"), found[f"<state.{name}> & “co”"].get("stroke-dasharray"))
        for name in BRANCHED.states
    }
    assert looks["rejected"] == looks["refused"]
    assert len({looks["done"], looks["rejected"], looks["waiting"], looks["received"]}) == 4


def test_the_way_to_the_good_end_runs_along_the_first_line() -> None:
    found = boxes(drawn(BRANCHED))
    places = {name: found[f"<state.{name}> & “co”"] for name in BRANCHED.states}
    first = [name for name in BRANCHED.states if places[name].get("y") == places["received"].get("y")]
    assert first == ["received", "waiting", "done"]


@pytest.mark.parametrize("title", ["Le flux « HELIOS »", "a <title> & more"])
def test_a_screen_reader_is_told_the_title(title: str) -> None:
    assert drawn(BRANCHED, title=title).get("aria-label") == title


def test_without_a_title_the_flow_is_named() -> None:
    assert drawn(BRANCHED).get("aria-label") == "toy"


def test_two_outcomes_that_lead_to_one_state_are_one_arrow() -> None:
    flow = Flow("toy", On("received", weigh, accepted="done", refused="done"), End("done", good=True))
    svg = drawn(flow)
    assert len([path for path in svg.iter(f"{SVG}path") if path.get("marker-end")]) == 1
    assert "<outcome.accepted> & “co”" in texts(svg)
