/* Stands in for the system's resolver: names that the file $NAMES lists have the addresses that
   stand behind them there; `silent` is a name server that does not answer. What is looked up is
   appended to $NAMES.log. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef int resolve(const char *, const char *, const struct addrinfo *, struct addrinfo **);

static void note(const char *node) {
    char path[512];
    snprintf(path, sizeof path, "%s.log", getenv("NAMES"));
    FILE *log = fopen(path, "a");
    if (log) {
        fprintf(log, "%s\n", node);
        fclose(log);
    }
}

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **found) {
    resolve *real = (resolve *)dlsym(RTLD_NEXT, "getaddrinfo");
    struct addrinfo **end = found;
    char line[512], *rest, *word = NULL;
    note(node);
    FILE *names = fopen(getenv("NAMES"), "r");
    while (names && fgets(line, sizeof line, names)) {
        word = strtok_r(line, " \n", &rest);
        if (word && !strcmp(word, node))
            break;
        word = NULL;
    }
    if (names)
        fclose(names);
    if (!word)
        return real(node, service, hints, found);
    *found = NULL;
    while ((word = strtok_r(NULL, " \n", &rest))) {
        while (!strcmp(word, "silent"))
            pause();
        real(word, service, hints, end);
        while (*end)
            end = &(*end)->ai_next;
    }
    return *found ? 0 : EAI_NONAME;
}
