from django.http import HttpResponse, HttpResponseRedirect
from django.utils.html import escape, format_html

RECIPES = {"pancakes": "/recipes/1", "minestrone": "/recipes/2"}


def find_recipe(request):
    """Redirect to the recipe of that name (?q=...), or show a page that repeats what was searched for in a <b>."""
    wanted = request.GET.get("q", "")
    if wanted.lower() in RECIPES:
        return HttpResponseRedirect(RECIPES[wanted.lower()])
    return HttpResponse(
        f"<html><body><p>Sorry, there is no recipe for <b>{escape(wanted)}</b>.</p></body></html>",
        content_type="text/html",
    )
