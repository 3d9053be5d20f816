#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
int ping(const char *host) {
    char command[200];
    snprintf(command, sizeof command, "ping -c 1 %s", host);
    return system(command); /* expect: c/command-injection */
}
int list(const char *folder, int flags) {
    char command[200] = "ls ";
    if (!folder) return 1;
    strcat(command, folder);
    int status = system(command); /* expect: c/command-injection */
    return status;
}
int ask(void) {
    char line[100], command[200];
    if (fgets(line, sizeof line, stdin) == NULL) return 1;
    sprintf(command, "grep %s notes.txt", line);
    FILE *found = popen(command, "r"); /* expect: c/command-injection */
    return found == NULL;
}
int ping_checked(const char *host) {
    char command[200];
    for (const char *letter = host; *letter; letter++) {
        if (!isalnum((unsigned char)*letter)) return -1;
    }
    snprintf(command, sizeof command, "ping -c 1 %s", host);
    return system(command);
}
int ping_checked_by_index(const char *host, size_t size) {
    char command[200];
    for (size_t i = 0; host[i]; i++)
        if (!isalnum((unsigned char)host[i]) && host[i] != '.')
            return -1;
    snprintf(command, sizeof command, "ping -c 1 %s", host);
    return system(command);
}
int ping_checked_by_helper(const char *host) {
    char command[200];
    if (!valid_host(host)) return -1;
    snprintf(command, sizeof command, "ping -c 1 %s", host);
    return system(command);
}
int end_process(const char *number) {
    char command[50];
    snprintf(command, sizeof command, "kill %d", atoi(number));
    return system(command);
}
int constant(void) { return system("ls"); }
int find_user(sqlite3 *db, const char *name) {
    char query[200];
    snprintf(query, sizeof query, "SELECT id FROM users WHERE name = '%s'", name);
    return sqlite3_exec(db, query, 0, 0, 0); /* expect: c/sql-injection */
}
int find_user_by_number(sqlite3 *db, int number) {
    char query[200];
    snprintf(query, sizeof query, "SELECT id FROM users WHERE number = %d", number);
    return sqlite3_exec(db, query, 0, 0, 0);
}
int find_user_bound(sqlite3 *db, const char *name, sqlite3_stmt **statement) {
    const char *query = "SELECT id FROM users WHERE name = ?";
    if (sqlite3_prepare_v2(db, query, -1, statement, NULL) != SQLITE_OK) return 1;
    return sqlite3_bind_text(*statement, 1, name, -1, SQLITE_TRANSIENT);
}
FILE *report(const char *name) {
    char path[300];
    snprintf(path, sizeof path, "/srv/reports/%s", name);
    return fopen(path, "r"); /* expect: c/path-traversal */
}
FILE *report_in(const char *folder) {
    char path[300];
    snprintf(path, sizeof path, "%s/report.txt", folder);
    return fopen(path, "r");
}
FILE *report_plain(const char *name) {
    char path[300];
    if (strstr(name, "..") != NULL || strchr(name, '/')) return NULL;
    snprintf(path, sizeof path, "/srv/reports/%s", name);
    return fopen(path, "r");
}
FILE *report_resolved(const char *name) {
    char path[300], real[4096];
    snprintf(path, sizeof path, "/srv/reports/%s", name);
    if (!realpath(path, real)) return NULL;
    if (strncmp(real, "/srv/reports/", 13) != 0) return NULL;
    return fopen(path, "r");
}
int log_in(const char *password, const char *mode) {
    if (strcmp(mode, "guest") == 0) return 0;
    return strcmp(password, "tulip-42"); /* expect: c/hardcoded-credentials */
}
int log_in_from_environment(const char *password) {
    const char *expected = getenv("APP_PASSWORD");
    return expected == NULL || strcmp(password, expected);
}
int share(const char *path) {
    return chmod(path, 0666); /* expect: c/weak-file-permissions */
}
int share_by_name(const char *path) {
    return chmod(path, S_IRUSR | S_IWUSR | S_IWOTH); /* expect: c/weak-file-permissions */
}
int keep(const char *path) {
    chmod(path, 0644);
    chmod(path, S_IRUSR | S_IWUSR);
    return open(path, O_CREAT | O_WRONLY, 0600);
}
void read_line(void) {
    char line[80];
    gets(line); /* expect: c/out-of-bounds-write */
    scanf("%s", line); /* expect: c/out-of-bounds-write */
    scanf("%79s", line);
    fgets(line, sizeof line, stdin);
}
int main(int argc, char **argv) {
    char name[32], path[64], command[200];
    if (argc < 2) return 1;
    strcpy(name, argv[1]); /* expect: c/out-of-bounds-write */
    strcpy(path, "/tmp/out");
    snprintf(command, sizeof command, "wc %s", argv[1]);
    return system(command); /* expect: c/command-injection */
}
int copy_short(int argc, char **argv) {
    char name[32];
    if (strlen(argv[1]) >= sizeof name) return 1;
    strcpy(name, argv[1]);
    return 0;
}
int is_word(const char *text);
int look_up(void) {
    char word[33], command[64];
    if (scanf("%32s", word) != 1) return 1;
    if (!is_word(word)) {
        puts("no word");
        return 1;
    }
    snprintf(command, sizeof command, "dict %s", word);
    return system(command);
}
int look_up_all(void) {
    char word[33], command[64];
    if (scanf("%32s", word) != 1) {
        puts("no word");
        return 1;
    }
    snprintf(command, sizeof command, "dict %s", word);
    return system(command); /* expect: c/command-injection */
}
