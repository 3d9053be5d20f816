// case: letters of a path compared in a loop
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct upload { char file[80]; size_t size; };

int store_upload(const struct upload *up, const void *data)
{
    char path[160];
    snprintf(path, sizeof path, "uploads/%s", up->file);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600); // expect: c/path-traversal
    if (fd < 0)
        return -1;
    ssize_t n = write(fd, data, up->size);
    close(fd);
    return n == (ssize_t)up->size ? 0 : -1;
}

int main(void)
{
    struct upload up;
    char *body;
    if (scanf("%79s %zu", up.file, &up.size) != 2 || up.size > 1 << 20)
        return 1;
    body = malloc(up.size + 1);
    if (!body)
        return 1;
    size_t got = fread(body, 1, up.size, stdin);
    int rc = got == up.size ? store_upload(&up, body) : -1;
    free(body);
    return rc != 0;
}
// case: letters of a path compared in a loop, done right
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct upload { char file[80]; size_t size; };

int store_upload(const struct upload *up, const void *data)
{
    char path[160];
    for (const char *p = up->file; *p; ++p)
        if (*p == '/' || *p == '\\' || (p[0] == '.' && p[1] == '.'))
            return -1;
    snprintf(path, sizeof path, "uploads/%s", up->file);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
    if (fd < 0)
        return -1;
    ssize_t n = write(fd, data, up->size);
    close(fd);
    return n == (ssize_t)up->size ? 0 : -1;
}

int main(void)
{
    struct upload up;
    char *body;
    if (scanf("%79s %zu", up.file, &up.size) != 2 || up.size > 1 << 20)
        return 1;
    body = malloc(up.size + 1);
    if (!body)
        return 1;
    size_t got = fread(body, 1, up.size, stdin);
    int rc = got == up.size ? store_upload(&up, body) : -1;
    free(body);
    return rc != 0;
}
// case: a name in a struct that is read from an archive
#include <stdio.h>
#include <stdint.h>
#include <string.h>

struct entry { char name[100]; uint32_t size; };

int extract(FILE *ar, const char *dest)
{
    struct entry e;
    char out[512], chunk[1024];
    while (fread(&e, sizeof e, 1, ar) == 1) {
        e.name[sizeof e.name - 1] = '\0';
        snprintf(out, sizeof out, "%s/%s", dest, e.name);
        FILE *f = fopen(out, "wb"); // expect: c/path-traversal
        if (!f)
            return -1;
        for (uint32_t left = e.size; left > 0;) {
            size_t n = left < sizeof chunk ? left : sizeof chunk;
            if (fread(chunk, 1, n, ar) != n)
                break;
            fwrite(chunk, 1, n, f);
            left -= (uint32_t)n;
        }
        fclose(f);
    }
    return 0;
}
// case: a name in a struct that is read from an archive, done right
#include <stdio.h>
#include <stdint.h>
#include <string.h>

struct entry { char name[100]; uint32_t size; };

static int safe_name(const char *name)
{
    return name[0] != '\0' && name[0] != '/' && strstr(name, "..") == NULL;
}

int extract(FILE *ar, const char *dest)
{
    struct entry e;
    char out[512], chunk[1024];
    while (fread(&e, sizeof e, 1, ar) == 1) {
        e.name[sizeof e.name - 1] = '\0';
        if (!safe_name(e.name))
            return -1;
        snprintf(out, sizeof out, "%s/%s", dest, e.name);
        FILE *f = fopen(out, "wb");
        if (!f)
            return -1;
        for (uint32_t left = e.size; left > 0;) {
            size_t n = left < sizeof chunk ? left : sizeof chunk;
            if (fread(chunk, 1, n, ar) != n)
                break;
            fwrite(chunk, 1, n, f);
            left -= (uint32_t)n;
        }
        fclose(f);
    }
    return 0;
}
// case: letters of a path looked at in a loop that refuses none
#include <stdio.h>
#include <string.h>
#include <unistd.h>
int drop(void)
{
    char name[64], path[100];
    int parts = 0;
    if (!fgets(name, sizeof name, stdin))
        return 1;
    for (char *p = name; *p; p++)
        if (*p == '/')
            parts++;
    snprintf(path, sizeof path, "trash/%s", name);
    return unlink(path) + parts; // expect: c/path-traversal
}
