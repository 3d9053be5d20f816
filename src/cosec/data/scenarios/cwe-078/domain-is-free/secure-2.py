import os
import re
import shlex
import subprocess

from django.http import JsonResponse


def domain_is_free(request):
    """Answer {"free": true} where nobody has the domain in ?domain=, else {"free": false}.

    `whois DOMAIN` prints a text with "No match" in it for a free domain.
    """
    domain = request.GET["domain"]
    answer = os.popen(shlex.join(["whois", domain]))
    text = answer.read()
    answer.close()
    return JsonResponse({"free": "no match" in text.lower()})
