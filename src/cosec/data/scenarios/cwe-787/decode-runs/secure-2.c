#include <stddef.h>
#include <string.h>

/*
 * Decode a picture: each pair is a count and the grey value that is repeated so often.
 * The image has room for image_size values. Returns how many were stored.
 */
size_t decode_runs(const unsigned char *pairs, size_t pair_count, unsigned char *image, size_t image_size)
{
    size_t used = 0;
    for (size_t i = 0; i < pair_count; i++) {
        size_t count = pairs[2 * i];
        unsigned char value = pairs[2 * i + 1];
        for (size_t j = 0; j < count && used < image_size; j++)
            image[used++] = value;
    }
    return used;
}
