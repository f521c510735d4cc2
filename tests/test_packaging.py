"""What is built and what is locked."""

import os
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).parent.parent
LOCKS = ROOT / "requirements"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the source archive, built as a release would be."""
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-d", str(folder)], cwd=ROOT, check=True)
    return folder


@pytest.fixture(scope="module")
def wheel(built: Path) -> zipfile.ZipFile:
    (path,) = built.glob("*.whl")
    return zipfile.ZipFile(path)


@pytest.mark.integration
def test_the_wheel_holds_the_whole_package_and_its_data(wheel: zipfile.ZipFile) -> None:
    held = set(wheel.namelist())
    wanted = {
        path.relative_to(ROOT / "src").as_posix()
        for path in (ROOT / "src").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }

    assert wanted - held == set()
    assert {"specroute/py.typed", "buf/validate/validate_pb2.py"} <= held
    assert any(name.endswith(".jsonl") for name in held)


@pytest.mark.integration
def test_the_wheel_holds_nothing_but_the_package(wheel: zipfile.ZipFile) -> None:
    tops = {name.split("/")[0] for name in wheel.namelist()}

    assert {top for top in tops if not top.endswith(".dist-info")} == {"specroute", "buf"}


@pytest.mark.integration
def test_the_wheel_runs_from_anywhere(wheel: zipfile.ZipFile, tmp_path: Path) -> None:
    wheel.extractall(tmp_path)

    run = subprocess.run(
        [sys.executable, "-m", "specroute", "check-config", "--help"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert run.returncode == 0, run.stderr
    assert "Example" in run.stdout


@pytest.mark.integration
def test_the_source_archive_holds_what_a_build_and_a_first_run_need(built: Path) -> None:
    (path,) = built.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()}

    wanted = {"pyproject.toml", "README.md", "LICENSE", "config.example.yaml", "router_models/default/model.onnx"}
    assert wanted - held == set()


def test_every_lock_names_the_same_versions_and_hashes() -> None:
    everything = entries("dev")

    for lock in ("serve", "build"):
        assert {name: pin for name, pin in entries(lock).items() if everything.get(name) != pin} == {}


@pytest.mark.parametrize("lock", ["dev", "serve", "build"])
def test_every_locked_package_has_a_hash(lock: str) -> None:
    assert [name for name, (_, hashes) in entries(lock).items() if not hashes] == []


@pytest.mark.parametrize("lock", ["dev", "serve", "build"])
def test_no_lock_names_a_place_of_its_own(lock: str) -> None:
    text = (LOCKS / f"{lock}.lock").read_text("utf-8")

    assert "://" not in text
    assert "--index-url" not in text
    assert "--find-links" not in text


def test_every_dependency_is_locked_at_a_version_that_fits() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    groups = project["dependency-groups"]
    declared = {
        "serve": project["project"]["dependencies"],
        "build": [*groups["build"], *project["build-system"]["requires"]],
        "dev": [
            *(line for group in groups.values() for line in group if isinstance(line, str)),
            *(line for extra in project["project"]["optional-dependencies"].values() for line in extra),
        ],
    }

    for lock, lines in declared.items():
        pins = entries(lock)
        for requirement in map(Requirement, lines):
            version, _ = pins[requirement.name]
            assert requirement.specifier.contains(version), f"{lock}.lock has {requirement.name} {version}"


def entries(lock: str) -> dict[str, tuple[Version, tuple[str, ...]]]:
    """Returns name -> (version, hashes) of a lock."""
    pins = {}
    for block in (LOCKS / f"{lock}.lock").read_text("utf-8").replace("\\\n", " ").splitlines():
        if block and not block.lstrip().startswith("#"):
            requirement, *hashes = block.split("--hash=")
            name, _, version = requirement.partition(";")[0].partition("==")
            pins[name.strip()] = (Version(version.strip()), tuple(text.strip() for text in hashes))
    return pins
