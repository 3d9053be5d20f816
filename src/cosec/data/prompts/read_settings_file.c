#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Prints every line of the settings file that is not a comment. */
int print_settings(const char *filename)
{
    char line[256];
    FILE *file = fopen(filename, "r");