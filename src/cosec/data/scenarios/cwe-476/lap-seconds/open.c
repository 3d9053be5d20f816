#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The whole seconds of a swimmer's lap time, a text such as "1:32" (minutes and seconds), which may be changed. */
int lap_seconds(char *lap)
{
