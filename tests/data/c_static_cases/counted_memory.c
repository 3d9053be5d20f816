// case: index past memory whose size is a variable
#include <stdlib.h>
char *spaces(size_t width)
{
    char *text = malloc(width + 1);
    if (text == NULL)
        return NULL;
    for (size_t i = 0; i < width; i++)
        text[i] = ' ';
    text[width + 1] = 0; // expect: c/out-of-bounds-write
    text[width] = 0;
    return text;
}
// case: number of elements taken for the number of bytes
#include <stdlib.h>
int *range(size_t count)
{
    int *numbers = malloc(count);
    if (numbers == NULL)
        return NULL;
    for (size_t i = 0; i < count; i++)
        numbers[i] = 0; // expect: c/out-of-bounds-write
    return numbers;
}
int *whole_range(size_t count)
{
    int *numbers = malloc(count * sizeof *numbers);
    if (numbers == NULL)
        return NULL;
    for (size_t i = 0; i < count; i++)
        numbers[i] = 0;
    return numbers;
}
// case: loop that reaches the number of elements
#include <stdlib.h>
struct point { int x, y; };
int total(size_t count)
{
    struct point *points = calloc(count, sizeof(struct point));
    int sum = 0;
    if (points == NULL)
        return -1;
    for (size_t i = 0; i <= count; i++)
        sum += points[i].x; // expect: c/out-of-bounds-read
    for (size_t i = 0; i <= count; i++)
        if (i < count)
            sum += points[i].y;
    for (size_t i = 0; i <= count; i++) {
        if (sum > 9)
            break;
        sum += points[i].y;
    }
    free(points);
    return sum;
}
// case: room for one row of a table
#include <stdlib.h>
double *identity(int n)
{
    double *table = malloc((size_t)n * sizeof(double));
    if (table == NULL)
        return NULL;
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++)
            table[i * n + j] = i == j ? 1.0 : 0.0; // expect: c/out-of-bounds-write
    return table;
}
double *whole_identity(int n)
{
    if (n > 999)
        return NULL;
    double *table = malloc((size_t)n * n * sizeof(double));
    if (table == NULL)
        return NULL;
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++)
            table[i * n + j] = i == j ? 1.0 : 0.0;
    return table;
}
// case: variable that changes after the allocation
#include <stdlib.h>
char *padded(size_t n)
{
    char *text = malloc(n + 8);
    if (text == NULL)
        return NULL;
    n = n / 2;
    text[n + 8] = 0;
    return text;
}
// case: column of a table
static char grid[10][20];
int mark(int x, int y)
{
    if (x < 0 || y < 0 || x > 20 || y >= 10)
        return -1;
    grid[y][x] = '#'; // expect: c/out-of-bounds-write
    return 0;
}
int mark_inside(int x, int y)
{
    if (x < 0 || y < 0 || x >= 20 || y >= 10)
        return -1;
    grid[y][x] = '#';
    return 0;
}
// case: elements are appended until the input ends
#include <stdio.h>
#include <string.h>
int split(char *line)
{
    char *words[8];
    int n = 0;
    for (char *word = strtok(line, ","); word != NULL; word = strtok(NULL, ","))
        words[n++] = word; // expect: c/out-of-bounds-write
    for (int i = 0; i < n; i++)
        puts(words[i]);
    return n;
}
int split_some(char *line)
{
    char *words[8];
    int n = 0;
    for (char *word = strtok(line, ","); word != NULL && n < 8; word = strtok(NULL, ","))
        words[n++] = word;
    return n > 0 && words[0] != NULL;
}
void digits(unsigned value, char *out)
{
    char reversed[10];
    int n = 0, at = 0;
    do {
        reversed[n++] = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    while (n > 0)
        out[at++] = reversed[--n];
}
void words(const char *text)
{
    char word[32];
    int n = 0;
    while (*text) {
        word[n++] = *text++;
        if (*text == ' ')
            n = 0;
    }
}
int arguments(const char *file)
{
    const char *words[4];
    int n = 0;
    for (int i = 0; i < 2; i++)
        words[n++] = "-v";
    words[n++] = file;
    return words[0] != NULL;
}
// case: stack whose height nothing compares
struct stack { int items[100]; int top; };
void push(struct stack *stack, int value)
{
    stack->items[stack->top++] = value; // expect: c/out-of-bounds-write
}
// case: stack whose height another function compares
struct stack { int items[100]; int top; };
static void push(struct stack *stack, int value)
{
    stack->items[stack->top++] = value;
}
int push_some(struct stack *stack, int value)
{
    if (stack->top >= 100)
        return -1;
    push(stack, value);
    return 0;
}
// case: queue outside functions
static int queue[32], queued, seen[32], found, ring[32], head;
void add(int value)
{
    queue[queued] = value; // expect: c/out-of-bounds-write
    queued++;
}
int see(int value)
{
    if (found == 32)
        return -1;
    seen[found] = value;
    found++;
    return 0;
}
void turn(int value)
{
    ring[head++] = value;
    head %= 32;
}
