"""The scenarios of the official suite that do not pass, and why; docs/protocol.md lists the same."""

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal

from tests.conformance.verdicts import Leg, requirements

ANY = "any"
REVISIONS = ("2025-11-25", "2026-07-28")

Back = Literal["any", "legacy"]
BACKS: tuple[Back, ...] = ("any", "legacy")


@dataclass(frozen=True, slots=True)
class Gap:
    """A scenario, or several by a pattern, of one leg of the suite; `any` fits every place.

    `back` is the era that the server behind the gateway speaks.
    """

    scenario: str
    leg: Leg
    revision: str
    back: Back
    clause: str

    def holds(self, scenario: str, leg: Leg, revision: str, back: Back) -> bool:
        """Tell whether a scenario does not pass there for this reason."""
        return (
            fnmatchcase(scenario, self.scenario)
            and leg == self.leg
            and self.revision in {ANY, revision}
            and self.back in {ANY, back}
        )


GAPS = (
    Gap("server-stateless", "server", "2026-07-28", "legacy", "2026-07-28, basic/index, `_meta`"),
    Gap(
        "input-required-result-basic-elicitation",
        "server",
        "2026-07-28",
        "legacy",
        "2026-07-28, basic/patterns/mrtr, InputRequests",
    ),
    Gap(
        "input-required-result-multiple-input-requests",
        "server",
        "2026-07-28",
        "legacy",
        "2026-07-28, basic/patterns/mrtr, Server Requirements 7",
    ),
    Gap(
        "server-sse-polling",
        "server",
        "2025-11-25",
        "any",
        "2025-11-25, basic/transports, Sending Messages to the Server 5",
    ),
    Gap("tasks-*", "server", "2026-07-28", "any", "2026-07-28, basic/versioning"),
    Gap("auth/*", "client", "any", "any", "either revision, basic/authorization"),
)


def gaps_of(leg: Leg, revision: str, back: Back = "any") -> dict[str, Gap]:
    """Return the scenarios that do not pass, required or not, each with its reason."""
    required, reported = requirements(revision, leg)
    return {
        name: gap
        for name in (*required, *reported)
        for gap in GAPS
        if gap.holds(name, leg, revision, back)
    }
