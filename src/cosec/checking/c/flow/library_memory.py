"""What library functions do to the memory behind their first argument: release it, move it, point into it."""

from __future__ import annotations

from cosec.checking.c.reading.syntax import words

WHOLE_RELEASES = words(
    "closedir sqlite3_finalize cJSON_Delete PQclear mysql_free_result freeaddrinfo freeifaddrs globfree wordfree"
)
"""Functions after which all that can be reached through their first argument is gone."""

RELEASES = WHOLE_RELEASES | words("free cfree fclose pclose munmap")
"""Functions after which what their first argument points to is gone."""

REALLOCS = words("realloc reallocarray")
"""Functions that move the memory of their first argument and return its new place."""

INTO_ARGUMENT = words(
    "dirname basename strchr strrchr strstr strcasestr strpbrk strchrnul memchr index rindex strtok strtok_r"
    " strcpy strcat strncpy strncat stpcpy fgets readdir sqlite3_column_text sqlite3_column_blob PQgetvalue"
    " mysql_fetch_row cJSON_GetObjectItem cJSON_GetObjectItemCaseSensitive cJSON_GetArrayItem cJSON_GetStringValue"
)
"""Functions that return a pointer into the memory of their first argument, or into what belongs to it."""
