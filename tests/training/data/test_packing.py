import pytest
import torch

from cosec.errors import DataError
from cosec.training.data.corpus import Document
from cosec.training.data.packing import Piece, pack, tokenize
from tests.tiny import beginning_tokenizer, tiny_tokenizer


def document(prompt: str, response: str, *, divisible: bool = False) -> Document:
    return Document(origin="a", prompt=prompt, response=response, divisible=divisible)


def piece(length: int, name: str = "a") -> Piece:
    return Piece(token_ids=list(range(length)), response=[False] + [True] * (length - 1), origin=name)


def test_only_the_response_and_the_end_of_text_are_learned() -> None:
    tokenizer = tiny_tokenizer()
    (found,), too_long = tokenize([document("ask: ", "answer")], tokenizer, max_tokens=64)
    learned = [token for token, chosen in zip(found.token_ids, found.response, strict=True) if chosen]
    assert learned[-1] == tokenizer.eos_token_id
    assert tokenizer.decode(learned[:-1]).strip() == "answer"
    assert tokenizer.decode(found.token_ids[:-1]) == "ask: answer"
    assert too_long == 0


def test_a_beginning_of_text_that_the_prompt_spells_is_not_added_again() -> None:
    tokenizer = beginning_tokenizer()
    spelled, plain = (
        tokenize([document(f"{spelling}ask: ", "answer")], tokenizer, max_tokens=64)[0][0]
        for spelling in (tokenizer.bos_token, "")
    )
    assert spelled == plain
    assert spelled.token_ids[:-1].count(tokenizer.bos_token_id) == 1


def test_a_beginning_of_text_that_the_tokenizer_does_not_add_stays_in_the_prompt() -> None:
    tokenizer = tiny_tokenizer()
    ((found,), _) = tokenize([document(f"{tokenizer.bos_token}ask: ", "answer")], tokenizer, max_tokens=64)
    assert found.token_ids[0] == tokenizer.bos_token_id
    assert tokenizer.decode(found.token_ids[1:-1]) == "ask: answer"


def test_a_response_that_is_too_long_is_left_out_and_counted_and_a_source_file_is_cut() -> None:
    tokenizer = tiny_tokenizer()
    text = "value = 1\n" * 40
    pieces, too_long = tokenize([document("ask", text), document("", text, divisible=True)], tokenizer, max_tokens=32)
    assert too_long == 1
    assert all(len(each.token_ids) <= 32 for each in pieces)
    joined = [token for each in pieces for token in each.token_ids]
    assert tokenizer.decode(joined[:-1]) == text


def test_rows_are_filled_and_every_piece_is_in_exactly_one() -> None:
    pieces = [piece(length, str(length)) for length in (5, 9, 3, 7, 2, 8, 10)]
    rows = pack(pieces, max_tokens=12, seed=0)
    assert all(len(row.token_ids) <= 12 for row in rows)
    assert sum(len(row.token_ids) for row in rows) == 44
    assert len(rows) < len(pieces)
    assert [row.key for row in rows] == list(range(len(rows)))


def test_documents_start_at_zero_and_their_first_token_is_not_predicted() -> None:
    first, second = piece(3), Piece(token_ids=[7, 8], response=[True, True], origin="b")
    (row,) = pack([first, second], max_tokens=12, seed=0)
    places = row.position_ids.tolist()
    assert sorted(places) == [0, 0, 1, 1, 2]
    assert row.predicted.sum() == 3
    boundary = int((row.document == 0).sum()) - 1
    assert not row.predicted[boundary]


def test_the_same_seed_gives_the_same_rows_and_another_seed_others() -> None:
    pieces = [piece(4, str(number)) for number in range(20)]

    def origins(seed: int) -> list[str]:
        return [row.origin for row in pack(pieces, max_tokens=8, seed=seed)]

    assert origins(0) == origins(0)
    assert origins(0) != origins(1)


def test_apart_each_piece_is_a_row() -> None:
    rows = pack([piece(3), piece(4)], max_tokens=12, seed=0, together=False)
    assert sorted(len(row.token_ids) for row in rows) == [3, 4]
    assert all(torch.equal(row.position_ids, torch.arange(len(row.token_ids))) for row in rows)


def test_a_piece_longer_than_a_row_is_an_error() -> None:
    with pytest.raises(DataError, match="13 tokens"):
        pack([piece(13)], max_tokens=12, seed=0)
