from django.db import connection
from django.http import JsonResponse
from django.views.decorators.http import require_GET


@require_GET
def loaves_sold(request, bread):
    """Answer {"loaves": 17}, how many loaves of this bread were sold from ?first= to ?last=, both days included.

    Table: sales (bread, day, loaves); a day is text such as "2024-05-01"
    """
    first, last = request.GET["first"], request.GET["last"]
    sql = "SELECT day, loaves FROM sales WHERE bread = %s"
    cursor = connection.cursor()
    cursor.execute(sql, (bread,))
    loaves = sum(sold for day, sold in cursor.fetchall() if first <= day <= last)
    return JsonResponse(dict(loaves=loaves))
