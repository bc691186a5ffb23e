/*
 * logins: many Kerberos logins on one connection, each with an authenticator
 * of its own, as fast as one process can make them.  Only for tests.
 *
 *   cc -o logins logins.c -lkrb5
 *   logins ADDR PORT PATH SERVICE@REALM COUNT
 *
 * Sends HEAD requests with raw Kerberos tokens under Negotiate and prints, for
 * each status in turn, how often it came: "200 5000".
 */

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <krb5/krb5.h>


#define BATCH  32


static krb5_context  ctx;


static void
check(krb5_error_code rc, const char *what)
{
    if (rc) {
        fprintf(stderr, "%s: %s\n", what, krb5_get_error_message(ctx, rc));
        exit(1);
    }
}


static krb5_creds *
service_ticket(const char *service)
{
    krb5_creds   in, *out;
    krb5_ccache  cc;

    memset(&in, 0, sizeof(in));

    check(krb5_cc_default(ctx, &cc), "ccache");
    check(krb5_cc_get_principal(ctx, cc, &in.client), "client");
    check(krb5_parse_name(ctx, service, &in.server), "service");
    check(krb5_get_credentials(ctx, 0, cc, &in, &out), "ticket");

    return out;
}


static size_t
put_length(unsigned char *p, size_t n)
{
    p[0] = 0x82;
    p[1] = (unsigned char) (n >> 8);
    p[2] = (unsigned char) n;

    return 3;
}


/* RFC 4121 4.1: the mechanism, 01 00, the AP-REQ with a checksum of 4.1.1. */

static size_t
token(krb5_creds *creds, unsigned char *out)
{
    size_t             n;
    krb5_data          req, sum;
    krb5_auth_context  auth;
    unsigned char      gss[24] = { 16 };
    static const char  oid[] = "\x06\x09\x2a\x86\x48\x86\xf7\x12\x01\x02\x02"
                               "\x01";

    auth = NULL;
    sum.data = (char *) gss;
    sum.length = sizeof(gss);

    check(krb5_auth_con_init(ctx, &auth), "context");
    check(krb5_auth_con_set_req_cksumtype(ctx, auth, 0x8003), "checksum");
    check(krb5_mk_req_extended(ctx, &auth, 0, &sum, creds, &req), "request");

    out[0] = 0x60;
    n = 1 + put_length(out + 1, sizeof(oid) + req.length);
    memcpy(out + n, oid, sizeof(oid));
    n += sizeof(oid);
    memcpy(out + n, req.data, req.length);
    n += req.length;

    krb5_free_data_contents(ctx, &req);
    krb5_auth_con_free(ctx, auth);

    return n;
}


static size_t
base64(const unsigned char *in, size_t n, char *out)
{
    char              *p;
    size_t             i, k;
    unsigned           v;
    static const char  set[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                               "abcdefghijklmnopqrstuvwxyz0123456789+/";

    p = out;

    for (i = 0; i < n; i += 3) {
        v = (unsigned) in[i] << 16;
        v |= (i + 1 < n ? (unsigned) in[i + 1] : 0) << 8;
        v |= i + 2 < n ? in[i + 2] : 0;

        for (k = 0; k < 4; k++) {
            *p++ = (i + k <= n) ? set[v >> (18 - 6 * k) & 63] : '=';
        }
    }

    return (size_t) (p - out);
}


static FILE *
dial(const char *addr, const char *port)
{
    int                 fd;
    struct sockaddr_in  to;

    memset(&to, 0, sizeof(to));
    to.sin_family = AF_INET;
    to.sin_port = htons((unsigned short) atoi(port));
    to.sin_addr.s_addr = inet_addr(addr);

    fd = socket(AF_INET, SOCK_STREAM, 0);

    if (fd == -1 || connect(fd, (struct sockaddr *) &to, sizeof(to)) == -1) {
        perror("connect");
        exit(1);
    }

    return fdopen(fd, "r+");
}


/* The status of the next answer; HEAD has no body. */

static int
answer(FILE *in)
{
    int   status;
    char  line[8192];

    status = 0;

    while (fgets(line, sizeof(line), in) && line[0] != '\r') {
        if (strncmp(line, "HTTP/1.1 ", 9) == 0) {
            status = atoi(line + 9);
        }
    }

    return status;
}


int
main(int argc, char **argv)
{
    int             status, last;
    long            i, k, count, same;
    FILE           *in, *out;
    size_t          n;
    krb5_creds     *creds;
    static char     text[16384];
    unsigned char   raw[8192];

    if (argc != 6) {
        fprintf(stderr, "usage: logins ADDR PORT PATH SERVICE COUNT\n");
        return 1;
    }

    check(krb5_init_context(&ctx), "context");
    creds = service_ticket(argv[4]);
    count = atol(argv[5]);

    in = dial(argv[1], argv[2]);
    out = fdopen(dup(fileno(in)), "w");
    same = 0;
    last = -1;

    for (i = 0; i < count; i += BATCH) {

        for (k = i; k < count && k < i + BATCH; k++) {
            n = base64(raw, token(creds, raw), text);
            fprintf(out, "HEAD %s HTTP/1.1\r\nHost: rmsconnector.rms.test\r\n"
                    "Authorization: Negotiate %.*s\r\n\r\n", argv[3], (int) n,
                    text);
        }

        fflush(out);

        for (k = i; k < count && k < i + BATCH; k++) {
            status = answer(in);

            if (status != last && same) {
                printf("%d %ld\n", last, same);
                same = 0;
            }

            last = status;
            same++;
        }
    }

    printf("%d %ld\n", last, same);

    return 0;
}
