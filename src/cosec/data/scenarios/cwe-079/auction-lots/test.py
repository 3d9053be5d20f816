import ending

import program

lots = {
    7: {"title": "Oak dresser", "seller": "Mrs Blum", "sold": False},
    8: {"title": "Brass lamp", "seller": "Mr Roy", "sold": True},
}
pages = dict(program.catalogue_pages(lots))
assert pages == {7: "<h1>Lot 7</h1><p>Oak dresser, from Mrs Blum</p>", 8: "<h1>Lot 8 is sold</h1>"}

ending.reached()
