/* SPDX-License-Identifier: Apache-2.0 */
#include "base/base.h"

#include <ctype.h>
#include <errno.h>
#include <locale.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

/* The C locale as an object: made once, never changed, so no state in the sense of the rules. */
static locale_t c_locale;
static pthread_once_t c_locale_once = PTHREAD_ONCE_INIT;

static void make_c_locale(void)
{
    c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
}

int physad__vsnprintf(char *out, size_t size, const char *format, va_list args)
{
    pthread_once(&c_locale_once, make_c_locale);
    const locale_t before = uselocale(c_locale);
    const int n = vsnprintf(out, size, format, args);
    uselocale(before);
    return n;
}

int physad__snprintf(char *out, size_t size, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const int n = physad__vsnprintf(out, size, format, args);
    va_end(args);
    return n;
}

/* ASCII alone: a Turkish locale must not make ".TIFF" another suffix than ".tiff". */
static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool equal_but_case(const char *a, const char *b)
{
    while (*a != '\0' && lower(*a) == lower(*b))
        a++, b++;
    return *a == '\0' && *b == '\0';
}

bool physad__parse_double(const char *text, double *value)
{
    char *end;
    pthread_once(&c_locale_once, make_c_locale);
    if (*text == '\0' || is_space(*text))
        return false;
    const double v = strtod_l(text, &end, c_locale);
    if (*end != '\0')
        return false;
    *value = v;
    return true;
}

bool physad__parse_int(const char *text, int64_t *value)
{
    char *end;
    if (*text == '\0' || is_space(*text))
        return false;
    errno = 0;
    const long long v = strtoll(text, &end, 10);
    if (*end != '\0' || errno != 0)
        return false;
    *value = v;
    return true;
}

bool physad__parse_bool(const char *text, bool *value)
{
    static const char *const yes[] = { "1", "true", "yes", "on" };
    static const char *const no[] = { "0", "false", "no", "off" };
    for (int i = 0; i < 4; i++) {
        const bool is_yes = equal_but_case(text, yes[i]);
        if (is_yes || equal_but_case(text, no[i])) {
            *value = is_yes;
            return true;
        }
    }
    return false;
}

/* Edit distance with adjacent transpositions, for names of up to 63 bytes. */
static int edit_distance(const char *a, const char *b)
{
    enum { MOST = 63 };
    int row[3][MOST + 1];
    const int n = (int)strlen(a), m = (int)strlen(b);
    if (n > MOST || m > MOST)
        return MOST + 1;
    for (int j = 0; j <= m; j++)
        row[0][j] = j;
    for (int i = 1; i <= n; i++) {
        int *now = row[i % 3], *last = row[(i + 2) % 3], *older = row[(i + 1) % 3];
        now[0] = i;
        for (int j = 1; j <= m; j++) {
            int best = last[j - 1] + (a[i - 1] != b[j - 1]);
            if (last[j] + 1 < best)
                best = last[j] + 1;
            if (now[j - 1] + 1 < best)
                best = now[j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && older[j - 2] + 1 < best)
                best = older[j - 2] + 1;
            now[j] = best;
        }
    }
    return row[n % 3][m];
}

const char *physad__nearest_name(const char *text, const char *const *names, int64_t count)
{
    const char *best = NULL;
    const size_t length = strlen(text);
    int least = (int)length / 3 + 2; /* a third wrong, or more, is no misspelling */
    for (int64_t i = 0; i < count; i++) {
        int d = edit_distance(text, names[i]);
        if (length >= 3 && d > 1 && strncmp(text, names[i], length) == 0)
            d = 1; /* the beginning of a name means it */
        if (d < least) {
            least = d;
            best = names[i];
        }
    }
    return best;
}

int physad__natural_compare(const char *a, const char *b)
{
    const char *p = a, *q = b;
    while (*p != '\0' && *q != '\0') {
        if (isdigit((unsigned char)*p) && isdigit((unsigned char)*q)) {
            while (*p == '0')
                p++;
            while (*q == '0')
                q++;
            const char *pe = p, *qe = q;
            while (isdigit((unsigned char)*pe))
                pe++;
            while (isdigit((unsigned char)*qe))
                qe++;
            if (pe - p != qe - q)
                return pe - p < qe - q ? -1 : 1;
            const int c = memcmp(p, q, (size_t)(pe - p));
            if (c != 0)
                return c;
            p = pe;
            q = qe;
        } else {
            if (*p != *q)
                return (unsigned char)*p < (unsigned char)*q ? -1 : 1;
            p++;
            q++;
        }
    }
    if (*p != *q)
        return *p == '\0' ? -1 : 1;
    return strcmp(a, b);
}

size_t physad__utf8_character(const char *text)
{
    const unsigned char *p = (const unsigned char *)text;
    if (p[0] < 0x80)
        return 1;
    const size_t n = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
    if (p[0] < 0xc2 || p[0] > 0xf4)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((p[i] & 0xc0) != 0x80) /* a NUL is none either */
            return 0;
    if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) || (p[0] == 0xf0 && p[1] < 0x90) ||
        (p[0] == 0xf4 && p[1] > 0x8f))
        return 0;
    return n;
}

bool physad__has_suffix(const char *text, const char *suffix)
{
    const size_t n = strlen(text), m = strlen(suffix);
    return n >= m && equal_but_case(text + n - m, suffix);
}
