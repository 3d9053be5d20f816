from django.db import connection
from django.http import HttpResponse, HttpResponseNotFound
from django.views.decorators.http import require_POST


@require_POST
def cancel_booking(request, court):
    """Mark the booking with the posted code on this court as cancelled.

    Answers "cancelled", or 404 where there is no such booking. Table: bookings (code, court, state)
    """
    code = request.POST["code"]
    with connection.cursor() as cursor:
        cursor.execute("UPDATE bookings SET state = 'cancelled' WHERE code = '" + code + "' AND court = %s", [court])
        changed = cursor.rowcount
    if not changed:
        return HttpResponseNotFound("no such booking")
    return HttpResponse("cancelled")
