"""The error tree: each kind has its own status, code and reason, and the head of the file is true."""

import re
from pathlib import Path

from interlock import errors
from interlock.errors import InterlockError, TooMany


def kinds() -> list[type[InterlockError]]:
    found = [each for each in vars(errors).values() if isinstance(each, type)]
    return [each for each in found if issubclass(each, InterlockError)]


def test_the_drawing_at_the_head_of_the_file_is_the_tree() -> None:
    drawn = dict(re.findall(r"([A-Z]\w+)\s+(\d{3})", Path(errors.__file__).read_text("utf-8")))

    assert drawn == {
        each.__name__: str(each.status.value) for each in kinds() if each is not InterlockError
    }


def test_codes_stay_out_of_the_ranges_that_mcp_reserves() -> None:
    standard = {-32700, -32600, -32602, -32603}

    assert [
        each
        for each in kinds()
        if each.rpc_code not in standard and -32768 <= each.rpc_code <= -32000
    ] == []


def test_reasons_are_one_word_each_and_unique() -> None:
    reasons = [each.reason for each in kinds()]

    assert len(set(reasons)) == len(reasons)
    assert [reason for reason in reasons if not re.fullmatch(r"[a-z_]+", reason)] == []


def test_too_many_says_when_to_come_back() -> None:
    assert TooMany("Slow down.", retry_after=1.5).data == {"retry_after_ms": 1500}
