/* A client that asks, and a server that echoes, for what no load generator is packaged for: Thrift in frames, Dubbo, and Redis with answers
 * that are looked at. Neither is to be what bounds a run.
 *
 *     load serve PROTOCOL PORT
 *     load ask PROTOCOL PORT CONNECTIONS DEPTH SECONDS RATE
 *
 * The client keeps DEPTH requests in flight on each connection, or with a RATE (requests a second, all connections together) asks DEPTH at
 * once on one connection after the other when it is time, whatever is in flight. Each request carries its connection and its number, and each answer has to carry both again: an answer
 * on the wrong connection, or to the wrong request, is counted as crossed. It prints one line of JSON.
 *
 * Redis has a real server: each key is set and then asked for, so that an answer in the wrong place is seen there as well.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { THRIFT, DUBBO, REDIS };
enum { VALUE = 100, BUFFER = 1 << 18, WINDOW = 1 << 14, SLOWEST = 2000000, EVENTS = 256, KEYS = 64 };

typedef struct {
    int fd;
    uint32_t number;
    uint8_t *in, *out;
    size_t got, filled, written;
    uint32_t next, oldest, waiting;
    uint64_t *asked; /* when, by number; 0 when it is answered */
} Connection;

static int protocol;
static uint64_t answers, crossed, failed, lost;
static uint32_t *slow; /* how many took so many microseconds */

static uint64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint8_t *put32(uint8_t *at, uint32_t value) {
    uint32_t wire = htonl(value);
    memcpy(at, &wire, 4);
    return at + 4;
}

static uint32_t get32(const uint8_t *at) {
    uint32_t wire;
    memcpy(&wire, at, 4);
    return ntohl(wire);
}

static void value_of(char *to, uint32_t connection, uint32_t number) {
    char start[17];
    snprintf(start, sizeof start, "%08x%08x", connection, number);
    memcpy(to, start, 16);
    memset(to + 16, 'v', VALUE - 16);
}

/* Hessian 2: a string of less than 32 octets, or of less than 1024. */
static uint8_t *put_text(uint8_t *at, const char *text, size_t size) {
    if (size >= 32) *at++ = (uint8_t)(0x30 + (size >> 8));
    *at++ = (uint8_t)size;
    memcpy(at, text, size);
    return at + size;
}

static const uint8_t *get_text(const uint8_t *at, const uint8_t **text, size_t *size) {
    if (*at < 0x20) *size = *at++;
    else { *size = (size_t)((at[0] - 0x30) << 8 | at[1]); at += 2; }
    *text = at;
    return at + *size;
}

static uint8_t *put_request(uint8_t *at, uint32_t connection, uint32_t number) {
    char value[VALUE];
    uint8_t *begun = at;
    if (protocol == THRIFT) {
        const char *name = number & 1 ? "listOrders" : "placeOrder";
        value_of(value, connection, number);
        at = put32(at + 4, 0x80010001);
        at = put32(at, 10);
        memcpy(at, name, 10);
        at = put32(at + 10, number);
        *at++ = 11; *at++ = 0; *at++ = 1;
        at = put32(at, VALUE);
        memcpy(at, value, VALUE);
        at += VALUE;
        *at++ = 0;
        put32(begun, (uint32_t)(at - begun - 4));
    } else if (protocol == DUBBO) {
        const char *name = number & 1 ? "listOrders" : "placeOrder";
        value_of(value, connection, number);
        memcpy(at, "\xda\xbb\xc2\0", 4);
        at = put32(at + 4, 0);
        at = put32(at, number);
        uint8_t *body = at + 4;
        at = put_text(body, "2.0.2", 5);
        at = put_text(at, "com.acme.Orders", 15);
        at = put_text(at, "0.0.0", 5);
        at = put_text(at, name, 10);
        at = put_text(at, "Ljava/lang/String;", 18);
        at = put_text(at, value, VALUE);
        *at++ = 'H';
        at = put_text(at, "path", 4);
        at = put_text(at, "com.acme.Orders", 15);
        at = put_text(at, "interface", 9);
        at = put_text(at, "com.acme.Orders", 15);
        at = put_text(at, "version", 7);
        at = put_text(at, "0.0.0", 5);
        *at++ = 'Z';
        put32(begun + 12, (uint32_t)(at - body));
    } else { /* even: SET; odd: GET of the same key */
        uint32_t pair = number >> 1;
        char key[24];
        value_of(value, connection, pair);
        snprintf(key, sizeof key, "%c:%08x:%08x", pair & 1 ? 'b' : 'a', connection, pair % KEYS);
        if (number & 1) at += sprintf((char *)at, "*2\r\n$3\r\nGET\r\n$%d\r\n%s\r\n", 19, key);
        else {
            at += sprintf((char *)at, "*3\r\n$3\r\nSET\r\n$%d\r\n%s\r\n$%d\r\n", 19, key, VALUE);
            memcpy(at, value, VALUE);
            memcpy(at + VALUE, "\r\n", 2);
            at += VALUE + 2;
        }
    }
    return at;
}

/* The size of the message at the front of what was got; 0 where it is not whole. */
static size_t whole(const uint8_t *at, size_t got) {
    size_t size = 0;
    if (protocol == THRIFT) {
        if (got < 4) return 0;
        size = 4 + get32(at);
    } else if (protocol == DUBBO) {
        if (got < 16) return 0;
        size = 16 + get32(at + 12);
    } else {
        const uint8_t *end = memchr(at, '\n', got);
        if (!end) return 0;
        size = (size_t)(end - at) + 1;
        if (*at == '$' && at[1] != '-') size += (size_t)atoi((const char *)at + 1) + 2;
    }
    return got >= size ? size : 0;
}

/* What an answer says that it answers; the last of three is whether it is as it has to be. */
static void answered(Connection *c, const uint8_t *at, size_t size) {
    char value[VALUE];
    uint32_t number = c->oldest;
    int good = 0;
    if (protocol == THRIFT) {
        uint32_t name = get32(at + 8);
        number = get32(at + 12 + name);
        const uint8_t *said = at + 16 + name;
        value_of(value, c->number, number);
        good = size > name + 23 + VALUE && at[7] == 2 && said[0] == 11 && !memcmp(said + 7, value, VALUE);
        if (at[7] == 3) failed++;
    } else if (protocol == DUBBO) {
        number = get32(at + 8);
        value_of(value, c->number, number);
        const uint8_t *said;
        size_t length = 0;
        if (at[3] == 20) get_text(at + 17, &said, &length);
        else failed++;
        good = length == VALUE && !memcmp(said, value, VALUE);
    } else {
        value_of(value, c->number, number >> 1);
        if (*at == '-') failed++;
        good = number & 1 ? size == VALUE + 8 && !memcmp(at + 6, value, VALUE) : size == 5 && !memcmp(at, "+OK\r\n", 5);
    }
    uint64_t *asked = &c->asked[number % WINDOW];
    if (!good || number - c->oldest >= c->next - c->oldest || !*asked) {
        crossed++;
        if (getenv("LOAD_SHOW")) fprintf(stderr, "connection %u number %u oldest %u next %u: %.*s\n", c->number, number, c->oldest, c->next, (int)size, (const char *)at);
        if (number - c->oldest >= c->next - c->oldest || !*asked) return;
    }
    uint64_t took = (now() - *asked) / 1000;
    slow[took < SLOWEST ? took : SLOWEST - 1]++;
    *asked = 0;
    answers++;
    c->waiting--;
    while (c->oldest != c->next && !c->asked[c->oldest % WINDOW]) c->oldest++;
}

static void flush(Connection *c) {
    while (c->written < c->filled) {
        ssize_t sent = write(c->fd, c->out + c->written, c->filled - c->written);
        if (sent <= 0) {
            if (errno == EAGAIN) return; /* edge triggered: it is told again */
            if (errno == EINTR) continue;
            return;
        }
        c->written += (size_t)sent;
    }
    c->filled = c->written = 0;
}

static int ask_one(Connection *c, uint64_t when) {
    if (c->next - c->oldest >= WINDOW - 1 || c->filled > BUFFER - 1024) return 0;
    uint8_t *end = put_request(c->out + c->filled, c->number, c->next);
    c->filled = (size_t)(end - c->out);
    c->asked[c->next % WINDOW] = when;
    c->next++;
    c->waiting++;
    return 1;
}

static int dial(int port) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(fd, (struct sockaddr *)&to, sizeof to)) { perror("connect"); exit(1); }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}

static void open_buffers(Connection *c, int fd) {
    c->fd = fd;
    c->in = malloc(BUFFER);
    c->out = malloc(2 * BUFFER);
}

static uint64_t quantile(double share) {
    uint64_t sum = 0;
    for (uint32_t at = 0; at < SLOWEST; at++) {
        sum += slow[at];
        if ((double)sum >= share * (double)answers) return at;
    }
    return SLOWEST;
}

static int ask(int port, int count, uint32_t depth, double seconds, double rate) {
    Connection *all = calloc((size_t)count, sizeof *all);
    int poll = epoll_create1(0), timer = timerfd_create(CLOCK_MONOTONIC, 0);
    slow = calloc(SLOWEST, sizeof *slow);
    for (int each = 0; each < count; each++) {
        Connection *c = &all[each];
        open_buffers(c, dial(port));
        c->number = (uint32_t)each;
        c->asked = calloc(WINDOW, sizeof *c->asked);
        struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = c};
        epoll_ctl(poll, EPOLL_CTL_ADD, c->fd, &event);
    }
    if (rate > 0) {
        struct itimerspec each = {.it_interval = {0, 200000}, .it_value = {0, 200000}};
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
        timerfd_settime(timer, 0, &each, NULL);
        epoll_ctl(poll, EPOLL_CTL_ADD, timer, &event);
    }
    uint64_t begun = now(), end = begun + (uint64_t)(seconds * 1e9), due = 0;
    int gone = 0, turn = 0;
    if (rate <= 0)
        for (int each = 0; each < count; each++) {
            for (uint32_t n = 0; n < depth; n++) ask_one(&all[each], begun);
            flush(&all[each]);
        }
    uint64_t at = begun, waiting = 1;
    while (at < end || (waiting && at < end + 3000000000u)) { /* what is in flight has three seconds more */
        struct epoll_event events[EVENTS];
        int ready = epoll_wait(poll, events, EVENTS, 100);
        at = now();
        for (int each = 0; each < ready; each++) {
            Connection *c = events[each].data.ptr;
            if (!c) {
                uint64_t ticks;
                if (read(timer, &ticks, 8) < 0) continue;
                uint64_t until = (uint64_t)((double)(at - begun) / 1e9 * rate / depth);
                for (; due < until && at < end; due++) {
                    Connection *next = &all[turn++ % count];
                    for (uint32_t n = 0; n < depth; n++) ask_one(next, begun + (uint64_t)((double)due * depth / rate * 1e9) + 1);
                    flush(next);
                }
                continue;
            }
            if (events[each].events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP)) {
                for (;;) {
                    ssize_t got = read(c->fd, c->in + c->got, BUFFER - c->got);
                    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) {
                        epoll_ctl(poll, EPOLL_CTL_DEL, c->fd, NULL);
                        gone++;
                        lost += c->waiting;
                        c->waiting = 0;
                        break;
                    }
                    if (got < 0) break;
                    c->got += (size_t)got;
                    size_t from = 0, size;
                    while ((size = whole(c->in + from, c->got - from))) {
                        answered(c, c->in + from, size);
                        from += size;
                    }
                    memmove(c->in, c->in + from, c->got - from);
                    c->got -= from;
                }
                if (rate <= 0 && at < end)
                    while (c->waiting < depth && ask_one(c, at));
            }
            flush(c);
        }
        if (at >= end) {
            waiting = 0;
            for (int each = 0; each < count; each++) waiting += all[each].waiting;
        }
        if (gone == count) break;
    }
    for (int each = 0; each < count; each++) lost += all[each].waiting;
    printf("{\"answers\": %lu, \"seconds\": %.3f, \"crossed\": %lu, \"failed\": %lu, \"lost\": %lu, \"closed\": %d, \"p50\": %lu, \"p99\": %lu}\n",
           answers, (double)((at < end ? at : end) - begun) / 1e9, crossed, failed, lost, gone, quantile(0.5), quantile(0.99));
    return 0;
}

/* The answer to the request at `at`, which is whole. */
static uint8_t *put_answer(uint8_t *to, const uint8_t *at) {
    uint8_t *begun = to;
    if (protocol == THRIFT) {
        uint32_t name = get32(at + 8), size = get32(at + 19 + name);
        memcpy(to + 4, at + 4, 12 + name);
        to[7] = 2;
        to += 16 + name;
        *to++ = 11; *to++ = 0; *to++ = 0;
        memcpy(to, at + 19 + name, 4 + size);
        to += 4 + size;
        *to++ = 0;
        put32(begun, (uint32_t)(to - begun - 4));
    } else {
        const uint8_t *text = NULL, *from = at + 16;
        size_t size = 0;
        for (int each = 0; each < 6; each++) from = get_text(from, &text, &size);
        memcpy(to, "\xda\xbb\x02\x14", 4);
        memcpy(to + 4, at + 4, 8);
        to[16] = 0x91; /* a value, without attachments */
        to = put_text(to + 17, (const char *)text, size);
        put32(begun + 12, (uint32_t)(to - begun - 16));
    }
    return to;
}

static int serve(int port) {
    struct sockaddr_in on = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int one = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), poll = epoll_create1(0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (struct sockaddr *)&on, sizeof on) || listen(listener, 1024)) { perror("listen"); return 1; }
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    epoll_ctl(poll, EPOLL_CTL_ADD, listener, &event);
    for (;;) {
        struct epoll_event events[EVENTS];
        int ready = epoll_wait(poll, events, EVENTS, -1);
        for (int each = 0; each < ready; each++) {
            Connection *c = events[each].data.ptr;
            if (!c) {
                int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
                if (fd < 0) continue;
                setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
                c = calloc(1, sizeof *c);
                open_buffers(c, fd);
                event = (struct epoll_event){.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = c};
                epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event);
                continue;
            }
            for (;;) {
                flush(c);
                if (c->filled) break; /* it reads no further until that is gone */
                ssize_t got = read(c->fd, c->in + c->got, BUFFER - c->got);
                if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) {
                    close(c->fd);
                    free(c->in);
                    free(c->out);
                    free(c);
                    break;
                }
                if (got < 0) break;
                c->got += (size_t)got;
                size_t from = 0, size;
                while ((size = whole(c->in + from, c->got - from))) {
                    c->filled = (size_t)(put_answer(c->out + c->filled, c->in + from) - c->out);
                    from += size;
                }
                memmove(c->in, c->in + from, c->got - from);
                c->got -= from;
            }
        }
    }
}

int main(int count, char **words) {
    if (count >= 4) {
        protocol = !strcmp(words[2], "thrift") ? THRIFT : !strcmp(words[2], "dubbo") ? DUBBO : REDIS;
        if (!strcmp(words[1], "serve")) return serve(atoi(words[3]));
        if (count == 8) return ask(atoi(words[3]), atoi(words[4]), (uint32_t)atoi(words[5]), atof(words[6]), atof(words[7]));
    }
    fprintf(stderr, "load serve PROTOCOL PORT | load ask PROTOCOL PORT CONNECTIONS DEPTH SECONDS RATE\n");
    return 2;
}
