"""Signatures as Standard Webhooks documents them, and secrets that are not shown."""

from freehold.surfaces.webhooks import hint, signed

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
BODY = b'{"test": 2432232314}'
DELIVERY = "msg_p5jXN8AQM9LWM0D4loKWxJek"
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_the_documented_example() -> None:
    assert signed(BODY, DELIVERY, 1614265330, [SECRET]) == {
        "webhook-id": DELIVERY,
        "webhook-timestamp": "1614265330",
        "webhook-signature": SIGNATURE,
    }


def test_each_secret_signs() -> None:
    signatures = signed(BODY, DELIVERY, 1614265330, ["whsec_AAAA", SECRET])["webhook-signature"].split(" ")
    assert len(signatures) == 2
    assert signatures[1] == SIGNATURE


def test_a_hint_shows_the_end_only() -> None:
    assert hint(SECRET) == "whsec_...LaSw"
