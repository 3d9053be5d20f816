/* The main that runs a program under the sanitizers: see sanitizer_build.py.
 *
 * Arguments lie in heap blocks of their own, so that one byte past any of them is caught. COSEC_FAIL_MALLOC makes every
 * allocation of the program fail; COSEC_RAND is what its random numbers are for the first thousand draws, after which
 * they are real again, so that a loop that waits for a better draw ends.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { FORCED_DRAWS = 1000 };

static int failing;
static int forced;
static int drawn;
static long forced_value;

int user_main(int, char **, char **);
void *__real_malloc(size_t);
void *__real_calloc(size_t, size_t);
void *__real_realloc(void *, size_t);
void *__real_reallocarray(void *, size_t, size_t);
void *__real_aligned_alloc(size_t, size_t);
char *__real_strdup(const char *);
char *__real_strndup(const char *, size_t);
int __real_rand(void);
int __real_rand_r(unsigned *);
long __real_random(void);

void *__wrap_malloc(size_t size) { return failing ? NULL : __real_malloc(size); }
void *__wrap_calloc(size_t count, size_t size) { return failing ? NULL : __real_calloc(count, size); }
void *__wrap_realloc(void *old, size_t size) { return failing ? NULL : __real_realloc(old, size); }
void *__wrap_reallocarray(void *old, size_t count, size_t size)
{
    return failing ? NULL : __real_reallocarray(old, count, size);
}
void *__wrap_aligned_alloc(size_t to, size_t size) { return failing ? NULL : __real_aligned_alloc(to, size); }
char *__wrap_strdup(const char *text) { return failing ? NULL : __real_strdup(text); }
char *__wrap_strndup(const char *text, size_t most) { return failing ? NULL : __real_strndup(text, most); }

static int draw_is_forced(void) { return forced && drawn++ < FORCED_DRAWS; }

int __wrap_rand(void) { return draw_is_forced() ? (int) forced_value : __real_rand(); }
int __wrap_rand_r(unsigned *state) { return draw_is_forced() ? (int) forced_value : __real_rand_r(state); }
long __wrap_random(void) { return draw_is_forced() ? forced_value : __real_random(); }

/* Called where the size of an allocation wraps; once a line is enough. */
void cosec_wrapped(int line)
{
    static int last;
    if (line != last)
        fprintf(stderr, "\nprogram.c:%d:1: runtime error: integer overflow in a size or a short\n", line);
    last = line;
}

int main(int argc, char **argv, char **environment)
{
    const char *value = getenv("COSEC_RAND");
    if (value) {
        forced = 1;
        forced_value = strtol(value, NULL, 10);
    }
    const char *fail = getenv("COSEC_FAIL_MALLOC");
    int fails = fail != NULL;
    unsetenv("COSEC_RAND");
    unsetenv("COSEC_FAIL_MALLOC");
    unsetenv("ASAN_OPTIONS");
    unsetenv("UBSAN_OPTIONS");
    char **arguments = malloc((argc + 1) * sizeof *arguments);
    for (int i = 0; i < argc; i++)
        arguments[i] = strdup(argv[i]);
    arguments[argc] = NULL;
    umask(0);
    failing = fails;
    return user_main(argc, arguments, environment);
}
