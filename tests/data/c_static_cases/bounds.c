// case: name copied into a small array
#include <stdio.h>
#include <string.h>
void greet(const char *name)
{
    char greeting[32];
    strcpy(greeting, "Hello, ");
    strcat(greeting, name); // expect: c/out-of-bounds-write
    puts(greeting);
}
// case: name copied when it fits
#include <stdio.h>
#include <string.h>
int greet(const char *name)
{
    char copy[32];
    if (strlen(name) >= sizeof(copy))
        return -1;
    strcpy(copy, name);
    puts(copy);
    return 0;
}
// case: literal fits
#include <string.h>
void set(void)
{
    char state[8];
    strcpy(state, "ready");
    state[7] = 0;
}
// case: literal does not fit
#include <string.h>
void set(void)
{
    char state[8];
    strcpy(state, "not ready"); // expect: c/out-of-bounds-write
}
// case: word of any length
#include <stdio.h>
void ask(void)
{
    char word[20];
    scanf("%s", word); // expect: c/out-of-bounds-write
    puts(word);
}
// case: word of bounded length
#include <stdio.h>
void ask(void)
{
    char word[20];
    if (scanf("%19s", word) == 1)
        puts(word);
}
// case: word bound one too long
#include <stdio.h>
void ask(void)
{
    char word[20];
    scanf("%20s", word); // expect: c/out-of-bounds-write
}
// case: gets
#include <stdio.h>
char *gets(char *);
void ask(void)
{
    char line[80];
    gets(line); // expect: c/out-of-bounds-write
}
// case: printed number into room enough
#include <stdio.h>
void show(int value)
{
    char text[12];
    sprintf(text, "%d", value);
    puts(text);
}
// case: printed number without room
#include <stdio.h>
void show(int value)
{
    char text[6];
    sprintf(text, "%d", value); // expect: c/out-of-bounds-write
    puts(text);
}
// case: printed text of any length
#include <stdio.h>
void path_of(const char *folder, const char *name, int part)
{
    char path[64];
    sprintf(path, "%s/%s.%d", folder, name, part); // expect: c/out-of-bounds-write
    puts(path);
}
// case: snprintf told a wrong size
#include <stdio.h>
void path_of(const char *name)
{
    char path[64];
    snprintf(path, 128, "/srv/%s", name); // expect: c/out-of-bounds-write
    puts(path);
}
// case: loop one past the end
void clear(void)
{
    int cells[10];
    for (int i = 0; i <= 10; i++)
        cells[i] = 0; // expect: c/out-of-bounds-write
}
// case: loop to the end
#define COUNT 10
void clear(void)
{
    int cells[COUNT];
    for (int i = 0; i < COUNT; i++)
        cells[i] = 0;
}
// case: terminator one past the end
#include <stdio.h>
#include <unistd.h>
void receive(int socket)
{
    char line[256];
    ssize_t got = read(socket, line, sizeof line);
    if (got > 0)
        line[got] = 0; // expect: c/out-of-bounds-write
}
// case: terminator with room kept
#include <unistd.h>
void receive(int socket)
{
    char line[256];
    ssize_t got = read(socket, line, sizeof(line) - 1);
    if (got > 0)
        line[got] = 0;
}
// case: read more than there is room for
#include <unistd.h>
void receive(int socket)
{
    char line[64];
    read(socket, line, 256); // expect: c/out-of-bounds-write
}
// case: index from input unchecked, written
#include <stdlib.h>
static int votes[5];
int main(int argc, char **argv)
{
    int candidate = atoi(argv[1]);
    votes[candidate]++; // expect: c/out-of-bounds-write
    return 0;
}
// case: index from input half checked, read
#include <stdio.h>
int main(void)
{
    static const char *days[7] = {"Mo", "Tu", "We", "Th", "Fr", "Sa", "Su"};
    int day;
    if (scanf("%d", &day) != 1 || day >= 7)
        return 1;
    puts(days[day]); // expect: c/out-of-bounds-read
    return 0;
}
// case: index from input checked on both sides
#include <stdio.h>
int main(void)
{
    static const char *days[7] = {"Mo", "Tu", "We", "Th", "Fr", "Sa", "Su"};
    int day;
    if (scanf("%d", &day) != 1 || day < 0 || day >= 7)
        return 1;
    puts(days[day]);
    return 0;
}
// case: index unsigned and checked once
#include <stdlib.h>
static int prices[12];
int price(const char *month)
{
    unsigned at = strtoul(month, NULL, 10);
    if (at < 12)
        return prices[at];
    return 0;
}
// case: checked by a helper
#include <stdlib.h>
static int prices[12];
static int valid(int at) { return at >= 0 && at < 12; }
int price(const char *month)
{
    int at = atoi(month);
    if (!valid(at))
        return -1;
    return prices[at];
}
// case: parameter as an index with the upper bound checked only
int element(const int *values, int count, int at)
{
    if (at < count)
        return values[at]; // expect: c/out-of-bounds-read
    return 0;
}
// case: index reduced by remainder
#include <stdlib.h>
static int slots[16];
int slot(const char *text)
{
    unsigned at = (unsigned) atoi(text) % 16;
    return slots[at];
}
// case: length from the packet copied unchecked
#include <string.h>
int unpack(const unsigned char *packet, unsigned long size)
{
    char name[32];
    unsigned length = packet[0];
    memcpy(name, packet + 1, length); // expect: c/out-of-bounds-write
    return name[0];
}
// case: length from the packet checked
#include <string.h>
int unpack(const unsigned char *packet, unsigned long size)
{
    char name[32];
    unsigned length = packet[0];
    if (length > sizeof name || length + 1 > size)
        return -1;
    memcpy(name, packet + 1, length);
    return name[0];
}
