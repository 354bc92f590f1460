"""Sets of schemas: installing them, choosing between them, never reading outside them."""

from __future__ import annotations

import threading
import zipfile
from pathlib import Path

import pytest

from core.problems import Severity
from schemas.pes.installation import SchemaSetRefused
from schemas.pes.rules import examine
from schemas.pes.sample import Sample, write_sample
from schemas.pes.versions import BUILT_IN, SchemaSets, import_set

ALLER = "http://www.minefi.gouv.fr/cp/helios/pes_v2/Rev0/aller"


def tree(
    folder: Path, content: str = "<xs:any minOccurs='0' maxOccurs='unbounded' processContents='skip'/>", head: str = ""
) -> Path:
    """Write the smallest set there is."""
    root = folder / "PES_V2" / "Rev0"
    root.mkdir(parents=True)
    (root / "PES_Aller.xsd").write_text(
        f"<xs:schema xmlns:xs='http://www.w3.org/2001/XMLSchema' targetNamespace='{ALLER}'>{head}"
        f"<xs:element name='PES_Aller'><xs:complexType><xs:sequence>{content}</xs:sequence>"
        "<xs:anyAttribute processContents='skip'/></xs:complexType></xs:element></xs:schema>"
    )
    return folder


@pytest.fixture
def flow(tmp_path: Path) -> Path:
    path = tmp_path / "flow.xml"
    write_sample(Sample("PESALR1_ESSAI"), path)
    return path


def test_the_version_is_told_by_the_folder_the_archive_or_a_file(tmp_path: Path) -> None:
    tree(tmp_path / "a" / "schemas_pes.v5.12")
    (tree(tmp_path / "a" / "other") / "v5.14.txt").touch()
    assert import_set(tmp_path / "a", tmp_path / "sets") == ["5.12", "5.14"]
    tree(tmp_path / "b" / "DosTech")
    with zipfile.ZipFile(tmp_path / "schemas_pes_v5.23.zip", "w") as archive:
        archive.write(tmp_path / "b/DosTech/PES_V2/Rev0/PES_Aller.xsd", "DosTech/PES_V2/Rev0/PES_Aller.xsd")
    assert import_set(tmp_path / "schemas_pes_v5.23.zip", tmp_path / "sets") == ["5.23"]
    assert SchemaSets(tmp_path / "sets").versions == ("5.23", "5.14", "5.12", BUILT_IN)
    assert sorted(path.name for path in (tmp_path / "sets").iterdir()) == ["5.12", "5.14", "5.23"]


def test_versions_are_ordered_by_number_not_by_letter(tmp_path: Path) -> None:
    for version in ("5.9", "5.10", "5.2"):
        tree(tmp_path / "a" / f"v{version}")
    assert import_set(tmp_path / "a", tmp_path / "sets") == ["5.2", "5.9", "5.10"]
    assert SchemaSets(tmp_path / "sets").versions[0] == "5.10"


def test_a_version_installed_again_is_replaced(tmp_path: Path, flow: Path) -> None:
    import_set(tree(tmp_path / "one" / "v6.0", content="<xs:element name='Nothing'/>"), tmp_path / "sets")
    assert examine(flow, schemas=SchemaSets(tmp_path / "sets"))[1].problems
    import_set(tree(tmp_path / "two" / "v6.0"), tmp_path / "sets")
    assert examine(flow, schemas=SchemaSets(tmp_path / "sets"))[1].problems == []


def test_a_set_without_a_version_or_without_schemas_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SchemaSetRefused, match="version"):
        import_set(tree(tmp_path / "schemas"), tmp_path / "sets")
    (tmp_path / "empty").mkdir()
    with pytest.raises(SchemaSetRefused, match="aucun jeu"):
        import_set(tmp_path / "empty", tmp_path / "sets")
    (tmp_path / "text.zip").write_text("no archive")
    with pytest.raises(SchemaSetRefused, match="archive"):
        import_set(tmp_path / "text.zip", tmp_path / "sets")


def test_a_set_that_does_not_compile_installs_nothing(tmp_path: Path) -> None:
    tree(tmp_path / "a" / "v5.1")
    tree(tmp_path / "a" / "v5.2", content="<xs:element ref='missing'/>")
    with pytest.raises(SchemaSetRefused, match="compile"):
        import_set(tmp_path / "a", tmp_path / "sets")
    assert list((tmp_path / "sets").iterdir()) == []


@pytest.mark.parametrize("name", ["../v1.0/PES_V2/Rev0/PES_Aller.xsd", "/v1.0/PES_V2/Rev0/PES_Aller.xsd", "..\\x.xsd", "C:x.xsd"])
def test_an_archive_that_climbs_out_of_its_folder_is_refused(name: str, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "v5.23.zip", "w") as archive:
        archive.writestr(name, "<a/>")
    with pytest.raises(SchemaSetRefused, match="dangereux"):
        import_set(tmp_path / "v5.23.zip", tmp_path / "sets")


def test_an_archive_that_swells_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "v5.23.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("PES_V2/bomb.xsd", b" " * (21 << 20))
    with pytest.raises(SchemaSetRefused, match="volumineux"):
        import_set(tmp_path / "v5.23.zip", tmp_path / "sets")


@pytest.mark.parametrize("place", ["../../../secret.xsd", "{secret}", "file://{secret}", "http://127.0.0.1:9/secret.xsd"])
def test_a_schema_that_points_outside_its_set_is_refused(place: str, tmp_path: Path) -> None:
    secret = tmp_path / "secret.xsd"
    secret.write_text("<xs:schema xmlns:xs='http://www.w3.org/2001/XMLSchema' targetNamespace='urn:s'/>")
    location = place.format(secret=secret)
    tree(tmp_path / "v5.23", head=f"<xs:import namespace='urn:s' schemaLocation='{location}'/>")
    with pytest.raises(SchemaSetRefused, match="PES_Aller"):
        import_set(tmp_path / "v5.23", tmp_path / "sets")


def test_a_flow_that_only_an_older_version_accepts_is_warned_of(tmp_path: Path, flow: Path) -> None:
    tree(tmp_path / "a" / "v6.0")
    tree(tmp_path / "a" / "v7.0", content="<xs:element name='Nothing'/>")
    import_set(tmp_path / "a", tmp_path / "sets")
    (problem,) = examine(flow, schemas=SchemaSets(tmp_path / "sets"))[1].problems
    assert (problem.rule, problem.severity, problem.found, problem.expected) == ("R06", Severity.WARNING, "6.0", "7.0")


def test_a_flow_that_no_version_accepts_is_told_what_the_nearest_one_says(tmp_path: Path, flow: Path) -> None:
    anything = "<xs:any minOccurs='0' maxOccurs='unbounded' processContents='skip'/>"
    date_type = "<xs:complexType><xs:attribute name='V' type='xs:date'/></xs:complexType>"
    leaf = f"<xs:element name='Version'>{date_type}</xs:element><xs:element name='TypFic'>{date_type}</xs:element>"
    wrapped = "<xs:element name='{}'><xs:complexType><xs:sequence>{}</xs:sequence></xs:complexType></xs:element>"
    envelope = wrapped.format("Enveloppe", wrapped.format("Parametres", leaf + "<xs:element name='NomFic'/>") + anything)
    tree(tmp_path / "a" / "v6.0", content="<xs:element name='Nothing'/>")  # one finding: the wrong child
    tree(tmp_path / "a" / "v7.0", content=envelope + anything)  # two findings: no dates
    import_set(tmp_path / "a", tmp_path / "sets")
    (problem,) = examine(flow, schemas=SchemaSets(tmp_path / "sets"))[1].problems
    assert (problem.rule, problem.severity, problem.expected) == ("R06", Severity.ERROR, "Nothing")


def test_ours_serves_only_the_roots_that_no_official_set_describes(tmp_path: Path, flow: Path) -> None:
    import_set(tree(tmp_path / "v9.0", content="<xs:element name='Nothing'/>"), tmp_path / "sets")
    schemas = SchemaSets(tmp_path / "sets")
    assert examine(flow, schemas=schemas)[1].errors
    acquit = tmp_path / "acquit.xml"
    acquit.write_text(
        "<?xml version='1.0' encoding='ISO-8859-1'?>"
        "<n:PES_ACQUIT xmlns:n='http://www.minefi.gouv.fr/cp/helios/pes_v2/Rev0/retour/v2'><Wrong/></n:PES_ACQUIT>",
        encoding="iso-8859-1",
    )
    assert "R06" in {problem.rule for problem in examine(acquit, schemas=schemas)[1].problems}


def test_threads_share_the_sets_without_mixing_their_findings(tmp_path: Path, flow: Path) -> None:
    schemas = SchemaSets(None)
    content = flow.read_bytes()
    paths = []
    for number in range(4):
        path = tmp_path / f"flow{number}.xml"
        path.write_bytes(content.replace(b'<CodBud V="00"/>', b'<CodBud V="%d"/>' % number))
        paths.append(path)
    found: dict[str, set[str | None]] = {path.name: set() for path in paths}

    def look(path: Path) -> None:
        for _ in range(30):
            found[path.name].add(",".join(str(problem.found) for problem in examine(path, schemas=schemas)[1].problems))

    threads = [threading.Thread(target=look, args=(path,)) for path in paths]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {f"flow{number}.xml": {str(number)} for number in range(4)}
