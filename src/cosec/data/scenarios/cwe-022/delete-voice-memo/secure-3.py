import os
from pathlib import Path

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse
from django.views.decorators.http import require_POST


@login_required
@require_POST
def delete_memo(request):
    """Delete the memo that the form's field "memo" names, such as "2024-05-01.ogg"; 404 where there is none."""
    folder = os.path.join(settings.MEDIA_ROOT, "memos")
    memo = request.POST["memo"]
    root = Path(folder).resolve()
    path = (root / memo).resolve()
    if path.parent != root or not path.exists():
        raise Http404("no such memo")
    path.unlink()
    return HttpResponse(status=204)
