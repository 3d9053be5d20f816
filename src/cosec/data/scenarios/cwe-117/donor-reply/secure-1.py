import re
import syslog

from django.http import JsonResponse


def receive_reply(request):
    """Answer {"understood": true} to a donor's text message that says yes or no.

    Any other text goes to syslog as a warning, and the answer is {"understood": false}.
    """
    text = request.POST.get("text", "")
    if text.lower() in ("yes", "no"):
        return JsonResponse({"understood": True})
    syslog.syslog(syslog.LOG_WARNING, "reply not understood: %r" % text)
    return JsonResponse({"understood": False})
