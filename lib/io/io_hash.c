/* SPDX-License-Identifier: Apache-2.0 */
#include "io/io_file.h"

#include <openssl/evp.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static void to_hex(char out[65], const unsigned char digest[32])
{
    static const char digits[] = "0123456789abcdef";
    for (int i = 0; i < 32; i++) {
        out[2 * i] = digits[digest[i] >> 4];
        out[2 * i + 1] = digits[digest[i] & 15];
    }
    out[64] = '\0';
}

static physad_status crypto_error(const char *what)
{
    return physad__error(PHYSAD_ERR_INTERNAL, "%s: libcrypto refuses SHA-256", what);
}

physad_status physad__sha256(char out[65], const void *data, size_t size)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    if (EVP_Digest(data, size, digest, NULL, EVP_sha256(), NULL) != 1)
        return crypto_error("hash");
    to_hex(out, digest);
    return PHYSAD_OK;
}

/* Read, not mapped: a file that shrinks meanwhile must not end the program. */
static physad_status hash_fd(char out[65], int fd, EVP_MD_CTX *md, const char *path)
{
    unsigned char buffer[1 << 14], digest[EVP_MAX_MD_SIZE];
    char reason[128];
    if (EVP_DigestInit_ex(md, EVP_sha256(), NULL) != 1)
        return crypto_error(path);
    for (;;) {
        const ssize_t n = read(fd, buffer, sizeof(buffer));
        if (n == 0)
            break;
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return physad__error(PHYSAD_ERR_IO, "%s: cannot read: %s", path, strerror_r(errno, reason, sizeof(reason)));
        if (EVP_DigestUpdate(md, buffer, (size_t)n) != 1)
            return crypto_error(path);
    }
    if (EVP_DigestFinal_ex(md, digest, NULL) != 1)
        return crypto_error(path);
    to_hex(out, digest);
    return PHYSAD_OK;
}

physad_status physad__sha256_file(char out[65], const char *path)
{
    char reason[128];
    struct stat info;
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe without a writer would keep us for ever */
    if (fd < 0)
        return physad__error(PHYSAD_ERR_IO, "%s: cannot open: %s", path, strerror_r(errno, reason, sizeof(reason)));
    if (fstat(fd, &info) != 0 || (!S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode))) { /* a device may have no end */
        close(fd);
        return physad__error(PHYSAD_ERR_IO, "%s: is not a regular file", path);
    }
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    const physad_status status = md == NULL ? physad__error(PHYSAD_ERR_NOMEM, "%s: no memory to hash it", path)
                                            : hash_fd(out, fd, md, path);
    EVP_MD_CTX_free(md);
    close(fd);
    return status;
}
