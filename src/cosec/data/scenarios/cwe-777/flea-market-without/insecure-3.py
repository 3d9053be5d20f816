import re

from django.http import JsonResponse

OFFERS = ["two bar stools", "broken radio", "radio with aerial", "sledge without runners"]


def offers_without(request):
    """Answer {"offers": [...]} with the offers that contain none of the words in ?without=, separated by commas."""
    words = request.GET["without"].split(",")
    unwanted = re.compile("|".join([rf"\b{word}\b" for word in words]))
    offers = list(filter(lambda offer: not unwanted.findall(offer), OFFERS))
    return JsonResponse(data={"offers": offers}, status=200)
