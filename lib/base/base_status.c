/* SPDX-License-Identifier: Apache-2.0 */
#include "base/base.h"

#include <stdio.h>
#include <time.h>

/* The message of this thread's last failed call: the library's only state outside handles, because it must survive
 * a failure to make one. */
static _Thread_local char message[1024];

const char *physad_status_name(physad_status status)
{
    switch (status) {
    case PHYSAD_OK: return "PHYSAD_OK";
    case PHYSAD_ERR_ARG: return "PHYSAD_ERR_ARG";
    case PHYSAD_ERR_SHAPE: return "PHYSAD_ERR_SHAPE";
    case PHYSAD_ERR_DTYPE: return "PHYSAD_ERR_DTYPE";
    case PHYSAD_ERR_NOMEM: return "PHYSAD_ERR_NOMEM";
    case PHYSAD_ERR_IO: return "PHYSAD_ERR_IO";
    case PHYSAD_ERR_FORMAT: return "PHYSAD_ERR_FORMAT";
    case PHYSAD_ERR_UNSUPPORTED: return "PHYSAD_ERR_UNSUPPORTED";
    case PHYSAD_ERR_CANCELLED: return "PHYSAD_ERR_CANCELLED";
    case PHYSAD_ERR_STATE: return "PHYSAD_ERR_STATE";
    case PHYSAD_ERR_NUMERIC: return "PHYSAD_ERR_NUMERIC";
    case PHYSAD_ERR_INTERNAL: return "PHYSAD_ERR_INTERNAL";
    default: return "unknown status";
    }
}

void physad__text_tidy(char *text)
{
    for (char *p = text; *p != '\0';) {
        const unsigned char *u = (const unsigned char *)p;
        const size_t n = physad__utf8_character(p);
        const bool control = u[0] < 0x20 || u[0] == 0x7f || (u[0] == 0xc2 && u[1] < 0xa0);
        if (n == 0 || control)
            memset(p, '?', n > 0 ? n : 1);
        p += n > 0 ? n : 1;
    }
}

const char *physad_last_error(void)
{
    return message;
}

physad_status physad__error(physad_status status, const char *format, ...)
{
    /* Formatted aside first: an argument may point into the present message. */
    char text[sizeof(message)];
    va_list args;
    va_start(args, format);
    physad__vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    physad__text_tidy(text);
    memcpy(message, text, sizeof(message));
    return status;
}

physad_status physad__error_prefix(physad_status status, const char *format, ...)
{
    char text[sizeof(message)];
    va_list args;
    va_start(args, format);
    const int n = physad__vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (n < 0 || (size_t)n >= sizeof(text))
        return status;
    if (strncmp(message, text, (size_t)n) == 0 && message[n] == ':')
        return status;
    physad__snprintf(text + n, sizeof(text) - (size_t)n, ": %s", message);
    physad__text_tidy(text);
    memcpy(message, text, sizeof(message));
    return status;
}

void physad__fault_take(physad__fault *fault, physad_status status)
{
    if (status == PHYSAD_OK || fault->status != PHYSAD_OK)
        return;
    fault->status = status;
    memcpy(fault->text, message, sizeof(fault->text));
}

physad_status physad__fault_publish(const physad__fault *fault)
{
    if (fault->status != PHYSAD_OK)
        memcpy(message, fault->text, sizeof(message));
    return fault->status;
}

double physad__seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

physad_status physad__options_read(void *out, size_t size, size_t least, const void *in, const char *name)
{
    uint32_t given;
    if (in == NULL)
        return PHYSAD_OK;
    memcpy(&given, in, sizeof(given));
    if (given < least)
        return physad__error(PHYSAD_ERR_ARG,
                             "%s: struct_size is %u, want at least %zu; initialise it with its _INIT macro", name,
                             given, least);
    if (given > 4096)
        return physad__error(PHYSAD_ERR_ARG, "%s: struct_size is %u; initialise it with its _INIT macro", name, given);
    for (size_t i = size; i < given; i++)
        if (((const unsigned char *)in)[i] != 0)
            return physad__error(PHYSAD_ERR_UNSUPPORTED,
                                 "%s: byte %zu is set, but this library (%s) knows only the first %zu bytes", name, i,
                                 physad_version(), size);
    memcpy(out, in, given < size ? given : size);
    return PHYSAD_OK;
}
