import jinja2

PAGES = {
    "lot.html": "<h1>Lot {{ number }}</h1><p>{{ lot.title }}, from {{ lot.seller }}</p>",
    "sold.html": "<h1>Lot {{ number }} is sold</h1>",
}


def catalogue_pages(lots):
    """Return the page of every lot by its number: lot.html filled with the number and the lot, sold.html if it is sold.

    ``lots`` are dictionaries (title, seller, sold) by number.
    """
