/*
 * Reading rms_acl_file.  Everything a list points to comes from the caller's
 * allocator; nothing is freed here.
 */

#include "rms_acl_text.h"
#include "rms_line.h"
#include "rms_text.h"


typedef struct {
    rms_acl_list_t          list;
    size_t                  room;       /* rules list.rules can hold     */
    uint32_t               *slots;      /* first rule of a value, plus 1 */
    size_t                  mask;
    uint32_t               *patterns;   /* where they stand in the list  */
    size_t                  n_patterns;
    size_t                  patterns_max;
    const rms_str_t        *file;
    const rms_acl_regex_t  *regex;
    const rms_mem_t        *mem;
    unsigned                line;
    rms_line_t              error;
} rms_acl_text_t;


static rms_rc_e rms_acl_text_open(rms_acl_text_t *t, const rms_str_t *text,
    const rms_acl_rule_t *before, size_t n_before);
static size_t rms_acl_text_words(const rms_str_t *text);
static rms_rc_e rms_acl_text_lines(rms_acl_text_t *t, rms_str_t *text);
static rms_rc_e rms_acl_text_bytes(rms_acl_text_t *t, const rms_str_t *line);
static rms_rc_e rms_acl_text_line(rms_acl_text_t *t, rms_str_t *line);
static int rms_acl_text_word(rms_str_t *line, rms_str_t *word);
static rms_rc_e rms_acl_text_spelling(rms_acl_text_t *t,
    const rms_str_t *word);
static rms_rc_e rms_acl_text_role(rms_acl_text_t *t, const rms_str_t *word,
    rms_role_e *role);
static rms_rc_e rms_acl_text_rule(rms_acl_text_t *t, rms_role_e role,
    const rms_str_t *word);
static rms_rc_e rms_acl_text_pattern(rms_acl_text_t *t, rms_acl_rule_t *rule);
static rms_rc_e rms_acl_text_conflict(rms_acl_text_t *t,
    const rms_acl_rule_t *rule);
static const rms_acl_rule_t *rms_acl_text_other(const rms_acl_text_t *t,
    const rms_acl_rule_t *rule);
static void rms_acl_text_add(rms_acl_text_t *t, const rms_acl_rule_t *rule);
static uint32_t *rms_acl_text_slot(const rms_acl_text_t *t,
    const rms_acl_rule_t *rule);
static rms_rc_e rms_acl_text_wrong(rms_acl_text_t *t, const char *text);
static int rms_acl_text_blank(unsigned char c);


rms_rc_e
rms_acl_text_read(const rms_str_t *text, const rms_str_t *file,
    const rms_acl_rule_t *before, size_t n_before,
    const rms_acl_regex_t *regex, const rms_mem_t *mem, rms_acl_list_t *list,
    rms_acl_text_error_t *error)
{
    rms_rc_e        rc;
    rms_str_t       copy;
    rms_acl_text_t  t;

    memset(list, 0, sizeof(rms_acl_list_t));
    memset(&t, 0, sizeof(rms_acl_text_t));

    t.file = file;
    t.regex = regex;
    t.mem = mem;

    error->line = 0;
    rms_line_init(&t.error, error->text, sizeof(error->text));

    if (text->len > RMS_ACL_TEXT_MAX) {
        rms_line_add(&t.error, "longer than %d bytes; name groups by \"sid=\" "
                     "instead of single accounts", RMS_ACL_TEXT_MAX);
        return RMS_TOO_LARGE;
    }

    copy.len = text->len;
    copy.data = rms_alloc(mem, copy.len + 1);
    if (copy.data == NULL) {
        return RMS_NOMEM;
    }

    if (copy.len != 0) {
        memcpy(copy.data, text->data, copy.len);
    }

    rc = rms_acl_text_open(&t, &copy, before, n_before);

    if (rc == RMS_OK) {
        rc = rms_acl_text_lines(&t, &copy);
        error->line = t.line;
    }

    if (rc == RMS_OK) {
        *list = t.list;
    }

    return rc;
}


static rms_rc_e
rms_acl_text_open(rms_acl_text_t *t, const rms_str_t *text,
    const rms_acl_rule_t *before, size_t n_before)
{
    size_t  i, slots;

    t->room = rms_acl_text_words(text);

    if (t->room > RMS_ACL_RULES_MAX) {
        t->room = RMS_ACL_RULES_MAX;
    }

    t->room += n_before;
    t->patterns_max = RMS_ACL_PATTERNS_MAX;

    for (i = 0; i < n_before; i++) {
        t->patterns_max += (before[i].kind == RMS_ACL_PATTERN);
    }

    for (slots = 2; slots < 2 * t->room; slots *= 2) { /* void */ }

    t->mask = slots - 1;

    t->list.rules = rms_alloc(t->mem, (t->room + 1) * sizeof(rms_acl_rule_t));
    t->slots = rms_alloc(t->mem, slots * sizeof(uint32_t));
    t->patterns = rms_alloc(t->mem, t->patterns_max * sizeof(uint32_t));

    if (t->list.rules == NULL || t->slots == NULL || t->patterns == NULL) {
        return RMS_NOMEM;
    }

    memset(t->slots, 0, slots * sizeof(uint32_t));

    for (i = 0; i < n_before; i++) {
        rms_acl_text_add(t, &before[i]);
    }

    t->list.n_before = n_before;

    return RMS_OK;
}


/* No text has more rules than words. */

static size_t
rms_acl_text_words(const rms_str_t *text)
{
    int     inside, blank;
    size_t  i, n;

    for (i = 0, n = 0, inside = 0; i < text->len; i++) {
        blank = rms_acl_text_blank(text->data[i]) || text->data[i] == '\n';

        n += (!blank && !inside);
        inside = !blank;
    }

    return n;
}


static rms_rc_e
rms_acl_text_lines(rms_acl_text_t *t, rms_str_t *text)
{
    rms_rc_e        rc;
    rms_str_t       line;
    unsigned char  *end;

    while (text->len) {
        t->line++;

        end = memchr(text->data, '\n', text->len);

        line.data = text->data;
        line.len = end ? (size_t) (end - text->data) : text->len;

        text->data += line.len + (end != NULL);
        text->len -= line.len + (end != NULL);

        if (end != NULL && line.len && line.data[line.len - 1] == '\r') {
            line.len--;
        }

        if (line.len > RMS_ACL_LINE_MAX) {
            rms_line_add(&t->error, "longer than %d bytes; write the role "
                         "again on a further line, with the rest of its rules",
                         RMS_ACL_LINE_MAX);
            return RMS_TOO_LARGE;
        }

        rc = rms_acl_text_bytes(t, &line);
        if (rc != RMS_OK) {
            return rc;
        }

        /* a SID that lost its last digits is another group */

        if (end == NULL) {
            return rms_acl_text_wrong(t, "the last line has no end, so the "
                                      "file may be cut short; end it with a "
                                      "newline");
        }

        rc = rms_acl_text_line(t, &line);
        if (rc != RMS_OK) {
            return rc;
        }
    }

    return RMS_OK;
}


/* Controls are C0 but the tab, DEL, and C1, in comments too. */

static rms_rc_e
rms_acl_text_bytes(rms_acl_text_t *t, const rms_str_t *line)
{
    size_t          i, n;
    unsigned char  *p;

    if (t->line == 1 && line->len >= 3
        && memcmp(line->data, "\xef\xbb\xbf", 3) == 0)
    {
        return rms_acl_text_wrong(t, "byte order mark; save the file as UTF-8 "
                                  "without one");
    }

    for (i = 0; i < line->len; i += n) {
        p = &line->data[i];

        if (*p == '\0') {
            return rms_acl_text_wrong(t, "zero byte; save the file as UTF-8");
        }

        if (*p == '\r') {
            return rms_acl_text_wrong(t, "carriage return inside a line; end "
                                      "lines with LF or CR LF");
        }

        n = rms_text_utf8(p, line->len - i);

        if (n == 0) {
            rms_line_add(&t->error, "byte 0x%02x at column %zu is not UTF-8; "
                         "save the file as UTF-8", *p, i + 1);
            return RMS_INVALID;
        }

        if ((*p < ' ' && *p != '\t') || *p == 0x7f
            || (*p == 0xc2 && p[1] < 0xa0))
        {
            rms_line_add(&t->error, "control character at column %zu; "
                         "remove it", i + 1);
            return RMS_INVALID;
        }
    }

    return RMS_OK;
}


static rms_rc_e
rms_acl_text_line(rms_acl_text_t *t, rms_str_t *line)
{
    rms_rc_e    rc;
    rms_str_t   word;
    rms_role_e  role;

    if (!rms_acl_text_word(line, &word)) {
        return RMS_OK;
    }

    rc = rms_acl_text_role(t, &word, &role);
    if (rc != RMS_OK) {
        return rc;
    }

    if (!rms_acl_text_word(line, &word)) {
        return rms_acl_text_wrong(t, "a role without a rule; write for "
                                  "example \"exchange "
                                  "account=EXCH01$@CONTOSO.COM\"");
    }

    do {
        rc = rms_acl_text_rule(t, role, &word);
        if (rc != RMS_OK) {
            return rc;
        }
    } while (rms_acl_text_word(line, &word));

    return RMS_OK;
}


/* Cuts the next word off the line; 0: there is none, or a comment. */

static int
rms_acl_text_word(rms_str_t *line, rms_str_t *word)
{
    size_t  i, start;

    for (i = 0; i < line->len && rms_acl_text_blank(line->data[i]); i++) {
        /* void */
    }

    if (i == line->len || line->data[i] == '#') {
        return 0;
    }

    start = i;

    while (i < line->len && !rms_acl_text_blank(line->data[i])) {
        i++;
    }

    word->data = line->data + start;
    word->len = i - start;

    line->data += i;
    line->len -= i;

    return 1;
}


/* What one would write in nginx.conf, and what it would mean there. */

static rms_rc_e
rms_acl_text_spelling(rms_acl_text_t *t, const rms_str_t *word)
{
    unsigned char  *value;

    value = memchr(word->data, '=', word->len);
    value = value ? value + 1 : word->data;

    if (memchr(word->data, '"', word->len) != NULL || *word->data == '\''
        || (value < word->data + word->len && *value == '\''))
    {
        return rms_acl_text_wrong(t, "quotes are not read here; write the "
                                  "value as it is, and a name with a blank as "
                                  "a pattern, "
                                  "account=~John\\x20Doe@CONTOSO\\.COM");
    }

    if (word->data[word->len - 1] == ';') {
        return rms_acl_text_wrong(t, "no semicolon here; a line ends a rule, "
                                  "leave it out");
    }

    return RMS_OK;
}


static rms_rc_e
rms_acl_text_role(rms_acl_text_t *t, const rms_str_t *word, rms_role_e *role)
{
    rms_rc_e  rc;

    if (rms_str_is(word, "rms_allow")) {
        return rms_acl_text_wrong(t, "no name of a directive here; leave out "
                                  "\"rms_allow\" and begin with the role");
    }

    rc = rms_acl_text_spelling(t, word);
    if (rc != RMS_OK) {
        return rc;
    }

    if (rms_role_parse(word, role) == RMS_OK) {
        return RMS_OK;
    }

    rms_line_add(&t->error, "unknown role ");
    rms_line_quoted(&t->error, word);

    return rms_acl_text_wrong(t, "; write exchange, sharepoint, fci, "
                              "rms_server, user, partner or admin");
}


static rms_rc_e
rms_acl_text_rule(rms_acl_text_t *t, rms_role_e role, const rms_str_t *word)
{
    rms_rc_e         rc;
    rms_acl_rule_t   rule;
    rms_acl_error_e  error;

    rc = rms_acl_text_spelling(t, word);
    if (rc != RMS_OK) {
        return rc;
    }

    memset(&rule, 0, sizeof(rms_acl_rule_t));

    rule.role = role;
    rule.file = *t->file;
    rule.line = t->line;

    error = rms_acl_parse(word, &rule);

    if (error != RMS_ACL_FINE) {
        rms_line_add(&t->error, "invalid rule ");
        rms_line_quoted(&t->error, word);
        rms_line_add(&t->error, ": %s", rms_acl_error_text(error));
        return RMS_INVALID;
    }

    if (t->list.n == t->room) {
        rms_line_add(&t->error, "more than %d rules; name groups by \"sid=\" "
                     "instead of single accounts", RMS_ACL_RULES_MAX);
        return RMS_TOO_LARGE;
    }

    if (rule.kind == RMS_ACL_PATTERN) {
        rc = rms_acl_text_pattern(t, &rule);
        if (rc != RMS_OK) {
            return rc;
        }
    }

    rc = rms_acl_text_conflict(t, &rule);
    if (rc != RMS_OK) {
        return rc;
    }

    rms_acl_text_add(t, &rule);

    return RMS_OK;
}


static rms_rc_e
rms_acl_text_pattern(rms_acl_text_t *t, rms_acl_rule_t *rule)
{
    rms_rc_e       rc;
    rms_str_t      why;
    unsigned char  buf[RMS_ACL_PATTERN_ERROR];

    if (t->n_patterns == t->patterns_max) {
        rms_line_add(&t->error, "more than %d patterns; name the accounts, or "
                     "their group by \"sid=\"", RMS_ACL_PATTERNS_MAX);
        return RMS_TOO_LARGE;
    }

    why.data = buf;
    why.len = sizeof(buf);

    rc = rms_acl_pattern_compile(rule, t->regex, t->mem, &why);

    if (rc == RMS_INVALID) {
        rms_line_add(&t->error, "invalid pattern \"account=~");
        rms_line_text(&t->error, &rule->value);
        rms_line_add(&t->error, "\": ");
        rms_line_text(&t->error, &why);
    }

    return rc;
}


static rms_rc_e
rms_acl_text_conflict(rms_acl_text_t *t, const rms_acl_rule_t *rule)
{
    const rms_acl_rule_t  *other;

    other = rms_acl_text_other(t, rule);

    if (other == NULL) {
        return RMS_OK;
    }

    rms_line_add(&t->error, "\"%s", rms_acl_kind_text(rule->kind));
    rms_line_text(&t->error, &rule->value);
    rms_line_add(&t->error, "\" has role \"%s\" already, by \"%s",
                 rms_role_name(other->role)->data,
                 rms_acl_kind_text(other->kind));
    rms_line_text(&t->error, &other->value);
    rms_line_add(&t->error, "\" in ");
    rms_line_text(&t->error, &other->file);
    rms_line_add(&t->error, ":%u, and role \"%s\" here; a caller has one role, "
                 "remove one of the two and use \"rms_grant\" for single "
                 "operations", other->line, rms_role_name(rule->role)->data);

    return RMS_INVALID;
}


/* As rms_acl_conflict(), without a look at every rule before. */

static const rms_acl_rule_t *
rms_acl_text_other(const rms_acl_text_t *t, const rms_acl_rule_t *rule)
{
    size_t                 i;
    const uint32_t        *slot;
    const rms_acl_rule_t  *other;

    slot = rms_acl_text_slot(t, rule);

    if (*slot != 0 && t->list.rules[*slot - 1].role != rule->role) {
        return &t->list.rules[*slot - 1];
    }

    if (rule->kind != RMS_ACL_ACCOUNT) {
        return NULL;
    }

    for (i = 0; i < t->n_patterns; i++) {
        other = &t->list.rules[t->patterns[i]];

        if (other->role != rule->role && t->regex != NULL
            && t->regex->match != NULL
            && t->regex->match(other->pattern, &rule->value) == 1)
        {
            return other;
        }
    }

    return NULL;
}


static void
rms_acl_text_add(rms_acl_text_t *t, const rms_acl_rule_t *rule)
{
    uint32_t  i, *slot;

    i = (uint32_t) t->list.n++;
    t->list.rules[i] = *rule;

    slot = rms_acl_text_slot(t, rule);

    if (*slot == 0) {
        *slot = i + 1;
    }

    if (rule->kind == RMS_ACL_PATTERN) {
        t->patterns[t->n_patterns++] = i;
    }
}


/* The slot of this kind and value, or an empty one; half of them are (FNV). */

static uint32_t *
rms_acl_text_slot(const rms_acl_text_t *t, const rms_acl_rule_t *rule)
{
    size_t    i;
    uint64_t  hash;

    hash = 0xcbf29ce484222325 ^ rule->kind;

    for (i = 0; i < rule->value.len; i++) {
        hash = (hash ^ rule->value.data[i]) * 0x100000001b3;
    }

    i = (size_t) (hash ^ (hash >> 32)) & t->mask;

    while (t->slots[i] != 0
           && !rms_acl_same(&t->list.rules[t->slots[i] - 1], rule))
    {
        i = (i + 1) & t->mask;
    }

    return &t->slots[i];
}


static rms_rc_e
rms_acl_text_wrong(rms_acl_text_t *t, const char *text)
{
    rms_line_add(&t->error, "%s", text);

    return RMS_INVALID;
}


static int
rms_acl_text_blank(unsigned char c)
{
    return c == ' ' || c == '\t';
}
