import re
from urllib.parse import urlsplit

from django.http import HttpResponseForbidden, JsonResponse

SOLUTIONS = {"12": "an echo", "13": "a shadow"}


def solution(request, number):
    """Answer {"solution": ...} if the Referer is a page of https://riddles.example.com; status 403 otherwise."""
    referer = request.META.get("HTTP_REFERER", "")
    from_riddle = referer.startswith("https://riddles.example.com/")
    if not from_riddle:
        return HttpResponseForbidden()
    return JsonResponse({"solution": SOLUTIONS[number]})
