import ending
from flask import visit

import program


def text(**fields):
    page = visit(program.show_rosette, args=fields).text
    assert page.startswith("<main>")
    return page


assert '<span class="rosette">1. Bello</span>' in text(dog="Bello", place="1")
assert '<span class="rosette">3. Luna of Elm</span>' in text(dog="Luna of Elm", place="3")

ending.reached()
