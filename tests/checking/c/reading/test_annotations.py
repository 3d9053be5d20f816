"""Words of headers that are no C are blanked, and C is left alone."""

import pytest

from cosec.checking.c.reading.annotations import without_annotations
from cosec.checking.c.reading.syntax import parse


@pytest.mark.parametrize(
    ("program", "left"),
    [
        ("ZEXTERN int ZEXPORT deflate OF((int *strm, int flush));", "int deflate (int *strm, int flush) ;"),
        ("local struct node *first OF((void));", "struct node *first (void) ;"),
        ("PyAPI_FUNC(int) Py_One(void);", "int Py_One(void);"),
        ("int one(void) NOTHROW;\nvoid two(char *form) ATTR_PRINTF(1, 2);", "int one(void) ;\nvoid two(char *form) ;"),
        ('MODULE_NAME("one")\nstatic int a;', "static int a;"),
        ("G_BEGIN_DECLS\ntypedef struct x x;", "typedef struct x x;"),
        ("EXPORT DWORD one(Byte FAR *a);", "DWORD one(Byte *a);"),
    ],
)
def test_annotations_are_blanked(program: str, left: str) -> None:
    blanked = without_annotations(program)
    assert blanked.split() == left.split()
    assert len(blanked) == len(program)
    assert not parse(blanked).root.has_error


@pytest.mark.parametrize(
    "program",
    [
        "FILE *open_it(const char *name) { return (FILE *)get(name) * 2; }",
        "int f(cb) int (*cb)(); { if (x) FOO(1); else return x; goto end; end: ; }",
        "char *const argv[]; static const foo_t *const y; unsigned long long z; struct a b; enum c d = E;",
        "void f(void) { while (next()) STEP(a); case_of(x) ? y : z; }",
    ],
)
def test_c_is_left_alone(program: str) -> None:
    assert without_annotations(program) == program
