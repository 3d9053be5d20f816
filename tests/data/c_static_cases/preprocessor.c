// case: code that is left out
#include <string.h>
#if 0
void old(const char *text)
{
    char small[4];
    strcpy(small, text); /* don't */
}
#endif
int kept(void) { return 1; }
// case: code beside code that is left out
#include <string.h>
#if 0
void one(const char *text) { char small[4]; strcpy(small, text); }
#else
void two(const char *text) { char small[4]; strcpy(small, text); } // expect: c/out-of-bounds-write
#endif
// case: code of a name that the file defines
#include <string.h>
#define WITH_OLD 0
#if WITH_OLD
void old(const char *text) { char small[4]; strcpy(small, text); }
#endif
#ifndef WITH_OLD
void older(const char *text) { char small[4]; strcpy(small, text); }
#endif
#if defined(WITH_OLD) && WITH_OLD + 1 > 1
void oldest(const char *text) { char small[4]; strcpy(small, text); }
#elif !WITH_OLD
void new(const char *text) { char small[4]; strcpy(small, text); } // expect: c/out-of-bounds-write
#endif
// case: a guard of a header
#ifndef TEXTS_H
#define TEXTS_H
#include <string.h>
static inline void put(const char *text) { char small[4]; strcpy(small, text); } // expect: c/out-of-bounds-write
#endif
// case: two ways to free, one at a time
#include <stdlib.h>
void drop(char *text)
{
#ifdef OWN_HEAP
    own_free(text);
#else
    free(text);
#endif
#ifndef OWN_HEAP
    text = NULL;
#endif
    if (text)
        text[0] = 0;
}
// case: both ways of an unknown name are judged
#include <string.h>
#ifdef SMALL
void one(const char *text) { char small[4]; strcpy(small, text); } // expect: c/out-of-bounds-write
#else
void two(const char *text) { char small[8]; strcpy(small, text); } // expect: c/out-of-bounds-write
#endif
// case: code for C++ only
#ifdef __cplusplus
extern "C" {
#endif
int one(void) { return 1; }
#ifdef __cplusplus
}
#endif
// case: function of the old style
#include <string.h>
int label(text, kind)
    const char *text;
    int kind;
{
    char small[4];
    strcpy(small, text); // expect: c/out-of-bounds-write
    return kind;
}
// case: annotations of a library
#include <string.h>
ZEXTERN int ZEXPORT label OF((const char *text, int kind));
local int count OF((void));
int ZEXPORT label(const char *text, int kind)
{
    char FAR small[4];
    strcpy(small, text); // expect: c/out-of-bounds-write
    return kind;
}
// case: macro over several lines, the line after it
#include <stdlib.h>
#include <string.h>
#define MAKE(name, size) \
    char *name = malloc(size); \
    if (!name) \
        return
void work(const char *text)
{
    MAKE(copy,
         100);
    char small[4];
    strcpy(small, text); // expect: c/out-of-bounds-write
    free(copy);
}
// case: macro that calls itself
#define loop(x) loop(x + 1)
int loop(int x);
int work(void) { return loop(2); }
