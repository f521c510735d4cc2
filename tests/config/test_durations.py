import pytest
from hypothesis import given
from hypothesis import strategies as st

from specroute.config import format_duration, parse_duration_s


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("250ms", 0.25), ("1.5s", 1.5), ("2m", 120.0), ("1h", 3600.0), ("0s", 0.0), ("0.1ms", 0.0001), (" 20s ", 20.0)],
)
def test_a_number_and_a_unit_are_seconds(text: str, seconds: float) -> None:
    assert parse_duration_s(text) == seconds


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (20, "a duration needs a unit; write 20s"),
        (1.5, "a duration needs a unit; write 1.5s"),
        ("20", "a duration needs a unit; write 20s"),
        ("-5s", "'-5s' is negative; write a duration of 0s or more"),
        (-5, "'-5' is negative; write a duration of 0s or more"),
        ("25h", "'25h' is more than a day; write 24h or less"),
        ("1m30s", "'1m30s' is not a duration; write a number and one unit of ms, s, m, h, such as 250ms"),
        ("soon", "'soon' is not a duration; write a number and one unit of ms, s, m, h, such as 250ms"),
        ("٣s", "'٣s' is not a duration; write a number and one unit of ms, s, m, h, such as 250ms"),
        ("5S", "'5S' is not a duration; write a number and one unit of ms, s, m, h, such as 250ms"),
        (float("nan"), "'nan' is not a duration; write a number and one unit of ms, s, m, h, such as 250ms"),
        (True, "not a duration; write a number and its unit, such as 20s or 250ms"),
        (None, "not a duration; write a number and its unit, such as 20s or 250ms"),
    ],
)
def test_anything_else_is_refused_with_the_mend(value: object, message: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the whole message is compared
        parse_duration_s(value)

    assert str(caught.value) == message


@given(st.floats(min_value=0.0, max_value=86_400.0).filter(lambda seconds: seconds == 0 or seconds > 1e-9))
def test_a_written_duration_is_read_back_exactly(seconds: float) -> None:
    assert parse_duration_s(format_duration(seconds)) == seconds


@given(st.text(max_size=30) | st.integers() | st.floats() | st.booleans() | st.none())
def test_a_duration_is_read_or_refused_never_anything_else(value: object) -> None:
    try:
        seconds = parse_duration_s(value)
    except ValueError:
        return

    assert 0.0 <= seconds <= 86_400.0
