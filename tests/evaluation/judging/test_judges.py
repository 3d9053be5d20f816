from __future__ import annotations

from cosec.checking.registry import default_checkers, study_checkers
from cosec.evaluation.judging.identity import judges_version
from cosec.evaluation.judging.judges import default_judges


def test_studies_are_judged_by_the_default_checkers_without_semgrep() -> None:
    judges = default_judges()
    for language in ("py", "c"):
        assert tuple(one.name for one in judges.checkers[language]) == study_checkers(language)
        assert set(study_checkers(language)) == {*default_checkers(language)} - {"semgrep"}
    assert judges.driver is not None
    assert judges.version == judges_version()
