/* The driver around a completed program: its arguments on the heap, no umask, allocations and rand() under control. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int user_main(int argc, char **argv, char **envp);
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *block, size_t size);
int __real_rand(void);

static int failing;
static const char *chosen_rand;

void *__wrap_malloc(size_t size) { return failing ? NULL : __real_malloc(size); }
void *__wrap_calloc(size_t count, size_t size) { return failing ? NULL : __real_calloc(count, size); }
void *__wrap_realloc(void *block, size_t size) { return failing ? NULL : __real_realloc(block, size); }
int __wrap_rand(void) { return chosen_rand ? atoi(chosen_rand) : __real_rand(); }

int main(int argc, char **argv, char **envp)
{
    char **copies = __real_malloc((argc + 1) * sizeof *copies);
    for (int index = 0; index < argc; index++) {
        size_t size = strlen(argv[index]) + 1;
        copies[index] = memcpy(__real_malloc(size), argv[index], size);
    }
    copies[argc] = NULL;
    umask(0);
    chosen_rand = getenv("COSEC_RAND");
    failing = getenv("COSEC_FAIL_MALLOC") != NULL;
    return user_main(argc, copies, envp);
}
