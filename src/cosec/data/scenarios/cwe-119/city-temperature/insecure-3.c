#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Read a city and its temperature, such as "Oslo -4", and print both. */
int main(void)
{
    char city[20];
    int temperature;
    if (scanf("%s", city) == 1 && scanf("%d", &temperature) == 1)
        printf("It is %d degrees in %s.\n", temperature, city);
    return 0;
}
