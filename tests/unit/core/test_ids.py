from freehold.core.ids import random_id


def test_ids_carry_their_prefix_and_do_not_repeat() -> None:
    ids = {random_id("resp_") for _ in range(1000)}
    assert len(ids) == 1000
    assert all(one.startswith("resp_") and len(one) == len("resp_") + 48 for one in ids)
