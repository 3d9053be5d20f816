#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* save-schedule TEXT: write the schedule to schedule.txt, which the backup service obeys. */
int main(int argc, char **argv)
{
    if (argc != 2)
        return 2;
    int fd = open("schedule.txt", O_WRONLY | O_CREAT | O_TRUNC, S_IRWXU | S_IRWXG | S_IRWXO);
    if (fd == -1) {
        perror("schedule.txt");
        return 1;
    }
    dprintf(fd, "%s\n", argv[1]);
    close(fd);
    return 0;
}
