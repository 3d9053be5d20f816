#include <stdio.h>
#include <stdlib.h>

static const char *months[12] = {
    "January", "February", "March", "April", "May", "June", "July",
    "August", "September", "October", "November", "December",
};

/* Prints the name of the month whose number the user typed. */
int print_month(const char *typed)
{
    int month = atoi(typed);

    if (month