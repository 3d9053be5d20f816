// case: a product that a cast keeps narrow
#include <stdlib.h>
unsigned char *grid(int a, int b)
{
    return calloc((unsigned) a * b, 1);  // expect: c/integer-overflow
}

// case: a product of two numbers that are cast
#include <stdlib.h>
unsigned char *grid(int a, int b)
{
    return malloc((unsigned) a * (unsigned) b);  // expect: c/integer-overflow
}

// case: a product that a cast widens
#include <stdlib.h>
unsigned char *grid(unsigned a, unsigned b)
{
    return calloc((size_t) a * b, 1);
}

// case: a product of bounded numbers and a known size
#include <stdlib.h>
int *image(int a, int b)
{
    if (a <= 0 || b <= 0 || a > 4096 || b > 4096)
        return NULL;
    int size = a * b * sizeof(int);
    return malloc(size);
}

// case: a product that is a factor of a size
#include <stdlib.h>
void *blank(int w, int h, int depth)
{
    int stride = w * depth;  // expect: c/integer-overflow
    return calloc(1, stride * h);
}

// case: a product kept in a wider variable
#include <stdlib.h>
double *table(unsigned rows, unsigned cols)
{
    size_t bytes = rows * cols * sizeof(double);  // expect: c/integer-overflow
    return malloc(bytes);
}

// case: a product that is widened first
#include <stdlib.h>
double *table(unsigned rows, unsigned cols)
{
    if (rows > 10000 || cols > 10000)
        return NULL;
    size_t bytes = (size_t)rows * cols * sizeof(double);
    return malloc(bytes);
}
