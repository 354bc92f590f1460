"""A flow's table: broken ones are refused with what is wrong, and the real ones hold."""

from __future__ import annotations

from datetime import timedelta

import pytest

from core.errors import UsageError
from core.messages import speaking
from flows.engine.table import BrokenFlow, End, Flow, On, Row, Wait, stage
from flows.engine.work import Advance, Work
from flows.registry import DEPOSITS, FLOWS, flow_for_deposits, flow_named


@stage("cpu", "accepted", "refused")
def weigh(_work: Work) -> Advance:
    """A stage with two outcomes."""
    return Advance("accepted")


@stage("remote.toy", "sent")
def carry(_work: Work) -> Advance:
    """A stage with one."""
    return Advance("sent")


SOUND: tuple[Row, ...] = (
    On("received", weigh, accepted="weighed", refused="rejected"),
    On("weighed", carry, sent="waiting"),
    Wait("waiting", waits_for="an answer", within=timedelta(days=1), answered="done"),
    End("done", good=True),
    End("rejected"),
)


def test_a_sound_table_is_read_as_it_stands() -> None:
    flow = Flow("toy", *SOUND)
    assert flow.start == "received"
    assert flow.states == ("received", "weighed", "waiting", "done", "rejected")
    assert [flow.actor(one) for one in flow.stages()] == ["toy.weigh", "toy.carry"]
    assert (weigh.queue, weigh.outcomes) == ("cpu", {"accepted", "refused"})


def test_a_stage_that_stands_in_two_rows_is_one_actor() -> None:
    again = Flow("toy", On("received", carry, sent="again"), On("again", carry, sent="done"), End("done", good=True))
    assert [one.name for one in again.stages()] == ["carry"]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ((*SOUND, End("done")), "a state stands in two rows"),
        (
            (On("received", weigh, accepted="done"), End("done", good=True)),
            r"received: weigh ends by \['accepted', 'refused'\], the table says \['accepted'\]",
        ),
        (
            (On("received", carry, sent="done", lost="done"), End("done", good=True)),
            r"carry ends by \['sent'\], the table says \['lost', 'sent'\]",
        ),
        ((On("received", carry, sent="nowhere"), End("done")), r"received leads to unknown states \['nowhere'\]"),
        ((Wait("received", waits_for="a reply"), End("done")), "nothing leaves received"),
        ((On("received", carry, sent="done"), End("done"), End("island")), r"nothing leads to \['island'\]"),
        (
            (
                On("received", carry, sent="done"),
                Wait("ping", waits_for="pong", back="pong"),
                Wait("pong", waits_for="ping", back="ping"),
                End("done"),
            ),
            r"nothing leads to \['ping', 'pong'\]",
        ),
    ],
    ids=["twice", "outcome forgotten", "outcome invented", "unknown state", "no exit", "unreachable", "unreachable ring"],
)
def test_a_broken_table_is_refused_with_what_is_wrong(rows: tuple[Row, ...], said: str) -> None:
    with pytest.raises(BrokenFlow, match=said) as refused:
        Flow("toy", *rows)
    assert str(refused.value).startswith("toy: ")


@pytest.mark.parametrize("flow", FLOWS.values(), ids=FLOWS.keys())
def test_a_known_flow_comes_to_a_good_end(flow: Flow) -> None:
    assert flow_named(flow.name) is flow
    assert any(isinstance(row, End) and row.good for row in flow.rows.values())


@pytest.mark.parametrize("name", FLOWS)
def test_a_flow_is_deposited_in_unless_it_fetches_by_itself(name: str) -> None:
    if name in DEPOSITS:
        assert flow_for_deposits(name) is FLOWS[name]
    else:
        assert name in {"invoices", "mail", "sae", "pes_retour"}  # fetched, written, made of a record
        with pytest.raises(UsageError, match=rf"«\u00a0{name}\u00a0».*helios"):
            flow_for_deposits(name)


def test_an_unknown_flow_is_said_with_those_there_are() -> None:
    with pytest.raises(UsageError, match=r"«\u00a0xyz\u00a0».*helios"):
        flow_named("xyz")
    with speaking("en"), pytest.raises(UsageError, match="Unknown flow: “xyz”"):
        flow_named("xyz")
    with pytest.raises(UsageError) as refused:
        flow_named("x" * 10_000)
    assert len(str(refused.value)) < 200
