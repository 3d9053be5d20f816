// case: the room that is left without a byte for the end
#include <stdio.h>
#include <string.h>
void greet(char *out, size_t size, const char *name)
{
    char buffer[32] = "Hello, ";
    strncat(buffer, name, sizeof(buffer) - strlen(buffer));  // expect: c/out-of-bounds-write
    snprintf(out, size, "%s", buffer);
}

// case: the room that is left but for the end
#include <stdio.h>
#include <string.h>
void greet(char *out, size_t size, const char *name)
{
    char buffer[32] = "Hello, ";
    strncat(buffer, name, sizeof(buffer) - strlen(buffer) - 1);
    snprintf(out, size, "%s", buffer);
}

// case: the room left in an array of a struct, without the end
#include <string.h>
struct label { char text[24]; int used; };
void label_add(struct label *l, const char *word)
{
    strncat(l->text, word, sizeof l->text - strlen(l->text));  // expect: c/out-of-bounds-write
}

// case: the room left in an array of a struct, with the end
#include <string.h>
struct label { char text[24]; int used; };
void label_add(struct label *l, const char *word)
{
    strncat(l->text, word, sizeof l->text - 1 - strlen(l->text));
}

// case: the room left of a given size, in a variable, without the end
#include <string.h>
void path_join(char *path, size_t size, const char *part)
{
    size_t left = size - strlen(path);
    strncat(path, part, left);  // expect: c/out-of-bounds-write
}

// case: the room left of a given size, in a variable, with the end
#include <string.h>
void path_join(char *path, size_t size, const char *part)
{
    size_t left = size - strlen(path) - 1;
    strncat(path, part, left);
}

// case: the room left after a comparison
#include <string.h>
void path_join(char *path, size_t size, const char *part)
{
    size_t used = strlen(path);
    if (used + 1 >= size)
        return;
    strncat(path, part, size - used - 1);
}

// case: as many letters as the appended text has
#include <string.h>
void join(const char *s, void (*show)(const char *))
{
    char buffer[40] = "";
    strncat(buffer, s, strlen(s));  // expect: c/out-of-bounds-write
    show(buffer);
}

// case: as many letters as a measured text has
#include <string.h>
int join(const char *s, void (*show)(const char *))
{
    char buffer[40] = "";
    if (strlen(s) >= sizeof buffer)
        return -1;
    strncat(buffer, s, strlen(s));
    show(buffer);
    return 0;
}

// case: a short literal, then a text with room for the end
#include <string.h>
void mark(char *out, const char *name)
{
    char buffer[64] = "";
    strncat(buffer, "name: ", sizeof buffer - strlen(buffer));
    strncat(buffer, name, sizeof buffer - strlen(buffer) - 1);
    strcpy(out, buffer);
}

// case: letters up to a sign whose place was compared
#include <string.h>
void key_of(const char *line, char *key)
{
    const char *eq = strchr(line, '=');
    char name[32] = "";
    if (eq == NULL || eq - line >= 32)
        return;
    strncat(name, line, eq - line);
    strcpy(key, name);
}

// case: the size of a struct for one of its arrays
#include <stdio.h>
struct card { int id; char text[64]; int kind; };
int card_read(struct card *card, FILE *f)
{
    return fread(card->text, 1, sizeof(struct card), f) > 0;  // expect: c/out-of-bounds-write
}

// case: the size of an array of a struct
#include <stdio.h>
struct card { int id; char text[64]; int kind; };
int card_read(struct card *card, FILE *f)
{
    return fread(card->text, 1, sizeof(card->text), f) > 0;
}

// case: a whole struct cleared from its first member on
#include <string.h>
struct header { char magic[8]; int version; int flags; };
void header_clear(struct header *h)
{
    memset(h->magic, 0, sizeof *h);
}

// case: more bytes than an array has, by the size of an item
#include <stdio.h>
struct table { int count; unsigned short cell[32]; };
int table_read(struct table *t, FILE *f)
{
    return fread(t->cell, sizeof(int), 32, f) == 32;  // expect: c/out-of-bounds-write
}

// case: as many items as an array has
#include <stdio.h>
struct table { int count; unsigned short cell[32]; };
int table_read(struct table *t, FILE *f)
{
    return fread(t->cell, sizeof t->cell[0], 32, f) == 32;
}

// case: a length that is made one smaller where it fills the array
#include <stdio.h>
struct card { int id; char text[64]; int kind; };
int card_read(struct card *card, FILE *f)
{
    size_t length = fread(card->text, 1, sizeof card->text, f);
    if (length == sizeof card->text)
        length--;
    card->text[length] = '\0';
    return length > 0;
}

// case: the end behind an array that may be full
#include <stdio.h>
struct card { int id; char text[64]; int kind; };
int card_read(struct card *card, FILE *f)
{
    size_t length = fread(card->text, 1, sizeof card->text, f);
    card->text[length] = '\0';  // expect: c/out-of-bounds-write
    return length > 0;
}

// case: raw bytes that fill an array of a struct are printed
#include <stdio.h>
#include <string.h>
struct packet { int kind; char tag[8]; };
void packet_show(const unsigned char *data, size_t size)
{
    struct packet p;
    if (size < 12)
        return;
    memcpy(&p.kind, data, 4);
    memcpy(p.tag, data + 4, sizeof p.tag);
    printf("%d %s\n", p.kind, p.tag);  // expect: c/out-of-bounds-read
}

// case: bytes from a file fill an array of a struct and are printed
#include <stdio.h>
#include <unistd.h>
struct entry { char name[32]; long size; };
int entry_show(int fd, struct entry *p)
{
    if (read(fd, p->name, sizeof(p->name)) != sizeof(p->name))
        return -1;
    printf("%s\n", p->name);  // expect: c/out-of-bounds-read
    return 0;
}

// case: bytes from a file are printed with a precision
#include <stdio.h>
#include <unistd.h>
struct entry { char name[32]; long size; };
int entry_show(int fd, struct entry *p)
{
    if (read(fd, p->name, sizeof(p->name)) != sizeof(p->name))
        return -1;
    printf("%.32s\n", p->name);
    return 0;
}

// case: bytes from a file get an end
#include <stdio.h>
#include <unistd.h>
struct entry { char name[32]; long size; };
int entry_show(int fd, struct entry *p)
{
    if (read(fd, p->name, sizeof(p->name)) != sizeof(p->name))
        return -1;
    p->name[31] = 0;
    printf("%s\n", p->name);
    return 0;
}

// case: an array of a struct copied from one of the same kind
#include <stdio.h>
#include <string.h>
struct who { char name[32]; int id; };
void show(const struct who *a)
{
    struct who b;
    memcpy(b.name, a->name, sizeof b.name);
    printf("%s\n", b.name);
}

// case: a function of another file may write the end
#include <stdio.h>
#include <unistd.h>
struct who { char name[32]; int id; };
void who_fix(struct who *w);
int show(int fd, struct who *w)
{
    if (read(fd, w->name, sizeof w->name) < 0)
        return -1;
    who_fix(w);
    return printf("%s\n", w->name);
}

// case: a byte is left of a cleared struct
#include <stdio.h>
#include <string.h>
#include <unistd.h>
struct who { char name[32]; int id; };
int show(int fd, struct who *w)
{
    memset(w, 0, sizeof *w);
    if (read(fd, w->name, sizeof w->name - 1) < 0)
        return -1;
    return printf("%s\n", w->name);
}

// case: letters up to a sign that may be far away
#include <stdio.h>
#include <string.h>
void sensor_line(FILE *f, char *station)
{
    char line[256];
    char name[20];
    if (!fgets(line, sizeof line, f))
        return;
    char *colon = strchr(line, ':');
    if (!colon)
        return;
    strncpy(name, line, colon - line);  // expect: c/out-of-bounds-write
    name[colon - line] = '\0';
    strcpy(station, name);
}

// case: letters up to a sign whose distance was compared
#include <stdio.h>
#include <string.h>
void sensor_line(FILE *f, char *station)
{
    char line[256];
    char name[20];
    if (!fgets(line, sizeof line, f))
        return;
    char *colon = strchr(line, ':');
    if (!colon || colon - line >= (long)sizeof name)
        return;
    strncpy(name, line, colon - line);
    name[colon - line] = '\0';
    strcpy(station, name);
}

// case: letters up to a sign that is compared with a place
#include <string.h>
void first_word(const char *line, char *out)
{
    char copy[64];
    const char *space = strchr(line, ' ');
    if (space == NULL || space > line + 63)
        return;
    memcpy(copy, line, space - line);
    copy[space - line] = '\0';
    strcpy(out, copy);
}

// case: a name that is longer than the array
#include <unistd.h>
#include <stdio.h>
int host(void)
{
    char name[64];
    if (gethostname(name, 256) != 0)  // expect: c/out-of-bounds-write
        return -1;
    name[63] = 0;
    return puts(name);
}

// case: a name with room for its end
#include <unistd.h>
#include <stdio.h>
int host(void)
{
    char name[64];
    if (gethostname(name, sizeof name - 1) != 0)
        return -1;
    name[63] = 0;
    return puts(name);
}

// case: the whole given size, after a text
#include <string.h>
void join(char *out, size_t size, const char *a, const char *b)
{
    strncpy(out, a, size - 1);
    out[size - 1] = '\0';
    strncat(out, b, size);  // expect: c/out-of-bounds-write
}

// case: the given size but for the end, after a text
#include <string.h>
void join(char *out, size_t size, const char *a, const char *b)
{
    strncpy(out, a, size - 1);
    out[size - 1] = '\0';
    strncat(out, b, size - 1);  // expect: c/out-of-bounds-write
}

// case: the given size but for the end, into an empty buffer
#include <string.h>
void copy(char *out, size_t size, const char *a)
{
    out[0] = '\0';
    strncat(out, a, size - 1);
}

// case: a given length of the appended text
#include <string.h>
void append(char *out, size_t len, const char *a)
{
    strncat(out, a, len);
}

// case: the given size after both texts are measured
#include <string.h>
int join(char *out, size_t size, const char *b)
{
    if (strlen(out) + strlen(b) >= size)
        return -1;
    strncat(out, b, size);
    return 0;
}

// case: the given size after it was made smaller
#include <string.h>
void join(char *out, size_t size, const char *s)
{
    size -= strlen(out) + 1;
    strncat(out, s, size);
}

// case: the given size but for the end, into a buffer that was emptied
#include <stdio.h>
#include <string.h>
void show(char *out, size_t size, const char *s)
{
    snprintf(out, size, "%d", 7);
    puts(out);
    out[0] = '\0';
    strncat(out, s, size - 1);
}

// case: the given size but for the end, after an empty text
#include <string.h>
void copy(char *out, size_t size, const char *s)
{
    strcpy(out, "");
    strncat(out, s, size - 1);
}

// case: a text that is written on another path
#include <stdio.h>
#include <string.h>
void copy(char *out, size_t size, const char *s, int number)
{
    if (number != 0) {
        snprintf(out, size, "%d", number);
        return;
    }
    out[0] = '\0';
    strncat(out, s, size - 1);
}
