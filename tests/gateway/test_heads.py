"""Which heads are remembered: those in use, and not those of clients that left."""

from interlock.gateway.heads import MAX_HEADS, UNUSED, Head, Heads


def head() -> Head:
    return Head({}, ("default", None), {}, None, None)


def test_a_head_that_comes_again_is_kept_and_one_that_does_not_is_forgotten() -> None:
    heads = Heads()
    used = head()
    heads.add(b"used", used, 0.0)
    heads.add(b"left", head(), 1.0)

    heads.check(used, UNUSED)
    heads.add(b"new", head(), UNUSED + 2.0)

    assert heads.get(b"used") is used
    assert heads.get(b"left") is None
    assert len(heads) == 2


def test_there_are_never_more_than_so_many() -> None:
    heads = Heads()
    for number in range(MAX_HEADS + 10):
        heads.add(b"%d" % number, head(), 0.0)

    assert len(heads) == MAX_HEADS
    assert heads.get(b"9") is None
    assert heads.get(b"10") is not None


def test_a_head_that_was_forgotten_meanwhile_may_still_be_looked_up() -> None:
    heads = Heads()
    late = head()
    heads.add(b"late", late, 0.0)
    heads.add(b"new", head(), UNUSED + 1.0)

    heads.check(late, UNUSED + 2.0)

    assert heads.get(b"late") is None
