/*
 * The access list: reading rules, contradictions, who gets which role.
 */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "rms_acl.h"
#include "test_sids.h"


#define CERT_A  "00112233445566778899aabbccddeeff"                            \
                "00112233445566778899aabbccddeeff"
#define CERT_B  "ff112233445566778899aabbccddeeff"                            \
                "00112233445566778899aabbccddee00"

#define CERT_COLONS  "00:11:22:33:44:55:66:77:88:99:AA:BB:CC:dd:ee:ff:"        \
                     "00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:ee:ff"

#define RULES_MAX  8
#define TEXT_MAX   128


/* A list as an operator writes it; the texts are copied, for they change. */

typedef struct {
    rms_acl_rule_t  rules[RULES_MAX];
    unsigned char   texts[RULES_MAX][TEXT_MAX];
    size_t          n;
} list_t;


typedef struct {
    rms_role_e   role;
    const char  *text;
} line_t;


static int            match_calls;
static rms_sid_set_t  set;


/* The SIDs of a caller; one set at a time. */

#define SIDS(...)                                                             \
    (free(set.domains),                                                       \
     test_sids(&set, (const char *const []) { __VA_ARGS__, NULL }))

#define NO_SIDS  (free(set.domains), test_sids(&set, (const char *[]) { NULL }))


static rms_str_t
str(const char *s)
{
    rms_str_t  r;

    r.len = strlen(s);
    r.data = (unsigned char *) s;

    return r;
}


/* A pattern here is a prefix; "!" fails, as a matcher out of memory does. */

static int
match_prefix(void *pattern, const rms_str_t *account)
{
    const rms_str_t  *p = pattern;

    match_calls++;

    if (p->len && p->data[0] == '!') {
        return -1;
    }

    return account->len >= p->len
           && memcmp(account->data, p->data, p->len) == 0;
}


static rms_acl_error_e
parse(const char *text, unsigned char *buf, rms_acl_rule_t *rule)
{
    rms_str_t  s;

    memset(rule, 0, sizeof(rms_acl_rule_t));

    s.len = strlen(text);
    s.data = buf;
    memcpy(buf, text, s.len);

    return rms_acl_parse(&s, rule);
}


static void
list_add(list_t *list, rms_role_e role, const char *text)
{
    rms_acl_rule_t  *rule;

    assert_in_range(list->n, 0, RULES_MAX - 1);

    rule = &list->rules[list->n];

    assert_int_equal(parse(text, list->texts[list->n], rule), RMS_ACL_FINE);

    rule->role = role;
    rule->line = (unsigned) ++list->n;
    rule->pattern = &rule->value;
}


static void
list_init(list_t *list, const line_t *lines)
{
    memset(list, 0, sizeof(list_t));

    for ( /* void */ ; lines->text != NULL; lines++) {
        list_add(list, lines->role, lines->text);
    }
}


static rms_cert_names_t
certificate(const char *thumbprint)
{
    rms_cert_names_t  names;

    memset(&names, 0, sizeof(names));
    memcpy(names.thumbprint, thumbprint, RMS_CERT_THUMBPRINT_LEN);

    return names;
}


static rms_caller_t
caller(const char *account)
{
    rms_caller_t  c;

    memset(&c, 0, sizeof(c));

    c.account = str(account);
    c.authenticated = 1;

    return c;
}


static unsigned
matched_line(const list_t *list, const rms_caller_t *c)
{
    rms_acl_answer_t  a;

    a = rms_acl_find(list->rules, list->n, c, match_prefix);

    if (a.rule == NULL) {
        assert_int_equal(a.role, RMS_ROLE_NONE);
        assert_int_not_equal(a.reason, RMS_REASON_NONE);
        return 0;
    }

    assert_int_equal(a.role, a.rule->role);
    assert_int_equal(a.reason, RMS_REASON_NONE);

    return a.rule->line;
}


static void
rules_are_read_by_kind(void **state)
{
    size_t          i;
    rms_str_t       want_value;
    rms_acl_rule_t  rule;
    unsigned char   buf[TEXT_MAX];

    static const struct {
        const char      *text;
        rms_acl_kind_e   kind;
        const char      *value;
    } want[] = {
        { "account=EXCH01$@CONTOSO.COM", RMS_ACL_ACCOUNT,
          "EXCH01$@CONTOSO.COM" },
        { "account=a=b@CONTOSO.COM", RMS_ACL_ACCOUNT, "a=b@CONTOSO.COM" },
        { "account=~EXCH\\d+\\$@CONTOSO\\.COM", RMS_ACL_PATTERN,
          "EXCH\\d+\\$@CONTOSO\\.COM" },
        { "account=~~", RMS_ACL_PATTERN, "~" },
        { "sid=S-1-5-21-1-2-3-1118", RMS_ACL_SID, "S-1-5-21-1-2-3-1118" },
        { "cert=" CERT_A, RMS_ACL_CERT, CERT_A },
        { "cert=" CERT_COLONS, RMS_ACL_CERT, CERT_A },
        { "cert=dns:Partner-1.Example.COM", RMS_ACL_CERT_DNS,
          "partner-1.example.com" },
        { "cert=dns:exch01", RMS_ACL_CERT_DNS, "exch01" },
        { "cert=upn:Svc-SP@CONTOSO.com", RMS_ACL_CERT_UPN,
          "svc-sp@contoso.com" },
        { "cert=upn:J\xc3\x96RG@X", RMS_ACL_CERT_UPN, "j\xc3\x96rg@x" },
        { "any", RMS_ACL_ANY, "" }
    };

    (void) state;

    for (i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
        assert_int_equal(parse(want[i].text, buf, &rule), RMS_ACL_FINE);
        assert_int_equal(rule.kind, want[i].kind);

        want_value = str(want[i].value);
        assert_true(rms_str_eq(&want_value, &rule.value));
    }
}


static void
certificates_are_stored_in_lower_case(void **state)
{
    size_t          i;
    rms_str_t       want;
    rms_acl_rule_t  rule;
    char            text[TEXT_MAX];
    unsigned char   buf[TEXT_MAX];

    (void) state;

    (void) snprintf(text, sizeof(text), "cert=%s", CERT_A);

    for (i = 5; text[i] != '\0'; i++) {
        if (text[i] >= 'a' && text[i] <= 'f') {
            text[i] = (char) (text[i] - 'a' + 'A');
        }
    }

    assert_int_equal(parse(text, buf, &rule), RMS_ACL_FINE);

    want = str(CERT_A);
    assert_true(rms_str_eq(&want, &rule.value));
}


static void
bad_rules_tell_what_is_wrong(void **state)
{
    size_t          i;
    rms_acl_rule_t  rule;
    unsigned char   buf[TEXT_MAX];

    static const struct {
        const char       *text;
        rms_acl_error_e   error;
    } want[] = {
        { "", RMS_ACL_NO_KIND },
        { "EXCH01$@CONTOSO.COM", RMS_ACL_NO_KIND },
        { "CONTOSO\\EXCH01$", RMS_ACL_NO_KIND },
        { "Any", RMS_ACL_NO_KIND },
        { "anyone", RMS_ACL_NO_KIND },
        { "any=", RMS_ACL_BAD_KIND },
        { "=x", RMS_ACL_BAD_KIND },
        { "Account=a@B", RMS_ACL_BAD_KIND },
        { "accounts=a@B", RMS_ACL_BAD_KIND },
        { "group=x", RMS_ACL_BAD_KIND },
        { "account=", RMS_ACL_EMPTY },
        { "account=~", RMS_ACL_EMPTY },
        { "sid=", RMS_ACL_EMPTY },
        { "cert=", RMS_ACL_EMPTY },
        { "account=EXCH01$", RMS_ACL_BAD_ACCOUNT },
        { "account=a@B@C", RMS_ACL_BAD_ACCOUNT },
        { "account=CONTOSO\\EXCH01$", RMS_ACL_DOMAIN_ACCOUNT },
        { "account=CONTOSO\nick", RMS_ACL_DOMAIN_ACCOUNT },
        { "sid=EXCH", RMS_ACL_BAD_SID },
        { "sid=s-1-5-18", RMS_ACL_BAD_SID },
        { "cert=00", RMS_ACL_BAD_CERT },
        { "cert=" CERT_A "00", RMS_ACL_BAD_CERT },
        { "cert=g0112233445566778899aabbccddeeff"
          "00112233445566778899aabbccddeeff", RMS_ACL_BAD_CERT },
        { "cert=00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:ee:ff:00:11:22:33"
          ":44", RMS_ACL_BAD_CERT },
        { "cert=0011:22:33:44:55:66:77:88:99:aa:bb:cc:dd:ee:ff:00:11:22:33:44"
          ":55:66:77:88:99:aa:bb:cc:dd:ee:ff:0", RMS_ACL_BAD_CERT },
        { "cert=DNS:a", RMS_ACL_BAD_CERT },
        { "cert=dns:", RMS_ACL_EMPTY },
        { "cert=dns:*.example.com", RMS_ACL_BAD_CERT_DNS },
        { "cert=dns:a.", RMS_ACL_BAD_CERT_DNS },
        { "cert=dns:.a", RMS_ACL_BAD_CERT_DNS },
        { "cert=dns:a..b", RMS_ACL_BAD_CERT_DNS },
        { "cert=dns:a b", RMS_ACL_BAD_CERT_DNS },
        { "cert=dns:a@b", RMS_ACL_BAD_CERT_DNS },
        { "cert=dns:a12345678901234567890123456789012345678901234567890123456"
          "7890123", RMS_ACL_BAD_CERT_DNS },
        { "cert=upn:", RMS_ACL_EMPTY },
        { "cert=upn:user", RMS_ACL_BAD_CERT_UPN },
        { "cert=upn:user@", RMS_ACL_BAD_CERT_UPN },
        { "cert=upn:@X", RMS_ACL_BAD_CERT_UPN },
        { "cert=upn:a@b@c", RMS_ACL_BAD_CERT_UPN },
        { "cert=upn:X\\a@b", RMS_ACL_BAD_CERT_UPN },
        { "cert=upn:a\\@b@c", RMS_ACL_BAD_CERT_UPN },
        { "cert=upn:a\x01@b", RMS_ACL_BAD_CERT_UPN }
    };

    (void) state;

    for (i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
        assert_int_equal(parse(want[i].text, buf, &rule), want[i].error);
    }
}


static void
every_error_says_what_to_write(void **state)
{
    size_t  i;

    (void) state;

    for (i = RMS_ACL_FINE; i < RMS_ACL_ERROR_MAX; i++) {
        assert_in_range(strlen(rms_acl_error_text((rms_acl_error_e) i)),
                        5, 200);
    }

    assert_non_null(strstr(rms_acl_error_text(RMS_ACL_DOMAIN_ACCOUNT),
                           "name@REALM"));
    assert_non_null(strstr(rms_acl_error_text(RMS_ACL_BAD_ACCOUNT),
                           "name@REALM"));
    assert_non_null(rms_acl_error_text((rms_acl_error_e) 99));
}


static void
same_name_under_two_roles_is_a_contradiction(void **state)
{
    size_t                 i;
    list_t                 list;
    rms_acl_rule_t         rule;
    unsigned char          buf[TEXT_MAX];
    const rms_acl_rule_t  *earlier;

    static const line_t  lines[] = {
        { RMS_ROLE_EXCHANGE, "account=A$@X" },
        { RMS_ROLE_EXCHANGE, "account=~A.*" },
        { RMS_ROLE_FCI, "sid=S-1-5-18" },
        { RMS_ROLE_FCI, "cert=" CERT_A },
        { RMS_ROLE_PARTNER, "any" },
        { RMS_ROLE_EXCHANGE, "account=~B" },
        { RMS_ROLE_NONE, NULL }
    };

    static const struct {
        rms_role_e   role;
        const char  *text;
        unsigned     line;
    } want[] = {
        { RMS_ROLE_SHAREPOINT, "account=B$@X", 6 },
        { RMS_ROLE_EXCHANGE, "account=B$@X", 0 },
        { RMS_ROLE_SHAREPOINT, "account=A$@X", 1 },
        { RMS_ROLE_EXCHANGE, "account=A$@X", 0 },
        { RMS_ROLE_SHAREPOINT, "account=a$@X", 0 },
        { RMS_ROLE_SHAREPOINT, "account=~A.*", 2 },
        { RMS_ROLE_SHAREPOINT, "account=~A.", 0 },
        { RMS_ROLE_SHAREPOINT, "account=~A$@X", 0 },
        { RMS_ROLE_USER, "sid=S-1-5-18", 3 },
        { RMS_ROLE_USER, "sid=S-1-5-19", 0 },
        { RMS_ROLE_USER, "cert=" CERT_A, 4 },
        { RMS_ROLE_USER, "cert=" CERT_B, 0 },
        { RMS_ROLE_USER, "any", 5 },
        { RMS_ROLE_PARTNER, "any", 0 }
    };

    (void) state;

    list_init(&list, lines);

    for (i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
        assert_int_equal(parse(want[i].text, buf, &rule), RMS_ACL_FINE);
        rule.role = want[i].role;

        earlier = rms_acl_conflict(list.rules, list.n, &rule, match_prefix);
        assert_int_equal(earlier ? earlier->line : 0, want[i].line);
    }

    /* a rule of the list itself is compared with those before it */

    list_add(&list, RMS_ROLE_USER, "any");
    earlier = rms_acl_conflict(list.rules, list.n, &list.rules[6],
                               match_prefix);
    assert_ptr_equal(earlier, &list.rules[4]);
    assert_null(rms_acl_conflict(list.rules, list.n, &list.rules[4],
                                 match_prefix));
}


static void
account_beats_cert_beats_sid_beats_any(void **state)
{
    list_t            list;
    rms_caller_t      c;
    rms_cert_names_t  a, b;

    static const line_t  lines[] = {
        { RMS_ROLE_PARTNER, "any" },
        { RMS_ROLE_FCI, "sid=S-1-5-21-1-2-3-1118" },
        { RMS_ROLE_SHAREPOINT, "cert=" CERT_A },
        { RMS_ROLE_EXCHANGE, "account=A$@X" },
        { RMS_ROLE_NONE, NULL }
    };

    (void) state;

    list_init(&list, lines);

    a = certificate(CERT_A);
    b = certificate(CERT_B);

    c = caller("A$@X");
    c.cert = &a;
    c.sids = SIDS("S-1-5-21-1-2-3-1118");
    assert_int_equal(matched_line(&list, &c), 4);

    c.account = str("B$@X");
    assert_int_equal(matched_line(&list, &c), 3);

    c.cert = &b;
    assert_int_equal(matched_line(&list, &c), 2);

    c.sids = NO_SIDS;
    assert_int_equal(matched_line(&list, &c), 1);
}


static void
pattern_beats_cert_too(void **state)
{
    list_t            list;
    rms_caller_t      c;
    rms_cert_names_t  a;

    static const line_t  lines[] = {
        { RMS_ROLE_SHAREPOINT, "cert=" CERT_A },
        { RMS_ROLE_EXCHANGE, "account=~EXCH" },
        { RMS_ROLE_NONE, NULL }
    };

    (void) state;

    list_init(&list, lines);

    a = certificate(CERT_A);

    c = caller("EXCH01$@X");
    c.cert = &a;
    assert_int_equal(matched_line(&list, &c), 2);

    c.account = str("SP01$@X");
    assert_int_equal(matched_line(&list, &c), 1);
}


static void
first_line_of_a_class_wins(void **state)
{
    list_t        list;
    rms_caller_t  c;

    static const line_t  lines[] = {
        { RMS_ROLE_FCI, "account=~A" },
        { RMS_ROLE_EXCHANGE, "account=AB@X" },
        { RMS_ROLE_USER, "account=C@X" },
        { RMS_ROLE_SHAREPOINT, "account=~C" },
        { RMS_ROLE_FCI, "sid=S-1-5-18" },
        { RMS_ROLE_EXCHANGE, "sid=S-1-5-19" },
        { RMS_ROLE_NONE, NULL }
    };

    (void) state;

    list_init(&list, lines);

    c = caller("AB@X");
    assert_int_equal(matched_line(&list, &c), 1);

    c = caller("C@X");
    assert_int_equal(matched_line(&list, &c), 3);

    c = caller("CD@X");
    assert_int_equal(matched_line(&list, &c), 4);

    /* the order of the list counts, not that of the PAC */

    c = caller("D@X");
    c.sids = SIDS("S-1-5-19", "S-1-5-18");
    assert_int_equal(matched_line(&list, &c), 5);

    c.sids = SIDS("S-1-5-19", "S-1-5-17");
    assert_int_equal(matched_line(&list, &c), 6);
}


static void
accounts_and_sids_compare_exactly(void **state)
{
    size_t        i;
    list_t        list;
    rms_caller_t  c;

    static const line_t  lines[] = {
        { RMS_ROLE_EXCHANGE, "account=EXCH01$@CONTOSO.COM" },
        { RMS_ROLE_FCI, "sid=S-1-5-21-1-2-3-111" },
        { RMS_ROLE_NONE, NULL }
    };

    static const char  *others[] = {
        "exch01$@CONTOSO.COM", "EXCH01$@contoso.com", "EXCH01@CONTOSO.COM",
        "EXCH01$@CONTOSO.COMX", "XEXCH01$@CONTOSO.COM", "EXCH01$",
        "EXCH01$@", "EXCH01$@EVIL.COM", "EXCH01$/x@CONTOSO.COM"
    };

    static const char  *sids[] = {
        "S-1-5-21-1-2-3-1118", "S-1-5-21-1-2-3-11", "S-1-5-21-1-2-3",
        "S-1-5-21-1-2-3-111-1", "S-1-6-21-1-2-3-111", "S-1-5-21-2-1-3-111"
    };

    (void) state;

    list_init(&list, lines);

    c = caller("EXCH01$@CONTOSO.COM");
    assert_int_equal(matched_line(&list, &c), 1);

    for (i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        c = caller(others[i]);
        assert_int_equal(matched_line(&list, &c), 0);
    }

    c = caller("x@Y");

    for (i = 0; i < sizeof(sids) / sizeof(sids[0]); i++) {
        c.sids = SIDS(sids[i]);
        assert_int_equal(matched_line(&list, &c), 0);
    }

    c.sids = SIDS("S-1-5-21-1-2-3-111");
    assert_int_equal(matched_line(&list, &c), 2);
}


static void
foreign_realm_needs_a_rule_that_names_it(void **state)
{
    list_t            list;
    rms_caller_t      c;
    rms_acl_answer_t  a;
    rms_cert_names_t  cert;

    static const line_t  lines[] = {
        { RMS_ROLE_PARTNER, "any" },
        { RMS_ROLE_USER, "cert=" CERT_A },
        { RMS_ROLE_EXCHANGE, "account=A$@OTHER" },
        { RMS_ROLE_SHAREPOINT, "account=~B$@OTHER" },
        { RMS_ROLE_FCI, "sid=S-1-5-21-9-9-9-1" },
        { RMS_ROLE_ADMIN, "account=~C" },
        { RMS_ROLE_NONE, NULL }
    };

    (void) state;

    list_init(&list, lines);

    /* a pattern that matches, but does not spell the realm out */

    c = caller("C$@OTHER");
    assert_int_equal(matched_line(&list, &c), 6);
    c.foreign = 1;
    a = rms_acl_find(list.rules, list.n, &c, match_prefix);
    assert_int_equal(a.reason, RMS_REASON_FOREIGN_REALM);

    c = caller("Z$@OTHER");
    c.foreign = 1;
    a = rms_acl_find(list.rules, list.n, &c, match_prefix);
    assert_int_equal(a.role, RMS_ROLE_NONE);
    assert_null(a.rule);
    assert_int_equal(a.reason, RMS_REASON_FOREIGN_REALM);

    cert = certificate(CERT_A);
    c.cert = &cert;
    a = rms_acl_find(list.rules, list.n, &c, match_prefix);
    assert_int_equal(a.reason, RMS_REASON_FOREIGN_REALM);
    assert_true(a.sids_unknown);

    c.sids = NO_SIDS;
    a = rms_acl_find(list.rules, list.n, &c, match_prefix);
    assert_int_equal(a.reason, RMS_REASON_FOREIGN_REALM);
    assert_false(a.sids_unknown);

    c.sids = SIDS("S-1-5-21-9-9-9-1");
    assert_int_equal(matched_line(&list, &c), 5);

    c.account = str("B$@OTHER");
    assert_int_equal(matched_line(&list, &c), 4);

    c.account = str("A$@OTHER");
    assert_int_equal(matched_line(&list, &c), 3);

    /* the same caller of our realm */

    c = caller("Z$@OTHER");
    c.sids = NO_SIDS;
    assert_int_equal(matched_line(&list, &c), 1);
}


static void
anonymous_caller_matches_only_any(void **state)
{
    list_t            list;
    rms_caller_t      c;
    rms_acl_answer_t  a;
    rms_cert_names_t  cert;

    static const line_t  lines[] = {
        { RMS_ROLE_EXCHANGE, "account=A$@X" },
        { RMS_ROLE_EXCHANGE, "account=~A" },
        { RMS_ROLE_EXCHANGE, "cert=" CERT_A },
        { RMS_ROLE_EXCHANGE, "sid=S-1-5-18" },
        { RMS_ROLE_PARTNER, "any" },
        { RMS_ROLE_NONE, NULL }
    };

    (void) state;

    list_init(&list, lines);

    cert = certificate(CERT_A);

    c = caller("A$@X");
    c.cert = &cert;
    c.sids = SIDS("S-1-5-18");
    c.foreign = 1;
    c.authenticated = 0;

    match_calls = 0;
    assert_int_equal(matched_line(&list, &c), 5);
    assert_int_equal(match_calls, 0);

    /* nobody's groups are not in question */

    c.sids = NULL;
    a = rms_acl_find(list.rules, list.n, &c, match_prefix);
    assert_int_equal(a.role, RMS_ROLE_PARTNER);
    assert_false(a.sids_unknown);

    list.n = 4;
    a = rms_acl_find(list.rules, list.n, &c, match_prefix);
    assert_int_equal(a.role, RMS_ROLE_NONE);
    assert_int_equal(a.reason, RMS_REASON_NO_ROLE);
}


static void
unknown_caller_has_no_role(void **state)
{
    list_t            list;
    rms_caller_t      c;
    rms_acl_answer_t  a;

    static const line_t  lines[] = {
        { RMS_ROLE_EXCHANGE, "account=A$@X" },
        { RMS_ROLE_NONE, NULL }
    };

    (void) state;

    list_init(&list, lines);

    c = caller("B$@X");
    a = rms_acl_find(list.rules, list.n, &c, match_prefix);
    assert_int_equal(a.role, RMS_ROLE_NONE);
    assert_int_equal(a.reason, RMS_REASON_NO_ROLE);

    a = rms_acl_find(NULL, 0, &c, match_prefix);
    assert_int_equal(a.role, RMS_ROLE_NONE);
    assert_null(a.rule);
}


static void
failing_pattern_matches_nobody(void **state)
{
    list_t        list;
    rms_caller_t  c;

    static const line_t  lines[] = {
        { RMS_ROLE_EXCHANGE, "account=~!" },
        { RMS_ROLE_FCI, "account=~A" },
        { RMS_ROLE_NONE, NULL }
    };

    (void) state;

    list_init(&list, lines);

    c = caller("A$@X");
    assert_int_equal(matched_line(&list, &c), 2);

    assert_null(rms_acl_find(list.rules, list.n, &c, NULL).rule);
}


static void
caller_without_an_account_is_not_matched_by_a_pattern(void **state)
{
    list_t            list;
    rms_str_t         everything;
    rms_caller_t      c;
    rms_cert_names_t  cert;

    static const line_t  lines[] = {
        { RMS_ROLE_EXCHANGE, "account=~x" },
        { RMS_ROLE_SHAREPOINT, "cert=" CERT_A },
        { RMS_ROLE_NONE, NULL }
    };

    (void) state;

    list_init(&list, lines);

    everything = str("");
    list.rules[0].pattern = &everything;

    cert = certificate(CERT_A);

    c = caller("");
    c.cert = &cert;
    assert_int_equal(matched_line(&list, &c), 2);
}


static void
names_of_a_certificate_are_compared_without_case(void **state)
{
    size_t            i;
    list_t            list;
    rms_str_t         dns[2], upns[2];
    rms_caller_t      c;
    rms_cert_names_t  cert;

    static const line_t  lines[] = {
        { RMS_ROLE_PARTNER, "cert=dns:relay.example.com" },
        { RMS_ROLE_USER, "cert=upn:Bob@Contoso.com" },
        { RMS_ROLE_NONE, NULL }
    };

    static const struct {
        const char  *dns;
        const char  *upn;
        unsigned     line;
    } want[] = {
        { "relay.example.com", "x@Y", 1 },
        { "RELAY.Example.com", "x@Y", 1 },
        { "*.example.com", "x@Y", 0 },
        { "relay.example.com.", "x@Y", 0 },
        { "relay.example.comx", "x@Y", 0 },
        { "bob@contoso.com", "relay.example.com", 0 },
        { "x", "bob@contoso.com", 2 },
        { "x", "BOB@CONTOSO.COM", 2 },
        { "x", "xbob@contoso.com", 0 },
        { "relay.example.com", "bob@contoso.com", 1 }
    };

    (void) state;

    list_init(&list, lines);

    cert = certificate(CERT_A);
    cert.dns = dns;
    cert.upns = upns;
    cert.n_dns = 2;
    cert.n_upns = 2;

    c = caller("");
    c.cert = &cert;
    c.sids = NO_SIDS;

    for (i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
        dns[0] = str("other.example");
        dns[1] = str(want[i].dns);
        upns[0] = str("other@example");
        upns[1] = str(want[i].upn);

        assert_int_equal(matched_line(&list, &c), want[i].line);
    }
}


static void
only_rules_by_sid_want_sids(void **state)
{
    list_t  list;

    static const line_t  lines[] = {
        { RMS_ROLE_EXCHANGE, "account=A$@X" },
        { RMS_ROLE_PARTNER, "any" },
        { RMS_ROLE_FCI, "sid=S-1-5-18" },
        { RMS_ROLE_NONE, NULL }
    };

    (void) state;

    list_init(&list, lines);

    assert_false(rms_acl_wants_sids(NULL, 0));
    assert_false(rms_acl_wants_sids(list.rules, 2));
    assert_true(rms_acl_wants_sids(list.rules, 3));
}


/* A group may be listed to give its members less than any gives. */

static void
unknown_sids_do_not_fall_through_to_any(void **state)
{
    list_t            list;
    rms_caller_t      c;
    rms_acl_answer_t  a;

    static const line_t  lines[] = {
        { RMS_ROLE_EXCHANGE, "account=A$@X" },
        { RMS_ROLE_USER, "any" },
        { RMS_ROLE_USER, "sid=S-1-5-18" },
        { RMS_ROLE_PARTNER, "sid=S-1-5-19" },
        { RMS_ROLE_NONE, NULL }
    };

    (void) state;

    list_init(&list, lines);

    c = caller("B@X");
    a = rms_acl_find(list.rules, list.n, &c, match_prefix);
    assert_int_equal(a.role, RMS_ROLE_NONE);
    assert_int_equal(a.reason, RMS_REASON_NO_ROLE);
    assert_true(a.sids_unknown);

    /* known to be in no group */

    c.sids = NO_SIDS;
    a = rms_acl_find(list.rules, list.n, &c, match_prefix);
    assert_int_equal(a.role, RMS_ROLE_USER);
    assert_false(a.sids_unknown);

    /* whatever the groups are, the role is this one */

    c.sids = NULL;
    a = rms_acl_find(list.rules, 3, &c, match_prefix);
    assert_int_equal(a.role, RMS_ROLE_USER);
    assert_int_equal(a.reason, RMS_REASON_NONE);
    assert_true(a.sids_unknown);

    /* decided before any group was in question */

    c = caller("A$@X");
    a = rms_acl_find(list.rules, list.n, &c, match_prefix);
    assert_int_equal(a.role, RMS_ROLE_EXCHANGE);
    assert_false(a.sids_unknown);
}


static void
one_of_a_thousand_groups_is_found(void **state)
{
    size_t          i;
    list_t          list;
    rms_sid_t       domain, sid;
    rms_str_t       text;
    rms_caller_t    c;
    rms_sid_set_t   many;

    static const line_t  lines[] = {
        { RMS_ROLE_FCI, "sid=S-1-5-21-1-2-3-500" },
        { RMS_ROLE_USER, "sid=S-1-5-21-1-2-3-1999" },
        { RMS_ROLE_NONE, NULL }
    };

    (void) state;

    list_init(&list, lines);

    text = str("S-1-5-21-1-2-3-1");
    assert_int_equal(rms_sid_parse(&text, &sid), RMS_OK);
    (void) rms_sid_split(&sid, &domain);

    rms_sid_set_init(&many, malloc(rms_sid_set_size(1, 1000)), 1, 1000);

    for (i = 1000; i != 0; i--) {
        rms_sid_set_add(&many, &domain, (uint32_t) (999 + i));
    }

    rms_sid_set_close(&many);

    c = caller("B@X");
    c.sids = &many;
    assert_int_equal(matched_line(&list, &c), 2);

    free(many.domains);
}


static void
rules_that_say_the_same_are_the_same_bytes(void **state)
{
    size_t          i;
    rms_acl_rule_t  a, b;
    unsigned char   one[TEXT_MAX], two[TEXT_MAX];
    char            text[2 * TEXT_MAX];

    static const struct {
        const char  *one;
        const char  *two;
        int          same;
    } want[] = {
        { "cert=" CERT_COLONS, "cert=" CERT_A, 1 },
        { "cert=dns:A.b", "cert=dns:a.B", 1 },
        { "cert=upn:A@b", "cert=upn:a@B", 1 },
        { "account=a@B", "account=A@B", 0 },
        { "account=a@B", "account=~a@B", 0 },
        { "account=a@B", "cert=upn:a@b", 0 },
        { "any", "any", 1 }
    };

    (void) state;

    for (i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
        assert_int_equal(parse(want[i].one, one, &a), RMS_ACL_FINE);
        assert_int_equal(parse(want[i].two, two, &b), RMS_ACL_FINE);
        assert_int_equal(rms_acl_same(&a, &b), want[i].same);

        (void) snprintf(text, sizeof(text), "%s%.*s",
                        rms_acl_kind_text(a.kind), (int) a.value.len,
                        (char *) a.value.data);
        assert_int_equal(parse(text, two, &b), RMS_ACL_FINE);
        assert_true(rms_acl_same(&a, &b));
    }

    assert_non_null(rms_acl_kind_text((rms_acl_kind_e) 99));
}


static int
teardown(void **state)
{
    (void) state;

    free(set.domains);

    return 0;
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_are_read_by_kind),
        cmocka_unit_test(certificates_are_stored_in_lower_case),
        cmocka_unit_test(bad_rules_tell_what_is_wrong),
        cmocka_unit_test(every_error_says_what_to_write),
        cmocka_unit_test(same_name_under_two_roles_is_a_contradiction),
        cmocka_unit_test(account_beats_cert_beats_sid_beats_any),
        cmocka_unit_test(pattern_beats_cert_too),
        cmocka_unit_test(first_line_of_a_class_wins),
        cmocka_unit_test(accounts_and_sids_compare_exactly),
        cmocka_unit_test(foreign_realm_needs_a_rule_that_names_it),
        cmocka_unit_test(anonymous_caller_matches_only_any),
        cmocka_unit_test(unknown_caller_has_no_role),
        cmocka_unit_test(failing_pattern_matches_nobody),
        cmocka_unit_test(caller_without_an_account_is_not_matched_by_a_pattern),
        cmocka_unit_test(names_of_a_certificate_are_compared_without_case),
        cmocka_unit_test(only_rules_by_sid_want_sids),
        cmocka_unit_test(unknown_sids_do_not_fall_through_to_any),
        cmocka_unit_test(one_of_a_thousand_groups_is_found),
        cmocka_unit_test(rules_that_say_the_same_are_the_same_bytes)
    };

    return cmocka_run_group_tests(tests, NULL, teardown);
}
