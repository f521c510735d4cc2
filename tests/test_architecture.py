"""What the linters cannot say about the code as a whole; the import contracts are in pyproject.toml."""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import typer.main

from specroute import cli

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "specroute"
GENERATED = SOURCE / "v1"
MODULES = sorted(path for path in SOURCE.rglob("*.py") if GENERATED not in path.parents)
WRITTEN = ("src/specroute", "tests", "benchmarks", "load_tests", "scripts", "docs", "protos")

MAX_LINES = 300
MAX_MODULES = 10
VAGUE_NAMES = {"base", "common", "handler", "helpers", "manager", "misc", "util", "utils"}
LEFT_OPEN = re.compile("|".join(rf"\b{word}\b" for word in ("TO" + "DO", "FIX" + "ME", "X" * 3)))


def shown(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def trees() -> Iterator[tuple[str, ast.Module]]:
    for path in MODULES:
        yield shown(path), ast.parse(path.read_text("utf-8"))


def test_no_source_file_is_longer_than_300_lines() -> None:
    lengths = {shown(path): len(path.read_text("utf-8").splitlines()) for path in MODULES}

    assert {path: length for path, length in lengths.items() if length > MAX_LINES} == {}


def test_no_folder_holds_more_modules_than_a_reader_can_keep_in_mind() -> None:
    folders = Counter(shown(path.parent) for path in MODULES if path.name != "__init__.py")

    assert {folder: count for folder, count in folders.items() if count > MAX_MODULES} == {}


def test_every_module_says_what_it_is() -> None:
    assert [path for path, tree in trees() if not ast.get_docstring(tree)] == []


def test_no_module_has_a_name_that_says_nothing() -> None:
    assert [shown(path) for path in MODULES if path.stem in VAGUE_NAMES] == []


def test_no_module_takes_a_private_name_from_another() -> None:
    taken = [
        f"{path}: {node.module}.{name.name}"
        for path, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("specroute")
        for name in node.names
        if name.name.startswith("_")
    ]

    assert taken == []


def test_nothing_is_left_open() -> None:
    files = [ROOT / "README.md", ROOT / "Makefile", ROOT / "pyproject.toml"]
    files += [path for folder in WRITTEN for path in (ROOT / folder).rglob("*") if is_text(path)]

    found = [
        f"{shown(path)}:{number}"
        for path in files
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if LEFT_OPEN.search(line)
    ]

    assert found == []


def is_text(path: Path) -> bool:
    return (
        path.is_file()
        and (path.suffix in {"", ".py", ".pyi", ".md", ".proto", ".sh"})
        and GENERATED not in path.parents
    )


def test_every_verb_in_the_documents_is_one_of_the_command_line() -> None:
    verbs = set(getattr(typer.main.get_command(cli.app), "commands", {}))
    documents = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), ROOT / "CONTRIBUTING.md"]

    unknown = [
        f"{shown(path)}: specroute {verb}"
        for path in documents
        for verb in re.findall(
            r"(?:`|^|[ /])specroute ([a-z][a-z-]*)(?=[ `\n])", code_of(path.read_text("utf-8")), re.M
        )
        if verb not in verbs
    ]

    assert len(verbs) > 1
    assert unknown == []


def code_of(markdown: str) -> str:
    """Returns what stands between backticks, inline and fenced: prose may say "specroute is"."""
    fenced = re.findall(r"^ *```[a-z]*\n(.*?)^ *```", markdown, re.M | re.S)
    inline = re.findall(r"(?<!`)`[^`\n]+`(?!`)", re.sub(r"^ *```.*?^ *```", "", markdown, flags=re.M | re.S))
    return "\n".join([*fenced, *inline])
