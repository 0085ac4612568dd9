"""Replies are changed in one place, and in no other; every change that a reply allows can be enumerated."""

import json
import math
from typing import Any

import pytest
from msgspec.structs import replace

from hedgerow.emulator.wire.rest.mutations import Mutation, Rewrite, applies, mutated
from hedgerow.emulator.wire.rest.rewriting import (
    mentions,
    rewrite_body,
    rewrite_message,
    rewrite_response,
    rewrites_of,
    without_newest,
)
from hedgerow.ports import HttpResponse

ACCOUNT: dict[str, Any] = {
    "feeTier": 0,
    "canTrade": True,
    "updateTime": 1750000000000,
    "note": "ok",
    "positions": [
        {"symbol": "AAAUSDT", "leverage": "1", "updateTime": 1750000000000},
        {"symbol": "BBBUSDT", "leverage": "2", "updateTime": 1750000000000},
    ],
    "assets": [],
}


def changed(mutation: str, field: str = "", symbol: str = "", reply: Any = ACCOUNT) -> Any:
    body = json.dumps(reply).encode()
    rewrite = Rewrite(mutation=Mutation(mutation), field=field, symbol=symbol)
    return json.loads(rewrite_body(body, rewrite).decode("utf-8", "surrogateescape"))


def test_the_row_of_one_symbol_is_left_out_and_the_others_stay() -> None:
    assert [row["symbol"] for row in changed("absent", "positions.*", "AAAUSDT")["positions"]] == ["BBBUSDT"]
    assert changed("absent", "positions.*")["positions"] == []
    assert changed("absent", "positions.1")["positions"] == ACCOUNT["positions"][:1]


def test_a_field_of_one_symbol_is_left_out_and_everything_else_stays() -> None:
    first, second = changed("absent", "positions.*.leverage", "BBBUSDT")["positions"]
    assert first == ACCOUNT["positions"][0]
    assert second == {"symbol": "BBBUSDT", "updateTime": 1750000000000}
    assert "feeTier" not in changed("absent", "feeTier")


def test_a_reply_about_another_symbol_stays_as_it_is() -> None:
    assert changed("null", "leverage", "CCCUSDT", ACCOUNT["positions"][0]) == ACCOUNT["positions"][0]
    assert changed("null", "leverage", "AAAUSDT", ACCOUNT["positions"][0])["leverage"] is None


@pytest.mark.parametrize(
    ("mutation", "field", "becomes"),
    [
        ("empty", "positions", []),
        ("null", "canTrade", None),
        ("blank", "feeTier", ""),
        ("zero", "updateTime", 0),
        ("negative", "feeTier", -1),
        ("negative", "updateTime", -1750000000000),
        ("huge", "feeTier", 10**30),
        ("seconds", "updateTime", 1750000000),
        ("microseconds", "updateTime", 1750000000000_000),
        ("nanoseconds", "updateTime", 1750000000000_000_000),
        ("retyped", "feeTier", "0"),
        ("retyped", "note", {"value": "ok"}),
        ("retyped", "canTrade", "true"),
        ("retyped", "positions", {}),
        ("infinity", "feeTier", math.inf),
        ("negative_infinity", "feeTier", -math.inf),
        ("nan", "note", "ok"),
        ("seconds", "feeTier", 0),
    ],
)
def test_a_field_becomes_what_is_asked(mutation: str, field: str, becomes: Any) -> None:
    assert changed(mutation, field)[field] == becomes


@pytest.mark.parametrize(
    ("mutation", "value", "becomes"),
    [
        ("nan", "1.5", "NaN"),
        ("infinity", "1.5", "Infinity"),
        ("negative_infinity", "1.5", "-Infinity"),
        ("negative", "-1.5", "1.5"),
        ("negative", "0.00", "-1"),
        ("huge", "1.5", "1" + "0" * 30),
        ("retyped", "1.5", 1.5),
        ("retyped", "15", 15),
        ("retyped", None, 0),
        ("retyped", {"a": 1}, []),
        ("empty", {"a": 1}, {}),
        ("extra", {"a": 1}, {"a": 1, "addedLater": "1"}),
    ],
)
def test_numbers_in_texts_stay_texts(mutation: str, value: Any, becomes: Any) -> None:
    assert mutated(Mutation(mutation), value) == becomes


def test_not_a_number_is_the_bare_token_where_the_number_was_bare() -> None:
    body = rewrite_body(b'{"fee":1}', Rewrite(mutation=Mutation.NAN, field="fee"))
    assert body == b'{"fee":NaN}'


def test_bytes_that_are_not_utf8_stand_where_they_are_asked_for() -> None:
    whole = rewrite_body(b'{"a":"b"}', Rewrite(mutation=Mutation.INVALID_UTF8))
    field = rewrite_body(b'{"a":"b"}', Rewrite(mutation=Mutation.INVALID_UTF8, field="a"))
    assert (whole, field) == (b'{"\xff\xfea":"b"}', b'{"a":"b\xff\xfe"}')
    assert rewrite_body(b"[]", Rewrite(mutation=Mutation.INVALID_UTF8)) == b"\xff\xfe[]"


def test_a_body_is_cut_padded_packed_or_a_page() -> None:
    response = HttpResponse(status=200, headers={"content-type": "application/json"}, body=b'{"a":1}')
    assert rewrite_response(response, Rewrite(mutation=Mutation.TRUNCATED)).body == b'{"a'
    assert rewrite_response(response, Rewrite(mutation=Mutation.PADDED, size=3)).body == b'{"a":1}   '
    page = rewrite_response(response, Rewrite(mutation=Mutation.WEB_PAGE))
    assert (page.status, page.headers["content-type"], page.body[:6]) == (200, "text/html", b"<html>")
    bomb = rewrite_response(response, Rewrite(mutation=Mutation.GZIP_BOMB, size=5 * 2**20 + 7))
    assert bomb.headers["content-encoding"] == "gzip"
    assert len(bomb.body) < 10_000


def test_a_body_that_is_not_json_stays_as_it_is() -> None:
    assert rewrite_body(b"<html>", Rewrite(mutation=Mutation.NULL, field="a")) == b"<html>"
    assert without_newest(b"<html>", 0) == b"<html>"


def test_a_balance_of_a_stream_is_found_by_its_asset_and_a_price_is_no_asset() -> None:
    event = {"e": "outboundAccountPosition", "B": [{"a": "ETH", "f": "1"}, {"a": "USDT", "f": "2"}]}
    assert changed("zero", "B.*.f", "USDT", event)["B"] == [{"a": "ETH", "f": "1"}, {"a": "USDT", "f": "0"}]
    assert mentions(event, "ETH")
    assert not mentions(event, "BTC")
    book = {"e": "bookTicker", "a": "100.01", "s": "AAAUSDT"}
    assert changed("blank", "a", "AAAUSDT", book)["a"] == ""
    assert changed("blank", "a", "100.01", book) == book


def test_a_field_that_is_not_there_changes_nothing() -> None:
    assert changed("null", "positions.*.nothing") == ACCOUNT
    assert changed("null", "feeTier.deeper") == ACCOUNT
    assert changed("absent") is None


def test_the_fields_of_a_message_are_found_in_its_data_and_not_in_its_envelope() -> None:
    body = rewrite_message(
        {"s": "AAAUSDT", "r": "0.1"},
        lambda data: {"stream": "x", "data": data},
        [Rewrite(mutation=Mutation.BLANK, field="r")],
    )
    assert json.loads(body) == {"stream": "x", "data": {"s": "AAAUSDT", "r": ""}}
    cut = rewrite_message({"a": 1}, lambda data: data, [Rewrite(mutation=Mutation.TRUNCATED)])
    assert cut == b'{"a'


def test_the_newest_rows_of_a_symbol_are_not_listed_yet() -> None:
    rows = [{"symbol": "A", "time": 1}, {"symbol": "A", "time": 5}, {"symbol": "B", "time": 5}, [9]]
    body = json.dumps(rows).encode()
    assert json.loads(without_newest(body, 3, "A")) == [rows[0], rows[2], rows[3]]
    assert json.loads(without_newest(body, 3)) == [rows[0], rows[3]]
    assert without_newest(b'{"a": 1}', 0) == b'{"a": 1}'


def test_every_rewrite_that_is_enumerated_changes_the_reply() -> None:
    body = json.dumps(ACCOUNT, separators=(",", ":")).encode()
    found = list(rewrites_of(ACCOUNT, ("AAAUSDT", "BBBUSDT")))
    for rewrite in found:
        small = replace(rewrite, size=10)
        assert rewrite_response(HttpResponse(status=200, body=body), small).body != body, rewrite
    assert len(set(found)) == len(found)
    assert {each.mutation for each in found} == set(Mutation)
    assert {each.field for each in found} >= {"", "positions", "positions.*", "positions.*.leverage", "feeTier"}
    assert {each.symbol for each in found if each.field == "positions.*.leverage"} == {"AAAUSDT", "BBBUSDT"}


def test_columns_of_a_row_are_enumerated_one_by_one() -> None:
    book = {"bids": [["1.0", "2"], ["0.9", "3"]]}
    fields = {each.field for each in rewrites_of(book)}
    assert fields == {"", "bids", "bids.*", "bids.*.0", "bids.*.1"}
    assert changed("nan", "bids.*.1", reply=book) == {"bids": [["1.0", "NaN"], ["0.9", "NaN"]]}


def test_a_mutation_of_a_whole_body_applies_to_no_field() -> None:
    assert not applies(Mutation.TRUNCATED, "text")
    assert mutated(Mutation.TRUNCATED, "text") == "text"


def test_a_word_becomes_each_other_one_that_its_field_may_have_and_a_truth_value_the_other() -> None:
    row = {"side": "BUY", "status": "NEW", "maker": True, "asset": "AAA", "note": "BUY"}
    found = [each for each in rewrites_of([row]) if each.mutation is Mutation.OTHER]
    assert {(each.field, each.value) for each in found} == {
        ("*.side", "SELL"),
        ("*.maker", ""),
        *(("*.status", word) for word in ("PARTIALLY_FILLED", "FILLED", "CANCELED", "REJECTED", "EXPIRED")),
    }
    body = json.dumps([row]).encode()
    shown = [json.loads(rewrite_body(body, each))[0] for each in found]
    assert {**row, "side": "SELL"} in shown
    assert {**row, "maker": False} in shown
