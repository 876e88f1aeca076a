/* nghttp2 beside l7codecs: what nghttp2_session_mem_recv takes for the requests, or for the answers, of one connection.
 *
 * nghttp2_walk server|client: the side of the connection that it plays. Standard input is a sequence of
 *
 *     command(8) length(32, little-endian) octets(length)
 *
 * 'u'  untimed: feed the octets
 * 't'  timed: feed the octets, in reads of 64 KiB, and answer with a line: nanoseconds, messages, method and path of the last
 *      message (server), or :status and grpc-status of the last message (client), "-" for none
 * 'o'  open `length` streams (client only), with a request each; no octets follow
 * 'c'  close every stream that is open (server only); no octets follow
 *
 * What nghttp2 wants to send is dropped. Its checks of messages are on, as they are by default.
 */
#include <nghttp2/nghttp2.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define READ_SIZE 65536
#define MAX_STREAMS 65536

typedef struct {
    size_t first_size, second_size;
    uint8_t first[32], second[512];
} message;

static int server;
static long message_count;
static message current, last;
static int32_t open_streams[MAX_STREAMS];
static size_t open_count;

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *data) {
    (void)session, (void)frame, (void)data;
    current.first_size = current.second_size = 0;
    return 0;
}

static void keep(uint8_t *to, size_t *to_size, size_t room, const uint8_t *value, size_t size) {
    if (size > room) size = room;
    memcpy(to, value, size);
    *to_size = size;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_size,
                     const uint8_t *value, size_t value_size, uint8_t flags, void *data) {
    (void)session, (void)frame, (void)flags, (void)data;
    if (server) {
        if (name_size == 7 && memcmp(name, ":method", 7) == 0)
            keep(current.first, &current.first_size, sizeof current.first, value, value_size);
        else if (name_size == 5 && memcmp(name, ":path", 5) == 0)
            keep(current.second, &current.second_size, sizeof current.second, value, value_size);
    } else {
        if (name_size == 7 && memcmp(name, ":status", 7) == 0)
            keep(current.first, &current.first_size, sizeof current.first, value, value_size);
        else if (name_size == 11 && memcmp(name, "grpc-status", 11) == 0)
            keep(current.second, &current.second_size, sizeof current.second, value, value_size);
    }
    return 0;
}

static int on_frame_recv(nghttp2_session *session, const nghttp2_frame *frame, void *data) {
    (void)session, (void)data;
    if (frame->hd.type != NGHTTP2_HEADERS) return 0;
    last = current;
    message_count++;
    if (server && open_count < MAX_STREAMS) open_streams[open_count++] = frame->hd.stream_id;
    return 0;
}

static void fail(const char *what, long code) {
    fprintf(stderr, "nghttp2_walk: %s: %s\n", what, code < 0 ? nghttp2_strerror((int)code) : "too few octets");
    exit(1);
}

static void drop_output(nghttp2_session *session) {
    const uint8_t *octets;
    ssize_t size;
    while ((size = nghttp2_session_mem_send(session, &octets)) > 0) {}
    if (size < 0) fail("nghttp2_session_mem_send", (long)size);
}

static void feed(nghttp2_session *session, const uint8_t *octets, size_t size) {
    while (size > 0) {
        size_t step = size < READ_SIZE ? size : READ_SIZE;
        ssize_t taken = nghttp2_session_mem_recv(session, octets, step);
        if (taken != (ssize_t)step) fail("nghttp2_session_mem_recv", (long)taken);
        octets += step;
        size -= step;
    }
}

static void open_requests(nghttp2_session *session, size_t count) {
#define NV(NAME, VALUE) {(uint8_t *)NAME, (uint8_t *)VALUE, sizeof NAME - 1, sizeof VALUE - 1, NGHTTP2_NV_FLAG_NONE}
    const nghttp2_nv fields[] = {NV(":method", "POST"), NV(":scheme", "http"), NV(":path", "/a"), NV(":authority", "b")};
    while (count-- > 0) {
        int32_t stream = nghttp2_submit_request(session, NULL, fields, 4, NULL, NULL);
        if (stream < 0) fail("nghttp2_submit_request", stream);
    }
    drop_output(session);
}

static void close_streams(nghttp2_session *session) {
    for (size_t index = 0; index < open_count; index++) {
        int code = nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, open_streams[index], NGHTTP2_NO_ERROR);
        if (code < 0) fail("nghttp2_submit_rst_stream", code);
    }
    open_count = 0;
    drop_output(session);
}

static void print_text(const uint8_t *text, size_t size) {
    if (size == 0) printf(" -");
    else printf(" %.*s", (int)size, (const char *)text);
}

int main(int argc, char **argv) {
    nghttp2_session_callbacks *callbacks;
    nghttp2_session *session;
    nghttp2_option *options;
    uint8_t head[5], *octets = NULL;
    struct timespec start, stop;

    if (argc != 2) return 2;
    server = strcmp(argv[1], "server") == 0;
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame_recv);
    nghttp2_option_new(&options);
    nghttp2_option_set_peer_max_concurrent_streams(options, MAX_STREAMS);
    if (server) nghttp2_session_server_new2(&session, callbacks, NULL, options);
    else nghttp2_session_client_new2(&session, callbacks, NULL, options);
    nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, NULL, 0);
    drop_output(session);

    while (fread(head, 1, 5, stdin) == 5) {
        size_t size = head[1] | (size_t)head[2] << 8 | (size_t)head[3] << 16 | (size_t)head[4] << 24;
        if (head[0] == 'o') {
            open_requests(session, size);
            continue;
        }
        if (head[0] == 'c') {
            close_streams(session);
            continue;
        }
        octets = realloc(octets, size + 1);
        if (octets == NULL || fread(octets, 1, size, stdin) != size) return 3;
        message_count = 0;
        last.first_size = last.second_size = 0;
        clock_gettime(CLOCK_MONOTONIC, &start);
        feed(session, octets, size);
        clock_gettime(CLOCK_MONOTONIC, &stop);
        drop_output(session);
        if (head[0] != 't') continue;
        printf("%lld %ld", (stop.tv_sec - start.tv_sec) * 1000000000LL + (stop.tv_nsec - start.tv_nsec), message_count);
        print_text(last.first, last.first_size);
        print_text(last.second, last.second_size);
        printf("\n");
        fflush(stdout);
    }
    return 0;
}
