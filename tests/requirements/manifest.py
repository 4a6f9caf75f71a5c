"""What the specification demands of us, as `tests/requirements.toml` lists it."""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FILE = Path(__file__).parents[1] / "requirements.toml"
SITE = "https://modelcontextprotocol.io/"
SPECIFICATION = "specification/"


@dataclass(frozen=True, slots=True)
class Requirement:
    """Clauses of one page that belong together, and the tests that would fail if we broke them.

    `role` is what we are there: server to our clients, client of servers, or proxy between them.
    """

    id: str
    clause: str
    link: str
    role: str
    clauses: tuple[str, ...]
    tests: tuple[str, ...]

    @property
    def page(self) -> str:
        """The page of the link, as the specification's folder has it."""
        return self.link.partition("#")[0].removeprefix(SITE).removeprefix(SPECIFICATION)

    @property
    def anchor(self) -> str:
        """The heading that the link leads to; empty for the page's beginning."""
        return self.link.partition("#")[2]


@dataclass(frozen=True, slots=True)
class Group:
    """Clauses, by page, that no test of ours proves, all for the same reason."""

    reason: str
    clauses: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Manifest:
    """The whole file. `pages` counts the clauses of each page that has any.

    `unkept` are clauses that concern us and that we do not keep yet.
    """

    requirements: tuple[Requirement, ...]
    not_ours: tuple[Group, ...]
    unkept: tuple[Group, ...]
    pages: Mapping[str, int]

    def proven(self) -> Iterator[tuple[str, str]]:
        """Yield page and digest of each clause that some test proves."""
        for requirement in self.requirements:
            for digest in requirement.clauses:
                yield requirement.page, digest

    def unproven(self) -> Iterator[tuple[str, str]]:
        """Yield page and digest of each clause that is only listed with a reason."""
        for group in (*self.not_ours, *self.unkept):
            for page, digests in group.clauses.items():
                for digest in digests:
                    yield page, digest


def load() -> Manifest:
    """Read the file."""
    content = tomllib.loads(FILE.read_text(encoding="utf-8"))
    return Manifest(
        tuple(_requirement(each) for each in content["requirement"]),
        tuple(_group(each) for each in content["not_ours"]),
        tuple(_group(each) for each in content.get("unkept", ())),
        content["pages"],
    )


def _requirement(entry: Mapping[str, Any]) -> Requirement:
    lists = {name: tuple(entry[name]) for name in ("clauses", "tests")}
    return Requirement(**{**entry, **lists})


def _group(entry: Mapping[str, Any]) -> Group:
    return Group(
        entry["reason"], {page: tuple(digests) for page, digests in entry["clauses"].items()}
    )
