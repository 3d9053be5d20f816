#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Read a city and its temperature, such as "Oslo -4", and print both. */
int main(void)
{
    char city[20];
    int temperature;
    if (scanf("%19s", city) != 1 || scanf("%d", &temperature) != 1) {
        fprintf(stderr, "expected a city and a number\n");
        return 1;
    }
    printf("%s %d\n", city, temperature);
    return 0;
}
