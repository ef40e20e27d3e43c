/* SPDX-License-Identifier: Apache-2.0 */
/* Output that is whole or missing, never a part. */
#include "tool.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int tool_flush(void)
{
    static bool lost, gone; /* it fails once for all */
    errno = 0;
    if (gone || (fflush(stdout) == 0 && !ferror(stdout) && !lost))
        return TOOL_DONE;
    if (errno == EPIPE) { /* the reader has seen enough */
        gone = true;
        return TOOL_DONE;
    }
    if (!lost)
        tool_error("standard output: %s", errno != 0 ? strerror(errno) : "could not be written");
    lost = true;
    return TOOL_FAILED;
}

static bool write_all(int fd, const char *text, size_t size)
{
    while (size > 0) {
        const ssize_t n = write(fd, text, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        text += n;
        size -= (size_t)n;
    }
    return true;
}

/* A device, pipe or link is written to as it is. */
static int write_direct(const char *path, const char *text, size_t size)
{
    const int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
    if (fd < 0)
        return tool_error("%s: %s", path, strerror(errno));
    const bool ok = write_all(fd, text, size);
    const int reason = errno;
    if (close(fd) != 0 || !ok)
        return tool_error("%s: %s", path, strerror(ok ? errno : reason));
    return TOOL_DONE;
}

int tool_check_output(const char *path)
{
    struct stat info;
    const bool exists = lstat(path, &info) == 0;
    if (strcmp(path, "-") == 0)
        return TOOL_DONE;
    if (exists && S_ISDIR(info.st_mode))
        return tool_error("%s: it is a folder; want the name of a file", path);
    if (exists &&
        !S_ISREG(
            info.st_mode)) /* a device or pipe is written to where it is; what a link leads to, the write finds out */
        return S_ISLNK(info.st_mode) || access(path, W_OK) == 0 ? TOOL_DONE
                                                                : tool_error("%s: %s", path, strerror(errno));
    const char *slash = strrchr(path, '/');
    char *folder = slash == NULL ? strdup(".") : slash == path ? strdup("/") : strndup(path, (size_t)(slash - path));
    int code = folder != NULL ? TOOL_DONE : tool_error("no memory");
    if (code == TOOL_DONE && access(folder, W_OK | X_OK) != 0)
        code = tool_error("%s: cannot write in %s: %s", path, folder, strerror(errno));
    free(folder);
    return code;
}

int tool_write(const char *path, const char *text, size_t size)
{
    struct stat info;
    if (strcmp(path, "-") == 0) {
        fwrite(text, 1, size, stdout);
        return tool_flush();
    }
    const bool exists = lstat(path, &info) == 0;
    if (exists && !S_ISREG(info.st_mode))
        return write_direct(path, text, size);
    const size_t length = strlen(path) + 16;
    char *temporary = malloc(length);
    if (temporary == NULL)
        return tool_error("%s: no memory", path);
    snprintf(temporary, length, "%s.XXXXXX", path);
    const int fd = mkstemp(temporary);
    if (fd < 0) {
        const int reason = errno;
        free(temporary);
        return tool_error("%s: %s", path, strerror(reason));
    }
    const mode_t mask = umask(0);
    umask(mask);
    bool ok =
        fchmod(fd, exists ? info.st_mode & 07777 : 0666 & ~mask) == 0 && write_all(fd, text, size) && fsync(fd) == 0;
    int reason = errno;
    if (close(fd) != 0 && ok) {
        reason = errno;
        ok = false;
    }
    if (ok && rename(temporary, path) != 0) {
        reason = errno;
        ok = false;
    }
    if (!ok)
        unlink(temporary);
    free(temporary);
    return ok ? TOOL_DONE : tool_error("%s: %s", path, strerror(reason));
}

int tool_write_json(const char *path, json_t *value)
{
    char *text =
        value != NULL ? json_dumps(value, JSON_INDENT(2) | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(17)) : NULL;
    json_decref(value);
    if (text == NULL)
        return tool_error("no memory for JSON, or a text in it is not UTF-8");
    const size_t length = strlen(text);
    char *line = realloc(text, length + 2);
    if (line == NULL) {
        free(text);
        return tool_error("no memory for JSON");
    }
    memcpy(line + length, "\n", 2);
    const int status = tool_write(path, line, length + 1);
    free(line);
    return status;
}

json_t *tool_json_text(const char *text)
{
    json_t *value = text != NULL ? json_string(text) : json_null();
    if (value != NULL)
        return value;
    const size_t size = strlen(text);
    char *room = malloc(3 * size + 1);
    size_t n = 0;
    for (size_t i = 0; room != NULL && i < size;) {
        size_t length = 1;
        json_t *one;
        while ((one = json_stringn(text + i, length)) == NULL && length < 4 && i + length < size)
            length++;
        memcpy(room + n, one != NULL ? text + i : "\xef\xbf\xbd", one != NULL ? length : 3);
        n += one != NULL ? length : 3;
        i += one != NULL ? length : 1;
        json_decref(one);
    }
    value = room != NULL ? json_stringn(room, n) : NULL;
    free(room);
    return value;
}

json_t *tool_json_real(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

void tool_tidy(char *text)
{
    for (unsigned char *p = (unsigned char *)text; *p != '\0'; p++)
        if (*p < 0x20 || *p == 0x7f || (*p == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0)) { /* the last: C1, in UTF-8 */
            if (*p == 0xc2)
                *p++ = '?';
            *p = '?';
        }
}

void tool_put_name(const char *name)
{
    char *copy = isatty(STDOUT_FILENO) ? strdup(name) : NULL;
    if (copy != NULL)
        tool_tidy(copy);
    fputs(copy != NULL ? copy : name, stdout);
    free(copy);
}

/* Columns of a text, UTF-8. */
static int columns_of(const char *text)
{
    int n = 0;
    for (; *text != '\0'; text++)
        n += ((unsigned char)*text & 0xc0u) != 0x80u;
    return n;
}

void tool_table(const char *const *cells, int rows, int columns)
{
    int width[16] = { 0 };
    for (int i = 0; i < rows * columns; i++) {
        const int n = columns_of(cells[i]);
        width[i % columns] = n > width[i % columns] ? n : width[i % columns];
    }
    for (int i = 0; i < rows * columns; i++) {
        const bool last = i % columns == columns - 1;
        tool_put_name(cells[i]);
        printf("%*s%s", last ? 0 : width[i % columns] - columns_of(cells[i]) + 2, "", last ? "\n" : "");
    }
}

const char *tool_number(char *out, double value)
{
    for (int digits = 6; digits <= 17; digits++) {
        snprintf(out, 32, "%.*g", digits, value);
        if (strtod(out, NULL) == value)
            break;
    }
    return out;
}

bool tool_sha256(char out[65], const char *path)
{
    unsigned char block[1 << 16], digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    FILE *f = fopen(path, "rb");
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    bool ok = f != NULL && md != NULL && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1;
    for (size_t n = 1; ok && n > 0;) {
        n = fread(block, 1, sizeof(block), f);
        ok = !ferror(f) && EVP_DigestUpdate(md, block, n) == 1;
    }
    ok = ok && EVP_DigestFinal_ex(md, digest, &size) == 1 && size == 32;
    for (unsigned i = 0; ok && i < size; i++)
        snprintf(out + 2 * i, 3, "%02x", digest[i]);
    EVP_MD_CTX_free(md);
    if (f != NULL)
        fclose(f);
    return ok;
}
