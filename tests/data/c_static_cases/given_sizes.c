// case: size of a buffer that the function does not look at
#include <stddef.h>
#include <stdint.h>
uint16_t identifier(const uint8_t *packet, size_t length)
{
    (void)length;
    return (uint16_t)(packet[2] << 8 | packet[3]); // expect: c/out-of-bounds-read
}
void clear(char *text, size_t size)
{
    text[8] = '\0'; // expect: c/out-of-bounds-write
}
void empty(char *text, size_t size)
{
    text[0] = '\0';
}
// case: size of a buffer that the function or its caller looks at
#include <stddef.h>
#include <stdint.h>
int parse(const uint8_t *packet, size_t length);
uint16_t identifier(const uint8_t *packet, size_t length)
{
    if (length < 4)
        return 0;
    return (uint16_t)(packet[2] << 8 | packet[3]);
}
int kind(const uint8_t *packet, size_t length)
{
    return parse(packet, length) ? packet[0] : -1;
}
static int first(const uint8_t *packet, size_t length)
{
    return packet[0];
}
// case: place of an element that is compared with nothing
#include <stddef.h>
int value(const int *values, int count, int index)
{
    if (values == NULL || count <= 0)
        return -1;
    return values[index]; // expect: c/out-of-bounds-read
}
int checked_value(const int *values, int count, int index)
{
    if (values == NULL || index < 0 || index >= count)
        return -1;
    return values[index];
}
void sift(int *heap, int count, int parent)
{
    int child = 2 * parent + 1;
    if (child < count && heap[child] > heap[parent])
        heap[child] = heap[parent];
}
