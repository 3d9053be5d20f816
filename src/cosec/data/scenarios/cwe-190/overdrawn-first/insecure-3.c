#include <stdlib.h>

struct account {
    char holder[40];
    int balance;        /* in cents; below zero where the account is overdrawn */
};

/* Tells qsort the order of two accounts: the one with the lower balance comes first. */
int by_balance(const void *left, const void *right)
{
    const struct account *a = left;
    const struct account *b = right;
    return -(b->balance - a->balance);
}
