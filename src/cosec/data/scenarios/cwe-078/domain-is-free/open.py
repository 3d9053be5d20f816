import os
import re
import shlex
import subprocess

from django.http import JsonResponse


def domain_is_free(request):
    """Answer {"free": true} where nobody has the domain in ?domain=, else {"free": false}.

    `whois DOMAIN` prints a text with "No match" in it for a free domain.
    """
