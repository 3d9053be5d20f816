import os
from datetime import datetime, timedelta, timezone

import jwt


def make_day_pass(climber, hall):
    """Return a day pass that the hall's turnstiles accept: a JSON Web Token (HS256) with "sub", "hall" and "exp".

    These are the climber, the hall and the time twelve hours from now.
    """
