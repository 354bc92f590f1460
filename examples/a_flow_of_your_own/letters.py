"""A flow of two stages, declared, drawn, and run in one process: the words of a letter are counted, then it is filed."""

import tempfile
import time
from io import BytesIO
from pathlib import Path

import dramatiq
from sqlmodel import select

from core.errors import Refused
from core.migrations import upgrade
from core.organisations import OrganisationKind, add_organisation
from core.platform import open_platform
from core.principal import PLATFORM
from core.problems import Problem, Severity
from core.s3_server import s3_server
from core.settings import Settings
from flows.engine import brokers, diagram, execution, intake, models, relay
from flows.engine.table import End, Flow, On, stage
from flows.engine.work import Advance, KeptFile, Work


@stage("cpu", "counted", "refused")
def count(work: Work) -> Advance:
    """Refuse an empty letter; raising ``Refused`` is the outcome ``refused``."""
    if words := len(work.fetch("letter").read_text().split()):
        return Advance("counted", facts={"words": words})
    raise Refused([Problem("L01", Severity.ERROR, "The letter is empty.", mend="Write something.")])


@stage("archive", "filed")
def file(work: Work) -> Advance:
    """Say where the letter goes."""
    return Advance("filed", facts={"box": "long" if work.facts["words"] > 3 else "short"})


LETTERS = Flow(
    "letters",
    On("received", count, counted="counted", refused="rejected"),
    On("counted", file, filed="filed"),
    End("filed", good=True),
    End("rejected"),
)

Path("letters.svg").write_text(diagram.draw(LETTERS, lambda key: key.partition(".")[2], title="Letters"))
with tempfile.TemporaryDirectory() as folder, s3_server(Path(folder, "s3")) as s3:
    platform = open_platform(Settings(state_dir=Path(folder)), s3.store("letters"))
    platform.objects.prepare()
    upgrade(platform.database)
    with platform.database.writing(PLATFORM) as session:
        owner = add_organisation(session, "Commune d’exemple", OrganisationKind.COLLECTIVITE).id
    for name, text in {"a": "Bonjour", "b": "", "c": "Une lettre plus longue"}.items():
        blob = platform.objects.put(BytesIO(text.encode()))
        letter = KeptFile("letter", f"{name}.txt", "text/plain", blob.sha256, blob.size)
        for _ in range(2):  # sent twice, received once
            intake.receive(platform.database, LETTERS, PLATFORM, intake.Deposit(owner, name, letter, reference=name))
    execution.Engine(platform, broker := brokers.open_broker("memory://"), [LETTERS])
    (worker := dramatiq.Worker(broker, worker_threads=2)).start()
    (announcing := relay.Relay(platform, broker)).start()
    dossiers: list[models.Dossier] = []
    while not dossiers or any(dossier.state not in {"filed", "rejected"} for dossier in dossiers):
        time.sleep(0.1)
        with platform.database.reading(PLATFORM) as session:
            dossiers = list(session.exec(select(models.Dossier)))
    for dossier in dossiers:
        print(dossier.title, dossier.state, dossier.facts, [problem["message"] for problem in dossier.problems])
    announcing.stop()
    worker.stop()
