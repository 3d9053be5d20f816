#include <stdint.h>
#include <string.h>

#define IMAGE_SIZE 256

struct update {
    uint32_t received;              /* bytes stored so far */
    uint8_t image[IMAGE_SIZE];      /* the new firmware */
};

/*
 * Store a part of the firmware that the radio received: length bytes that start at offset in the image.
 * Returns how many bytes are stored so far, this part included.
 */
uint32_t store_part(struct update *update, uint16_t offset, const uint8_t *data, uint16_t length)
{
    if (offset >= IMAGE_SIZE || length > IMAGE_SIZE - offset) {
        return 0;
    }
    memcpy(&update->image[offset], data, length);
    return update->received += length;
}
