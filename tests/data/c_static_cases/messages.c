// case: a length in a message compared with the size of the output only
#include <stdint.h>
#include <string.h>
#include <sys/types.h>

ssize_t build_reply(const uint8_t *msg, size_t msg_len, uint8_t *out, size_t out_size)
{
    if (msg_len < 3)
        return -1;
    size_t payload = (size_t)msg[1] << 8 | msg[2];
    if (payload > out_size)
        return -1;
    memcpy(out, msg + 3, payload); // expect: c/out-of-bounds-read
    return (ssize_t)payload;
}
// case: a length in a message compared with the size of the output only, done right
#include <stdint.h>
#include <string.h>
#include <sys/types.h>

ssize_t build_reply(const uint8_t *msg, size_t msg_len, uint8_t *out, size_t out_size)
{
    if (msg_len < 3)
        return -1;
    size_t payload = (size_t)msg[1] << 8 | msg[2];
    if (payload > out_size || payload > msg_len - 3)
        return -1;
    memcpy(out, msg + 3, payload);
    return (ssize_t)payload;
}
// case: a length copied out of a message and compared with the room of the output only
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int copy_chunk(const uint8_t *file, size_t file_len, uint8_t *out, size_t out_cap)
{
    uint32_t size;
    if (file_len < 8)
        return -1;
    memcpy(&size, file + 4, 4);
    if (size > out_cap)
        return -1;
    memcpy(out, file + 8, size); // expect: c/out-of-bounds-read
    return (int)size;
}
// case: a length copied out of a message and compared with the room of the output only, done right
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int copy_chunk(const uint8_t *file, size_t file_len, uint8_t *out, size_t out_cap)
{
    uint32_t size;
    if (file_len < 8)
        return -1;
    memcpy(&size, file + 4, 4);
    if (size > out_cap || size > file_len - 8)
        return -1;
    memcpy(out, file + 8, size);
    return (int)size;
}
// case: a length of 8 bits in a record that is read from a file
#include <stdint.h>
#include <stdio.h>
#include <string.h>

struct record {
    uint8_t kind;
    uint8_t len;
    char data[255];
};

int read_names(FILE *in, char names[][32], int max)
{
    struct record rec;
    int n = 0;
    while (n < max && fread(&rec, sizeof rec, 1, in) == 1) {
        memcpy(names[n], rec.data, rec.len); // expect: c/out-of-bounds-write
        names[n][31] = '\0';
        n++;
    }
    return n;
}
// case: a length of 8 bits in a record that is read from a file, done right
#include <stdint.h>
#include <stdio.h>
#include <string.h>

struct record {
    uint8_t kind;
    uint8_t len;
    char data[255];
};

int read_names(FILE *in, char names[][32], int max)
{
    struct record rec;
    int n = 0;
    while (n < max && fread(&rec, sizeof rec, 1, in) == 1) {
        size_t len = rec.len < 31 ? rec.len : 31;
        memcpy(names[n], rec.data, len);
        names[n][len] = '\0';
        n++;
    }
    return n;
}
// case: a length of 8 bits in a frame
#include <stdint.h>
#include <string.h>
#include <unistd.h>

struct frame { uint32_t id; uint8_t dlc; uint8_t data[64]; };

int poll_bus(int fd, uint8_t out[8])
{
    struct frame fr;
    if (read(fd, &fr, sizeof fr) != (ssize_t)sizeof fr)
        return -1;
    memcpy(out, fr.data, fr.dlc); // expect: c/out-of-bounds-write
    return fr.dlc;
}
// case: a length of 8 bits in a frame, done right
#include <stdint.h>
#include <string.h>
#include <unistd.h>

struct frame { uint32_t id; uint8_t dlc; uint8_t data[64]; };

int poll_bus(int fd, uint8_t out[8])
{
    struct frame fr;
    if (read(fd, &fr, sizeof fr) != (ssize_t)sizeof fr)
        return -1;
    if (fr.dlc > 8)
        return -1;
    memcpy(out, fr.data, fr.dlc);
    return fr.dlc;
}
// case: a received length compared with what was received only
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

struct peer { uint8_t id[16]; char nick[24]; };

int on_hello(int fd, struct peer *peer)
{
    uint8_t buf[512];
    ssize_t got = recv(fd, buf, sizeof buf, 0);
    if (got < 18)
        return -1;
    memcpy(peer->id, buf, 16);
    size_t nlen = buf[16];
    if (nlen > (size_t)got - 17)
        return -1;
    memcpy(peer->nick, buf + 17, nlen); // expect: c/out-of-bounds-write
    peer->nick[nlen] = '\0'; // expect: c/out-of-bounds-write
    return 0;
}
// case: a received length compared with what was received only, done right
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

struct peer { uint8_t id[16]; char nick[24]; };

int on_hello(int fd, struct peer *peer)
{
    uint8_t buf[512];
    ssize_t got = recv(fd, buf, sizeof buf, 0);
    if (got < 18)
        return -1;
    memcpy(peer->id, buf, 16);
    size_t nlen = buf[16];
    if (nlen > (size_t)got - 17 || nlen >= sizeof peer->nick)
        return -1;
    memcpy(peer->nick, buf + 17, nlen);
    peer->nick[nlen] = '\0';
    return 0;
}
// case: a received byte as index
#include <stdint.h>
#include <stddef.h>
#include <unistd.h>

typedef int (*handler)(const uint8_t *, size_t);
extern int h0(const uint8_t *, size_t), h1(const uint8_t *, size_t), h2(const uint8_t *, size_t);
static handler handlers[] = { h0, h1, h2 };

int dispatch(int fd)
{
    uint8_t msg[128];
    ssize_t n = read(fd, msg, sizeof msg);
    if (n < 1)
        return -1;
    unsigned op = msg[0];
    return handlers[op](msg + 1, (size_t)n - 1); // expect: c/out-of-bounds-read
}
// case: a received byte as index, done right
#include <stdint.h>
#include <stddef.h>
#include <unistd.h>

typedef int (*handler)(const uint8_t *, size_t);
extern int h0(const uint8_t *, size_t), h1(const uint8_t *, size_t), h2(const uint8_t *, size_t);
static handler handlers[] = { h0, h1, h2 };

int dispatch(int fd)
{
    uint8_t msg[128];
    ssize_t n = read(fd, msg, sizeof msg);
    if (n < 1)
        return -1;
    unsigned op = msg[0];
    if (op >= sizeof handlers / sizeof handlers[0])
        return -1;
    return handlers[op](msg + 1, (size_t)n - 1);
}
// case: a received length not compared with what was received
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <arpa/inet.h>

int heartbeat(int fd)
{
    uint8_t in[2048];
    ssize_t got = recv(fd, in, sizeof in, 0);
    if (got < 3)
        return -1;
    uint16_t len;
    memcpy(&len, in + 1, 2);
    len = ntohs(len);
    uint8_t *out = malloc(3 + (size_t)len);
    if (!out)
        return -1;
    out[0] = 2;
    memcpy(out + 3, in + 3, len); // expect: c/out-of-bounds-read
    send(fd, out, 3 + (size_t)len, 0);
    free(out);
    return 0;
}
// case: a received length not compared with what was received, done right
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <arpa/inet.h>

int heartbeat(int fd)
{
    uint8_t in[2048];
    ssize_t got = recv(fd, in, sizeof in, 0);
    if (got < 3)
        return -1;
    uint16_t len;
    memcpy(&len, in + 1, 2);
    len = ntohs(len);
    if (len > got - 3)
        return -1;
    uint8_t *out = malloc(3 + (size_t)len);
    if (!out)
        return -1;
    out[0] = 2;
    memcpy(out + 3, in + 3, len);
    send(fd, out, 3 + (size_t)len, 0);
    free(out);
    return 0;
}
// case: a product of numbers in a message
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct image { uint32_t w, h; uint8_t *px; };

int load_raw(struct image *img, const uint8_t *data, size_t len)
{
    if (len < 8)
        return -1;
    memcpy(&img->w, data, 4);
    memcpy(&img->h, data + 4, 4);
    if (img->w > 4096 || img->h > 4096)
        return -1;
    size_t need = (size_t)img->w * img->h;
    img->px = malloc(need ? need : 1);
    if (!img->px)
        return -1;
    memcpy(img->px, data + 8, need); // expect: c/out-of-bounds-read
    return 0;
}
// case: a product of numbers in a message, done right
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct image { uint32_t w, h; uint8_t *px; };

int load_raw(struct image *img, const uint8_t *data, size_t len)
{
    if (len < 8)
        return -1;
    memcpy(&img->w, data, 4);
    memcpy(&img->h, data + 4, 4);
    if (img->w > 4096 || img->h > 4096)
        return -1;
    size_t need = (size_t)img->w * img->h;
    if (need > len - 8)
        return -1;
    img->px = malloc(need ? need : 1);
    if (!img->px)
        return -1;
    memcpy(img->px, data + 8, need);
    return 0;
}
// case: a masked number in a message taken away from its length
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

uint8_t *strip_header(const uint8_t *pkt, size_t len, size_t *out_len)
{
    size_t hdr = (pkt[0] & 0x0f) * 4;
    size_t n = len - hdr; // expect: c/integer-overflow
    uint8_t *p = malloc(n + 1);
    if (!p)
        return NULL;
    memcpy(p, pkt + hdr, n);
    *out_len = n;
    return p;
}
// case: a masked number in a message taken away from its length, done right
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

uint8_t *strip_header(const uint8_t *pkt, size_t len, size_t *out_len)
{
    size_t hdr = (pkt[0] & 0x0f) * 4;
    if (len < hdr)
        return NULL;
    size_t n = len - hdr;
    uint8_t *p = malloc(n + 1);
    if (!p)
        return NULL;
    memcpy(p, pkt + hdr, n);
    *out_len = n;
    return p;
}
// case: a letter as index into a table of 128
#include <stdint.h>

static const int8_t decode_table[128] = { 0 };

int decode_char(const char *s, int i)
{
    char c = s[i];
    return decode_table[(unsigned char)c]; // expect: c/out-of-bounds-read
}
// case: a letter as index into a table of 128, done right
#include <stdint.h>

static const int8_t decode_table[128] = { 0 };

int decode_char(const char *s, int i)
{
    unsigned char c = (unsigned char)s[i];
    return c < 128 ? decode_table[c] : -1;
}
// case: a byte read from a file as index
#include <stdio.h>
#include <stdint.h>

enum { CMD_GET, CMD_SET, CMD_DEL, CMD_COUNT };
static const char *const names[CMD_COUNT] = { "get", "set", "del" };

void log_packet(FILE *in)
{
    uint8_t cmd;
    while (fread(&cmd, 1, 1, in) == 1) {
        printf("%s\n", names[cmd]); // expect: c/out-of-bounds-read
    }
}
// case: a byte read from a file as index, done right
#include <stdio.h>
#include <stdint.h>

enum { CMD_GET, CMD_SET, CMD_DEL, CMD_COUNT };
static const char *const names[CMD_COUNT] = { "get", "set", "del" };

void log_packet(FILE *in)
{
    uint8_t cmd;
    while (fread(&cmd, 1, 1, in) == 1) {
        if (cmd >= CMD_COUNT)
            continue;
        printf("%s\n", names[cmd]);
    }
}
// case: a count from a file that makes 32 bits overflow
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

struct rec { uint32_t id; char name[60]; };

struct rec *load(FILE *f, uint32_t *count)
{
    uint32_t n;
    if (fread(&n, sizeof n, 1, f) != 1)
        return NULL;
    uint32_t bytes = n * sizeof(struct rec); // expect: c/integer-overflow
    struct rec *r = malloc(bytes);
    if (r == NULL)
        return NULL;
    if (fread(r, sizeof *r, n, f) != n) {
        free(r);
        return NULL;
    }
    *count = n;
    return r;
}
// case: a count from a file that makes 32 bits overflow, done right
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

struct rec { uint32_t id; char name[60]; };

struct rec *load(FILE *f, uint32_t *count)
{
    uint32_t n;
    if (fread(&n, sizeof n, 1, f) != 1)
        return NULL;
    if (n == 0 || n > 100000)
        return NULL;
    uint32_t bytes = n * sizeof(struct rec);
    struct rec *r = malloc(bytes);
    if (r == NULL)
        return NULL;
    if (fread(r, sizeof *r, n, f) != n) {
        free(r);
        return NULL;
    }
    *count = n;
    return r;
}
// case: a product over as many numbers as the user says
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    if (argc != 2)
        return 2;
    int n = atoi(argv[1]);
    int f = 1;
    for (int i = 2; i <= n; i++)
        f *= i; // expect: c/integer-overflow
    printf("%d\n", f);
    return 0;
}
// case: a product over as many numbers as the user says, done right
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    if (argc != 2)
        return 2;
    int n = atoi(argv[1]);
    if (n < 0 || n > 12)
        return 1;
    int f = 1;
    for (int i = 2; i <= n; i++)
        f *= i;
    printf("%d\n", f);
    return 0;
}
// case: a received byte as index into a table for every byte
#include <unistd.h>
unsigned weigh(int fd)
{
    static const unsigned char weights[256] = {1};
    unsigned char letters[64];
    unsigned sum = 0;
    long n = read(fd, letters, sizeof letters);
    for (long i = 0; i < n; i++)
        sum += weights[letters[i]];
    return sum;
}
// case: a received byte as index into a table that is too short
#include <unistd.h>
unsigned weigh(int fd)
{
    static const unsigned char weights[128] = {1};
    unsigned char letters[64];
    unsigned sum = 0;
    long n = read(fd, letters, sizeof letters);
    for (long i = 0; i < n; i++)
        sum += weights[letters[i]]; // expect: c/out-of-bounds-read
    return sum;
}
