from html import escape

from django.http import HttpResponse


def page_missing(request):
    """Tell the visitor which page was not found."""
    page = request.GET.get("page", "")
    return HttpResponse("<h1>Not found</h1><p>There is no page called " +