from django.http import HttpResponse
from django.utils.html import escape, format_html
from django.views.decorators.http import require_POST


@require_POST
def print_labels(request):
    """Answer with a page that has a <div class="jar">TEXT</div> for each line of the posted field "labels"."""
    page = HttpResponse("<!DOCTYPE html><title>Labels</title>")
    for line in request.POST["labels"].splitlines():
        page.write(f'<div class="jar">{escape(line)}</div>')
    return page
