#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

/* Read the number of the last ticket from standard input and print the number of the next one. */
int main(void)
{
    int last;
