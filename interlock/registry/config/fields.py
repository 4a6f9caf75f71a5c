"""The fields of one server under their meanings, read one by one with every remark kept."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

from interlock.registry.config import values
from interlock.registry.config.known import FILE_FIELDS, NOT_CARRIED
from interlock.registry.config.values import WrongValue
from interlock.registry.config.variables import UnknownReference, Variables

_Value = TypeVar("_Value")


class Remark(NamedTuple):
    """What is to be said of a field; `text` follows its name in a sentence."""

    field: str | None
    text: str


@dataclass(slots=True)
class Fields:
    """The fields of one server by what they mean, each with the name that it was written under.

    Reading a field that is missing or wrong returns a default, so that all faults of a server
    come out at once. Without `variables`, `${…}` is plain text.
    """

    variables: Variables | None
    given: dict[str, tuple[str, Any]] = field(default_factory=dict[str, tuple[str, Any]])
    faults: list[Remark] = field(default_factory=list[Remark])
    warnings: list[Remark] = field(default_factory=list[Remark])

    def sort(self, fields: Mapping[str, Any]) -> None:
        """Put each field under its meaning; say which are not known or not carried over.

        A null or an empty text counts as absent: exports of settings pages are full of them.
        """
        for written, value in fields.items():
            meaning = FILE_FIELDS.get(written)
            if value is None or value == "":
                continue
            if meaning is None:
                self._leave_out(written, value)
            elif meaning in self.given and self.given[meaning][1] != value:
                other = self.given[meaning][0]
                self.fault(written, f"and {other} say different things. Keep one of them.")
            else:
                self.given.setdefault(meaning, (written, value))

    def __contains__(self, meaning: str) -> bool:
        return meaning in self.given

    def written(self, meaning: str) -> str:
        """Return the name that the field was written under."""
        return self.given[meaning][0] if meaning in self.given else meaning

    def raw(self, meaning: str) -> Any:
        """Return the value as it was written, None where the field is absent."""
        return self.given[meaning][1] if meaning in self.given else None

    def read(self, meaning: str, check: Callable[[Any], _Value], default: _Value) -> _Value:
        """Return the checked value of a field in which no `${…}` is expanded."""
        if meaning not in self.given:
            return default
        try:
            return check(self.raw(meaning))
        except WrongValue as wrong:
            self.fault(self.written(meaning), wrong.message)
            return default

    def text(self, meaning: str, check: Callable[[str], str] = values.text) -> str:
        """Return an expanded text, empty where the field is absent."""
        if meaning not in self.given:
            return ""
        return self._expanded(self.written(meaning), self.raw(meaning), values.text, check)

    def texts(self, meaning: str, check: Callable[[str], str] = values.sendable) -> tuple[str, ...]:
        """Return a list of expanded texts."""
        written = self.written(meaning)
        return tuple(
            self._expanded(f"{written}[{index}]", member, values.item, check)
            for index, member in enumerate(self.read(meaning, values.texts, []))
        )

    def text_map(
        self,
        meaning: str,
        *,
        check_name: Callable[[str], None],
        check_value: Callable[[str], str],
    ) -> dict[str, str]:
        """Return an object of expanded texts; numbers and booleans become text."""
        found: dict[str, str] = {}
        for name, value in self.read(meaning, values.text_map, {}).items():
            place = f"{self.written(meaning)}.{name[: values.MAX_NAME]}"
            if value is None:
                continue
            try:
                check_name(name)
            except WrongValue as wrong:
                self.fault(place, wrong.message)
            found[name] = self._expanded(place, value, values.scalar, check_value)
        return found

    def environment(self, place: str, variable: Any) -> str | None:
        """Return the environment variable that the field at `place` names, None after a fault."""
        if self.variables is None or not isinstance(variable, str):
            self.fault(place, "must be the name of an environment variable.")
            return None
        try:
            return self.variables.environment(variable)
        except UnknownReference as unknown:
            self.fault(place, f"cannot be filled in: {unknown.message}")
            return None

    def fault(self, place: str | None, text: str) -> None:
        """Note what makes the server unusable."""
        self.faults.append(Remark(place, text))

    def warn(self, place: str | None, text: str) -> None:
        """Note what was left out or read with a doubt."""
        self.warnings.append(Remark(place, text))

    def _expanded(
        self, place: str, value: Any, read: Callable[[Any], str], check: Callable[[str], str]
    ) -> str:
        try:
            text = read(value)
            if self.variables is None:
                return check(text)
            if self.variables.leaves(text):
                self.warn(place, "mentions a $NAME that is not set; it was left as it is. Set it.")
            return check(self.variables.expand(text))
        except WrongValue as wrong:
            self.fault(place, wrong.message)
        except UnknownReference as unknown:
            self.fault(place, f"cannot be filled in: {unknown.message}")
        return ""

    def _leave_out(self, written: str, value: Any) -> None:
        if written not in NOT_CARRIED:
            self.warn(
                written[: values.MAX_NAME],
                "is not known to Interlock, so it was left out. Correct its name or remove it.",
            )
        elif value:
            self.warn(written, f"is not carried over: {NOT_CARRIED[written]}")
