// case: command with the user's text
#include <stdio.h>
#include <stdlib.h>
int main(int argc, char **argv)
{
    char command[256];
    snprintf(command, sizeof command, "ping -c 1 %s", argv[1]);
    return system(command); // expect: c/command-injection
}
// case: command with a number only
#include <stdio.h>
#include <stdlib.h>
int main(int argc, char **argv)
{
    char command[256];
    snprintf(command, sizeof command, "sleep %d", atoi(argv[1]));
    return system(command);
}
// case: fixed command
#include <stdlib.h>
int main(void) { return system("uptime"); }
// case: command with text of allowed letters only
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
int main(int argc, char **argv)
{
    char command[256];
    for (const char *at = argv[1]; *at; at++)
        if (!isalnum((unsigned char) *at))
            return 1;
    snprintf(command, sizeof command, "id %s", argv[1]);
    return system(command);
}
// case: pipe from a helper's parameter
#include <stdio.h>
static FILE *list(const char *folder)
{
    char command[300] = "ls ";
    snprintf(command, sizeof command, "ls %s", folder);
    return popen(command, "r"); // expect: c/command-injection
}
int main(void)
{
    char folder[200];
    if (!fgets(folder, sizeof folder, stdin))
        return 1;
    return list(folder) == NULL;
}
// case: file below a folder by the user's name
#include <stdio.h>
#include <stdlib.h>
FILE *page(void)
{
    char path[512];
    snprintf(path, sizeof path, "/var/www/%s", getenv("PATH_INFO"));
    return fopen(path, "r"); // expect: c/path-traversal
}
// case: file name without separators
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
FILE *page(void)
{
    char path[512];
    const char *name = getenv("PATH_INFO");
    if (!name || strchr(name, '/') || strstr(name, ".."))
        return NULL;
    snprintf(path, sizeof path, "/var/www/%s", name);
    return fopen(path, "r");
}
// case: query with the user's text
#include <stdio.h>
typedef struct sqlite3 sqlite3;
int sqlite3_exec(sqlite3 *, const char *, void *, void *, char **);
int main(int argc, char **argv)
{
    char query[256];
    sqlite3 *db = 0;
    sprintf(query, "DELETE FROM t WHERE name = '%.100s'", argv[1]);
    return sqlite3_exec(db, query, 0, 0, 0); // expect: c/sql-injection
}
// case: query with a number
#include <stdio.h>
#include <stdlib.h>
typedef struct sqlite3 sqlite3;
int sqlite3_exec(sqlite3 *, const char *, void *, void *, char **);
int main(int argc, char **argv)
{
    char query[256];
    sqlite3 *db = 0;
    snprintf(query, sizeof query, "DELETE FROM t WHERE id = %ld", strtol(argv[1], NULL, 10));
    return sqlite3_exec(db, query, 0, 0, 0);
}
// case: password in the program compared
#include <string.h>
int login(const char *password)
{
    return strcmp(password, "s3cr3t!") == 0; // expect: c/hardcoded-credentials
}
// case: password from the environment
#include <stdlib.h>
#include <string.h>
int login(const char *password)
{
    const char *expected = getenv("APP_PASSWORD");
    return expected && strcmp(password, expected) == 0;
}
// case: password kept in a constant
static const char *db_password = "hunter2"; // expect: c/hardcoded-credentials
const char *password(void) { return db_password; }
// case: empty password is refused
#include <string.h>
int usable(const char *password) { return strcmp(password, "") != 0; }
// case: file made for everybody
#include <fcntl.h>
int make(void) { return open("/tmp/log", O_CREAT | O_WRONLY, 0666); } // expect: c/weak-file-permissions
// case: file made for the owner
#include <fcntl.h>
#include <sys/stat.h>
int make(void) { return open("/tmp/log", O_CREAT | O_WRONLY, S_IRUSR | S_IWUSR); }
// case: mode opened to all later
#include <sys/stat.h>
int share(const char *path) { return chmod(path, S_IRWXU | S_IRWXG | S_IRWXO); } // expect: c/weak-file-permissions
// case: sum of a number from the user
#include <stdio.h>
#include <stdlib.h>
int main(int argc, char **argv)
{
    int seconds = atoi(argv[1]);
    int total = seconds * 1000; // expect: c/integer-overflow
    printf("%d\n", total);
    return 0;
}
// case: sum of a number in range
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
int main(int argc, char **argv)
{
    int seconds = atoi(argv[1]);
    if (seconds < 0 || seconds > INT_MAX / 1000)
        return 1;
    printf("%d\n", seconds * 1000);
    return 0;
}
// case: wide enough
#include <stdio.h>
#include <stdlib.h>
int main(int argc, char **argv)
{
    int seconds = atoi(argv[1]);
    long long total = (long long) seconds * 1000;
    printf("%lld\n", total);
    return 0;
}
// case: size of an allocation from the user
#include <stdio.h>
#include <stdlib.h>
int *grid(void)
{
    unsigned width, height;
    if (scanf("%u %u", &width, &height) != 2)
        return NULL;
    return malloc(width * height * sizeof(int)); // expect: c/integer-overflow
}
// case: size of an allocation checked
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
int *grid(void)
{
    size_t width;
    if (scanf("%zu", &width) != 1)
        return NULL;
    if (width > SIZE_MAX / sizeof(int))
        return NULL;
    return malloc(width * sizeof(int));
}
// case: allocation by calloc
#include <stdio.h>
#include <stdlib.h>
int *grid(void)
{
    size_t width;
    if (scanf("%zu", &width) != 1)
        return NULL;
    return calloc(width, sizeof(int));
}
