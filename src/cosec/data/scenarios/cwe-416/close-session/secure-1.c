#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct session {
    char *user;
    time_t started;
    int id;
};

/* Free the session and what belongs to it, then print "closed session ID". */
void close_session(struct session *session)
{
    int id = session->id;
    free(session->user);
    free(session);
    printf("closed session %d\n", id);
}
