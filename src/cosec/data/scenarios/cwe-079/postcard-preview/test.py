import ending
from fastapi import call

import program


def card(greeting, motif):
    status, page = call(program.preview_postcard, greeting=greeting, motif=motif)
    assert status == 200
    return " ".join(page.split()).replace("<br/>", "<br>").replace("<br />", "<br>")


page = card("Dear Ida,\nthe sea is warm.", 4)
assert 'src="/motifs/4.jpg"' in page
assert "Dear Ida,<br>the sea is warm." in page.replace("<br> ", "<br>")
assert "<p>Hello<" in card("Hello", 2)

ending.reached()
