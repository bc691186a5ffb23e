/*
 * A line for the log or for the operator, built piece by piece in a buffer of
 * fixed size: always terminated, never longer, values escaped.  Pure
 * functions, any thread.  Internal to the core.
 */

#ifndef RMS_LINE_H
#define RMS_LINE_H


#include <time.h>

#include "rms_types.h"


typedef struct {
    char  *p;                   /* where the next piece goes             */
    char  *last;                /* the last byte, kept for the zero      */
} rms_line_t;


/* size: bytes of buf, at least 1. */
void rms_line_init(rms_line_t *line, char *buf, size_t size);


/* Words of our own and numbers; nothing that came from outside. */
void rms_line_add(rms_line_t *line, const char *format, ...)
    __attribute__((format(printf, 2, 3)));


/* A value from outside: escaped, at most RMS_TEXT_CAP bytes; in quotes. */
void rms_line_text(rms_line_t *line, const rms_str_t *value);
void rms_line_quoted(rms_line_t *line, const rms_str_t *value);
void rms_line_quotedz(rms_line_t *line, const char *value);


/* "2024-05-06T07:08:09Z" */
void rms_line_time(rms_line_t *line, time_t t);


#endif /* RMS_LINE_H */
