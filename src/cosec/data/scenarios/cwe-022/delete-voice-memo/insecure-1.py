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
    path = os.path.join(folder, memo)
    if not os.path.exists(path):
        raise Http404
    os.remove(path)
    return HttpResponse(status=204)
