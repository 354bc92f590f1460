"""``archive consistency``, ``reseal``, ``renew``, ``evidence-record``: proofs of the journal, and proofs that last."""

from __future__ import annotations

from pathlib import Path

from api.cli.output import NO, console, json_line
from api.cli.platform import at_work, operators_platform
from api.runtime import renew_proofs, timestamps
from archive.models import Record
from archive.proof.consistency import consistency_of, write_consistency
from archive.proof.ers import stamping
from archive.proof.ers.infos import with_told
from archive.proof.ers.records import evidence_record
from archive.proof.resealing import reseal as reseal_all
from core.errors import NotFound
from core.messages import Catalogue
from core.principal import PLATFORM

_t = Catalogue("api.cli")


def consistency(first: int, second: int, output: Path) -> None:
    """Write the proof that the head of one size is the beginning of that of a later one.

    Raises:
        NotFound: there is no head of a size.
        UsageError: the first is not the older one, or they were made with different hashes.
    """
    write_consistency(consistency_of(operators_platform(), first, second), output)
    console.print(_t("archive.written", file=output))


def reseal(algorithm: str, *, as_json: bool) -> int:
    """Seal everything anew with another hash; return 0 when every record was, 1 otherwise.

    Raises:
        UsageError: proofs are not made with this hash.
        Unavailable: a place or the authority does not answer.
        Misconfigured: there is no timestamping authority.
    """
    platform = at_work(operators_platform())

    def told(done: int, total: int) -> None:
        if not as_json and (done == total or done % 100 == 0):
            console.print(_t("reseal.progress", done=done, total=total))

    report = reseal_all(platform, algorithm, timestamps(platform), told)
    if as_json:
        told_of = {"algorithm": report.algorithm, "resealed": report.resealed, "faults": report.faults, "head": report.head}
        json_line(told_of)
    else:
        console.print(_t("reseal.done", algorithm=report.algorithm, count=report.resealed))
        for record, reason in report.faults.items():
            console.print(f"  [red]✗[/] {record} {reason}")
    return NO if report.faults else 0


def renew(*, as_json: bool) -> None:
    """Put evidence records under timestamps, and renew those that age.

    Raises:
        Unavailable: a place or the authority does not answer.
        Misconfigured: there is no timestamping authority.
    """
    begun, renewed = renew_proofs(at_work(operators_platform()))
    if as_json:
        json_line({"begun": begun, "renewed": renewed})
    else:
        console.print(_t("renew.done", begun=begun, renewed=renewed))


def write_evidence_record(record: str, output: Path) -> None:
    """Write the evidence record of a record; it is put under a timestamp of its own when it has none yet.

    Raises:
        NotFound: no such record.
        Unavailable: a place or the authority does not answer.
    """
    platform = operators_platform()
    with platform.database.reading(PLATFORM) as session:
        if session.get(Record, record) is None:
            raise NotFound(_t("evidence_record.unknown"))
        der = evidence_record(session, record)
    if der is None:
        stamping.begin(platform, timestamps(platform), [record])
        with platform.database.reading(PLATFORM) as session:
            der = evidence_record(session, record)
    if der is None:
        raise NotFound(_t("evidence_record.none"))
    output.write_bytes(with_told(platform, der))
    console.print(_t("archive.written", file=output))
