/* SPDX-License-Identifier: Apache-2.0 */
/* 3D Gaussians in PLY: a header of lines, then vertices of scalar properties, as text or little-endian. Lists are
 * refused; properties that are not ours are passed over. */
#include "io/io_file.h"
#include "io/io_poses.h"

#include <math.h>

#define MAX_FILE ((uint64_t)16 << 30)
#define MAX_PROPERTIES 512
#define MAX_PLANES 59

/* A property of a vertex: its type's size and kind, and the plane it fills (-1: none). */
typedef struct property {
    int16_t plane;
    uint8_t size;
    char kind; /* i, u or f */
} property;

typedef struct ply {
    const char *data, *name;
    size_t size, at;
    property properties[MAX_PROPERTIES];
    int64_t n_properties, n_vertices, vertex_size;
    int32_t n_rest, degree;
    float nearest;
    bool ascii, has[MAX_PLANES];
} ply;

static physad_status fault(const ply *p, const char *reason)
{
    return physad__error(PHYSAD_ERR_FORMAT, "%s: byte %zu: %s", p->name, p->at, reason);
}

/* The next line of the header as words; a line of more than 255 bytes is none. */
static bool header_line(ply *p, char line[256])
{
    const char *start = p->data + p->at, *end = p->at < p->size ? memchr(start, '\n', p->size - p->at) : NULL;
    if (end == NULL || end - start > 255)
        return false;
    size_t n = (size_t)(end - start);
    p->at += n + 1;
    if (n > 0 && start[n - 1] == '\r')
        n--;
    memcpy(line, start, n);
    line[n] = 0;
    return true;
}

static bool begins(const char *text, const char *with, const char **rest)
{
    const size_t n = strlen(with);
    if (strncmp(text, with, n) != 0)
        return false;
    *rest = text + n;
    return true;
}

/* Where a property goes: the plane as lib/splat orders them; f_rest_N as 100 + N until their number is known. */
static int plane_of(const char *name)
{
    static const char *const fixed[] = { "x",     "y",     "z",     "scale_0", "scale_1", "scale_2", "rot_0",
                                         "rot_1", "rot_2", "rot_3", "opacity", "f_dc_0",  "f_dc_1",  "f_dc_2" };
    const char *rest;
    int64_t n;
    for (int k = 0; k < PHYSAD__COUNT(fixed); k++)
        if (strcmp(fixed[k], name) == 0)
            return k;
    if (begins(name, "f_rest_", &rest) && physad__parse_int(rest, &n) && n >= 0 && n < 45)
        return (int)(100 + n);
    return -1;
}

static physad_status add_property(ply *p, const char *text)
{
    static const struct {
        const char *name;
        uint8_t size;
        char kind;
    } types[] = { { "float ", 4, 'f' }, { "float32 ", 4, 'f' }, { "double ", 8, 'f' }, { "float64 ", 8, 'f' },
                  { "char ", 1, 'i' },  { "int8 ", 1, 'i' },    { "uchar ", 1, 'u' },  { "uint8 ", 1, 'u' },
                  { "short ", 2, 'i' }, { "int16 ", 2, 'i' },   { "ushort ", 2, 'u' }, { "uint16 ", 2, 'u' },
                  { "int ", 4, 'i' },   { "int32 ", 4, 'i' },   { "uint ", 4, 'u' },   { "uint32 ", 4, 'u' } };
    const char *name;
    for (int k = 0; k < PHYSAD__COUNT(types); k++) {
        if (!begins(text, types[k].name, &name))
            continue;
        if (p->n_properties == MAX_PROPERTIES)
            return fault(p, "more than 512 properties");
        const property one = { (int16_t)plane_of(name), types[k].size, types[k].kind };
        for (int64_t i = 0; i < p->n_properties && one.plane >= 0; i++)
            if (p->properties[i].plane == one.plane)
                return fault(p, "two properties have one name");
        p->properties[p->n_properties++] = one;
        p->vertex_size += one.size;
        p->n_rest += one.plane >= 100;
        return PHYSAD_OK;
    }
    return fault(p, "a property that is no scalar of a known type");
}

static physad_status read_element(ply *p, const char *text, bool *ours)
{
    const char *rest;
    if (p->n_vertices >= 0)
        return fault(p, "a second element: want vertices alone");
    if (!begins(text, "vertex ", &rest) || !physad__parse_int(rest, &p->n_vertices) || p->n_vertices < 0)
        return fault(p, "the first element is not a count of vertices");
    *ours = true;
    return PHYSAD_OK;
}

/* f_rest_N: colour after colour, coefficients within. */
static physad_status place_rest(ply *p)
{
    const int n = p->n_rest / 3; /* coefficients beyond the first */
    p->degree = n == 0 ? 0 : n == 3 ? 1 : n == 8 ? 2 : n == 15 ? 3 : -1;
    if (p->degree < 0 || p->n_rest % 3 != 0)
        return physad__error(PHYSAD_ERR_FORMAT, "%s: %d properties f_rest_*: want 0, 9, 24 or 45", p->name, p->n_rest);
    for (int64_t i = 0; i < p->n_properties; i++) {
        property *one = &p->properties[i];
        const int k = one->plane - 100;
        if (k >= p->n_rest)
            return physad__error(PHYSAD_ERR_FORMAT, "%s: f_rest_%d without those before it", p->name, k);
        if (k >= 0)
            one->plane = (int16_t)(11 + 3 * (1 + k % n) + k / n);
        if (one->plane >= 0)
            p->has[one->plane] = true;
    }
    for (int k = 0; k < 11 + 3 * (n + 1); k++)
        if (!p->has[k])
            return physad__error(PHYSAD_ERR_FORMAT,
                                 "%s: these are no 3D Gaussians: x y z scale_* rot_* opacity f_dc_* are not all there",
                                 p->name);
    return PHYSAD_OK;
}

/* A line of the header that others pass over. */
#define NEAREST "comment physad nearest "

static bool read_nearest(ply *p, const char *text)
{
    double value;
    if (!physad__parse_double(text, &value) || !(value > 0 && value <= 1e6))
        return false;
    p->nearest = (float)value;
    return p->nearest > 0;
}

static physad_status read_header(ply *p)
{
    char line[256];
    const char *rest;
    bool formatted = false, ours = false;
    p->n_vertices = -1;
    if (!header_line(p, line) || strcmp(line, "ply") != 0)
        return fault(p, "the file does not begin with a line \"ply\"");
    for (;;) {
        if (!header_line(p, line))
            return fault(p, "the header has no end, or a line of more than 255 bytes");
        if (strcmp(line, "end_header") == 0)
            break;
        if (begins(line, NEAREST, &rest) && !read_nearest(p, rest))
            return fault(p, "a distance from where on cameras see that is none");
        if (begins(line, "comment", &rest) || begins(line, "obj_info", &rest))
            continue;
        if (strcmp(line, "format ascii 1.0") == 0 || strcmp(line, "format binary_little_endian 1.0") == 0) {
            formatted = true;
            p->ascii = line[7] == 'a';
        } else if (begins(line, "element ", &rest)) {
            PHYSAD__TRY(read_element(p, rest, &ours));
        } else if (ours && begins(line, "property ", &rest)) {
            PHYSAD__TRY(add_property(p, rest));
        } else {
            return fault(p, "a line of the header that is not understood (formats: ascii, binary_little_endian)");
        }
    }
    if (!formatted || !ours)
        return fault(p, "the header names no format, or no vertices");
    return place_rest(p);
}

static float scalar(const char *at, property one)
{
    float f;
    double d;
    int64_t integer = 0;
    if (one.kind == 'f' && one.size == 4) {
        memcpy(&f, at, 4);
        return f;
    }
    if (one.kind == 'f') {
        memcpy(&d, at, 8);
        return (float)d;
    }
    for (int k = one.size - 1; k >= 0; k--)
        integer = integer << 8 | (unsigned char)at[k];
    if (one.kind == 'i' && integer >> (8 * one.size - 1))
        integer -= (int64_t)1 << (8 * one.size);
    return (float)integer;
}

static physad_status read_binary(ply *p, physad__gaussians *out)
{
    if (p->n_vertices * p->vertex_size != (int64_t)(p->size - p->at))
        return physad__error(PHYSAD_ERR_FORMAT, "%s: byte %zu: %lld vertices of %lld bytes, but %zu bytes follow",
                             p->name, p->at, (long long)p->n_vertices, (long long)p->vertex_size, p->size - p->at);
    for (int64_t i = 0; i < p->n_vertices; i++)
        for (int64_t k = 0; k < p->n_properties; k++) {
            const property one = p->properties[k];
            if (one.plane >= 0)
                out->planes[one.plane * out->stride + i] = scalar(p->data + p->at, one);
            p->at += one.size;
        }
    return PHYSAD_OK;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static physad_status read_ascii(ply *p, physad__gaussians *out)
{
    for (int64_t i = 0; i < p->n_vertices * p->n_properties; i++) {
        char word[64];
        double value;
        size_t n = 0;
        while (p->at < p->size && is_space(p->data[p->at]))
            p->at++;
        while (p->at + n < p->size && !is_space(p->data[p->at + n]) && n < 63)
            n++;
        memcpy(word, p->data + p->at, n);
        word[n] = 0;
        if (!physad__parse_double(word, &value))
            return fault(p, "want a number");
        p->at += n;
        const property one = p->properties[i % p->n_properties];
        if (one.plane >= 0)
            out->planes[one.plane * out->stride + i / p->n_properties] = (float)value;
    }
    while (p->at < p->size && is_space(p->data[p->at]))
        p->at++;
    return p->at == p->size ? PHYSAD_OK : fault(p, "bytes behind the last vertex");
}

static physad_status check_values(const ply *p, const physad__gaussians *g)
{
    const int planes = 11 + 3 * (g->degree + 1) * (g->degree + 1);
    for (int k = 0; k < planes; k++)
        for (int64_t i = 0; i < g->count; i++)
            if (!isfinite(g->planes[k * g->stride + i]))
                return physad__error(PHYSAD_ERR_FORMAT, "%s: vertex %lld holds a number that is not finite", p->name,
                                     (long long)i);
    return PHYSAD_OK;
}

physad_status physad__gaussians_parse(physad__gaussians *out, physad__mem *mem, const void *data, size_t size,
                                      int64_t multiple, const char *name)
{
    ply p = { .data = data, .size = size, .name = name };
    *out = (physad__gaussians){ 0 };
    PHYSAD__TRY(read_header(&p));
    /* before any memory: a number takes at least two bytes of text */
    const int64_t least = p.ascii ? 2 * p.n_properties - 1 : p.vertex_size;
    if (p.n_vertices > (int64_t)(size - p.at + 1) / least)
        return physad__error(PHYSAD_ERR_FORMAT, "%s: byte %zu: %lld vertices do not fit in the %zu bytes that follow",
                             name, p.at, (long long)p.n_vertices, size - p.at);
    const int64_t planes = 11 + 3 * (p.degree + 1) * (p.degree + 1);
    out->count = p.n_vertices;
    out->degree = p.degree;
    out->nearest = p.nearest;
    out->stride = (p.n_vertices + multiple - 1) / multiple * multiple;
    out->planes = physad__alloc_array(mem, planes * out->stride, sizeof(float), "Gaussians");
    if (out->planes == NULL)
        return PHYSAD_ERR_NOMEM;
    memset(out->planes, 0, (size_t)(planes * out->stride) * sizeof(float));
    physad_status status = p.ascii ? read_ascii(&p, out) : read_binary(&p, out);
    if (status == PHYSAD_OK)
        status = check_values(&p, out);
    if (status != PHYSAD_OK) {
        physad__free(out->planes);
        *out = (physad__gaussians){ 0 };
    }
    return status;
}

physad_status physad__gaussians_read(physad__gaussians *out, physad__mem *mem, const char *path, int64_t multiple)
{
    unsigned char *data;
    size_t size;
    *out = (physad__gaussians){ 0 };
    PHYSAD__TRY(physad__file_read(&data, &size, mem, path, MAX_FILE));
    const physad_status status = physad__gaussians_parse(out, mem, data, size, multiple, path);
    physad__free(data);
    return status;
}

static physad_status put_header(physad__file_writer *w, const physad__gaussians *g, int n_rest)
{
    char line[128];
    int n = physad__snprintf(line, sizeof(line), "ply\nformat binary_little_endian 1.0\nelement vertex %lld\n",
                             (long long)g->count);
    static const char *const front[] = { "x", "y", "z", "nx", "ny", "nz", "f_dc_0", "f_dc_1", "f_dc_2" };
    static const char *const back[] = {
        "opacity", "scale_0", "scale_1", "scale_2", "rot_0", "rot_1", "rot_2", "rot_3"
    };
    PHYSAD__TRY(physad__file_writer_put(w, line, (size_t)n));
    if (g->nearest > 0) {
        n = physad__snprintf(line, sizeof(line), NEAREST "%.9g\n", (double)g->nearest);
        PHYSAD__TRY(physad__file_writer_put(w, line, (size_t)n));
    }
    for (int k = 0; k < 9 + n_rest + 8; k++) {
        if (k < 9)
            n = physad__snprintf(line, sizeof(line), "property float %s\n", front[k]);
        else if (k < 9 + n_rest)
            n = physad__snprintf(line, sizeof(line), "property float f_rest_%d\n", k - 9);
        else
            n = physad__snprintf(line, sizeof(line), "property float %s\n", back[k - 9 - n_rest]);
        PHYSAD__TRY(physad__file_writer_put(w, line, (size_t)n));
    }
    return physad__file_writer_put(w, "end_header\n", 11);
}

physad_status physad__gaussians_write(physad__mem *mem, const char *path, const physad__gaussians *g)
{
    const int rest = (g->degree + 1) * (g->degree + 1) - 1;
    int order[17 + 45];
    int n = 0;
    for (int k = 0; k < 6; k++)
        order[n++] = k < 3 ? k : -1; /* no normals */
    for (int k = 0; k < 3; k++)
        order[n++] = 11 + k;
    for (int k = 0; k < 3 * rest; k++)
        order[n++] = 11 + 3 * (1 + k % rest) + k / rest;
    order[n++] = 10;
    for (int k = 0; k < 7; k++)
        order[n++] = 3 + k;
    physad__file_writer w;
    PHYSAD__TRY(physad__file_writer_open(&w, mem, path));
    physad_status status = put_header(&w, g, 3 * rest);
    for (int64_t i = 0; i < g->count && status == PHYSAD_OK; i++) {
        float vertex[17 + 45];
        for (int k = 0; k < n; k++)
            vertex[k] = order[k] >= 0 ? g->planes[order[k] * g->stride + i] : 0;
        status = physad__file_writer_put(&w, vertex, (size_t)n * sizeof(float));
    }
    if (status == PHYSAD_OK)
        return physad__file_writer_commit(&w);
    physad__file_writer_abort(&w);
    return status;
}
