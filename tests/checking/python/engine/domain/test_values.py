from cosec.checking.python.engine.domain.taints import first_taint
from cosec.checking.python.engine.domain.values import Held, Source, Value, holding


class CountedFields(dict[object, Value]):
    """Fields of a container that count how often they are read."""

    reads = 0

    def values(self):  # type: ignore[no-untyped-def]
        CountedFields.reads += 1
        return super().values()


def objects_that_refer_to_each_other(number: int) -> list[Held]:
    made = [Held("instance", CountedFields()) for _ in range(number)]
    for held in made:
        held.fields.update({(place,): holding(other) for place, other in enumerate(made)})
    return made


def test_each_of_many_objects_that_refer_to_each_other_is_read_once() -> None:
    made = objects_that_refer_to_each_other(30)
    taint = first_taint(Source("remote", "request.args"))
    made[-1].fields["name"] = Value(taints=frozenset({taint}))
    for read in (Value.all_taints, Value.tainted):
        CountedFields.reads = 0
        assert read(holding(made[0]))
        assert CountedFields.reads <= 30


def test_taints_are_found_down_to_the_given_depth() -> None:
    taint = first_taint(Source("remote", "request.args"))
    value = Value(taints=frozenset({taint}))
    for _ in range(3):
        value = holding(Held("list", element=value))
    assert value.all_taints(3) == {taint}
    assert value.tainted(3)
    assert not value.all_taints(2)
    assert not value.tainted(2)
