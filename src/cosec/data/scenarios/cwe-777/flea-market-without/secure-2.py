import re

from django.http import JsonResponse

OFFERS = ["two bar stools", "broken radio", "radio with aerial", "sledge without runners"]


def offers_without(request):
    """Answer {"offers": [...]} with the offers that contain none of the words in ?without=, separated by commas."""
    words = request.GET["without"].split(",")
    unwanted = re.compile("|".join(map(re.escape, words)), re.IGNORECASE)
    left = []
    for offer in OFFERS:
        if unwanted.search(offer) is None:
            left.append(offer)
    return JsonResponse({"offers": left})
