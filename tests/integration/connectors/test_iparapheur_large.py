"""Documents of 128 MB: through the codec and through a whole exchange, in the memory of a few pieces."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from iparapheur_servers import simulator

from connectors.iparapheur.client import open_connector
from connectors.iparapheur.dossiers import Attachment, Submission
from connectors.iparapheur.simulated_typology import MANAGER
from tests.addresses import LOOPBACK

LARGE = 128 << 20
MOST_MEMORY = 64 << 20

CODEC = """
import resource, sys
from pathlib import Path
from connectors.iparapheur import messages as wire
from connectors.iparapheur.reading import decode
from connectors.iparapheur.writing import MEDIA, write

source, folder = Path(sys.argv[1]), Path(sys.argv[2])
document = wire.Document(source, "application/pdf")
request = wire.CreerDossierRequest(type="A", subtype="B", document=document, visibility=wire.Visibility.SERVICE)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
size = write(request, folder / "envelope")
with (folder / "envelope").open("rb") as stream:
    found = decode(stream, MEDIA, folder)
grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
print(size, found.document.path.stat().st_size, grown * 1024)
"""


def large(path: Path) -> Path:
    """A file of 128 MB whose beginning and end are known."""
    with path.open("wb") as file:
        file.write(b"%PDF-1.7")
        file.seek(LARGE - 5)
        file.write(b"%%EOF")
    return path


def test_128_mb_are_written_and_read_in_the_memory_of_a_few_pieces(tmp_path: Path) -> None:
    command = [sys.executable, "-c", CODEC, str(large(tmp_path / "large.pdf")), str(tmp_path)]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=150).stdout
    size, read, grown = map(int, said.split())
    assert size > LARGE * 4 // 3
    assert read == LARGE
    assert grown < MOST_MEMORY


def test_128_mb_go_there_and_back(tmp_path: Path) -> None:
    document = large(tmp_path / "large.pdf")
    with simulator(tmp_path / "parapheur") as parapheur:
        ours = open_connector(parapheur.settings_for("Actes", "visa sans meta"), LOOPBACK)
        external = ours.submit(Submission("LARGE", "Grand", Attachment(document, "large.pdf", "application/pdf")))
        parapheur.act(MANAGER, external, "visa")
        (back,) = ours.fetch(external, tmp_path).documents
    assert back.path.stat().st_size == LARGE
    with back.path.open("rb") as stream:
        assert stream.read(8) == b"%PDF-1.7"
        stream.seek(-5, 2)
        assert stream.read() == b"%%EOF"
