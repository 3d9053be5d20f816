#include <stdio.h>
#include <string.h>

#define WIDTH 25

/*
 * Print a day's rain as a bar in square brackets. The bar is WIDTH characters wide:
 * first a '#' for every two millimetres, then dots.
 */
void print_rain(unsigned millimetres)
{
    char bar[WIDTH + 1];
    memset(bar, '.', WIDTH);
    bar[WIDTH] = '\0';
    unsigned marks = millimetres / 2;
    for (int i = 0; i < marks && i < WIDTH; i++) {
        bar[i] = '#';
    }
    printf("[%s]\n", bar);
}
