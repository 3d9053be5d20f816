#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Opens the settings file in the home directory. */
FILE *open_settings(void)
{
    char path[256];
    const char *home = getenv("HOME");