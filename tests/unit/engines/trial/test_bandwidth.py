from freehold.engines.trial.bandwidth import bandwidth


def test_every_memory_can_be_read() -> None:
    assert bandwidth(16 * 1024 * 1024) > 1e6
