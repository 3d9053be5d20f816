import weakref

import pytest
import torch

from cosec.vllm_plugin.deciding.drafts import DraftStep, DraftStore, UnscreenedTokenError


def step(ids: list[str], first: list[int], tokens: list[list[int]], *, base: bool = True) -> DraftStep:
    drafted = torch.tensor(tokens)
    log_probs = torch.randn(*drafted.shape, 8, generator=torch.Generator().manual_seed(len(ids)))
    return DraftStep(
        request_ids=ids,
        first=first,
        token_ids=drafted,
        proposal_probs=drafted / 10,
        security_log_probs=log_probs,
        base_log_probs=log_probs - 1 if base else None,
    )


def test_a_draft_is_found_by_its_request_and_place() -> None:
    store, kept = DraftStore(), step(["a", "b"], [0, 4], [[1, 2], [3, 4]])
    store.keep(kept)
    taken = store.take(["b", "a"], [4, 0], [[3, 4], [1, 2]])
    assert taken.token_ids.tolist() == [[3, 4], [1, 2]]
    assert torch.equal(taken.security_log_probs, kept.security_log_probs[[1, 0]])
    assert taken.base_log_probs is not None


def test_drafts_of_several_steps_are_taken_together() -> None:
    store, earlier, later = DraftStore(), step(["a", "b"], [0, 0], [[1, 2], [3, 4]]), step(["b"], [1], [[5, 6]])
    store.keep(earlier)
    store.keep(later)
    taken = store.take(["a", "b"], [0, 1], [[1, 2], [5, 6]])
    assert taken.token_ids.tolist() == [[1, 2], [5, 6]]
    assert torch.equal(taken.security_log_probs[1], later.security_log_probs[0])


def test_a_request_that_waits_keeps_its_own_row_and_not_the_whole_step() -> None:
    store, earlier = DraftStore(), step(["a", "b", "c"], [0, 2, 0], [[1, 2], [3, 4], [5, 6]])
    expected = earlier.security_log_probs[1].clone()
    store.keep(earlier)
    scores = weakref.ref(earlier.security_log_probs)
    store.keep(step(["a", "c"], [1, 1], [[1, 2], [5, 6]]))
    del earlier
    assert scores() is None
    taken = store.take(["b"], [2], [[3, 4]])
    assert torch.equal(taken.security_log_probs[0], expected)
    assert taken.base_log_probs is not None


def test_a_draft_without_a_base_does_not_take_that_of_others_away() -> None:
    store, without, with_base = DraftStore(), step(["a"], [0], [[1]], base=False), step(["b"], [0], [[2]])
    store.keep(without)
    assert store.take(["a"], [0], [[1]]).base_log_probs is None
    store.keep(with_base)
    taken = store.take(["a", "b"], [0, 0], [[1], [2]]).base_log_probs
    assert taken is not None
    assert torch.equal(taken[1], with_base.security_log_probs[0] - 1)


def test_the_beginning_of_a_draft_is_enough() -> None:
    store = DraftStore()
    store.keep(step(["a", "b"], [0, 0], [[1, 2], [3, 4]]))
    assert store.take(["a"], [0], [[1]]).token_ids.tolist() == [[1]]
    assert store.take(["a", "b"], [0, 0], [[1], [3, 4]]).token_ids.tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize(
    ("request_id", "first", "tokens"),
    [("c", 0, [1]), ("a", 1, [1]), ("a", 0, [2])],
    ids=["unknown request", "another place", "other tokens"],
)
def test_tokens_that_were_not_drafted_there_are_refused(request_id: str, first: int, tokens: list[int]) -> None:
    store = DraftStore()
    store.keep(step(["a"], [0], [[1, 2]]))
    with pytest.raises(UnscreenedTokenError, match=f"Request {request_id}"):
        store.take([request_id], [first], [tokens])


def test_drafts_of_finished_requests_are_dropped() -> None:
    store = DraftStore()
    store.keep(step(["a", "b"], [0, 0], [[1], [2]]))
    store.forget(["a", "unknown"])
    assert store.request_ids() == ["b"]
