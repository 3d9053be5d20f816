/* What the C and C++ functions of the own vulnerability-fix pairs take as given; only for the tests that compile them. */
#ifdef __cplusplus
#include <cstring>
#include <string>
#include <vector>

struct Node {
    std::string name;
    int parent;
    std::vector<int> children;
};
#else
#define _GNU_SOURCE
#include <ctype.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAX_OPTIONS 16
#define ECHO_REPLY 1
#define COMMAND_MAX 128
#define PALETTE_SIZE 256
#define ROUTES_MAX 64

struct option { uint8_t type, size, value[32]; };
struct option_set { size_t count; struct option items[MAX_OPTIONS]; };
struct packet { uint8_t data[256]; size_t len; };
struct superblock { char label[16]; };
struct bitmap { int width, height, stride; uint8_t *pixels; };
struct index_entry { uint32_t offset, size; };
struct index { size_t count; struct index_entry *entries; };
struct image_file { const uint8_t *data; uint32_t size; };
struct buffer { char *data; size_t len, capacity; };
struct entry { char *name; struct entry *next; };
struct registry { struct entry *head; size_t count; };
struct client { int fd, slot; char name[32]; char *inbox; };
struct server { struct client *slots[32]; int active; };
struct profile { char *text; };
struct cache_item { struct cache_item *prev, *next; char *value; size_t bucket; };
struct cache { struct cache_item *head, *tail, *buckets[64]; size_t count; };
struct session { int fd; char inbox[512]; size_t received; time_t last_seen; };
struct job { int id; struct job *next; };
struct queue { struct job *head, *tail; };
struct header { char *name, *value; };
struct request { const char *method, *path, *user; };
struct response { int status; };
struct route { int needs_login; int (*handler)(struct request *, struct response *); };
struct router { struct route *routes; };
struct stack { int64_t *slots; size_t depth, capacity; };
struct grid { int rows, columns; uint8_t *cells; };
struct user { char nick[16]; time_t nick_changed; };
struct color { uint8_t red, green, blue; };
struct palette { int used; struct color colors[PALETTE_SIZE]; };
struct player { char name[24]; };
struct mount { char device[64], target[64]; };
struct net_route { uint32_t network, mask, gateway; };
struct route_table { size_t count; struct net_route routes[ROUTES_MAX]; };

char *read_all(FILE *in);
int profile_parse(struct profile *profile);
void session_close(struct session *session);
int session_dispatch(struct session *session, size_t got);
const struct route *router_find(struct router *router, const char *method, const char *path);
#endif
