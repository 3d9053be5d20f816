import re

from django.http import JsonResponse

OFFERS = ["two bar stools", "broken radio", "radio with aerial", "sledge without runners"]


def offers_without(request):
    """Answer {"offers": [...]} with the offers that contain none of the words in ?without=, separated by commas."""
    words = request.GET["without"].split(",")
    unwanted = re.compile("|".join(re.escape(word) for word in words))
    return JsonResponse({"offers": [offer for offer in OFFERS if not unwanted.search(offer)]})
