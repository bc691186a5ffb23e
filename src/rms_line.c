/*
 * A line built piece by piece in a buffer of fixed size.  Pure functions, any
 * thread; the buffer is the caller's.
 */

#include <stdarg.h>
#include <stdio.h>

#include "rms_line.h"
#include "rms_text.h"


void
rms_line_init(rms_line_t *line, char *buf, size_t size)
{
    line->p = buf;
    line->last = buf + size - 1;
    *buf = '\0';
}


void
rms_line_add(rms_line_t *line, const char *format, ...)
{
    int      n;
    size_t   room;
    va_list  args;

    room = (size_t) (line->last - line->p);

    va_start(args, format);
    n = vsnprintf(line->p, room + 1, format, args);
    va_end(args);

    if (n > 0) {
        line->p += ((size_t) n < room) ? (size_t) n : room;
    }
}


void
rms_line_text(rms_line_t *line, const rms_str_t *value)
{
    size_t  room;

    room = (size_t) (line->last - line->p);

    if (room > RMS_TEXT_CAP) {
        room = RMS_TEXT_CAP;
    }

    line->p += rms_text_log((unsigned char *) line->p, room, value);
    *line->p = '\0';
}


void
rms_line_quoted(rms_line_t *line, const rms_str_t *value)
{
    rms_line_add(line, "\"");
    rms_line_text(line, value);
    rms_line_add(line, "\"");
}


void
rms_line_quotedz(rms_line_t *line, const char *value)
{
    rms_str_t  s;

    s.data = (unsigned char *) value;
    s.len = strlen(value);

    rms_line_quoted(line, &s);
}


void
rms_line_time(rms_line_t *line, time_t t)
{
    char       buf[sizeof("2024-05-06T07:08:09Z") + 8];
    struct tm  tm;

    if (gmtime_r(&t, &tm) == NULL
        || strftime(buf, sizeof(buf), "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
    {
        return;
    }

    rms_line_add(line, "%s", buf);
}
