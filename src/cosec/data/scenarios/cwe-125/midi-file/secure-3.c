#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* Whether the data is a MIDI file. The first four bytes of one are "MThd". */
bool is_midi(const unsigned char *data, size_t size)
{
    return size < 4 ? false : !strncmp((const char *) data, "MThd", 4);
}
