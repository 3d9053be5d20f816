// case: allocated without room for the end of the text
#include <stdlib.h>
#include <string.h>
char *twin(const char *text)
{
    size_t length = strlen(text);
    char *made = malloc(length);
    if (!made)
        return NULL;
    strcpy(made, text); // expect: c/out-of-bounds-write
    return made;
}
// case: allocated with room for the end of the text
#include <stdlib.h>
#include <string.h>
char *twin(const char *text)
{
    size_t length = strlen(text) + 1;
    char *made = malloc(length);
    if (!made)
        return NULL;
    memcpy(made, text, length);
    return made;
}
// case: end written one past the allocation
#include <stdlib.h>
#include <string.h>
char *twin(const char *text)
{
    size_t length = strlen(text);
    char *made = malloc(length);
    if (!made)
        return NULL;
    memcpy(made, text, length);
    made[length] = 0; // expect: c/out-of-bounds-write
    return made;
}
// case: two texts and their separator, one byte short
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
char *join(const char *folder, const char *name)
{
    char *path = malloc(strlen(folder) + strlen(name) + 1);
    if (path == NULL)
        return NULL;
    sprintf(path, "%s/%s", folder, name); // expect: c/out-of-bounds-write
    return path;
}
// case: two texts and their separator
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
char *join(const char *folder, const char *name)
{
    char *path = malloc(strlen(folder) + 1 + strlen(name) + 1);
    if (path == NULL)
        return NULL;
    strcpy(path, folder);
    strcat(path, "/");
    strcat(path, name);
    return path;
}
// case: room for the first text only
#include <stdlib.h>
#include <string.h>
char *join(const char *first, const char *second)
{
    char *both = calloc(strlen(first) + 1, 1);
    if (both == NULL)
        return NULL;
    strcpy(both, first);
    strcat(both, second); // expect: c/out-of-bounds-write
    return both;
}
// case: bytes copied without an end, then printed
#include <stdio.h>
#include <string.h>
void show(void)
{
    char text[20], part[8];
    memset(text, 'z', 19);
    text[19] = 0;
    memcpy(part, text, 7);
    puts(part); // expect: c/out-of-bounds-read
}
// case: bytes copied and ended, then printed
#include <stdio.h>
#include <string.h>
void show(void)
{
    char text[20], part[8];
    memset(text, 'z', 19);
    text[19] = 0;
    memcpy(part, text, 7);
    part[7] = 0;
    puts(part);
}
// case: bytes of a text copied without its end
#include <stdio.h>
#include <string.h>
void show(const char *name)
{
    char copy[64];
    if (strlen(name) >= sizeof copy)
        return;
    memcpy(copy, name, strlen(name));
    printf("hello %s\n", copy); // expect: c/out-of-bounds-read
}
// case: bytes of a text copied with its end
#include <stdio.h>
#include <string.h>
void show(const char *name)
{
    char copy[64];
    if (strlen(name) >= sizeof copy)
        return;
    memcpy(copy, name, strlen(name) + 1);
    printf("hello %s\n", copy);
}
// case: bytes from a socket used as a text
#include <string.h>
#include <sys/socket.h>
int is_quit(int peer)
{
    char line[32];
    if (recv(peer, line, sizeof line, 0) <= 0)
        return 0;
    return strcmp(line, "QUIT") == 0; // expect: c/out-of-bounds-read
}
// case: bytes from a socket into a buffer of zeros
#include <string.h>
#include <sys/socket.h>
int is_quit(int peer)
{
    char line[32] = {0};
    if (recv(peer, line, sizeof line - 1, 0) <= 0)
        return 0;
    return strcmp(line, "QUIT") == 0;
}
// case: bytes of a file used as a number
#include <stdio.h>
#include <stdlib.h>
int level(FILE *file)
{
    char digits[8];
    if (fread(digits, 1, sizeof digits, file) == 0)
        return -1;
    return atoi(digits); // expect: c/out-of-bounds-read
}
// case: bytes of a file printed with their count
#include <stdio.h>
void level(FILE *file)
{
    char digits[8];
    size_t got = fread(digits, 1, sizeof digits, file);
    printf("%.*s\n", (int)got, digits);
}
// case: length of a record checked against the record instead of the target
#include <string.h>
struct record { unsigned short used; char data[512]; };
void unpack(char target[128], const struct record *record)
{
    if (record->used <= sizeof record->data)
        memcpy(target, record->data, record->used); // expect: c/out-of-bounds-write
}
// case: length of a record checked against the target
#include <string.h>
struct record { unsigned short used; char data[512]; };
void unpack(char target[128], const struct record *record)
{
    if (record->used <= 128)
        memcpy(target, record->data, record->used);
}
// case: loop bounded by the larger array
void widen(const short *from, int count)
{
    int wide[64];
    if (count > 100)
        return;
    for (int i = 0; i < count; i++)
        wide[i] = from[i]; // expect: c/out-of-bounds-write
}
// case: loop bounded by the array
void widen(const short *from, int count)
{
    int wide[64];
    if (count > 64)
        return;
    for (int i = 0; i < count; i++)
        wide[i] = from[i];
}
// case: loop bounded by a number from outside
#include <stdio.h>
int main(void)
{
    int values[50], count;
    if (scanf("%d", &count) != 1)
        return 1;
    for (int i = 0; i < count; i++)
        values[i] = i; // expect: c/out-of-bounds-write
    return values[0];
}
// case: length in the message itself
#include <stddef.h>
#include <string.h>
int answer(const unsigned char *packet, size_t size, unsigned char *out)
{
    if (size < 3)
        return -1;
    unsigned wanted = (packet[1] << 8) + packet[2];
    memcpy(out, packet + 3, wanted); // expect: c/out-of-bounds-read
    return (int)wanted;
}
// case: length in the message compared with the room for the answer only
#include <stddef.h>
#include <stdint.h>
#include <string.h>
int answer(const uint8_t *packet, size_t size, uint8_t out[256])
{
    if (size < 3)
        return -1;
    uint16_t wanted = packet[1] << 8 | packet[2];
    if (wanted > 256)
        return -1;
    memcpy(out, packet + 3, wanted); // expect: c/out-of-bounds-read
    return wanted;
}
// case: length in the message compared with what came
#include <stddef.h>
#include <stdint.h>
#include <string.h>
int answer(const uint8_t *packet, size_t size, uint8_t out[256])
{
    if (size < 3)
        return -1;
    uint16_t wanted = packet[1] << 8 | packet[2];
    if (wanted > 256 || wanted + 3u > size)
        return -1;
    memcpy(out, packet + 3, wanted);
    return wanted;
}
// case: length copied out of the message by memcpy
#include <arpa/inet.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
int answer(const uint8_t *packet, size_t size, uint8_t *out)
{
    uint16_t raw;
    if (size < sizeof raw)
        return -1;
    memcpy(&raw, packet, sizeof raw);
    size_t wanted = ntohs(raw);
    memcpy(out, packet + 2, wanted); // expect: c/out-of-bounds-read
    return (int)wanted;
}
// case: bytes of a message copied in a loop
#include <stddef.h>
int answer(const unsigned char *packet, size_t size, unsigned char *out)
{
    if (size < 1)
        return -1;
    int wanted = packet[0];
    for (int i = 0; i < wanted; i++)
        out[i] = packet[1 + i]; // expect: c/out-of-bounds-read
    return wanted;
}
// case: header taken off a length in the message
#include <stddef.h>
#include <stdint.h>
#include <string.h>
int body(const uint8_t *packet, size_t size, uint8_t *out)
{
    if (size < 4)
        return -1;
    size_t total = packet[2] << 8 | packet[3];
    if (total < 4 || total > size)
        return -1;
    memcpy(out, packet + 4, total - 4);
    return (int)total;
}
// case: size kept in 16 bits
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
char *keep(const char *text, uint16_t length)
{
    uint16_t room = length + 2; // expect: c/integer-overflow
    char *made = malloc(room);
    if (!made)
        return NULL;
    memcpy(made, text, length);
    made[length] = made[length + 1] = 0;
    return made;
}
// case: size kept in enough bits
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
char *keep(const char *text, uint16_t length)
{
    size_t room = (size_t)length + 2;
    char *made = malloc(room);
    if (!made)
        return NULL;
    memcpy(made, text, length);
    made[length] = made[length + 1] = 0;
    return made;
}
// case: size kept in 16 bits after a check
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
char *keep(const char *text, uint16_t length)
{
    if (length > UINT16_MAX - 2)
        return NULL;
    uint16_t room = length + 2;
    char *made = malloc(room);
    if (!made)
        return NULL;
    memcpy(made, text, length);
    return made;
}
// case: length of a text kept in 16 bits
#include <stdlib.h>
#include <string.h>
char *twin(const char *text)
{
    unsigned short room = strlen(text) + 1; // expect: c/integer-overflow
    char *made = malloc(room);
    if (made)
        strcpy(made, text);
    return made;
}
// case: product of two sizes that are bounded one by one
#include <stdlib.h>
unsigned char *canvas(int width, int height)
{
    if (width < 1 || width > 65535 || height < 1 || height > 65535)
        return NULL;
    return malloc(width * height * 4); // expect: c/integer-overflow
}
// case: product of two sizes whose bounds keep it small
#include <stdlib.h>
unsigned char *canvas(int width, int height)
{
    if (width < 1 || width > 4096 || height < 1 || height > 4096)
        return NULL;
    return malloc(width * height * 4);
}
// case: product of two sizes in 64 bits
#include <stdlib.h>
unsigned char *canvas(int width, int height)
{
    if (width < 1 || width > 65535 || height < 1 || height > 65535)
        return NULL;
    return malloc((size_t)width * height * 4);
}
// case: product of two numbers of the user, bounded one by one
#include <stdio.h>
#include <stdlib.h>
int main(int argc, char **argv)
{
    int price = argc > 1 ? atoi(argv[1]) : 0, count = argc > 2 ? atoi(argv[2]) : 0;
    if (price < 0 || price > 1000000 || count < 0 || count > 1000000)
        return 1;
    printf("%d\n", price * count); // expect: c/integer-overflow
    return 0;
}
// case: square below the root of the limit
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
int main(int argc, char **argv)
{
    int side = argc > 1 ? atoi(argv[1]) : 0;
    if (side == INT_MIN || abs(side) >= sqrt(INT_MAX))
        return 1;
    printf("%d\n", side * side);
    return 0;
}
// case: square below a number
#include <stdio.h>
#include <stdlib.h>
int main(int argc, char **argv)
{
    long side = argc > 1 ? strtol(argv[1], NULL, 10) : 0;
    if (labs(side) <= 40000)
        printf("%d\n", (int)side * (int)side);
    return 0;
}
// case: square below a number that is too large
#include <stdio.h>
#include <stdlib.h>
int main(int argc, char **argv)
{
    int side = argc > 1 ? atoi(argv[1]) : 0;
    if (abs(side) <= 50000)
        printf("%d\n", side * side); // expect: c/integer-overflow
    return 0;
}
// case: long number of the user multiplied
#include <stdio.h>
#include <stdlib.h>
int main(int argc, char **argv)
{
    long seconds = argc > 1 ? strtol(argv[1], NULL, 10) : 0;
    printf("%ld\n", seconds * 1000); // expect: c/integer-overflow
    return 0;
}
// case: number from a socket added to
#include <sys/socket.h>
int next(int peer)
{
    int number;
    if (recv(peer, &number, sizeof number, 0) != sizeof number)
        return -1;
    return number + 10; // expect: c/integer-overflow
}
// case: text of a smaller array through a pointer
#include <stdio.h>
#include <string.h>
void show(void)
{
    char small[12] = "short", large[40];
    const char *at;
    at = small;
    strcpy(large, at);
    puts(large);
}
// case: text of a larger array through a pointer
#include <stdio.h>
#include <string.h>
void show(void)
{
    char large[40], small[12];
    const char *at = large;
    if (!fgets(large, sizeof large, stdin))
        return;
    strcpy(small, at); // expect: c/out-of-bounds-write
    puts(small);
}
// case: one of several short texts
#include <string.h>
void name(int kind, char *out)
{
    char text[12];
    const char *word = kind == 1 ? "circle" : "square";
    if (kind == 3)
        word = "triangle";
    strcpy(text, word);
    memcpy(out, text, sizeof text);
}
// case: short texts passed to a function of this file only
#include <stdio.h>
#include <string.h>
static void title(const char *word)
{
    char line[24];
    sprintf(line, "== %s ==", word);
    puts(line);
}
void all(void)
{
    title("sources");
    title("results");
}
// case: names of constants as sizes
#include <string.h>
enum { ROOM = 6, LAST = ROOM - 1 };
void set(void)
{
    char state[ROOM];
    strcpy(state, "stopped"); // expect: c/out-of-bounds-write
    state[LAST] = 0;
}
// case: number of an unknown type
#include <stdlib.h>
struct table { int most; };
int fits(struct table *table, const char *text, unsigned count)
{
    table->most = atoi(text);
    return (code_t)count > ((code_t)1 << table->most) - 1;
}
// case: number of a smaller type in a larger one
#include <stdlib.h>
char *room(const char *text)
{
    int wanted = strtol(text, NULL, 10);
    if (wanted < 8)
        return NULL;
    unsigned size = (unsigned)wanted;
    return malloc(size + 256);
}
// case: index from a table of 16 bits
void count(unsigned short *counts, const unsigned short *lengths, unsigned codes)
{
    unsigned short seen[16] = {0};
    for (unsigned i = 0; i < codes; i++)
        seen[lengths[i]]++;
    counts[0] = seen[0];
}
// case: numbers that are read into the members of a struct
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
struct picture { uint32_t width, height; unsigned char *pixels; };
int picture_read(struct picture *picture, FILE *in)
{
    if (fread(&picture->width, 4, 1, in) != 1 || fread(&picture->height, 4, 1, in) != 1)
        return -1;
    picture->pixels = malloc(picture->width * picture->height); // expect: c/integer-overflow
    return picture->pixels == NULL ? -1 : 0;
}
int small_picture_read(struct picture *picture, FILE *in)
{
    if (fread(&picture->width, 4, 1, in) != 1 || fread(&picture->height, 4, 1, in) != 1)
        return -1;
    if (picture->width > 4096 || picture->height > 4096)
        return -1;
    picture->pixels = malloc(picture->width * picture->height);
    return picture->pixels == NULL ? -1 : 0;
}
// case: a struct that is read as a whole
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>
typedef struct { char tag[4]; int kind; unsigned short length; unsigned char flags; } record_head;
static int counts[16];
static int flags[256];
int count_kind(FILE *in)
{
    record_head head;
    if (fread(&head, sizeof(head), 1, in) != 1)
        return -1;
    return counts[head.kind]; // expect: c/out-of-bounds-read
}
int count_known_kind(int file)
{
    record_head head;
    if (read(file, &head, sizeof(head)) != sizeof(head))
        return -1;
    if (head.kind < 0 || head.kind >= 16)
        return -1;
    return counts[head.kind];
}
int count_chosen_kind(FILE *in)
{
    record_head head;
    if (fread(&head, sizeof(head), 1, in) != 1)
        return -1;
    head.kind = 3;
    return counts[head.kind];
}
int flags_of(FILE *in)
{
    record_head head;
    if (fread(&head, sizeof(head), 1, in) != 1)
        return -1;
    return flags[head.flags];
}
int after_a_fresh_record(FILE *in, int kind)
{
    record_head head;
    if (fread(&head, sizeof(head), 1, in) != 1)
        return -1;
    record_head fresh = { .kind = kind & 15 };
    head = fresh;
    return counts[head.kind];
}
// case: a type with a name of its own
#include <stdio.h>
#include <stdlib.h>
typedef unsigned int pixel_count;
int room_for(FILE *in)
{
    pixel_count width, height;
    if (fread(&width, sizeof(width), 1, in) != 1 || fread(&height, sizeof(height), 1, in) != 1)
        return -1;
    void *pixels = malloc(width * height); // expect: c/integer-overflow
    free(pixels);
    return pixels == NULL ? -1 : 0;
}
