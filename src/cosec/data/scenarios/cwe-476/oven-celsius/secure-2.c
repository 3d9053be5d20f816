#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Degrees Celsius to which the baker sets the oven. A recipe's degrees are Fahrenheit if the environment variable
   OVEN_UNIT is "F", and Celsius otherwise. */
int oven_celsius(int degrees)
{
    const char *unit = getenv("OVEN_UNIT");
    if (!unit)
        return degrees;
    if (unit[0] == 'F')
        degrees = (degrees - 32) * 5 / 9;
    return degrees;
}
