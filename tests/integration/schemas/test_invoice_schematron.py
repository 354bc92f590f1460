"""The process that applies rules: never a wrong answer, whatever becomes of it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from core.errors import Misconfigured, Unavailable
from schemas.schematron import checking, process
from schemas.schematron.checking import Finding, Schematron
from schemas.schematron.process import NotApplied, Process, TooLong

HEAD = (
    '<xsl:stylesheet version="2.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" '
    'xmlns:svrl="http://purl.oclc.org/dsdl/svrl" xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:f="urn:f">'
)
RULES = """
<xsl:template match="/"><svrl:schematron-output><xsl:apply-templates select="//*"/></svrl:schematron-output></xsl:template>
<xsl:template match="*"/>
<xsl:template match="bad"><svrl:failed-assert id="R-1" location="/a[1]/bad[{position()}]"><svrl:text>It is
   bad: <xsl:value-of select="."/></svrl:text></svrl:failed-assert></xsl:template>
<xsl:template match="mild">
  <svrl:failed-assert id="R-2" flag="warning" location=""><svrl:text>So so</svrl:text></svrl:failed-assert>
</xsl:template>
<xsl:template match="closed">
  <svrl:successful-report location=""><svrl:text>No place here</svrl:text></svrl:successful-report>
</xsl:template>
<xsl:template match="number"><xsl:value-of select="xs:decimal(.)"/></xsl:template>
<xsl:template match="read"><xsl:value-of select="doc(.)"/></xsl:template>
<xsl:template match="for-ever"><xsl:value-of select="f:on(1)"/></xsl:template>
<xsl:function name="f:on"><xsl:param name="i"/><xsl:sequence select="if ($i lt 0) then 0 else f:on($i + 1)"/></xsl:function>
"""


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> Schematron:
    path = tmp_path_factory.mktemp("rules") / "rules.xslt"
    path.write_text(f"{HEAD}{RULES}</xsl:stylesheet>")
    return Schematron(path)


@pytest.fixture(scope="module")
def child(rules: Schematron) -> Process:
    """The process of this test session, warm."""
    rules.findings(b"<a/>")
    return checking._process


def pid_of(child: Process) -> int:
    assert child.pid is not None
    return child.pid


def test_findings_say_rule_weight_place_and_text_and_warnings_make_room(rules: Schematron) -> None:
    found = rules.findings(b"<a><bad>milk</bad><mild/><closed/></a>")
    assert found.first[0].text == "It is bad: milk"
    assert [(one.rule, one.fatal) for one in found.first] == [("R-1", True), ("R-2", False), ("", True)]
    flood = rules.findings(b"<a>" + b"<mild/>" * 300 + b"<bad/></a>")
    assert (flood.total, len(flood.first), [one.rule for one in flood.first].count("R-1")) == (301, 200, 1)


def test_a_rule_broken_all_over_a_document_hides_no_other(rules: Schematron) -> None:
    found = rules.findings(b"<a>" + b"<bad/>" * 300 + b"<closed/>" * 3 + b"<bad/></a>")
    assert (found.total, len(found.first), [one.rule for one in found.first].count("")) == (304, 200, 3)


def test_one_child_serves_a_whole_process_and_stays_warm(rules: Schematron, child: Process) -> None:
    first = pid_of(child)
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda n: rules.findings(f"<a><bad>{n}</bad></a>".encode()).first[0].text, range(40)))
    assert answers == [f"It is bad: {n}" for n in range(40)]
    assert child.pid == first


def test_a_child_killed_in_the_middle_of_a_check_gives_the_right_answer_all_the_same(rules: Schematron, child: Process) -> None:
    first, found = pid_of(child), []
    os.kill(first, signal.SIGSTOP)  # it cannot answer, so that the kill comes in the middle
    asking = threading.Thread(target=lambda: found.append(rules.findings(b"<a><bad>now</bad></a>")))
    asking.start()
    os.kill(first, signal.SIGKILL)
    asking.join()
    assert [one.first for one in found] == [(Finding("R-1", True, "/a[1]/bad[2]", "It is bad: now"),)]
    assert pid_of(child) != first
    assert rules.findings(b"<a/>").total == 0


def test_a_child_killed_between_two_checks_is_replaced(rules: Schematron, child: Process) -> None:
    first = pid_of(child)
    os.kill(first, signal.SIGKILL)
    assert rules.findings(b"<a><bad/></a>").total == 1
    assert pid_of(child) != first


@pytest.fixture
def alone() -> Iterator[Process]:
    child = Process()
    yield child
    child.stop()


def test_a_child_that_does_not_live_is_unavailable_and_no_verdict(
    rules: Schematron, alone: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process.sys, "executable", "/bin/false")
    with pytest.raises(Unavailable, match="ne répond pas"):
        alone.run(str(rules.stylesheet), b"<a><bad/></a>")
    monkeypatch.undo()
    assert alone.run(str(rules.stylesheet), b"<a><bad/></a>")["total"] == 1


def test_a_child_that_hangs_is_killed_and_unavailable(rules: Schematron, alone: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_PATIENCE", 0.2)
    monkeypatch.setattr(process, "_LAST_MOMENT", 0.1)
    hanging = ["/bin/sleep", "600"]
    start = subprocess.Popen
    monkeypatch.setattr(process.subprocess, "Popen", lambda _, **options: start(hanging, **options))
    with pytest.raises(Unavailable):
        alone.run(str(rules.stylesheet), b"<a/>")
    assert alone.pid is None
    assert [child for child in psutil.Process().children() if child.name() == "sleep"] == []


def test_a_document_that_takes_for_ever_is_given_up(rules: Schematron, alone: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_SECONDS", 1)
    with pytest.raises(TooLong, match="trop de temps"):
        alone.run(str(rules.stylesheet), b"<a><for-ever/></a>")
    assert alone.run(str(rules.stylesheet), b"<a><bad/></a>")["total"] == 1


def test_a_document_that_rules_cannot_count_with_is_told(rules: Schematron) -> None:
    with pytest.raises(NotApplied) as refused:
        rules.findings(b"<a><number>much</number></a>")
    assert "much" in refused.value.reason
    with pytest.raises(NotApplied):
        rules.findings(b"<a><b></a>")
    assert rules.findings(b"<a><number>1</number></a>").total == 0


def test_neither_a_rule_nor_a_document_reaches_a_network(rules: Schematron) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        address = f"http://127.0.0.1:{server.getsockname()[1]}"
        for document in (f"<a><read>{address}/a.xml</read></a>", f'<!DOCTYPE a SYSTEM "{address}/a.dtd"><a/>'):
            with pytest.raises(NotApplied):
                rules.findings(document.encode())
        with pytest.raises(BlockingIOError):  # nobody came
            server.accept()


def test_rules_that_are_none_are_the_operators_business(alone: Process, tmp_path: Path) -> None:
    (tmp_path / "none.xslt").write_text("<a/>")
    for name in ("none.xslt", "absent.xslt"):
        with pytest.raises(Misconfigured, match=name):
            alone.run(str(tmp_path / name), b"<a/>")


def test_the_child_holds_no_secret_and_no_file_of_its_parent(child: Process, rules: Schematron) -> None:
    rules.findings(b"<a/>")
    running = psutil.Process(pid_of(child))
    assert set(running.environ()) <= {"PATH", "LANG", "MALLOC_ARENA_MAX", "LC_CTYPE"}
    assert running.cwd() == "/"
    held = [str(entry.readlink()) for entry in Path(f"/proc/{running.pid}/fd").iterdir()]
    assert len([name for name in held if name.startswith("socket:")]) == 1


def test_a_child_that_served_long_or_grew_is_replaced(rules: Schematron, alone: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_MOST_RUNS", 2)
    seen = []
    for _ in range(3):
        alone.run(str(rules.stylesheet), b"<a/>")
        seen.append(alone.pid)
    assert seen[1] is None
    assert seen[0] != seen[2]
    monkeypatch.setattr(process, "_MOST_RUNS", 1_000)
    monkeypatch.setattr(process, "_MOST_RESIDENT", 1)
    alone.run(str(rules.stylesheet), b"<a/>")
    assert alone.pid is None


def test_the_child_ends_with_its_parent(rules: Schematron) -> None:
    code = (
        "import os, sys; from pathlib import Path; from schemas.schematron.checking import Schematron, _process;"
        "Schematron(Path(sys.argv[1])).findings(b'<a/>'); print(_process.pid, flush=True); os._exit(1)"
    )
    ran = subprocess.run([sys.executable, "-c", code, str(rules.stylesheet)], capture_output=True, text=True, check=False)
    assert ran.stdout.strip().isdigit(), ran.stderr
    orphan = int(ran.stdout)
    if psutil.pid_exists(orphan):
        psutil.wait_procs([psutil.Process(orphan)], timeout=60)
    assert not psutil.pid_exists(orphan)


def test_a_process_that_was_forked_does_not_speak_to_its_parents_child(rules: Schematron, child: Process) -> None:
    rules.findings(b"<a/>")
    reading, writing = os.pipe()
    forked = os.fork()
    if not forked:
        os.write(writing, str(child.pid).encode())
        os._exit(0)
    os.waitpid(forked, 0)
    assert os.read(reading, 100) == b"None"
    os.close(reading)
    os.close(writing)
    assert rules.findings(b"<a><bad/></a>").total == 1
