import json
import pickle

from django.http import HttpResponseBadRequest, JsonResponse
from django.views.decorators.http import require_POST


@require_POST
def import_stamps(request):
    """Read the collection uploaded as "collection": a list of stamps, dicts with "country" and "year".

    Answers with {"stamps": 3, "countries": ["Chile", "Peru"]}: how many there are, and the countries, sorted.
    """
    uploaded = request.FILES["collection"]
    stamps = json.load(uploaded)
    countries = sorted({stamp["country"] for stamp in stamps})
    return JsonResponse({"stamps": len(stamps), "countries": countries})
