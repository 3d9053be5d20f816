#include <stddef.h>
#include <stdint.h>
#include <string.h>

/*
 * Read the label at the start of a packet: one byte with its length, then that many characters.
 * Stores it as a string and returns its length, or -1 for a malformed packet.
 */
int read_label(const uint8_t *packet, size_t packet_size, char label[256])
{
    if (packet_size < 1)
        return -1;
    size_t length = packet[0];
    if (length > packet_size)
        return -1;
    memcpy(label, &packet[1], length);
    label[length] = '\0';
    return length;
}
