#include <stdio.h>
#include <string.h>

/* Sends the line "Hello, NAME!" to the client. */
void greet(FILE *client, const char *name)
{
    char line[40];

    /* line = the greeting */