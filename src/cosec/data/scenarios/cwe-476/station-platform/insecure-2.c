#include <stdio.h>
#include <string.h>

struct train {
    const char *name;
    int platform;
    struct train *next;
};

static struct train suburban = {"S 7", 3, NULL};
static struct train regional = {"RE 4", 12, &suburban};

static struct train *find_train(const char *name)
{
    struct train *train = &regional;
    while (train != NULL && strcmp(train->name, name) != 0)
        train = train->next;
    return train;
}

/* platform TRAIN: print the platform from which the train leaves. */
int main(int argc, char **argv)
{
    if (argc != 2)
        return 2;
    struct train *train = find_train(argv[1]);
    int platform = train->platform;
    if (platform > 0)
        printf("%s: platform %d\n", argv[1], platform);
    return 0;
}
