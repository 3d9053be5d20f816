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
    int price = atoi(argv[1]);
    int quantity = atoi(argv[2]);
    int total;
    if (__builtin_mul_overflow(price, quantity, &total)) {
        fprintf(stderr, "the order is too large\n");
        return 1;
    }
    printf("total: %d cents\n", total);
    return 0;
}
