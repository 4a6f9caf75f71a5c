"""Numbers as they are shown: families of points, in one form for every reader and every process."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from interlock.protocol.json import JSONObject

Kind: TypeAlias = Literal["counter", "gauge", "histogram"]


@dataclass(frozen=True, slots=True)
class Distribution:
    """How often values fell up to each of `bounds`, and above the last; `total` is their sum."""

    bounds: tuple[float, ...]
    counts: tuple[int, ...]
    total: float


Point: TypeAlias = tuple[tuple[str, ...], "float | Distribution"]


@dataclass(frozen=True, slots=True)
class Family:
    """All points of one name. Each has a value for every label; `help` says what is counted.

    The name follows Prometheus: it ends in its unit, and that of a counter in `_total`.
    """

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...]
    points: tuple[Point, ...]

    def labelled(self, name: str, value: str) -> "Family":
        """Return the family with one more label, the same for all points."""
        points = tuple(((*labels, value), number) for labels, number in self.points)
        return replace(self, labels=(*self.labels, name), points=points)

    def only(self, name: str, value: str) -> "Family":
        """Return the family with the points that have this value of a label."""
        if name not in self.labels:
            return replace(self, points=())
        at = self.labels.index(name)
        return replace(self, points=tuple(each for each in self.points if each[0][at] == value))

    def document(self) -> JSONObject:
        """Return the family as JSON, from which `read` makes it again."""
        return {
            "name": self.name,
            "kind": self.kind,
            "help": self.help,
            "labels": list(self.labels),
            "points": [[list(labels), _written(value)] for labels, value in self.points],
        }

    @classmethod
    def read(cls, document: JSONObject) -> "Family":
        """Return the family that a process of ours wrote."""
        return cls(
            name=document["name"],
            kind=document["kind"],
            help=document["help"],
            labels=tuple(document["labels"]),
            points=tuple((tuple(labels), _read(value)) for labels, value in document["points"]),
        )


def gauge(name: str, help_text: str, value: float) -> Family:
    """Return a family of one point without labels."""
    return Family(name, "gauge", help_text, (), (((), value),))


def merged(groups: Iterable[Sequence[Family]]) -> list[Family]:
    """Return the families of several processes as one list, each name once."""
    found: dict[str, Family] = {}
    for group in groups:
        for family in group:
            known = found.get(family.name)
            points = family.points if known is None else (*known.points, *family.points)
            found[family.name] = replace(family, points=points)
    return list(found.values())


def _written(value: float | Distribution) -> object:
    if not isinstance(value, Distribution):
        return value
    return {"bounds": list(value.bounds), "counts": list(value.counts), "total": value.total}


def _read(value: object) -> float | Distribution:
    if isinstance(value, int | float):
        return value
    written: JSONObject = value  # pyright: ignore[reportAssignmentType] -- as `_written` made it
    return Distribution(tuple(written["bounds"]), tuple(written["counts"]), written["total"])
