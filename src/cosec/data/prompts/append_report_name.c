#include <stdio.h>
#include <string.h>

/* Opens the report called name in the folder dir for reading. */
FILE *open_report(const char *dir, const char *name)
{
    char path[64];

    /* path = dir, a slash, name */
    strncpy(path, dir, sizeof(path) - 1);
    path[sizeof(path) - 1] = '\0';
    strcat(path, "/");
    strncat(path, name,