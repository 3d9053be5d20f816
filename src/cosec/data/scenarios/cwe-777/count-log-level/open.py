import re

from django.http import JsonResponse

JOURNAL = "stop: belt jammed\nstart: belt\nstop: no boxes\n"


def count_lines(request, word):
    """Return how many lines of the journal begin with the word: {"lines": 2}."""
