import os
from concurrent.futures import ThreadPoolExecutor

from freehold.core.ids import random_id, random_padding


def test_ids_carry_their_prefix_and_do_not_repeat() -> None:
    ids = {random_id("resp_") for _ in range(1000)}
    assert len(ids) == 1000
    assert all(one.startswith("resp_") and len(one) == len("resp_") + 48 for one in ids)


def test_padding_does_not_repeat() -> None:
    padding = {random_padding() for _ in range(1000)}
    assert len(padding) == 1000
    assert {len(one) for one in padding} == {48}


def test_threads_never_take_the_same() -> None:
    with ThreadPoolExecutor(8) as pool:
        ids = [one for some in pool.map(lambda _: [random_id("") for _ in range(2000)], range(8)) for one in some]
    assert len({one[12:] for one in ids}) == 16_000


def test_a_forked_process_takes_others() -> None:
    random_id("")
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.write(writing, "".join(random_id("")[12:] for _ in range(200)).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as told:
        theirs = told.read()
    assert os.waitpid(child, 0)[1] == 0
    assert len(theirs) == 200 * 36
    assert not {theirs[at : at + 36] for at in range(0, len(theirs), 36)} & {random_id("")[12:] for _ in range(256)}
