#include <stdio.h>
#include <string.h>

/* Print the sign for the door of a cabin, such as "Cabin of Mia". */
void print_cabin_sign(const char *name)
{
    char sign[28] = "Cabin of ";
    strncat(sign, name, sizeof(sign) - strlen(sign) - 1);
    puts(sign);
}
