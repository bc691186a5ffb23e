/*
 * Nodes of a pool: announcements have one form, and what nodes disagree in is
 * told by name.
 */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rms_node.h"


#define array_n(a)  (sizeof(a) / sizeof((a)[0]))


static const unsigned char  bytes[] = {
    1, 2,
    0xa1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    0xc0, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2,
    0x78, 0x56, 0x34, 0x12, 0x39, 0x30, 0, 0,
    17, 0, 0, 0, 0, 0, 0, 0,
    0x00, 0xe4, 0x52, 0x69, 0, 0, 0, 0,
    0x80, 0xe4, 0x52, 0x69, 0, 0, 0, 0,
    4, 'w', 'e', 'b', '1', 3, '0', '.', '1', 4, '1', '.', '2', '2'
};


static rms_node_t
node(const char *name, unsigned char id)
{
    rms_node_t  n;

    memset(&n, 0, sizeof(n));

    n.health = RMS_NODE_OK;
    memset(n.id, id, RMS_NODE_ID);
    memset(n.conf, 0xc0, RMS_NODE_CONF);
    n.rules = 0x12345678;
    n.pid = 12345;
    n.list = 17;
    n.started = 0x6952e400;
    n.time = 0x6952e480;
    (void) snprintf(n.name, sizeof(n.name), "%s", name);
    memcpy(n.version, "0.1", 4);
    memcpy(n.server, "1.22", 5);

    return n;
}


static rms_node_t
node_of_bytes(void)
{
    rms_node_t  n;

    n = node("web1", 1);
    n.health = RMS_NODE_DRAINING;
    n.id[0] = 0xa1;
    memset(n.conf + 1, 2, RMS_NODE_CONF - 1);

    return n;
}


static rms_rc_e
encoded(const rms_node_t *n)
{
    rms_str_t      s;
    unsigned char  buf[RMS_NODE_ENCODED_MAX];

    s.data = buf;
    s.len = sizeof(buf);

    return rms_node_encode(n, &s);
}


static void
announcement_has_one_form(void **state)
{
    rms_str_t      s;
    rms_node_t     n, back;
    unsigned char  buf[sizeof(bytes) + 1];

    (void) state;

    n = node_of_bytes();

    s.data = buf;
    s.len = sizeof(bytes) - 1;
    assert_int_equal(rms_node_encode(&n, &s), RMS_TOO_LARGE);

    s.len = sizeof(bytes);
    buf[sizeof(bytes)] = 0xee;
    assert_int_equal(rms_node_encode(&n, &s), RMS_OK);
    assert_int_equal(s.len, sizeof(bytes));
    assert_memory_equal(buf, bytes, sizeof(bytes));
    assert_int_equal(buf[sizeof(bytes)], 0xee);

    assert_int_equal(rms_node_decode(&s, &back), RMS_OK);
    assert_memory_equal(&back, &n, sizeof(n));
}


static void
longest_announcement_comes_back(void **state)
{
    rms_str_t      s;
    rms_node_t     n, back;
    unsigned char  buf[RMS_NODE_ENCODED_MAX];

    (void) state;

    n = node("x", 1);
    memset(n.name, 'n', RMS_NODE_NAME);
    memset(n.version, 'v', RMS_NODE_VERSION);
    memset(n.server, 's', RMS_NODE_VERSION);
    n.list = INT64_MAX;
    n.started = INT64_MAX;
    n.time = INT64_MAX;

    s.data = buf;
    s.len = sizeof(buf);
    assert_int_equal(rms_node_encode(&n, &s), RMS_OK);
    assert_int_equal(s.len, RMS_NODE_ENCODED_MAX);
    assert_int_equal(rms_node_decode(&s, &back), RMS_OK);
    assert_memory_equal(&back, &n, sizeof(n));
}


static void
announcement_that_breaks_a_rule_is_not_written(void **state)
{
    size_t      i;
    rms_node_t  n;

    static const char  *bad[] = { "", "a b", "a\n", "\x1b[2J", "\x7f",
                                  "\xc3\xa9" };

    (void) state;

    n = node("web1", 1);
    assert_int_equal(encoded(&n), RMS_OK);

    n.health = (rms_node_health_e) 0;
    assert_int_equal(encoded(&n), RMS_INVALID);
    n.health = (rms_node_health_e) 3;
    assert_int_equal(encoded(&n), RMS_INVALID);

    n = node("web1", 1);
    n.list = (uint64_t) INT64_MAX + 1;
    assert_int_equal(encoded(&n), RMS_INVALID);
    n = node("web1", 1);
    n.started = UINT64_MAX;
    assert_int_equal(encoded(&n), RMS_INVALID);
    n = node("web1", 1);
    n.time = UINT64_MAX;
    assert_int_equal(encoded(&n), RMS_INVALID);

    for (i = 0; i < array_n(bad); i++) {
        n = node(bad[i], 1);
        assert_int_equal(encoded(&n), RMS_INVALID);

        n = node("web1", 1);
        (void) snprintf(n.version, sizeof(n.version), "%s", bad[i]);
        assert_int_equal(encoded(&n), RMS_INVALID);

        n = node("web1", 1);
        (void) snprintf(n.server, sizeof(n.server), "%s", bad[i]);
        assert_int_equal(encoded(&n), RMS_INVALID);
    }

    n = node("web1", 1);
    memset(n.name, 'x', sizeof(n.name));
    assert_int_equal(encoded(&n), RMS_INVALID);
}


static void
bytes_that_are_no_announcement_are_refused(void **state)
{
    size_t         i;
    rms_str_t      s;
    rms_node_t     n, empty;
    unsigned char  bad[sizeof(bytes) + 2];

    static const struct {
        size_t         at;
        unsigned char  value;
        rms_rc_e       rc;
    } cases[] = {
        { 0, 0, RMS_UNSUPPORTED },
        { 0, 2, RMS_UNSUPPORTED },
        { 1, 0, RMS_INVALID },          /* health                            */
        { 1, 3, RMS_INVALID },
        { 49, 0x80, RMS_INVALID },      /* list, started, time               */
        { 57, 0x80, RMS_INVALID },
        { 65, 0x80, RMS_INVALID },
        { 66, 0, RMS_INVALID },         /* name                              */
        { 66, 3, RMS_INVALID },
        { 66, 5, RMS_INVALID },
        { 66, 0xff, RMS_INVALID },
        { 67, 0, RMS_INVALID },
        { 70, 0, RMS_INVALID },
        { 68, '\n', RMS_INVALID },
        { 71, 4, RMS_INVALID },         /* version, server                   */
        { 75, 3, RMS_INVALID },
        { 75, 5, RMS_INVALID },
        { 79, 0x80, RMS_INVALID }
    };

    (void) state;

    memset(&empty, 0, sizeof(empty));
    s.data = bad;

    for (i = 0; i < array_n(cases); i++) {
        memcpy(bad, bytes, sizeof(bytes));
        bad[cases[i].at] = cases[i].value;
        s.len = sizeof(bytes);

        n = node("web1", 1);
        assert_int_equal(rms_node_decode(&s, &n), cases[i].rc);
        assert_memory_equal(&n, &empty, sizeof(n));
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

        assert_int_equal(rms_node_decode(&s, &n),
                         i == sizeof(bytes) ? RMS_OK : RMS_INVALID);
        free(s.data);
    }
}


static void
text_longer_than_its_place_is_refused(void **state)
{
    rms_str_t      s;
    rms_node_t    *n;
    unsigned char  bad[sizeof(bytes) + 251];

    (void) state;

    memcpy(bad, bytes, sizeof(bytes) - 4);
    bad[sizeof(bytes) - 5] = 255;
    memset(bad + sizeof(bytes) - 4, 's', 255);

    s.data = bad;
    s.len = sizeof(bad);

    /* in memory of just its size, so that a sanitizer sees a byte beyond */

    n = malloc(sizeof(rms_node_t));
    assert_non_null(n);
    assert_int_equal(rms_node_decode(&s, n), RMS_INVALID);
    free(n);
}


static void
text_of_a_node_is_made_printable_and_cut(void **state)
{
    char       text[5];
    rms_str_t  empty = rms_null_string;
    rms_str_t  odd = rms_string("a b\x1b\xff");
    rms_str_t  fits = rms_string("web1");

    (void) state;

    rms_node_text(text, sizeof(text), &fits);
    assert_string_equal(text, "web1");
    rms_node_text(text, sizeof(text), &odd);
    assert_string_equal(text, "a?b?");
    rms_node_text(text, sizeof(text), &empty);
    assert_memory_equal(text, "?\0\0\0\0", 5);
}


static void
order_of_nodes_is_by_name_and_id(void **state)
{
    rms_node_t  nodes[3];

    (void) state;

    nodes[0] = node("web2", 1);
    nodes[1] = node("web1", 3);
    nodes[2] = node("web1", 2);

    rms_node_sort(nodes, 3);
    assert_int_equal(nodes[0].id[0], 2);
    assert_int_equal(nodes[1].id[0], 3);
    assert_int_equal(nodes[2].id[0], 1);

    rms_node_sort(nodes, 0);
}


static rms_node_t          pool[RMS_NODES_MAX];
static rms_node_warning_t  told[RMS_NODE_WARNINGS];
static uint64_t            mark;


static size_t
compared(size_t n)
{
    memset(told, 0xee, sizeof(told));

    return rms_node_compare(pool, n, told, &mark);
}


static void
four(void)
{
    pool[0] = node("a", 0xaa);
    pool[1] = node("b", 0xbb);
    pool[2] = node("c", 0xcc);
    pool[3] = node("d", 0xdd);
}


static void
nodes_that_agree_give_no_warning(void **state)
{
    (void) state;

    assert_int_equal(compared(0), 0);
    assert_int_equal(mark, 0);

    four();
    pool[1].health = RMS_NODE_DRAINING;
    pool[2].pid = 1;
    pool[3].started = 1;
    pool[0].clock = RMS_NODE_CLOCK - 1;
    pool[1].clock = 1 - RMS_NODE_CLOCK;
    pool[1].age = 14000;

    assert_int_equal(compared(4), 0);
    assert_int_equal(mark, 0);
}


static void
node_with_another_list_is_named(void **state)
{
    (void) state;

    four();
    pool[1].list = 18;
    assert_int_equal(compared(2), 1);
    assert_string_equal(told[0].text, "node a (aaaaaaaa) has version 17 of "
                        "the shared list, others have 18");
    assert_true(mark != 0);

    four();
    pool[2].list = 0;
    assert_int_equal(compared(4), 1);
    assert_string_equal(told[0].text, "node c (cccccccc) has no shared list, "
                        "others have version 17");

    /* most have an old one: it is old all the same */

    four();
    pool[3].list = 18;
    assert_int_equal(compared(4), 3);
}


static void
node_with_another_configuration_is_named(void **state)
{
    (void) state;

    four();
    pool[0].conf[0] = 0xd1;
    assert_int_equal(compared(4), 1);
    assert_string_equal(told[0].text, "node a (aaaaaaaa) has another "
                        "configuration: d1c0c0c0, others have c0c0c0c0");

    /* a byte that is not shown counts too */

    four();
    pool[3].conf[RMS_NODE_CONF - 1] = 0;
    assert_int_equal(compared(4), 1);
    assert_memory_equal(told[0].text, "node d ", 7);

    four();
    pool[1].conf[0] = 1;
    assert_int_equal(compared(2), 1);
    assert_memory_equal(told[0].text, "node b ", 7);
}


static void
node_of_another_version_is_named(void **state)
{
    (void) state;

    four();
    memcpy(pool[2].version, "0.2", 4);
    memcpy(pool[3].server, "1.26", 5);
    assert_int_equal(compared(4), 2);
    assert_string_equal(told[0].text, "node c (cccccccc) has another version "
                        "of the module: 0.2, others have 0.1");
    assert_string_equal(told[1].text, "node d (dddddddd) has another version "
                        "of nginx: 1.26, others have 1.22");
}


static void
rules_are_compared_where_nothing_else_explains_them(void **state)
{
    (void) state;

    four();
    pool[2].rules = 1;
    assert_int_equal(compared(4), 1);
    assert_string_equal(told[0].text, "node c (cccccccc) goes by other rules "
                        "(00000001) than node a (12345678), with the same "
                        "list and configuration: compare their files of "
                        "rules");

    pool[2].list = 16;
    assert_int_equal(compared(4), 1);
    assert_non_null(strstr(told[0].text, "has version 16"));

    four();
    pool[2].rules = 1;
    pool[2].conf[0] = 1;
    assert_int_equal(compared(4), 1);
    assert_non_null(strstr(told[0].text, "another configuration"));
}


static void
clock_that_is_off_is_told_with_its_sign(void **state)
{
    (void) state;

    four();
    pool[1].clock = 40;
    pool[3].clock = -RMS_NODE_CLOCK;
    assert_int_equal(compared(4), 2);
    assert_string_equal(told[0].text, "node b (bbbbbbbb) has a clock that is "
                        "40 s ahead of that of Redis");
    assert_string_equal(told[1].text, "node d (dddddddd) has a clock that is "
                        "10 s behind that of Redis");

    pool[1].clock = INT32_MIN;
    assert_int_equal(compared(4), 2);
    assert_non_null(strstr(told[0].text, "2147483648 s behind"));
}


static void
mark_changes_with_what_is_wrong_alone(void **state)
{
    uint64_t  before;

    (void) state;

    four();
    pool[1].clock = 40;
    assert_int_equal(compared(4), 1);
    before = mark;

    pool[1].clock = 41;
    pool[2].time++;
    pool[2].age = 5000;
    assert_int_equal(compared(4), 1);
    assert_true(mark == before);

    pool[1].clock = -40;
    assert_int_equal(compared(4), 1);
    assert_true(mark != before);

    pool[1].clock = 0;
    pool[2].clock = 40;
    assert_int_equal(compared(4), 1);
    assert_true(mark != before);

    four();
    pool[1].conf[0] = 1;
    assert_int_equal(compared(4), 1);
    before = mark;
    pool[1].conf[0] = 2;
    assert_int_equal(compared(4), 1);
    assert_true(mark != before);
}


static void
warnings_have_a_bound_and_the_rest_is_counted(void **state)
{
    size_t  i;
    char    text[32];

    (void) state;

    for (i = 0; i < RMS_NODES_MAX; i++) {
        pool[i] = node("x", (unsigned char) i);
        memset(pool[i].name, 'x', RMS_NODE_NAME);
        pool[i].list = i + 1;
        pool[i].rules = (uint32_t) i;
    }

    assert_int_equal(compared(RMS_NODES_MAX), RMS_NODE_WARNINGS);
    (void) snprintf(text, sizeof(text), "and %d more",
                    RMS_NODES_MAX - 1 - (RMS_NODE_WARNINGS - 1));
    assert_string_equal(told[RMS_NODE_WARNINGS - 1].text, text);

    /* the longest sentence ends within its place */

    for (i = 0; i < RMS_NODES_MAX; i++) {
        pool[i].list = 1;
    }

    assert_int_equal(compared(RMS_NODES_MAX), RMS_NODE_WARNINGS);
    assert_non_null(memchr(told[0].text, '\0', RMS_NODE_TEXT));
    assert_non_null(strstr(told[0].text, "their files of rules"));
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(announcement_has_one_form),
        cmocka_unit_test(longest_announcement_comes_back),
        cmocka_unit_test(announcement_that_breaks_a_rule_is_not_written),
        cmocka_unit_test(bytes_that_are_no_announcement_are_refused),
        cmocka_unit_test(text_longer_than_its_place_is_refused),
        cmocka_unit_test(text_of_a_node_is_made_printable_and_cut),
        cmocka_unit_test(order_of_nodes_is_by_name_and_id),
        cmocka_unit_test(nodes_that_agree_give_no_warning),
        cmocka_unit_test(node_with_another_list_is_named),
        cmocka_unit_test(node_with_another_configuration_is_named),
        cmocka_unit_test(node_of_another_version_is_named),
        cmocka_unit_test(rules_are_compared_where_nothing_else_explains_them),
        cmocka_unit_test(clock_that_is_off_is_told_with_its_sign),
        cmocka_unit_test(mark_changes_with_what_is_wrong_alone),
        cmocka_unit_test(warnings_have_a_bound_and_the_rest_is_counted)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
