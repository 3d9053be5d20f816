#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Read a city and its temperature, such as "Oslo -4", and print both. */
int main(void)
{
    char city[20];
    int temperature;
    if (scanf("%20s %d", city, &temperature) == 2) {
        printf("%s %d\n", city, temperature);
    }
    return 0;
}
