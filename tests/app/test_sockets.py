"""The sockets of the gateway's processes: one port that they share, one door for each."""

import asyncio
import socket
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from interlock.app.server import serve
from interlock.app.sockets import MAX_SOCKET_PATH, Doors, bind, doors_of, join
from interlock.errors import BadInput
from interlock.settings import Settings


@pytest.fixture
def short() -> Iterator[Path]:
    # A socket's path is short, and pytest's own folders are deep.
    with TemporaryDirectory(prefix="ilk-") as folder:
        yield Path(folder)


def shares(listening: socket.socket) -> bool:
    return bool(listening.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT))


def at(listening: socket.socket, workers: int) -> Settings:
    return Settings(port=listening.getsockname()[1], workers=workers)


def test_one_process_shares_its_port_with_nobody_and_has_no_door() -> None:
    with closing(bind(Settings(port=0))) as listening:
        assert not shares(listening)
        listening.listen()
        with pytest.raises(BadInput, match="--port"):
            join(at(listening, workers=2))

    assert doors_of(Settings()) is None


def test_several_processes_listen_at_one_port() -> None:
    with closing(bind(Settings(port=0, workers=2))) as keeper:
        keeper.listen()
        with closing(join(at(keeper, workers=2))) as worker:
            worker.listen()
            assert (shares(keeper), shares(worker)) == (True, True)
            assert keeper.getsockname() == worker.getsockname()


def test_a_second_gateway_does_not_slip_into_the_shared_port_of_the_first() -> None:
    with closing(bind(Settings(port=0, workers=2))) as first:
        first.listen()
        with pytest.raises(BadInput, match="End what uses it"):
            bind(at(first, workers=2))


async def test_answers_are_sent_without_delay_by_every_process(short: Path) -> None:
    """Nagle's algorithm is off on every connection that a shared port accepts."""
    accepted: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def note(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = writer.get_extra_info("socket")
        accepted.set_result(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        writer.close()
        await writer.wait_closed()

    keeper = bind(Settings(port=0, workers=2))
    worker = join(at(keeper, workers=2))
    # The keeper does not listen, so that the worker takes every connection.
    async with await asyncio.start_server(note, sock=worker), asyncio.timeout(60):
        _, writer = await asyncio.open_connection(*worker.getsockname())
        assert await accepted == 1
        writer.close()
        await writer.wait_closed()
    keeper.close()


def test_only_this_user_comes_to_the_doors(short: Path) -> None:
    folder = short / "data" / "run"
    doors = doors_of(Settings(data_dir=short / "data", workers=3))
    assert doors is not None
    assert doors == Doors(folder, 3)
    folder.mkdir(parents=True, mode=0o755)
    folder.chmod(0o755)

    doors.prepare()

    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert doors.paths == tuple(str(folder / f"{number}.sock") for number in range(3))


def test_a_data_directory_that_is_made_for_the_doors_is_this_users_too(short: Path) -> None:
    Doors(short / "data" / "run", 2).prepare()

    assert stat.S_IMODE((short / "data").stat().st_mode) == 0o700


def test_a_door_takes_the_place_of_one_that_was_left_behind(short: Path) -> None:
    doors = Doors(short, 2)
    for _ in range(2):
        # Nothing removes the file of a process that was killed.
        doors.bind(1).close()
    with closing(doors.bind(1)) as listening, socket.socket(socket.AF_UNIX) as calling:
        listening.listen()
        calling.connect(doors.path(1))

    assert [each.name for each in short.iterdir()] == ["1.sock"]


def test_a_path_that_is_too_long_for_a_socket_is_refused_with_the_cure(short: Path) -> None:
    fits = Path(f"{short}/{'x' * (MAX_SOCKET_PATH - len(f'{short}//run/1.sock'))}")
    Doors(fits / "run", 2).prepare()
    with closing(Doors(fits / "run", 2).bind(1)):
        pass

    with pytest.raises(BadInput, match=r"is 1 bytes too long .*--data.*INTERLOCK_DATA_DIR"):
        Doors(fits / "run", 11).prepare()

    deep = Settings(port=0, workers=2, data_dir=short / ("é" * 100))
    with pytest.raises(BadInput, match=r"too long .* or start without --workers"):
        serve(deep, config=None, announce=lambda _: None)
    assert not deep.data_dir.exists()
