"""Tokens, one-time links and sessions: when each begins and ends."""

from datetime import timedelta

from hedgerow.web.access import AccessState, Role, fingerprint, new_link, new_token, redeemed, session_of
from support.views import NOW

MINUTE = timedelta(minutes=1)


def test_no_secret_is_kept() -> None:
    state, token = new_token(AccessState(), Role.OPERATOR, NOW)
    state, link = new_link(state, Role.VIEWER, NOW)
    state, grant = redeemed(state, token, NOW)
    assert grant is not None
    kept = repr(state)
    assert not any(secret in kept for secret in (token, link, grant.secret))
    assert fingerprint(token) in kept
    assert len(token) >= 43  # 256 bits


def test_a_link_signs_in_once() -> None:
    state, link = new_link(AccessState(), Role.OPERATOR, NOW)
    state, grant = redeemed(state, link, NOW + MINUTE)
    assert grant is not None
    assert session_of(state, grant.secret, NOW + MINUTE) is not None
    _, again = redeemed(state, link, NOW + MINUTE)
    assert again is None


def test_a_link_is_worthless_after_five_minutes() -> None:
    state, link = new_link(AccessState(), Role.OPERATOR, NOW)
    _, grant = redeemed(state, link, NOW + 5 * MINUTE)
    assert grant is None
    _, grant = redeemed(state, link, NOW + 5 * MINUTE - timedelta(seconds=1))
    assert grant is not None


def test_a_new_token_ends_open_links_of_its_role() -> None:
    state, link = new_link(AccessState(), Role.OPERATOR, NOW)
    state, _ = new_token(state, Role.OPERATOR, NOW)
    _, grant = redeemed(state, link, NOW)
    assert grant is None


def test_the_session_of_a_viewers_link_is_a_viewers() -> None:
    state, link = new_link(AccessState(), Role.VIEWER, NOW)
    _, grant = redeemed(state, link, NOW)
    assert grant is not None
    assert grant.role is Role.VIEWER


def test_sessions_and_links_do_not_grow_without_end() -> None:
    state, token = new_token(AccessState(), Role.OPERATOR, NOW)
    for _ in range(200):
        state, _ = redeemed(state, token, NOW)
        state, _ = new_link(state, Role.OPERATOR, NOW)
    assert len(state.sessions) == 64
    assert len(state.links) == 16
