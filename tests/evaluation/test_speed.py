from cosec.evaluation.speed import SpeedResult, table


def result(*, auto: bool) -> SpeedResult:
    return SpeedResult(
        batch=1,
        mode="two-models",
        target_seconds_per_20=1.0,
        hardened_seconds_per_20=2.0,
        ratio=2.0,
        alpha=0.5,
        c=0.5,
        v={"4": 1.5},
        draft_length=1,
        auto=auto,
        prefill_seconds=0.1,
        target_prefill_seconds=0.1,
        peak_mib=100.0,
    )


def test_a_row_says_whether_auto_chose_its_draft_length() -> None:
    heading, *rows = table([result(auto=False), result(auto=True)])
    assert [row[heading.index("k")] for row in rows] == ["1", "auto: 1"]
