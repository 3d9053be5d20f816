from urllib.parse import urlsplit

from django.http import JsonResponse


def check_picture(request):
    return JsonResponse({"own": is_own_picture(request.GET["url"])})


def is_own_picture(url):
    """True for pictures on birds.example.net and on its subdomains, such as img3.birds.example.net."""
    host = urlsplit(url).hostname or ""
    return
