import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from specroute.config import ConfigError, Settings
from specroute.config.explain import section_of, yaml_keys
from tests.config.documents import VALID, only_problem, problems_of, settings_of


def test_several_errors_are_all_kept_in_the_order_of_the_file() -> None:
    text = VALID.replace("listen: 127.0.0.1:0\n", "listen: x\n", 1).replace("0.15", "-1") + "rase: {}\n"

    with pytest.raises(ConfigError) as caught:
        settings_of(text)

    assert [problem.line for problem in caught.value.errors] == [1, 5, 22]
    assert str(caught.value).startswith("specroute.yaml:1: listen: 'x' is not HOST:PORT")
    assert str(caught.value).endswith(" (and 2 more)")


def test_hostile_keys_and_values_stay_on_one_line() -> None:
    text = f'{VALID}"bad\\n\\e[31mkey{"x" * 500}": 1\n'

    line = only_problem(text)

    assert "\\n\\x1b[31mkey" in line
    assert len(line) < 400


def _sections(model: type[BaseModel] = Settings) -> list[type[BaseModel]]:
    found = [model]
    for field in model.model_fields.values():
        if (section := section_of(field.annotation)) is not None:
            found += _sections(section)
    return found


@given(st.data())
def test_a_slip_of_one_letter_in_any_top_level_key_is_answered_with_that_key(data: st.DataObject) -> None:
    key = data.draw(st.sampled_from(yaml_keys(Settings)))
    place = data.draw(st.integers(0, len(key) - 1))
    slip = key[:place] + data.draw(st.sampled_from("xqz")) + key[place + 1 :]

    found = [str(problem) for problem in problems_of(f"{VALID}{slip}: 1\n")]

    if len(key) > 3:
        assert found == [f"specroute.yaml:22: {slip}: unknown key; did you mean '{key}'?"]


def test_no_key_of_the_file_is_the_name_of_another_unit() -> None:
    keys = {key for section in _sections() for key in yaml_keys(section)}

    # Money per second is no span of time: there is no other unit to write it in.
    spans = {key for key in keys if not key.endswith("_usd_per_s")}
    assert not [key for key in spans if key.endswith(("_s", "_ms", "_nano_usd_per_mtok"))]
