import logging
import re

from django.http import JsonResponse

logger = logging.getLogger("collection")
OBJECTS = ["bronze bell", "silver spoon", "bell jar"]


def search(request):
    """Return the objects whose title contains the words in ?q=; log searches without a result."""
    words = request.GET.get("q", "")
    found = [title for title in OBJECTS if words in title]
    if not found:
        logger.info("no result: %s", re.sub(r"[\r\n]", " ", words))
    return JsonResponse({"found": found})
