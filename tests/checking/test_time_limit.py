"""The limit on processor time."""

import signal
import threading

import pytest

from cosec.checking.time_limit import OutOfTime, time_limit


def never_end() -> None:
    while True:
        pass


def test_the_limit_ends_a_block_that_takes_too_long() -> None:
    with pytest.raises(OutOfTime), time_limit(0.01) as limit:
        never_end()
    assert limit.reached


def test_a_block_that_ends_in_time_leaves_no_timer() -> None:
    before = signal.getsignal(signal.SIGVTALRM)
    with time_limit(5.0) as limit:
        pass
    assert not limit.reached
    assert signal.getitimer(signal.ITIMER_VIRTUAL)[0] == 0
    assert signal.getsignal(signal.SIGVTALRM) is before


def test_other_threads_have_no_limit() -> None:
    reached: list[bool] = []

    def work() -> None:
        with time_limit(1e-6) as limit:
            sum(range(10_000))
        reached.append(limit.reached)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert reached == [False]
