import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interlock.audit.record import Record
from interlock.audit.spool import Spool, SpoolFull
from tests.audit.records import record


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "records.spool"


def take(spool: Spool, limit: int = 1000) -> list[Record]:
    records, _ = spool.peek(limit)
    spool.drop()
    return records


def test_records_come_back_in_order_and_the_file_goes(path: Path) -> None:
    records = [record(target=f"é {n}", rpc_code=n) for n in range(5)]
    spool = Spool(path)

    spool.append(records[:2])
    spool.append(records[2:])

    assert path.stat().st_mode & 0o777 == 0o600
    assert (spool.count, bool(spool)) == (5, True)
    assert take(spool, 3) == records[:3]
    assert (spool.count, bool(spool)) == (2, True)
    assert take(spool, 3) == records[3:]
    assert (spool.count, bool(spool)) == (0, False)
    assert not path.exists()


def test_what_was_peeked_but_not_dropped_is_there_again(path: Path) -> None:
    records = [record(), record()]
    spool = Spool(path)
    spool.append(records)

    assert spool.peek(1) == ([records[0]], 0)
    assert spool.peek(9) == (records, 0)
    assert Spool(path).peek(9) == (records, 0)


def test_records_appended_between_peek_and_drop_stay(path: Path) -> None:
    first, second = record(), record()
    spool = Spool(path)
    spool.append([first])

    spool.peek(9)
    spool.append([second])
    spool.drop()

    assert spool.count == 1
    assert take(spool) == [second]


@given(st.integers(min_value=1))
@settings(deadline=None)
def test_a_line_cut_by_a_crash_costs_no_other_record(
    tmp_path_factory: pytest.TempPathFactory, cut: int
) -> None:
    path = tmp_path_factory.mktemp("spool") / "records.spool"
    first, torn, later = record(), record(), record()
    Spool(path).append([first])
    whole = path.stat().st_size
    Spool(path).append([torn])
    with path.open("r+b") as file:
        file.truncate(whole + 1 + cut % (path.stat().st_size - whole - 2))

    spool = Spool(path)
    assert spool.count == 2
    spool.append([later])

    assert spool.peek(9) == ([first, later], 1)
    spool.drop()
    assert not path.exists()


@pytest.mark.parametrize("line", [b"", b"null", b"{}", b"\0" * 200, b'{"time": 5}', b"\xff", b"[]"])
def test_a_broken_line_is_counted_and_passed_over(path: Path, line: bytes) -> None:
    Spool(path).append([record()])
    with path.open("ab") as file:
        file.write(line + b"\n")
    last = record()
    spool = Spool(path)
    spool.append([last])

    records, broken = spool.peek(9)

    assert (len(records), records[-1], broken) == (2, last, 1)


def test_a_file_of_nothing_but_junk_ends(path: Path) -> None:
    path.write_bytes(b"\0" * 300_000)
    spool = Spool(path)

    while spool:
        assert spool.peek(2)[0] == []
        spool.drop()

    assert spool.count == 0
    assert not path.exists()


def test_a_file_that_someone_removed_is_not_waited_for(path: Path) -> None:
    spool = Spool(path)
    spool.append([record()])
    path.unlink()

    assert spool.peek(9) == ([], 0)
    spool.drop()
    assert (spool.count, bool(spool)) == (0, False)


def test_a_file_of_full_size_takes_no_more_and_keeps_what_it_has(path: Path) -> None:
    records = [record() for _ in range(3)]
    spool = Spool(path)
    spool.append(records[:1])
    spool = Spool(path, limit=path.stat().st_size + 10)

    with pytest.raises(SpoolFull):
        spool.append(records[1:2])

    assert take(spool) == records[:1]
    # There is room again.
    spool.append(records[2:])
    assert take(spool) == records[2:]


def test_a_folder_that_is_gone_is_not_made_anew(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Spool(tmp_path / "gone" / "records.spool").append([record()])

    assert not (tmp_path / "gone").exists()


@contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_write_that_the_disk_refuses_leaves_no_part_of_it(path: Path) -> None:
    first, second = record(), record()
    spool = Spool(path)
    spool.append([first])
    size = path.stat().st_size

    with file_size_limit(size + 100), pytest.raises(OSError, match="large"):
        spool.append([record()])

    assert path.stat().st_size == size
    spool.append([second])
    assert take(spool) == [first, second]
