/* Sends one request over and over, and says what became of it and what it cost the server.

   Closed loop: every connection sends its next request as soon as it has its answer. Open loop:
   requests are due at an even pace whatever becomes of those before; latency counts from when a
   request was due, so that a server that stalls can't hide the requests that it kept from being
   sent (coordinated omission).

   load PORT CONNECTIONS RATE WARM SECONDS FRESH LENGTH PID FILE: RATE 0 is the closed loop; FRESH 1
   opens a connection for each request; LENGTH is what the answer's Content-Length must be; PID is
   the server's process, 0 for none; FILE holds the request. One line of JSON comes out; times are
   in microseconds. */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { HEAD = 8192, BUFFER = 1 << 18, EVENTS = 256 };
/* How long unanswered requests are waited for at the end. */
static const int64_t DRAIN = 5000000000;

typedef struct {
    int fd, busy, watched;
    int64_t due;          /* when its request was meant to begin */
    size_t sent;
    size_t head;          /* bytes of an answer's head so far, in `bytes` */
    int64_t body;         /* bytes of the body that are to come; -1 before the head has ended */
    char bytes[HEAD];
} Connection;

static struct sockaddr_in server;
static char *request;
static size_t request_length;
static int64_t expected;
static int fresh, poller;
static Connection *connections;
static int *idle, idle_first, idle_count, count;

static int64_t begin, window, end;
static int64_t due_count;            /* requests begun so far, in the open loop */
static double rate;
static uint64_t all, measured, errors;
static char reason[160];

static void die(const char *what) {
    fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

/* A histogram whose buckets are at most 1/128 of their value wide. */
enum { PART = 128 };
static uint64_t buckets[64 * PART], recorded;

static int bucket(uint64_t value) {
    if (value < 2 * PART) return value;
    int shift = 63 - __builtin_clzll(value) - 7;
    return shift * PART + (value >> shift);
}

static void record(int64_t from, int64_t to) {
    buckets[bucket(to > from ? to - from : 0)]++;
    recorded++;
}

/* The upper end of the bucket that a part of all lies below, in microseconds. */
static double percentile(double part) {
    uint64_t seen = 0, wanted = part * recorded;
    if (wanted >= recorded) wanted = recorded - 1;
    for (int i = 0; i < 64 * PART; i++) {
        seen += buckets[i];
        if (seen > wanted) {
            int shift = i < 2 * PART ? 0 : i / PART - 1;
            return ((double)(i - shift * PART + 1) * (1ULL << shift)) / 1000;
        }
    }
    return 0;
}

typedef struct {
    int64_t cpu;
    long user, system;
} Cost;

/* All threads of the process, those that have ended too. The clock counts exactly; user and system
   are sampled. */
static Cost cost(int pid) {
    Cost cost = {0, 0, 0};
    if (!pid) return cost;
    clockid_t clock;
    struct timespec t;
    if (clock_getcpuclockid(pid, &clock) || clock_gettime(clock, &t)) die("the server's CPU clock");
    cost.cpu = t.tv_sec * 1000000000LL + t.tv_nsec;
    char path[64], line[1024];
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *file = fopen(path, "r");
    if (!file || !fgets(line, sizeof line, file)) die(path);
    fclose(file);
    /* The program's name, in brackets, may hold blanks. */
    char *behind = strrchr(line, ')');
    if (!behind || sscanf(behind + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %ld %ld", &cost.user, &cost.system) != 2)
        die(path);
    return cost;
}

static void watch(Connection *c, int events) {
    struct epoll_event event = {.events = events, .data.ptr = c};
    if (epoll_ctl(poller, c->watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, c->fd, &event)) die("epoll_ctl");
    c->watched = events;
}

static void failed(Connection *c, const char *what);

static void open_connection(Connection *c) {
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0) die("socket");
    int one = 1;
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (fresh) {
        /* One address would run out of ports: each is kept for a while after its connection has closed. */
        static unsigned turn;
        struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + turn++ % 16)};
        setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
        if (bind(c->fd, (struct sockaddr *)&own, sizeof own)) die("bind");
    }
    if (connect(c->fd, (struct sockaddr *)&server, sizeof server) && errno != EINPROGRESS) die("connect");
    c->watched = 0;
    watch(c, EPOLLIN | EPOLLOUT);
}

static void close_connection(Connection *c) {
    if (c->fd >= 0) close(c->fd);
    c->fd = -1;
}

static void send_request(Connection *c) {
    while (c->sent < request_length) {
        ssize_t n = send(c->fd, request + c->sent, request_length - c->sent, MSG_NOSIGNAL);
        if (n < 0) {
            if (errno == EAGAIN) {
                if (!(c->watched & EPOLLOUT)) watch(c, EPOLLIN | EPOLLOUT);
            } else if (errno != ENOTCONN) {
                failed(c, strerror(errno));
            }
            return;
        }
        c->sent += n;
    }
    if (c->watched & EPOLLOUT) watch(c, EPOLLIN);
}

static void start(Connection *c, int64_t due) {
    c->busy = 1;
    c->due = due;
    c->sent = c->head = 0;
    c->body = -1;
    if (c->fd < 0)
        open_connection(c);       /* what is to be sent goes out once it stands */
    else
        send_request(c);
}

/* The connection is free: takes the next request, or waits for one. */
static void next(Connection *c, int64_t time) {
    c->busy = 0;
    if (fresh) close_connection(c);
    if (rate)
        idle[(idle_first + idle_count++) % count] = c - connections;
    else if (time < end)
        start(c, time);
}

static void failed(Connection *c, const char *what) {
    if (!errors++) snprintf(reason, sizeof reason, "%s", what);
    int64_t time = now();
    close_connection(c);
    if (c->busy) next(c, time);
}

static void answered(Connection *c) {
    int64_t time = now();
    all++;
    if (time >= window && time < end) measured++;
    if (rate == 0 ? time >= window && time < end : c->due >= window && c->due < end) record(c->due, time);
    next(c, time);
}

/* Judges a head that has ended; the length of its body, or -1. */
static int64_t judge(char *head, size_t length, const char **wrong) {
    head[length - 1] = 0;
    if (strncmp(head, "HTTP/1.1 200", 12)) {
        static char status[64];
        snprintf(status, sizeof status, "answer %.40s", head);
        status[strcspn(status, "\r\n")] = 0;
        *wrong = status;
        return -1;
    }
    char *line = strcasestr(head, "\r\ncontent-length:");
    int64_t body = line ? atoll(line + 17) : -1;
    if (body != expected) {
        static char told[64];
        snprintf(told, sizeof told, "a body of %lld bytes instead of %lld", (long long)body, (long long)expected);
        *wrong = told;
        return -1;
    }
    return body;
}

static void read_answer(Connection *c) {
    static char buffer[BUFFER];
    for (;;) {
        ssize_t n = recv(c->fd, buffer, sizeof buffer, 0);
        if (n < 0 && (errno == EAGAIN || errno == ENOTCONN)) return;
        if (n <= 0 && !c->busy) {
            close_connection(c);      /* an idle one was closed: the next request opens another */
            return;
        }
        if (n <= 0) {
            failed(c, n ? strerror(errno) : "the connection was closed before the answer");
            return;
        }
        int64_t body = n;             /* bytes of the body among these */
        if (!c->busy) {
            failed(c, "bytes that nobody asked for");
            return;
        }
        if (c->body < 0) {
            size_t take = (size_t)n < HEAD - 1 - c->head ? (size_t)n : HEAD - 1 - c->head;
            memcpy(c->bytes + c->head, buffer, take);
            size_t had = c->head;
            c->head += take;
            c->bytes[c->head] = 0;
            char *stop = memmem(c->bytes, c->head, "\r\n\r\n", 4);
            if (!stop) {
                if (c->head < HEAD - 1) continue;
                failed(c, "a head without end");
                return;
            }
            size_t head = stop + 4 - c->bytes;
            body = n - (int64_t)(head - had);
            const char *wrong = NULL;
            c->body = judge(c->bytes, head, &wrong);
            if (wrong) {
                failed(c, wrong);
                return;
            }
        }
        if (body > c->body || c->sent < request_length) {
            failed(c, body > c->body ? "more than the answer" : "an answer before the request's end");
            return;
        }
        c->body -= body;
        if (c->body == 0) {
            answered(c);
            return;
        }
        if (n < BUFFER) return;
    }
}

static int64_t due_time(int64_t number) { return begin + (int64_t)(number * 1e9 / rate); }

/* Sends what is due, as far as connections are free; when there is more to do without an answer. */
static int64_t send_due(int64_t time) {
    for (;;) {
        int64_t due = due_time(due_count);
        if (due >= end || (due <= time && !idle_count)) return INT64_MAX;
        if (due > time) return due;
        Connection *c = &connections[idle[idle_first]];
        idle_first = (idle_first + 1) % count;
        idle_count--;
        due_count++;
        start(c, due);
    }
}

static int at_work(void) {
    if (rate && due_time(due_count) < end) return 1;
    for (int i = 0; i < count; i++)
        if (connections[i].busy) return 1;
    return 0;
}

static void serve(int64_t until) {
    struct epoll_event events[EVENTS];
    int64_t time = now(), wait = until - time;
    if (rate) {
        int64_t due = send_due(time);
        if (due - time < wait) wait = due - time;
    }
    if (wait < 0) wait = 0;
    struct timespec timeout = {wait / 1000000000, wait % 1000000000};
    int ready = epoll_pwait2(poller, events, EVENTS, &timeout, NULL);
    if (ready < 0 && errno != EINTR) die("epoll_pwait2");
    for (int i = 0; i < ready; i++) {
        Connection *c = events[i].data.ptr;
        if (c->fd >= 0 && events[i].events & EPOLLOUT) send_request(c);
        if (c->fd >= 0 && events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) read_answer(c);
    }
}

/* In the open loop: what has no answer counts as long as it waits already, sent or not. */
static uint64_t count_unanswered(void) {
    uint64_t late = 0;
    int64_t time = now();
    for (int i = 0; i < count; i++)
        if (connections[i].busy && connections[i].due >= window && connections[i].due < end) {
            record(connections[i].due, time);
            late++;
        }
    for (; due_time(due_count) < end; due_count++)
        if (due_time(due_count) >= window) {
            record(due_time(due_count), time);
            late++;
        }
    return late;
}

static void read_request(const char *path) {
    FILE *file = fopen(path, "rb");
    struct stat status;
    if (!file || fstat(fileno(file), &status)) die(path);
    request_length = status.st_size;
    request = malloc(request_length);
    if (!request || fread(request, 1, request_length, file) != request_length) die(path);
    fclose(file);
}

int main(int argc, char **argv) {
    if (argc != 10) {
        fprintf(stderr, "usage: load PORT CONNECTIONS RATE WARM SECONDS FRESH LENGTH PID FILE\n");
        return 64;
    }
    server.sin_family = AF_INET;
    server.sin_port = htons(atoi(argv[1]));
    server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    count = atoi(argv[2]);
    rate = atof(argv[3]);
    double warm = atof(argv[4]), seconds = atof(argv[5]);
    fresh = atoi(argv[6]);
    expected = atoll(argv[7]);
    int pid = atoi(argv[8]);
    read_request(argv[9]);
    /* Else the kernel lets a sleep be 50 us too long. */
    prctl(PR_SET_TIMERSLACK, 1);
    poller = epoll_create1(EPOLL_CLOEXEC);
    connections = calloc(count, sizeof *connections);
    idle = calloc(count, sizeof *idle);
    if (poller < 0 || !connections || !idle) die("start");

    begin = now();
    window = begin + (int64_t)(warm * 1e9);
    end = window + (int64_t)(seconds * 1e9);
    for (int i = 0; i < count; i++) {
        connections[i].fd = -1;
        next(&connections[i], begin);
    }
    while (now() < window) serve(window);
    Cost before = cost(pid);
    int64_t opened = now();
    while (now() < end) serve(end);
    int64_t closed = now();
    Cost after = cost(pid);
    while (at_work() && now() < end + DRAIN) serve(end + DRAIN);
    uint64_t late = rate ? count_unanswered() : 0;
    if (!rate && at_work() && !errors++) snprintf(reason, sizeof reason, "no answer within 5 s");

    double ticks = sysconf(_SC_CLK_TCK);
    printf("{\"all\": %llu, \"requests\": %llu, \"errors\": %llu, \"late\": %llu, \"window\": %.0f, \"cpu\": %.0f, "
           "\"user\": %.0f, \"system\": %.0f, \"p50\": %.2f, \"p99\": %.2f, \"p999\": %.2f, \"reason\": \"",
           (unsigned long long)all, (unsigned long long)measured, (unsigned long long)errors, (unsigned long long)late,
           (closed - opened) / 1e3, (after.cpu - before.cpu) / 1e3, (after.user - before.user) * 1e6 / ticks,
           (after.system - before.system) * 1e6 / ticks, percentile(0.5), percentile(0.99), percentile(0.999));
    for (char *c = reason; *c; c++) putchar(*c < ' ' || *c == '"' || *c == '\\' ? '?' : *c);
    puts("\"}");
    return 0;
}
