#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Read a city and its temperature, such as "Oslo -4", and print both. */
int main(void)
{
