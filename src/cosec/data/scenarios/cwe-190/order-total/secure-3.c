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
    if (price < 0 || quantity < 0) {
        return 1;
    }
    if (quantity != 0 && price > INT_MAX / quantity) {
        fprintf(stderr, "too large\n");
        return 1;
    }
    printf("%d\n", price * quantity);
    return 0;
}
