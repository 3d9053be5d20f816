// case: shell started by execl with an argument of the program
#include <unistd.h>
int main(int argc, char **argv)
{
    if (argc < 2)
        return 1;
    execl("/bin/sh", "sh", "-c", argv[1], (char *)NULL); // expect: c/command-injection
    return 127;
}
// case: program started by execl with an argument of its own
#include <unistd.h>
int main(int argc, char **argv)
{
    if (argc < 2)
        return 1;
    execl("/usr/bin/file", "file", "--", argv[1], (char *)NULL);
    return 127;
}
// case: shell started with a fixed script and an argument of the script
#include <unistd.h>
int main(int argc, char **argv)
{
    if (argc < 2)
        return 1;
    execlp("sh", "sh", "-c", "wc -l -- \"$1\"", "sh", argv[1], (char *)NULL);
    return 127;
}
// case: shell started by execlp with a line of input
#include <stdio.h>
#include <unistd.h>
int main(void)
{
    char line[120];
    if (!fgets(line, sizeof line, stdin))
        return 1;
    execlp("bash", "bash", "-lc", line, (char *)0); // expect: c/command-injection
    return 127;
}
// case: shell started by execv with an array of arguments
#include <stdio.h>
#include <unistd.h>
int main(int argc, char **argv)
{
    char script[300];
    snprintf(script, sizeof script, "du -sh %s", argc > 1 ? argv[1] : ".");
    char *args[] = {"sh", "-c", script, NULL};
    execv("/bin/sh", args); // expect: c/command-injection
    return 127;
}
// case: arguments of the shell set one by one
#include <stdlib.h>
#include <unistd.h>
int run(void)
{
    char *words[4];
    words[0] = "sh";
    words[1] = "-c";
    words[2] = getenv("NIGHTLY_JOB");
    words[3] = NULL;
    return execvp("sh", words); // expect: c/command-injection
}
// case: array of arguments for a program that is no shell
#include <unistd.h>
int main(int argc, char **argv)
{
    char *args[] = {"tar", "-c", argv[1], NULL};
    execvp("tar", args);
    return 127;
}
// case: input read behind the start of a command
#include <stdio.h>
#include <string.h>
int main(void)
{
    char command[200] = "whois ";
    if (fgets(command + strlen(command), 100, stdin) == NULL)
        return 1;
    FILE *answer = popen(command, "r"); // expect: c/command-injection
    return answer == NULL;
}
// case: input read behind the start of a text for people
#include <stdio.h>
#include <string.h>
int main(void)
{
    char note[200] = "note: ";
    if (fgets(note + strlen(note), 100, stdin) == NULL)
        return 1;
    fputs(note, stdout);
    FILE *answer = popen("date", "r");
    return answer == NULL;
}
// case: socket read into the tail of a command
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
int serve(int peer)
{
    char command[256] = "lookup ";
    ssize_t got = recv(peer, &command[7], sizeof command - 8, 0);
    if (got <= 0)
        return -1;
    command[7 + got] = 0;
    return system(command); // expect: c/command-injection
}
// case: command built by asprintf
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
int main(int argc, char **argv)
{
    char *command = NULL;
    if (argc < 3 || asprintf(&command, "scp %s %s", argv[1], argv[2]) < 0)
        return 1;
    int status = system(command); // expect: c/command-injection
    free(command);
    return status;
}
// case: command built by asprintf from numbers
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
int main(int argc, char **argv)
{
    char *command = NULL;
    if (argc < 2 || asprintf(&command, "kill -HUP %d", atoi(argv[1])) < 0)
        return 1;
    int status = system(command);
    free(command);
    return status;
}
// case: system under another name
#include <stdio.h>
#include <stdlib.h>
#define SHELL_OUT system
int main(int argc, char **argv)
{
    char command[100];
    if (argc < 2)
        return 1;
    snprintf(command, sizeof command, "man %s", argv[1]);
    return SHELL_OUT(command); // expect: c/command-injection
}
// case: a macro with an argument that runs a command
#include <stdio.h>
#include <stdlib.h>
#define RUN_OR_DIE(text) do { if (system(text) != 0) exit(1); } while (0)
int main(int argc, char **argv)
{
    char command[100];
    if (argc < 2)
        return 1;
    snprintf(command, sizeof command, "man %s", argv[1]);
    RUN_OR_DIE(command); // expect: c/command-injection
    RUN_OR_DIE("true");
    return 0;
}
// case: strcpy under another name
#include <string.h>
#define COPY strcpy
void set(const char *name)
{
    char label[8];
    COPY(label, name); // expect: c/out-of-bounds-write
}
// case: a macro that copies when it fits
#include <string.h>
#define COPY(to, from) do { if (strlen(from) < sizeof(to)) strcpy(to, from); } while (0)
void set(const char *name)
{
    char label[8] = "";
    COPY(label, name);
}
// case: one letter refused in a command
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
int main(int argc, char **argv)
{
    char command[100];
    if (argc < 2 || strchr(argv[1], ';'))
        return 1;
    snprintf(command, sizeof command, "ping -c 1 %s", argv[1]);
    return system(command); // expect: c/command-injection
}
// case: all letters of the shell refused in a command
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
int main(int argc, char **argv)
{
    char command[100];
    if (argc < 2 || strpbrk(argv[1], ";|&$`<>()\n\\\"' "))
        return 1;
    snprintf(command, sizeof command, "ping -c 1 %s", argv[1]);
    return system(command);
}
// case: option compared before the command
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
int main(int argc, char **argv)
{
    char command[100];
    if (argc < 2 || strcmp(argv[1], "--help") == 0)
        return 1;
    snprintf(command, sizeof command, "ping -c 1 %s", argv[1]);
    return system(command); // expect: c/command-injection
}
// case: command in a variable outside functions
#include <stdio.h>
#include <stdlib.h>
static char command[200];
static void prepare(const char *host) { snprintf(command, sizeof command, "nslookup %s", host); }
int main(int argc, char **argv)
{
    if (argc < 2)
        return 1;
    prepare(argv[1]);
    return system(command); // expect: c/command-injection
}
// case: command that a helper reads
#include <stdio.h>
#include <stdlib.h>
static void ask(char *answer, int room)
{
    if (!fgets(answer, room, stdin))
        answer[0] = 0;
}
int main(void)
{
    char command[80];
    ask(command, sizeof command);
    return system(command); // expect: c/command-injection
}
// case: command that a helper returns
#include <stdio.h>
#include <stdlib.h>
static const char *job(void) { return getenv("JOB_COMMAND"); }
int main(void) { return system(job()); } // expect: c/command-injection
// case: command in a member of a struct
#include <stdio.h>
#include <stdlib.h>
struct options { const char *hook; int quiet; };
static int finish(const struct options *options) { return system(options->hook); } // expect: c/command-injection
int main(int argc, char **argv)
{
    struct options options = {0};
    if (argc > 1)
        options.hook = argv[1];
    return options.hook ? finish(&options) : 0;
}
// case: editor that the user chose
#include <stdlib.h>
int edit(void)
{
    const char *editor = getenv("EDITOR");
    return system(editor ? editor : "vi");
}
// case: path resolved and compared without a separator
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
int main(int argc, char **argv)
{
    char joined[300], real[PATH_MAX];
    if (argc < 2)
        return 1;
    snprintf(joined, sizeof joined, "/var/lib/notes/%s", argv[1]);
    if (realpath(joined, real) == NULL)
        return 1;
    if (strncmp(real, "/var/lib/notes", strlen("/var/lib/notes")) != 0)
        return 1;
    FILE *note = fopen(real, "r"); // expect: c/path-traversal
    return note == NULL;
}
// case: path resolved and compared with its separator
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#define NOTES "/var/lib/notes/"
int main(int argc, char **argv)
{
    char joined[300], real[PATH_MAX];
    if (argc < 2)
        return 1;
    snprintf(joined, sizeof joined, NOTES "%s", argv[1]);
    if (realpath(joined, real) == NULL || strncmp(real, NOTES, strlen(NOTES)) != 0)
        return 1;
    FILE *note = fopen(real, "r");
    return note == NULL;
}
// case: path resolved, the separator looked at by itself
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
FILE *page(const char *root)
{
    char joined[400];
    const char *name = getenv("PATH_INFO");
    if (!name)
        return NULL;
    snprintf(joined, sizeof joined, "%s/%s", root, name);
    char *real = realpath(joined, NULL);
    size_t length = strlen(root);
    if (!real || strncmp(real, root, length) != 0 || real[length] != '/')
        return NULL;
    return fopen(real, "r");
}
// case: prefix compared without resolving the path
#include <stdio.h>
#include <string.h>
int main(int argc, char **argv)
{
    char joined[300];
    if (argc < 2)
        return 1;
    snprintf(joined, sizeof joined, "/srv/files/%s", argv[1]);
    if (strncmp(joined, "/srv/files/", 11) != 0)
        return 1;
    return remove(joined); // expect: c/path-traversal
}
// case: only a leading climb refused
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
int main(int argc, char **argv)
{
    char joined[300];
    if (argc < 2 || strncmp(argv[1], "../", 3) == 0)
        return 1;
    snprintf(joined, sizeof joined, "/srv/files/%s", argv[1]);
    return open(joined, O_RDONLY); // expect: c/path-traversal
}
// case: every climb refused
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
int main(int argc, char **argv)
{
    char joined[300];
    if (argc < 2 || strstr(argv[1], "..") != NULL)
        return 1;
    snprintf(joined, sizeof joined, "/srv/files/%s", argv[1]);
    return open(joined, O_RDONLY);
}
// case: file that the user of the program names
#include <stdio.h>
int main(int argc, char **argv)
{
    FILE *given = argc > 1 ? fopen(argv[1], "r") : stdin;
    return given == NULL;
}
// case: file below the folder that the user names
#include <stdio.h>
#include <stdlib.h>
FILE *settings(void)
{
    char path[300];
    const char *home = getenv("HOME");
    if (!home)
        return NULL;
    snprintf(path, sizeof path, "%s/.notes/settings", home);
    return fopen(path, "r");
}
// case: file that another machine names
#include <stdio.h>
#include <sys/socket.h>
FILE *asked_for(int peer)
{
    char name[100];
    ssize_t got = recv(peer, name, sizeof name - 1, 0);
    if (got <= 0)
        return NULL;
    name[got] = 0;
    return fopen(name, "r"); // expect: c/path-traversal
}
// case: file renamed to a name from a request
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
int keep(const char *uploaded)
{
    char target[256] = "/srv/uploads/";
    const char *name = getenv("HTTP_X_FILE_NAME");
    if (!name || strlen(name) > 100)
        return -1;
    strcat(target, name);
    return rename(uploaded, target); // expect: c/path-traversal
}
