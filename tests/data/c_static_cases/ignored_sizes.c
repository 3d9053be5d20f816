// case: walks through a buffer whose size or end the function does not look at
#include <stddef.h>
#include <stdint.h>
#include <string.h>
static size_t end_of_note(const char *note, size_t len, size_t at)
{
    while (note[at] != '#') // expect: c/out-of-bounds-read
        at++;
    return at;
}
int first_tag(const uint8_t *tag, const uint8_t *end)
{
    while (*tag != 0xff) // expect: c/out-of-bounds-read
        tag += 1 + tag[1];
    return *tag;
}
void add_words(char *out, size_t size, const char *const *words)
{
    for (; *words != NULL; words++)
        strcat(out, *words); // expect: c/out-of-bounds-write
}
void widen(char *text, size_t room)
{
    memmove(text + 1, text, strlen(text) + 1); // expect: c/out-of-bounds-write
}
int starts_with(const unsigned char *head, size_t n, const unsigned char *magic, size_t wide)
{
    return wide > 0 && memcmp(head, magic, wide) == 0; // expect: c/out-of-bounds-read
}
size_t doubled(const char *line, char *out, size_t size)
{
    size_t used = 0;
    if (size == 0)
        return 0;
    for (; *line != '\0'; line++) {
        out[used++] = *line; // expect: c/out-of-bounds-write
        out[used++] = *line;
    }
    return used;
}
struct head { uint32_t kind, bytes; };
int kind_of(const void *block, size_t size)
{
    struct head head;
    if (size == 0)
        return -1;
    memcpy(&head, block, sizeof(head)); // expect: c/out-of-bounds-read
    return (int)head.kind;
}
// case: walks that end within the buffer, or calls that stay in it
#include <stddef.h>
#include <stdint.h>
#include <string.h>
static size_t end_of_note(const char *note, size_t len, size_t at)
{
    while (at < len && note[at] != '#')
        at++;
    return at;
}
size_t end_of_text(const char *text, size_t len)
{
    size_t at = 0;
    while (text[at] != '\0' && text[at] != '#')
        at++;
    return at;
}
int first_tag(const uint8_t *tag, const uint8_t *end)
{
    while (tag < end && *tag != 0xff)
        tag++;
    return tag < end;
}
void narrow(char *text, size_t room)
{
    memmove(text, text + 1, strlen(text + 1) + 1);
}
void hex(char *out, size_t size, const uint8_t *key)
{
    size_t used = 0;
    if (size < 17)
        return;
    for (int i = 0; i < 8; i++) {
        out[used++] = "0123456789abcdef"[key[i] >> 4];
        out[used++] = "0123456789abcdef"[key[i] & 15];
    }
    out[used] = '\0';
}
struct head { uint32_t kind, bytes; };
int kind_of(const void *block, size_t size)
{
    struct head head;
    if (size < sizeof(head))
        return -1;
    memcpy(&head, block, sizeof(head));
    return (int)head.kind;
}
uint32_t number(const void *block, size_t size)
{
    uint32_t number;
    if (size != 4)
        return 0;
    memcpy(&number, block, 4);
    return number;
}
