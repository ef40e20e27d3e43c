/* SPDX-License-Identifier: Apache-2.0 */
/* A camera from options: where it stands, where it looks. */
#include "tool.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

bool tool_place(const tool *t, const char *name, double out[3])
{
    const char *at = tool_text(t, name, NULL);
    for (int k = 0; at != NULL && k < 3; k++) {
        char *end;
        out[k] = strtod(at, &end);
        if (end == at || !isfinite(out[k]) || *end != (k < 2 ? ',' : '\0')) {
            tool_usage(t, "--%s is \"%s\", want three numbers with commas between", name, tool_text(t, name, ""));
            return false;
        }
        at = end + 1;
    }
    return true;
}

bool tool_background(const tool *t, float out[3])
{
    double colour[3] = { 0 };
    if (!tool_place(t, "background", colour))
        return false;
    for (int k = 0; k < 3; k++)
        out[k] = (float)colour[k];
    return true;
}

static double normalise(double v[3])
{
    const double length = sqrt(v[0] * v[0] + v[1] * v[1] + v[2] * v[2]);
    for (int k = 0; k < 3 && length > 0; k++)
        v[k] /= length;
    return length;
}

static void cross(double out[3], const double a[3], const double b[3])
{
    for (int k = 0; k < 3; k++)
        out[k] = a[(k + 1) % 3] * b[(k + 2) % 3] - a[(k + 2) % 3] * b[(k + 1) % 3];
}

/* From a place towards another; false where that says no direction. */
static bool look(physad_camera *c, const double from[3], const double to[3], const double up[3])
{
    double ahead[3] = { to[0] - from[0], to[1] - from[1], to[2] - from[2] }, right[3], down[3];
    if (!(normalise(ahead) > 0))
        return false;
    cross(right, ahead, up);
    if (!(normalise(right) > 1e-9))
        return false;
    cross(down, ahead, right);
    memcpy(c->rotation, right, sizeof(right));
    memcpy(c->rotation + 3, down, sizeof(down));
    memcpy(c->rotation + 6, ahead, sizeof(ahead));
    for (int k = 0; k < 3; k++)
        c->translation[k] =
            -(c->rotation[k * 3] * from[0] + c->rotation[k * 3 + 1] * from[1] + c->rotation[k * 3 + 2] * from[2]);
    return true;
}

int tool_camera(const tool *t, physad_camera *c)
{
    double from[3] = { 0, 0, -4 }, to[3] = { 0 }, up[3] = { 0, -1, 0 }, angle = 50;
    int64_t width = 640, height = 480;
    if (!tool_place(t, "from", from) || !tool_place(t, "to", to) || !tool_place(t, "up", up) ||
        !tool_real(t, "angle", &angle, 1, 170) || !tool_int(t, "width", &width, 1, 32768) ||
        !tool_int(t, "height", &height, 1, 32768))
        return TOOL_USAGE;
    if (!look(c, from, to, up))
        return tool_usage(
            t, "--from, --to and --up give no direction: want two places, and a way up that is not between them");
    c->width = width;
    c->height = height;
    c->cx = 0.5 * (double)width;
    c->cy = 0.5 * (double)height;
    c->fx = c->fy = c->cx / tan(angle * acos(-1.0) / 360);
    return TOOL_DONE;
}
