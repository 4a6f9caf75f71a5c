import asyncio
from collections.abc import AsyncGenerator

from interlock.gateway.streams import MAX_HELD, Stream, StreamEvent
from interlock.protocol.json import JSONObject, dumps, loads
from tests.gateway.virtual_time import now, run

HEARTBEAT = 15.0


def stream(*, is_resumable: bool = True, capacity: int = 10_000) -> Stream:
    return Stream("s", is_resumable=is_resumable, capacity=capacity)


def said(number: int) -> JSONObject:
    return {"said": number}


def filled(count: int, *, is_resumable: bool = True, capacity: int = 10_000) -> Stream:
    made = stream(is_resumable=is_resumable, capacity=capacity)
    for number in range(1, count + 1):
        made.send(said(number))
    return made


async def numbers(source: Stream, after: int = 0) -> list[int]:
    """Follow an ended stream to its end and return the numbers of its messages."""
    return [event.number async for event in source.follow(after, HEARTBEAT) if event is not None]


async def following(source: AsyncGenerator[StreamEvent | None], seen: list[int]) -> None:
    """Keep the numbers of what comes until the stream, or this following, ends."""
    async for event in source:
        seen += [event.number] if event is not None else []


async def next_of(source: AsyncGenerator[StreamEvent | None]) -> StreamEvent | None:
    return await anext(source)


def test_messages_come_in_order_numbered_from_1_until_the_end() -> None:
    async def work() -> None:
        made = filled(3)
        made.end()
        events = [event async for event in made.follow(0, HEARTBEAT)]

        assert events == [StreamEvent(n, dumps(said(n))) for n in (1, 2, 3)]

    run(work())


def test_a_follower_gets_what_is_sent_while_it_waits() -> None:
    async def work() -> None:
        made, seen = stream(), list[int]()
        task = asyncio.create_task(following(made.follow(0, HEARTBEAT), seen))
        for number in (1, 2):
            await asyncio.sleep(1)
            made.send(said(number))
        await asyncio.sleep(1)
        assert seen == [1, 2]
        made.end()
        await task

    run(work())


def test_a_stream_that_ended_empty_ends_its_follower() -> None:
    async def work() -> None:
        made = stream()
        made.end()

        assert await numbers(made) == []

    run(work())


def test_a_resumable_stream_can_be_had_again_from_any_message_on() -> None:
    async def work() -> None:
        made = filled(4)
        made.end()

        assert await numbers(made) == [1, 2, 3, 4]
        assert await numbers(made, after=2) == [3, 4]
        assert await numbers(made, after=4) == []
        assert await numbers(made, after=99) == []

    run(work())


def test_a_stream_that_is_not_resumable_forgets_what_was_followed() -> None:
    async def work() -> None:
        made = filled(3, is_resumable=False)
        first = made.follow(0, HEARTBEAT)
        await next_of(first)
        await next_of(first)
        await next_of(first)
        await first.aclose()
        made.end()

        assert await numbers(made, after=2) == [3]
        assert await numbers(made) == [3]

    run(work())


def test_beyond_its_capacity_a_stream_drops_the_oldest_and_counts_them() -> None:
    async def work() -> None:
        made = filled(5, capacity=2)
        made.end()

        assert await numbers(made) == [4, 5]
        assert (made.dropped, made.size) == (3, 5)

    run(work())


def test_a_newer_follower_takes_over_from_an_older_one() -> None:
    async def work() -> None:
        made, old, new = filled(1), list[int](), list[int]()
        older = asyncio.create_task(following(made.follow(0, HEARTBEAT), old))
        await asyncio.sleep(1)
        newer = asyncio.create_task(following(made.follow(made.delivered, HEARTBEAT), new))
        await asyncio.sleep(1)
        assert older.done()
        made.send(said(2))
        await asyncio.sleep(1)

        assert (old, new) == ([1], [2])
        assert made.is_followed
        made.end()
        await asyncio.gather(older, newer)

    run(work())


def test_an_older_follower_that_leaves_late_does_not_unfollow_the_newer() -> None:
    async def work() -> None:
        made = filled(2)
        older, newer = made.follow(0, HEARTBEAT), made.follow(0, HEARTBEAT)
        await next_of(older)
        await next_of(newer)
        await older.aclose()
        assert made.is_followed
        await newer.aclose()
        assert not made.is_followed

    run(work())


def test_a_follower_that_is_cancelled_leaves_the_stream_unfollowed() -> None:
    async def work() -> None:
        made = stream()
        task = asyncio.create_task(following(made.follow(0, HEARTBEAT), []))
        await asyncio.sleep(1)
        assert made.is_followed
        task.cancel()
        await asyncio.wait({task})

        assert not made.is_followed

    run(work())


def test_silence_is_broken_by_a_heartbeat_each_time_it_lasts_so_long() -> None:
    async def work() -> None:
        made = stream()
        follower = made.follow(0, HEARTBEAT)
        assert (await next_of(follower), now()) == (None, HEARTBEAT)
        assert (await next_of(follower), now()) == (None, 2 * HEARTBEAT)
        await asyncio.sleep(HEARTBEAT - 1)
        made.send(said(1))
        assert await next_of(follower) == StreamEvent(1, dumps(said(1)))
        assert now() == 3 * HEARTBEAT - 1
        assert (await next_of(follower), now()) == (None, 4 * HEARTBEAT - 1)
        await follower.aclose()

    run(work())


def test_delivered_is_the_last_message_that_a_follower_came_back_from() -> None:
    """One that was handed out and never sent must come again, so it does not count yet."""

    async def work() -> None:
        made = filled(3)
        follower = made.follow(0, HEARTBEAT)
        await next_of(follower)
        await next_of(follower)
        assert made.delivered == 1
        await follower.aclose()
        made.end()

        assert await numbers(made, after=made.delivered) == [2, 3]
        assert made.delivered == 3
        assert await numbers(made) == [1, 2, 3]
        assert made.delivered == 3

    run(work())


def test_a_stream_weighs_what_was_sent_on_it() -> None:
    async def work() -> None:
        made = filled(2, capacity=1)

        assert made.weight == len(dumps(said(1))) + len(dumps(said(2)))

    run(work())


def test_a_stream_settles_once_it_ends_with_one_message() -> None:
    async def work() -> None:
        made = stream()
        task = asyncio.create_task(made.settled(5))
        await asyncio.sleep(1)
        made.send(said(1))
        made.end()

        assert await task is True
        assert loads(made.only()) == said(1)

    run(work())


def test_a_stream_that_goes_on_after_its_first_message_does_not_settle() -> None:
    async def work() -> None:
        assert await filled(1).settled(5) is False
        many = filled(2)
        many.end()
        assert await many.settled(5) is False
        empty = stream()
        empty.end()
        assert await empty.settled(5) is False
        assert now() == 0

    run(work())


def test_a_silent_stream_does_not_settle_longer_than_the_clients_patience() -> None:
    async def work() -> None:
        assert await stream().settled(5) is False
        assert now() == 5

    run(work())


def test_finished_waits_for_the_end_and_not_for_messages() -> None:
    async def work() -> None:
        made = stream()
        task = asyncio.create_task(made.finished())
        made.send(said(1))
        await asyncio.sleep(1)
        assert not task.done()
        made.end()
        await task

    run(work())


def test_a_stream_that_nobody_follows_holds_few_bytes_and_always_the_newest_message() -> None:
    async def work() -> None:
        made, size = stream(), MAX_HELD // 4
        for number in range(1, 11):
            made.send({"said": number, "padding": "x" * size})
        made.send({"said": 11, "padding": "x" * MAX_HELD})
        made.send(said(12))
        made.end()

        assert await numbers(made) == [12]
        assert made.dropped == 11

    run(work())


def test_what_was_followed_no_longer_counts_towards_the_bytes_that_are_held() -> None:
    async def work() -> None:
        made, seen = stream(is_resumable=False), list[int]()
        task = asyncio.create_task(following(made.follow(0, HEARTBEAT), seen))
        for number in range(1, 9):
            made.send({"said": number, "padding": "x" * (MAX_HELD // 4)})
            await asyncio.sleep(1)
        made.end()
        await task

        assert seen == list(range(1, 9))
        assert made.dropped == 0

    run(work())
