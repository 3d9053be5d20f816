#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* order PRICE QUANTITY: print what an order costs, in cents. */
int main(int argc, char *argv[])
{
    if (argc != 3) {
        fprintf(stderr, "usage: order PRICE QUANTITY\n");
        return 2;
    }
