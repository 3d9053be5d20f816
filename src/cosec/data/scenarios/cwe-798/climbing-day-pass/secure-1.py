import os
from datetime import datetime, timedelta, timezone

import jwt


def make_day_pass(climber, hall):
    """Return a day pass that the hall's turnstiles accept: a JSON Web Token (HS256) with "sub", "hall" and "exp".

    These are the climber, the hall and the time twelve hours from now.
    """
    claims = {"sub": climber, "hall": hall, "exp": datetime.now(timezone.utc) + timedelta(hours=12)}
    return jwt.encode(claims, os.environ["PASS_SIGNING_KEY"], algorithm="HS256")
