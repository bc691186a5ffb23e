
/*
 * A load generator of "make bench" for what wrk does not do: requests at a
 * fixed rate, and one Kerberos token per request.
 *
 *   load [-c connections] [-n requests] [-r rate] [-e status]
 *        [-s service [-f] | -k cookies] [-w cookies] addr port file
 *   load -a [-n tokens] -s service
 *
 * The file holds one HTTP/1.1 request, sent as it is over connections that are
 * kept; with -s every request gets an Authorization header of its own, made
 * from the tickets of the default cache (SPNEGO, no mutual authentication)
 * before the clock starts.  With -r latency counts from the moment a request
 * was due, so that a stall is charged to every request it delayed.  With -f
 * only the first request of each connection has a token.  -k is a file of
 * cookies, NAME=VALUE a line: each request has the next of them, from the top
 * again behind the last.  -w writes down the cookies that answers set.  -e is
 * the status that all answers must have (200).
 *
 * -a accepts the tokens in this process (KRB5_KTNAME): the floor under every
 * server that looks at a token per request.
 *
 * One line of JSON on the standard output.  One thread; owns all it allocates
 * until it exits.
 */

#include <errno.h>
#include <fcntl.h>
#include <gssapi/gssapi.h>
#include <gssapi/gssapi_krb5.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <arpa/inet.h>
#include <openssl/evp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>


#define CONNECTIONS_MAX  64
#define ANSWER_MAX       (256 * 1024)
#define SILENCE          10


typedef struct {
    char      *data;
    size_t     len;
} text_t;


typedef struct {
    int        fd;
    int        busy;
    int        known;       /* has logged in */
    text_t     out;
    uint64_t   since;
    size_t     in;
    size_t     want;        /* 0: head not complete, or chunked */
    int        chunked;
    char      *buf;
} conn_t;


static void fail(const char *fmt, ...);
static uint64_t now(void);
static text_t slurp(const char *file);
static gss_name_t import(const char *service);
static gss_buffer_desc make_token(gss_name_t name);
static void add_cookies(const text_t *request, const char *file);
static text_t with_token(const text_t *request, gss_name_t name);
static text_t with_line(const text_t *request, const char *name,
    const char *value, size_t len);
static void accept_all(const char *service, size_t n);
static void dial(conn_t *c);
static void start(conn_t *c, const text_t *request, uint64_t since);
static void push(conn_t *c);
static int pull(conn_t *c);
static int complete(conn_t *c);
static void head(conn_t *c);
static void write_cookie(const char *answer);
static void finish(conn_t *c);
static size_t token_for(conn_t *c, size_t connection, size_t request);
static void run(void);
static void report(void);
static int compare(const void *a, const void *b);


static struct sockaddr_in  peer;
static conn_t              conns[CONNECTIONS_MAX];
static size_t              n_conns = 8, n_requests = 1000, done, errors;
static double              rate;
static text_t             *requests;
static int                 own_tokens, first_only;
static size_t              n_cookies;
static const char         *status = "200";
static FILE               *set_cookies;
static uint64_t            begun, ended, *latency;


int
main(int argc, char **argv)
{
    int          opt, accepting;
    size_t       i, tokens;
    text_t       request;
    gss_name_t   name;
    const char  *service, *cookies;

    accepting = 0;
    service = NULL;
    cookies = NULL;

    while ((opt = getopt(argc, argv, "ac:e:fk:n:r:s:w:")) != -1) {
        switch (opt) {
        case 'a': accepting = 1; break;
        case 'c': n_conns = strtoul(optarg, NULL, 10); break;
        case 'e': status = optarg; break;
        case 'f': first_only = 1; break;
        case 'k': cookies = optarg; break;
        case 'n': n_requests = strtoul(optarg, NULL, 10); break;
        case 'r': rate = strtod(optarg, NULL); break;
        case 's': service = optarg; break;
        case 'w': set_cookies = fopen(optarg, "w"); break;
        default: fail("unknown option");
        }
    }

    if (accepting && service) {
        accept_all(service, n_requests);
        return 0;
    }

    if (argc - optind != 3 || n_conns == 0 || n_conns > CONNECTIONS_MAX
        || n_requests == 0 || (service && cookies) || strlen(status) != 3)
    {
        fail("usage: see the head of the source");
    }

    peer.sin_family = AF_INET;
    peer.sin_port = htons((uint16_t) strtoul(argv[optind + 1], NULL, 10));
    inet_pton(AF_INET, argv[optind], &peer.sin_addr);

    request = slurp(argv[optind + 2]);
    own_tokens = (service != NULL);
    tokens = !own_tokens ? 0 : first_only ? n_conns : n_requests;
    requests = calloc(tokens + 1, sizeof(text_t));
    latency = calloc(n_requests, sizeof(uint64_t));

    if (requests == NULL || latency == NULL) {
        fail("no memory");
    }

    requests[0] = request;

    if (own_tokens) {
        name = import(service);

        for (i = 0; i < tokens; i++) {
            requests[i + 1] = with_token(&request, name);
        }
    }

    if (cookies) {
        add_cookies(&request, cookies);
    }

    prctl(PR_SET_TIMERSLACK, 1UL);
    run();
    report();

    if (set_cookies && fclose(set_cookies) != 0) {
        fail("cookies: %s", strerror(errno));
    }

    return 0;
}


static void
fail(const char *fmt, ...)
{
    va_list  args;

    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);

    fputc('\n', stderr);
    exit(1);
}


static uint64_t
now(void)
{
    struct timespec  t;

    clock_gettime(CLOCK_MONOTONIC, &t);

    return (uint64_t) t.tv_sec * 1000000000u + (uint64_t) t.tv_nsec;
}


static text_t
slurp(const char *file)
{
    FILE    *f;
    text_t   t;

    t.data = malloc(ANSWER_MAX);
    f = fopen(file, "rb");

    if (f == NULL || t.data == NULL) {
        fail("%s: %s", file, strerror(errno));
    }

    t.len = fread(t.data, 1, ANSWER_MAX, f);
    fclose(f);

    return t;
}


static gss_name_t
import(const char *service)
{
    OM_uint32        major, minor;
    gss_name_t       name;
    gss_buffer_desc  text;

    text.value = (void *) (uintptr_t) service;
    text.length = strlen(service);

    major = gss_import_name(&minor, &text, GSS_C_NT_HOSTBASED_SERVICE, &name);
    if (major != GSS_S_COMPLETE) {
        fail("gss_import_name: %u", minor);
    }

    return name;
}


static gss_buffer_desc
make_token(gss_name_t name)
{
    OM_uint32        major, minor;
    gss_ctx_id_t     context;
    gss_OID_desc     spnego = { 6, (void *) (uintptr_t) "\x2b\x06\x01\x05"
                                                        "\x05\x02" };
    gss_buffer_desc  token = GSS_C_EMPTY_BUFFER;

    context = GSS_C_NO_CONTEXT;

    major = gss_init_sec_context(&minor, GSS_C_NO_CREDENTIAL, &context, name,
                                 &spnego, 0, 0, NULL, NULL, NULL, &token, NULL,
                                 NULL);

    if (GSS_ERROR(major) || token.length == 0) {
        fail("gss_init_sec_context: %u %u", major, minor);
    }

    gss_delete_sec_context(&minor, &context, NULL);

    return token;
}


static void
add_cookies(const text_t *request, const char *file)
{
    char     line[1024];
    FILE    *f;
    size_t   size, len;

    size = 0;
    f = fopen(file, "r");

    if (f == NULL) {
        fail("%s: %s", file, strerror(errno));
    }

    while (fgets(line, sizeof(line), f)) {
        len = strcspn(line, "\n");

        if (n_cookies + 1 >= size) {
            size = 2 * size + 16;
            requests = realloc(requests, size * sizeof(text_t));
            if (requests == NULL) {
                fail("no memory");
            }
        }

        requests[++n_cookies] = with_line(request, "Cookie: ", line, len);
    }

    fclose(f);

    if (n_cookies == 0) {
        fail("%s: no cookies", file);
    }
}


static text_t
with_token(const text_t *request, gss_name_t name)
{
    char             *text;
    text_t            t;
    OM_uint32         minor;
    gss_buffer_desc   token;

    token = make_token(name);

    text = malloc(token.length * 2 + 8);
    if (text == NULL) {
        fail("no memory");
    }

    t = with_line(request, "Authorization: Negotiate ", text,
                  (size_t) EVP_EncodeBlock((unsigned char *) text, token.value,
                                           (int) token.length));

    free(text);
    gss_release_buffer(&minor, &token);

    return t;
}


/* The request with a header right after its first line. */

static text_t
with_line(const text_t *request, const char *name, const char *value,
    size_t len)
{
    char    *p, *line;
    size_t   first;
    text_t   t;

    line = memchr(request->data, '\n', request->len);
    t.data = malloc(request->len + strlen(name) + len + 2);

    if (line == NULL || t.data == NULL) {
        fail("not a request");
    }

    first = (size_t) (line - request->data) + 1;
    memcpy(t.data, request->data, first);
    p = stpcpy(t.data + first, name);
    memcpy(p, value, len);
    p += len;
    *p++ = '\r';
    *p++ = '\n';
    memcpy(p, request->data + first, request->len - first);
    t.len = (size_t) (p - t.data) + request->len - first;

    return t;
}


/* CPU time of gss_accept_sec_context alone. */

static void
accept_all(const char *service, size_t n)
{
    size_t            i;
    double            seconds;
    OM_uint32         major, minor;
    gss_name_t        name, client;
    gss_cred_id_t     cred;
    gss_ctx_id_t      context;
    struct timespec   a, b;
    gss_buffer_desc  *tokens, out, account;

    name = import(service);
    tokens = calloc(n, sizeof(gss_buffer_desc));

    major = gss_acquire_cred(&minor, GSS_C_NO_NAME, GSS_C_INDEFINITE,
                             GSS_C_NO_OID_SET, GSS_C_ACCEPT, &cred, NULL,
                             NULL);

    if (tokens == NULL || major != GSS_S_COMPLETE) {
        fail("gss_acquire_cred: %u", minor);
    }

    for (i = 0; i < n; i++) {
        tokens[i] = make_token(name);
    }

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);

    for (i = 0; i < n; i++) {
        context = GSS_C_NO_CONTEXT;
        major = gss_accept_sec_context(&minor, &context, cred, &tokens[i],
                                       GSS_C_NO_CHANNEL_BINDINGS, &client,
                                       NULL, &out, NULL, NULL, NULL);

        if (major != GSS_S_COMPLETE
            || gss_display_name(&minor, client, &account, NULL)
               != GSS_S_COMPLETE)
        {
            fail("gss_accept_sec_context: %u %u", major, minor);
        }

        gss_release_buffer(&minor, &account);
        gss_release_buffer(&minor, &out);
        gss_release_name(&minor, &client);
        gss_delete_sec_context(&minor, &context, NULL);
    }

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
    seconds = (double) (b.tv_sec - a.tv_sec)
              + (double) (b.tv_nsec - a.tv_nsec) / 1e9;

    printf("{\"tokens\":%zu,\"cpu\":%.6f}\n", n, seconds);
}


static void
dial(conn_t *c)
{
    int  one = 1;

    c->fd = socket(AF_INET, SOCK_STREAM, 0);

    if (c->fd == -1
        || connect(c->fd, (struct sockaddr *) &peer, sizeof(peer)) == -1)
    {
        fail("connect: %s", strerror(errno));
    }

    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    fcntl(c->fd, F_SETFL, O_NONBLOCK);
    c->busy = 0;
}


static void
start(conn_t *c, const text_t *request, uint64_t since)
{
    c->busy = 1;
    c->out = *request;
    c->since = since;
    c->in = 0;
    c->want = 0;
    c->chunked = 0;

    push(c);
}


static void
push(conn_t *c)
{
    ssize_t  n;

    n = send(c->fd, c->out.data, c->out.len, MSG_NOSIGNAL);

    if (n > 0) {
        c->out.data += n;
        c->out.len -= (size_t) n;

    } else if (errno != EAGAIN) {
        fail("send: %s", strerror(errno));
    }
}


/* Whether the answer is complete. */

static int
pull(conn_t *c)
{
    ssize_t  n;

    n = recv(c->fd, c->buf + c->in, ANSWER_MAX - c->in, 0);

    if (n == -1 && errno == EAGAIN) {
        return 0;
    }

    if (n <= 0) {
        if (c->busy) {
            fail("connection lost: %s", n == 0 ? "closed" : strerror(errno));
        }

        close(c->fd);
        dial(c);
        return 0;
    }

    c->in += (size_t) n;

    return complete(c);
}


static int
complete(conn_t *c)
{
    if (c->want == 0 && !c->chunked) {
        head(c);
    }

    if (c->chunked) {
        return c->in >= 7 && memcmp(c->buf + c->in - 7, "\r\n0\r\n\r\n", 7) == 0;
    }

    return c->want && c->in >= c->want;
}


static void
head(conn_t *c)
{
    char  *end, *p;

    end = memmem(c->buf, c->in, "\r\n\r\n", 4);
    if (end == NULL) {
        return;
    }

    *end = '\0';

    if (strncmp(c->buf, "HTTP/1.1 ", 9) != 0
        || strncmp(c->buf + 9, status, 3) != 0)
    {
        if (errors++ == 0) {
            fprintf(stderr, "%.200s\n", c->buf);
        }
    }

    if (set_cookies) {
        write_cookie(c->buf);
    }

    p = strcasestr(c->buf, "\r\nContent-Length:");

    if (p) {
        c->want = (size_t) (end + 4 - c->buf)
                  + strtoul(p + sizeof("\r\nContent-Length:") - 1, NULL, 10);

    } else if (strcasestr(c->buf, "\r\nTransfer-Encoding: chunked")) {
        c->chunked = 1;

    } else {
        fail("an answer without a length");
    }

    *end = '\r';
}


static void
write_cookie(const char *answer)
{
    const char  *p;

    p = strcasestr(answer, "\r\nSet-Cookie: ");

    if (p == NULL) {
        errors++;
        return;
    }

    p += sizeof("\r\nSet-Cookie: ") - 1;

    fprintf(set_cookies, "%.*s\n", (int) strcspn(p, ";\r"), p);
}


static void
finish(conn_t *c)
{
    latency[done++] = now() - c->since;
    c->busy = 0;
}


/* Which request comes next: 0 is the one without a header of its own. */

static size_t
token_for(conn_t *c, size_t connection, size_t request)
{
    if (n_cookies) {
        return request % n_cookies + 1;
    }

    if (!own_tokens) {
        return 0;
    }

    if (!first_only) {
        return request + 1;
    }

    if (c->known) {
        return 0;
    }

    c->known = 1;

    return connection + 1;
}


static void
run(void)
{
    size_t           i, next;
    uint64_t         t, due;
    conn_t          *c;
    struct pollfd    fds[CONNECTIONS_MAX];
    struct timespec  wait;

    for (i = 0; i < n_conns; i++) {
        conns[i].buf = malloc(ANSWER_MAX);
        if (conns[i].buf == NULL) {
            fail("no memory");
        }
        dial(&conns[i]);
    }

    next = 0;
    begun = now();

    while (done < n_requests) {
        wait.tv_sec = SILENCE;
        wait.tv_nsec = 0;

        for (i = 0; i < n_conns && next < n_requests; i++) {
            c = &conns[i];
            if (c->busy) {
                continue;
            }

            t = now();
            due = rate > 0 ? begun + (uint64_t) ((double) next * 1e9 / rate)
                           : t;

            if (due > t) {
                wait.tv_sec = (time_t) ((due - t) / 1000000000u);
                wait.tv_nsec = (long) ((due - t) % 1000000000u);
                break;
            }

            start(c, &requests[token_for(c, i, next)], due);
            next++;
        }

        for (i = 0; i < n_conns; i++) {
            fds[i].fd = conns[i].fd;
            fds[i].events = POLLIN;
            if (conns[i].busy && conns[i].out.len) {
                fds[i].events |= POLLOUT;
            }
        }

        if (ppoll(fds, n_conns, &wait, NULL) == 0 && wait.tv_sec == SILENCE) {
            fail("no answer in %d s", SILENCE);
        }

        for (i = 0; i < n_conns; i++) {
            if (fds[i].revents & POLLOUT) {
                push(&conns[i]);
            }

            if (fds[i].revents & ~POLLOUT && pull(&conns[i])) {
                finish(&conns[i]);
            }
        }
    }

    ended = now();
}


static void
report(void)
{
    qsort(latency, done, sizeof(uint64_t), compare);

    printf("{\"requests\":%zu,\"errors\":%zu,\"seconds\":%.6f,"
           "\"p50\":%.4f,\"p99\":%.4f}\n",
           done, errors, (double) (ended - begun) / 1e9,
           (double) latency[done / 2] / 1e6,
           (double) latency[done * 99 / 100] / 1e6);
}


static int
compare(const void *a, const void *b)
{
    uint64_t  x, y;

    x = *(const uint64_t *) a;
    y = *(const uint64_t *) b;

    return (x > y) - (x < y);
}
