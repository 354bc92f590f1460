"""Is a PDF the PDF/A that it says it is? veraPDF is asked, where the operator has it; what it says is told with the rules broken.

What is understood is the machine-readable report of veraPDF 1.24 to 1.30 (``--format xml``): one ``job`` for each file, in it a
``validationReport`` for each profile, and in that one ``rule`` for each rule broken. Of a file without a report, or with one that
did not end normally, nothing is known. What does not live here: what follows for a transfer.
"""

from __future__ import annotations

import os
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from core import sandbox
from core.errors import Misconfigured, UnreadableInput
from core.messages import Catalogue
from schemas.xml import parse

if TYPE_CHECKING:
    from lxml import etree

_messages = Catalogue("archive.ingest")
_LEVELS = frozenset({"1a", "1b", "2a", "2b", "2u", "3a", "3b", "3u", "4", "4e", "4f"})
_MEMORY = 3 << 30
_SECONDS, _SECONDS_EACH = 60.0, 20.0
_VIRTUAL_MACHINE = {  # which starts in the folder, and would write elsewhere
    "JAVA_TOOL_OPTIONS": "-Xmx1g -Xss4m -XX:-UsePerfData -Djava.awt.headless=true -Djava.io.tmpdir=. -Duser.home=."
}
_ARGUMENTS = ("--format", "xml", "--maxfailuresdisplayed", "1", "--loglevel", "0")
_RULES_TOLD, _LONGEST = 8, 60


@dataclass(frozen=True, slots=True)
class Checked:
    """What the checker found of a file.

    Attributes:
        by: the checker and its version: ``veraPDF 1.28.2``.
        conforms: whether the file is what it claims to be; None when the checker could not tell.
        broken: rules that it breaks, as the checker numbers them: ``ISO 19005-2:2011, 6.2.11.4.1, test 1``; the first eight.
    """

    by: str
    conforms: bool | None
    broken: tuple[str, ...] = ()


_UNKNOWN = Checked("veraPDF", None)


def check(checker: Path, folder: Path, claims: Mapping[str, str]) -> dict[str, Checked]:
    """Return what the checker found of files, by their names.

    Args:
        checker: veraPDF's program.
        folder: which holds the files; the checker may write to it.
        claims: the level that each claims to be of (``2B``), by its plain name.

    Raises:
        Misconfigured: the program cannot be started, or writes no report that is understood.
        Unavailable: too many wait for the sandbox.
    """
    found = dict.fromkeys(claims, _UNKNOWN)
    by_level: defaultdict[str, list[str]] = defaultdict(list)
    for name, level in claims.items():
        by_level[level.casefold()].append(name)
    for level in _LEVELS & by_level.keys():
        found |= _of_level(checker, folder, level, by_level[level])
    return found


def version(checker: Path) -> str:
    """Return what a checker says that it is, to know that it runs in the sandbox: ``veraPDF 1.28.2``.

    Raises:
        Misconfigured: it cannot be started, or says nothing.
        Unavailable: too many wait for the sandbox.
    """
    with tempfile.TemporaryDirectory(prefix="tabellion-") as folder:
        ran = _ran(checker, ["--version"], Path(folder), _SECONDS)
    said = ran.output.decode("utf-8", "replace").strip().partition("\n")[0].strip()
    if ran.status or not said:
        raise Misconfigured(_messages("pdfa.report", program=checker))
    return said[:_LONGEST]


def _ran(checker: Path, arguments: Sequence[str], folder: Path, seconds: float) -> sandbox.Ran:
    return sandbox.run(checker, arguments, folder=folder, memory=_MEMORY, seconds=seconds, environment=_VIRTUAL_MACHINE)


def _of_level(checker: Path, folder: Path, level: str, names: list[str]) -> dict[str, Checked]:
    linked = {f"{name}.pdf": name for name in names}  # it takes a file for a PDF by the end of its name
    for link, name in linked.items():
        os.link(folder / name, folder / link)
    arguments = [*_ARGUMENTS, "--flavour", level, *linked]
    seconds = _SECONDS + _SECONDS_EACH * len(names)
    try:
        ran = _ran(checker, arguments, folder, seconds)
    except sandbox.SandboxError:
        if len(names) == 1:
            return {}
        ran = None
    finally:
        for link in linked:
            (folder / link).unlink()
    if ran is None:  # one of them outlasts its reader: each is looked at alone, so that the others are known all the same
        return {name: checked for one in names for name, checked in _of_level(checker, folder, level, [one]).items()}
    return {linked[link]: checked for link, checked in _read(checker, folder, ran.output, level) if link in linked}


def _read(checker: Path, folder: Path, output: bytes, level: str) -> Iterator[tuple[str, Checked]]:
    path = folder / "report.xml"
    path.write_bytes(output)
    try:
        root = parse(path).getroot()
    except UnreadableInput as error:
        raise Misconfigured(_messages("pdfa.report", program=checker)) from error
    finally:
        path.unlink()
    if root.tag != "report" or root.find("jobs") is None:
        raise Misconfigured(_messages("pdfa.report", program=checker))
    core = root.find("buildInformation/releaseDetails[@id='core']")
    by = "veraPDF" if core is None else f"veraPDF {core.get('version', '')[:20]}".strip()
    for job in root.iterfind("jobs/job"):
        name = (job.findtext("item/name") or "").replace("\\", "/").rpartition("/")[2]
        yield name, _of_job(job, by, level)


def _of_job(job: etree._Element, by: str, level: str) -> Checked:
    reports = (
        one for one in job.iterfind("validationReport") if one.get("profileName", "").casefold().startswith(f"pdf/a-{level} ")
    )
    report = next(reports, None)
    if report is None or report.get("jobEndStatus") != "normal" or report.get("isCompliant") not in {"true", "false"}:
        return Checked(by, None)
    rules = [rule for rule in report.iterfind("details/rule") if rule.get("status") == "failed"]
    return Checked(by, report.get("isCompliant") == "true", tuple(_told(rule) for rule in rules[:_RULES_TOLD]))


def _told(rule: etree._Element) -> str:
    specification, clause, test = (rule.get(name, "")[:_LONGEST] for name in ("specification", "clause", "testNumber"))
    return f"{specification}, {clause}, test {test}"
