// case: local function that copies as strcpy does
#include <string.h>
static void put(char *target, size_t room, const char *source)
{
    size_t n = strlen(source);
    memcpy(target, source, n);
    target[n] = 0;
    (void)room;
}
static void put_bounded(char *target, size_t room, const char *source)
{
    size_t n = strlen(source);
    if (n >= room)
        n = room - 1;
    memcpy(target, source, n);
    target[n] = 0;
}
int main(int argc, char **argv)
{
    char name[16];
    if (argc < 2)
        return 1;
    put(name, sizeof name, "short");
    put_bounded(name, sizeof name, argv[1]);
    put(name, sizeof name, argv[1]); // expect: c/out-of-bounds-write
    return 0;
}
// case: bound of strncat
#include <string.h>
void title(const char *first, const char *second)
{
    char text[80] = "";
    char other[80] = "";
    strncat(text, first, sizeof text - 1);
    strncat(text, second, sizeof text - 1); // expect: c/out-of-bounds-write
    strncat(other, first, sizeof other); // expect: c/out-of-bounds-write
    strncat(other, second, sizeof other - strlen(other) - 1);
}
// case: text behind others in a buffer
#include <stdio.h>
void list(char *const *names, int count)
{
    char line[100];
    size_t used = 0;
    for (int i = 0; i < count; i++)
        used += sprintf(line + used, "%s ", names[i]); // expect: c/out-of-bounds-write
    used = 0;
    for (int i = 0; i < count && used < 20; i++)
        used += sprintf(line + used, "%.8s ", names[i]);
    puts(line);
}
// case: comparison of more bytes than there are
#include <string.h>
static const unsigned char magic[4] = {1, 2, 3, 4};
int is_long(const unsigned char *data)
{
    return memcmp(data, magic, 8) == 0; // expect: c/out-of-bounds-read
}
int is_right(const unsigned char *data)
{
    return memcmp(data, magic, sizeof magic) == 0;
}
// case: other name of a buffer without an end
#include <string.h>
#include <unistd.h>
int lines(int file)
{
    char buffer[4096];
    int found = 0;
    if (read(file, buffer, sizeof buffer) <= 0)
        return -1;
    for (char *at = buffer; (at = strchr(at, '\n')) != NULL; at++) // expect: c/out-of-bounds-read
        found++;
    return found;
}
int ended_lines(int file)
{
    char buffer[4096];
    int found = 0;
    ssize_t n = read(file, buffer, sizeof buffer - 1);
    if (n <= 0)
        return -1;
    buffer[n] = 0;
    for (char *at = buffer; (at = strchr(at, '\n')) != NULL; at++)
        found++;
    return found;
}
// case: length in a message compared with two limits at once
#include <arpa/inet.h>
#include <stdint.h>
#include <string.h>
struct frame { uint16_t length; uint8_t payload[256]; };
int decode(const uint8_t *message, size_t size, struct frame *frame)
{
    uint16_t n;
    memcpy(&n, message, sizeof n);
    frame->length = ntohs(n);
    if (frame->length > size - 2 || frame->length > 256)
        return -1;
    memcpy(frame->payload, message + 2, frame->length);
    return 0;
}
int decode_too_much(const uint8_t *message, size_t size, struct frame *frame)
{
    uint16_t n;
    memcpy(&n, message, sizeof n);
    frame->length = ntohs(n);
    if (size < 2 || frame->length > 256)
        return -1;
    memcpy(frame->payload, message + 2, frame->length); // expect: c/out-of-bounds-read
    return 0;
}
// case: one byte more than a length from the network
#include <arpa/inet.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
char *text(int peer)
{
    uint32_t n;
    if (recv(peer, &n, sizeof n, 0) != sizeof n)
        return NULL;
    n = ntohl(n);
    return malloc(n + 1); // expect: c/integer-overflow
}
char *short_text(int peer)
{
    uint32_t n;
    if (recv(peer, &n, sizeof n, 0) != sizeof n)
        return NULL;
    n = ntohl(n);
    if (n > 4096)
        return NULL;
    return malloc(n + 1);
}
// case: product of two counts that the caller chooses
#include <stdlib.h>
int *table(size_t rows, size_t columns)
{
    return malloc(rows * columns * sizeof(int)); // expect: c/integer-overflow
}
int *checked_table(size_t rows, size_t columns)
{
    size_t cells, bytes;
    if (__builtin_mul_overflow(rows, columns, &cells) || __builtin_mul_overflow(cells, sizeof(int), &bytes))
        return NULL;
    return malloc(bytes);
}
// case: taking a line apart is no look at its text
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
struct job { char host[64]; };
static int parse(char *line, struct job *job)
{
    char *end = strchr(line, ':');
    if (end == NULL)
        return -1;
    *end = '\0';
    snprintf(job->host, sizeof job->host, "%s", line);
    return 0;
}
int main(void)
{
    char line[64], command[128];
    struct job job;
    while (fgets(line, sizeof line, stdin) != NULL)
        if (parse(line, &job) == 0) {
            snprintf(command, sizeof command, "ping -c 1 %s", job.host);
            system(command); // expect: c/command-injection
        }
    return 0;
}
// case: letters that a function refuses or allows
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
static int lacks_semicolon(const char *name)
{
    for (size_t i = 0; name[i] != '\0'; i++)
        if (name[i] == ';')
            return 0;
    return 1;
}
static int is_plain(const char *name)
{
    for (size_t i = 0; name[i] != '\0'; i++)
        if (strchr("abcdefghijklmnopqrstuvwxyz", name[i]) == NULL)
            return 0;
    return 1;
}
int main(int argc, char **argv)
{
    char name[32], command[64];
    if (scanf("%31s", name) != 1)
        return 1;
    if (argc > 1 && !lacks_semicolon(name))
        return 1;
    snprintf(command, sizeof command, "id %s", name);
    return system(command); // expect: c/command-injection
}
int plain(void)
{
    char word[32], command[64];
    if (scanf("%31s", word) != 1 || !is_plain(word))
        return 1;
    snprintf(command, sizeof command, "id %s", word);
    return system(command);
}
// case: what stands behind the last slash of a path
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
int save(int peer)
{
    char name[128] = "", path[256];
    if (recv(peer, name, sizeof name - 1, 0) <= 0)
        return -1;
    const char *leaf = strrchr(name, '/');
    leaf = leaf ? leaf + 1 : name;
    snprintf(path, sizeof path, "uploads/%s", leaf);
    return fopen(path, "wb") != NULL;
}
int save_all(int peer)
{
    char name[128] = "", path[256];
    if (recv(peer, name, sizeof name - 1, 0) <= 0)
        return -1;
    const char *leaf = strrchr(name, '/');
    puts(leaf ? leaf + 1 : name);
    snprintf(path, sizeof path, "uploads/%s", name);
    return fopen(path, "wb") != NULL; // expect: c/path-traversal
}
// case: plugin that others name
#include <dlfcn.h>
#include <stdio.h>
int main(int argc, char **argv)
{
    char path[256];
    if (argc != 2)
        return 2;
    snprintf(path, sizeof path, "/usr/lib/app/%s.so", argv[1]);
    return dlopen(path, RTLD_NOW) == NULL; // expect: c/path-traversal
}
