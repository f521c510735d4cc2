from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specroute.config import ConfigError, load_settings
from specroute.config.parse import parse
from tests.config.documents import VALID, only_problem


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", "specroute.yaml:1: empty; start from config.example.yaml"),
        ("# nothing\n", "specroute.yaml:1: empty; start from config.example.yaml"),
        ("~\n", "specroute.yaml:1: empty; start from config.example.yaml"),
        (
            "\n- a\n",
            "specroute.yaml:2: the top level must be a mapping of keys; write 'key: value' lines, such as 'tiers:'",
        ),
        (
            "hello",
            "specroute.yaml:1: the top level must be a mapping of keys; write 'key: value' lines, such as 'tiers:'",
        ),
        (
            "a: 1\nb: &x 2\n",
            "specroute.yaml:2: anchors and aliases are not accepted; write the value out",
        ),
        ("a: 1\nb: *x\n", "specroute.yaml:2: anchors and aliases are not accepted; write the value out"),
        ("a: !!python/object/apply:os.system [ls]\n", "specroute.yaml:1: tags are not accepted; remove the '!...'"),
        ("a: !env KEY\n", "specroute.yaml:1: tags are not accepted; remove the '!...'"),
        ("a: " + "[" * 5000, "specroute.yaml:1: nested more than 16 levels deep; no key lies that deep"),
        ("a: 1\nb: \x07\n", "specroute.yaml:2: character U+0007 is not allowed in YAML; remove it"),
    ],
)
def test_text_that_cannot_be_a_configuration_is_refused_on_its_line(text: str, line: str) -> None:
    assert only_problem(text) == line


@pytest.mark.parametrize(
    ("text", "line"),
    [("a: 1\n b: 2\n", 2), ("a: [1, 2\nb: 3\n", 2), ("a: 'x\n", 2), ("a: 1\n---\nb: 2\n", 2), ("a: 1\n\tb: 2\n", 2)],
)
def test_a_syntax_error_names_its_line_and_the_mend(text: str, line: int) -> None:
    message = only_problem(text)

    assert message.startswith(f"specroute.yaml:{line}: not YAML: ")
    assert message.endswith("; check indentation, quotes and colons here")


def test_an_alias_bomb_is_refused_before_it_is_expanded() -> None:
    levels = "".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]\n" for n in range(1, 30))

    assert "aliases are not accepted" in only_problem("l0: &l0 [lol]\n" + levels)


def test_a_key_given_twice_names_both_lines() -> None:
    assert only_problem(f"{VALID}listen: 127.0.0.1:1\n") == (
        "specroute.yaml:22: listen: given twice, first on line 1; keep one"
    )


def test_a_nested_key_given_twice_names_its_path() -> None:
    text = VALID.replace("        model: big\n", "        model: big\n        model: bigger\n")

    assert only_problem(text) == (
        "specroute.yaml:16: tiers[1].upstreams[0].model: given twice, first on line 15; keep one"
    )


def test_a_key_that_is_not_text_is_refused() -> None:
    assert only_problem(f"{VALID}1: x\n") == (
        "specroute.yaml:22: '1' as a key is not text; write a name, in quotes if need be"
    )


def test_words_and_numbers_mean_what_they_look_like() -> None:
    document = parse(
        "f", "a: no\nb: on\nc: 010\nd: 1:30\ne: 2024-01-01\nf: 1e3\ng: true\nh: ~\ni: 'true'\nj: 0x1\nk:\n"
    )

    assert document.root == {
        "a": "no",
        "b": "on",
        "c": 10,
        "d": "1:30",
        "e": "2024-01-01",
        "f": 1000.0,
        "g": True,
        "h": None,
        "i": "true",
        "j": "0x1",
        "k": None,
    }


def test_a_number_of_thousands_of_digits_is_refused_not_converted() -> None:
    text = VALID.replace("predictor: {prior: 0.7}", f"predictor: {{prior: {'9' * 10_000}}}")

    assert "is not a chance; write a number from 0 to 1" in only_problem(text)


def test_a_file_in_another_encoding_names_the_line(tmp_path: Path) -> None:
    file = tmp_path / "specroute.yaml"
    file.write_bytes(b"listen: 127.0.0.1:0\n# caf\xe9\n")

    with pytest.raises(ConfigError) as caught:
        load_settings(file, {})

    assert str(caught.value) == f"{file}:2: not UTF-8 text; save the file as UTF-8"


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_settings(tmp_path / "none.yaml", {})

    assert str(caught.value) == (
        f"{tmp_path}/none.yaml: cannot be read: No such file or directory; give the path of a YAML file"
    )


def test_a_folder_instead_of_a_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        load_settings(tmp_path, {})


def test_an_endless_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "specroute.yaml"
    file.write_bytes(b"#" * (2 << 20))

    with pytest.raises(ConfigError, match="larger than 1048576 bytes"):
        load_settings(file, {})


@given(st.text(alphabet="ab:-[]{}&*!|>'\"%@`#,? \n\t\x00\u2028é0.1~<", max_size=60))
def test_any_text_is_read_or_refused_in_one_line(text: str) -> None:
    said = ""
    try:
        parse("f", text)
    except ConfigError as error:
        said = str(error)

    assert said.isprintable()
