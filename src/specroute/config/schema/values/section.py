"""What every section of the configuration shares: nothing unknown, nothing coerced, nothing changed afterwards."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Generic, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer
from pydantic_core import PydanticCustomError

from specroute.config.durations import parse_duration_s

T = TypeVar("T")


class Section(BaseModel):
    """A mapping of the file. Python names carry units; the file's keys are the aliases, and only they are accepted."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)


class FrozenMapping(Mapping[str, T], Generic[T]):
    """A mapping that cannot be changed; unlike ``MappingProxyType`` it can be copied and pickled."""

    __slots__ = ("_items",)

    def __init__(self, items: Mapping[str, T]) -> None:
        self._items = dict(items)

    def __getitem__(self, key: str) -> T:
        return self._items[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __repr__(self) -> str:
        return repr(self._items)


def refuse(message: str, *, at: tuple[str | int, ...] = ()) -> PydanticCustomError:
    """Returns the error of a validator: what is wrong, a semicolon, the mend. ``at`` is the key below the section."""
    return PydanticCustomError("refused", "refused", {"message": message, "at": at})


def given_keys(section: Section, keys: Iterable[str]) -> list[str]:
    """Returns those of ``keys`` that the file gives with a value."""
    return [key for key in keys if key in section.model_fields_set and getattr(section, key) is not None]


def _as_dict(items: Mapping[str, object]) -> dict[str, object]:
    return dict(items)


def _as_tuple(value: object) -> object:
    return value if isinstance(value, tuple) else (value,)


def _not_empty(values: tuple[T, ...]) -> tuple[T, ...]:
    if not values:
        raise refuse("an empty list; give at least one, or remove the key")
    return values


def _unique(values: tuple[T, ...]) -> tuple[T, ...]:
    for index, value in enumerate(values):
        if value in values[:index]:
            raise refuse(f"{value!r} is given twice; keep one", at=(index,))
    return values


def _duration_s(value: object) -> float:
    try:
        return parse_duration_s(value)
    except ValueError as error:
        raise refuse(str(error)) from None


def _above_zero(seconds: float) -> float:
    if seconds <= 0:
        raise refuse("0s would end every call at once; write a duration above 0s")
    return seconds


Text = Annotated[str, Field(min_length=1, max_length=1000)]
# Not ``min_length``: pydantic counts only the items that are valid, and would call a list of wrong items empty.
NotEmpty = Annotated[tuple[T, ...], AfterValidator(_not_empty)]
AnyOf = Annotated[tuple[T, ...], AfterValidator(_unique), AfterValidator(_not_empty), BeforeValidator(_as_tuple)]
"""One value or a list of them: any may hold."""
Names = Annotated[tuple[Text, ...], AfterValidator(_unique), AfterValidator(_not_empty)]
FrozenMap = Annotated[Mapping[str, T], AfterValidator(FrozenMapping), PlainSerializer(_as_dict)]
Share = Annotated[float, Field(ge=0.0, le=1.0, allow_inf_nan=False)]
LogProbability = Annotated[float, Field(le=0.0, allow_inf_nan=False)]
DurationS = Annotated[float, BeforeValidator(_duration_s)]
PositiveDurationS = Annotated[float, AfterValidator(_above_zero), BeforeValidator(_duration_s)]
Count = Annotated[int, Field(ge=1, le=1_000_000_000)]
