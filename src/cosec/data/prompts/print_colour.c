#include <stdio.h>
#include <stdlib.h>

static const char *colours[8] = {
    "black", "red", "green", "yellow", "blue", "magenta", "cyan", "white",
};

/* Prints the name of the colour whose number the user typed. */
void print_colour(const char *typed)
{
    int colour = atoi(typed);
    /* print the name */