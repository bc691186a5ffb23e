/*
 * Versioned documents: one form each, and nothing else is read.
 */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "rms_document.h"


#define array_n(a)  (sizeof(a) / sizeof((a)[0]))


static const unsigned char  bytes[] = {
    1, 2, 5, 0, 0, 0, 0, 0, 0, 0, 0x80, 0xe4, 0x52, 0x69, 0, 0, 0, 0,
    7, 0, 'a', '@', 'B', '.', 'O', 'R', 'G', 3, 0, 'w', 'h', 'y',
    4, 0, 0, 0, 0, '\n', 0xff, 'x'
};


static rms_document_t
document(void)
{
    rms_document_t  d;

    static rms_str_t  who = rms_string("a@B.ORG");
    static rms_str_t  note = rms_string("why");
    static rms_str_t  body = rms_string("\0\n\xffx");

    memset(&d, 0, sizeof(d));

    d.kind = RMS_DOCUMENT_REVOKED;
    d.version = 5;
    d.when = 0x6952e480;
    d.who = who;
    d.note = note;
    d.body = body;

    return d;
}


static rms_rc_e
encoded(const rms_document_t *d)
{
    rms_rc_e   rc;
    rms_str_t  s;

    s.len = RMS_DOCUMENT_ENCODED_MAX;
    s.data = malloc(s.len);
    assert_non_null(s.data);

    rc = rms_document_encode(d, &s);
    free(s.data);

    return rc;
}


static void
document_has_one_form(void **state)
{
    rms_str_t       s;
    rms_document_t  d, back;
    unsigned char   buf[sizeof(bytes) + 1];

    (void) state;

    d = document();

    s.data = buf;
    s.len = sizeof(bytes) - 1;
    assert_int_equal(rms_document_encode(&d, &s), RMS_TOO_LARGE);

    s.len = sizeof(bytes);
    buf[sizeof(bytes)] = 0xee;
    assert_int_equal(rms_document_encode(&d, &s), RMS_OK);
    assert_int_equal(s.len, sizeof(bytes));
    assert_memory_equal(buf, bytes, sizeof(bytes));
    assert_int_equal(buf[sizeof(bytes)], 0xee);

    assert_int_equal(rms_document_decode(&s, &back), RMS_OK);
    assert_int_equal(back.kind, RMS_DOCUMENT_REVOKED);
    assert_int_equal(back.version, 5);
    assert_int_equal(back.when, d.when);
    assert_true(rms_str_eq(&back.who, &d.who));
    assert_true(rms_str_eq(&back.note, &d.note));
    assert_true(rms_str_eq(&back.body, &d.body));
}


static void
empty_and_largest_document_come_back(void **state)
{
    rms_str_t       s;
    rms_document_t  d, back;

    (void) state;

    s.len = RMS_DOCUMENT_ENCODED_MAX;
    s.data = malloc(s.len);
    assert_non_null(s.data);

    memset(&d, 0, sizeof(d));
    d.kind = RMS_DOCUMENT_LIST;
    d.version = RMS_DOCUMENT_NUMBER_MAX;
    d.when = RMS_DOCUMENT_NUMBER_MAX;

    assert_int_equal(rms_document_encode(&d, &s), RMS_OK);
    assert_int_equal(s.len, RMS_DOCUMENT_FIXED);
    assert_int_equal(rms_document_decode(&s, &back), RMS_OK);
    assert_true(back.version == RMS_DOCUMENT_NUMBER_MAX);
    assert_true(back.when == RMS_DOCUMENT_NUMBER_MAX);
    assert_int_equal(back.who.len + back.note.len + back.body.len, 0);

    d.body.len = RMS_DOCUMENT_BODY_MAX;
    d.body.data = malloc(d.body.len);
    assert_non_null(d.body.data);
    memset(d.body.data, 'x', d.body.len);
    d.who.len = RMS_DOCUMENT_WHO_MAX;
    d.who.data = d.body.data;
    d.note.len = RMS_DOCUMENT_NOTE_MAX;
    d.note.data = d.body.data;

    s.len = RMS_DOCUMENT_ENCODED_MAX;
    assert_int_equal(rms_document_encode(&d, &s), RMS_OK);
    assert_int_equal(s.len, RMS_DOCUMENT_ENCODED_MAX);
    assert_int_equal(rms_document_decode(&s, &back), RMS_OK);
    assert_true(rms_str_eq(&back.body, &d.body));
    assert_true(rms_str_eq(&back.who, &d.who));
    assert_true(rms_str_eq(&back.note, &d.note));

    free(d.body.data);
    free(s.data);
}


static void
document_that_breaks_a_rule_is_not_written(void **state)
{
    size_t          i;
    rms_document_t  d;
    unsigned char   text[RMS_DOCUMENT_WHO_MAX + 1];

    static const char  *bad[] = { "a\n", "\r", "\x1f", "\x7f", "\xc2\x85" };

    (void) state;

    d = document();
    assert_int_equal(encoded(&d), RMS_OK);

    d.kind = (rms_document_kind_e) 0;
    assert_int_equal(encoded(&d), RMS_INVALID);
    d.kind = (rms_document_kind_e) 3;
    assert_int_equal(encoded(&d), RMS_INVALID);

    d = document();
    d.version = 0;
    assert_int_equal(encoded(&d), RMS_INVALID);
    d.version = RMS_DOCUMENT_NUMBER_MAX + 1;
    assert_int_equal(encoded(&d), RMS_INVALID);

    d = document();
    d.when = RMS_DOCUMENT_NUMBER_MAX + 1;
    assert_int_equal(encoded(&d), RMS_INVALID);

    memset(text, 'x', sizeof(text));
    d = document();
    d.who.data = text;
    d.who.len = RMS_DOCUMENT_WHO_MAX + 1;
    assert_int_equal(encoded(&d), RMS_INVALID);

    d = document();
    d.note.data = text;
    d.note.len = RMS_DOCUMENT_NOTE_MAX + 1;
    assert_int_equal(encoded(&d), RMS_INVALID);

    for (i = 0; i < array_n(bad); i++) {
        d = document();
        d.who.data = (unsigned char *) bad[i];
        d.who.len = strlen(bad[i]);
        assert_int_equal(encoded(&d), RMS_INVALID);

        d = document();
        d.note.data = (unsigned char *) bad[i];
        d.note.len = strlen(bad[i]);
        assert_int_equal(encoded(&d), RMS_INVALID);
    }

    d = document();
    d.body.data = NULL;
    d.body.len = RMS_DOCUMENT_BODY_MAX + 1;
    assert_int_equal(encoded(&d), RMS_TOO_LARGE);
}


static void
bytes_that_are_no_document_are_refused(void **state)
{
    size_t          i;
    rms_str_t       s;
    rms_document_t  d;
    unsigned char   bad[sizeof(bytes) + 2];

    static const struct {
        size_t         at;
        unsigned char  value;
        rms_rc_e       rc;
    } cases[] = {
        { 0, 0, RMS_UNSUPPORTED },
        { 0, 2, RMS_UNSUPPORTED },
        { 1, 0, RMS_INVALID },          /* kind                              */
        { 1, 3, RMS_INVALID },
        { 2, 0, RMS_INVALID },          /* version                           */
        { 9, 0x80, RMS_INVALID },
        { 17, 0x80, RMS_INVALID },      /* when                              */
        { 18, 8, RMS_INVALID },         /* who, note, body: other lengths    */
        { 19, 0xff, RMS_INVALID },
        { 20, '\n', RMS_INVALID },
        { 27, 2, RMS_INVALID },
        { 30, 0x7f, RMS_INVALID },
        { 32, 3, RMS_INVALID },
        { 32, 5, RMS_INVALID },
        { 35, 0xff, RMS_INVALID }
    };

    (void) state;

    s.data = bad;

    for (i = 0; i < array_n(cases); i++) {
        memcpy(bad, bytes, sizeof(bytes));
        bad[cases[i].at] = cases[i].value;
        s.len = sizeof(bytes);

        d = document();
        assert_int_equal(rms_document_decode(&s, &d), cases[i].rc);
        assert_int_equal(d.version, 0);
        assert_null(d.body.data);
    }

    /* in memory of just their size, so that a sanitizer sees a byte beyond */

    memcpy(bad, bytes, sizeof(bytes));
    bad[sizeof(bytes)] = 0;
    bad[sizeof(bytes) + 1] = 0;

    for (i = 0; i <= sizeof(bytes) + 1; i++) {
        s.len = i;
        s.data = malloc(i ? i : 1);
        assert_non_null(s.data);
        memcpy(s.data, bad, i);

        assert_int_equal(rms_document_decode(&s, &d),
                         i == sizeof(bytes) ? RMS_OK : RMS_INVALID);
        free(s.data);
    }
}


static void
body_longer_than_a_document_has_is_refused(void **state)
{
    size_t          len;
    rms_str_t       s;
    rms_document_t  d;

    (void) state;

    len = RMS_DOCUMENT_BODY_MAX + 1;
    s.len = RMS_DOCUMENT_FIXED + len;
    s.data = calloc(1, s.len);
    assert_non_null(s.data);

    s.data[0] = 1;
    s.data[1] = RMS_DOCUMENT_LIST;
    s.data[2] = 1;
    s.data[22] = len & 0xff;
    s.data[23] = len >> 8 & 0xff;
    s.data[24] = len >> 16 & 0xff;
    assert_int_equal(rms_document_decode(&s, &d), RMS_INVALID);

    s.data[22]--;
    s.len--;
    assert_int_equal(rms_document_decode(&s, &d), RMS_OK);

    free(s.data);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(document_has_one_form),
        cmocka_unit_test(empty_and_largest_document_come_back),
        cmocka_unit_test(document_that_breaks_a_rule_is_not_written),
        cmocka_unit_test(bytes_that_are_no_document_are_refused),
        cmocka_unit_test(body_longer_than_a_document_has_is_refused)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
