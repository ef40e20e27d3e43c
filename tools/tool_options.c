/* SPDX-License-Identifier: Apache-2.0 */
/* A small option parser: --name VALUE, --name=VALUE, -n VALUE, flags, "--" before operands that begin with a dash. */
#include "tool.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const tool_option COMMON[] = {
    { "seed", "N", "seed of every random choice (default 0)", 0, false },
    { "threads", "N", "threads for computing; results do not depend on it (default: all)", 0, false },
    { "memory-limit", "MIB", "spill to files, or fail with the sizes, beyond it", 0, false },
    { "verbose", NULL, "say on standard error what is done on the way, not only warnings", 0, false },
};
static const tool_option HELP = { "help", NULL, "this text", 'h', false };

/* --- nearest name ------------------------------------------------------------------------------------ */

static int edits(const char *a, const char *b)
{
    int row[64];
    const int n = (int)strlen(b);
    if (n > 60 || strlen(a) > 60)
        return 1000;
    for (int j = 0; j <= n; j++)
        row[j] = j;
    for (int i = 1; a[i - 1] != '\0'; i++) {
        int diagonal = row[0];
        row[0] = i;
        for (int j = 1; j <= n; j++) {
            const int change = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            row[j] = row[j] + 1 < row[j - 1] + 1 ? row[j] + 1 : row[j - 1] + 1;
            row[j] = change < row[j] ? change : row[j];
        }
    }
    return row[n];
}

const char *tool_nearest(const char *text, const char *const *names, int count)
{
    const char *best = NULL;
    int least = 1000;
    for (int i = 0; i < count; i++) {
        const size_t length = strlen(text);
        int d = edits(text, names[i]);
        if (length >= 3 && strncmp(text, names[i], length) == 0)
            d = 1; /* the beginning of a name means it */
        if (d < least) {
            least = d;
            best = names[i];
        }
    }
    return best != NULL && least <= (int)(strlen(text) + 2) / 3 ? best : NULL;
}

/* --- parsing ----------------------------------------------------------------------------------------- */

static const tool_option *find(const tool *t, const char *name, size_t length)
{
    for (int i = 0; i < t->option_count; i++)
        if (strlen(t->options[i]->name) == length && memcmp(t->options[i]->name, name, length) == 0)
            return t->options[i];
    return NULL;
}

static int unknown_option(const tool *t, const char *name, size_t length)
{
    const char *names[TOOL_MOST_OPTIONS];
    char text[64];
    for (int i = 0; i < t->option_count; i++)
        names[i] = t->options[i]->name;
    snprintf(text, sizeof(text), "%.*s", (int)(length < 60 ? length : 60), name);
    const char *near = tool_nearest(text, names, t->option_count);
    return near != NULL ? tool_usage(t, "unknown option --%s; did you mean --%s?", text, near)
                        : tool_usage(t, "unknown option --%s", text);
}

/* One option at argv[*at]; moves *at to its last argument. */
static int parse_option(tool *t, int argc, char **argv, int *at)
{
    const char *arg = argv[*at], *text = NULL;
    const tool_option *option = NULL;
    if (arg[1] == '-') {
        const size_t length = strcspn(arg + 2, "=");
        option = find(t, arg + 2, length);
        if (option == NULL)
            return unknown_option(t, arg + 2, length);
        if (arg[2 + length] == '=')
            text = arg + 3 + length;
    } else {
        for (int i = 0; i < t->option_count && option == NULL; i++)
            if (t->options[i]->letter != 0 && t->options[i]->letter == arg[1])
                option = t->options[i];
        if (option == NULL)
            return tool_usage(t, "unknown option -%c", arg[1]);
        if (arg[2] != '\0')
            text = arg + 2;
    }
    if (option->value == NULL && text != NULL)
        return tool_usage(t, "--%s takes no value", option->name);
    if (option->value != NULL && text == NULL) {
        if (*at + 1 >= argc)
            return tool_usage(t, "--%s needs a value (%s)", option->name, option->value);
        text = argv[++*at];
    }
    if (!option->repeats && tool_given(t, option->name))
        return tool_usage(t, "--%s is given twice", option->name);
    t->given[t->given_count].option = option;
    t->given[t->given_count++].text = text;
    return TOOL_DONE;
}

/* Names the first operand that is not there: the last words of "MODEL INPUT...". */
static int missing_operand(const tool *t)
{
    const char *name = t->command->operands;
    for (int i = 0; i < t->operand_count && strchr(name, ' ') != NULL; i++)
        name = strchr(name, ' ') + 1;
    return tool_usage(t, "%s is missing", name);
}

int tool_parse(tool *t, const tool_command *command, int argc, char **argv)
{
    memset(t, 0, sizeof(*t));
    t->command = command;
    for (int i = 0; i < command->option_count; i++)
        t->options[t->option_count++] = &command->options[i];
    for (int i = 0; i < TOOL_COUNT(COMMON) && command->computes; i++)
        t->options[t->option_count++] = &COMMON[i];
    t->options[t->option_count++] = &HELP;
    t->given = calloc((size_t)argc + 1, sizeof(*t->given));
    t->operands = calloc((size_t)argc + 1, sizeof(*t->operands));
    if (t->given == NULL || t->operands == NULL)
        return tool_error("no memory for the command line");
    bool only_operands = false;
    for (int i = 0; i < argc; i++) {
        if (!only_operands && strcmp(argv[i], "--") == 0) {
            only_operands = true;
        } else if (only_operands || argv[i][0] != '-' || argv[i][1] == '\0') {
            t->operands[t->operand_count++] = argv[i];
        } else {
            const int status = parse_option(t, argc, argv, &i);
            if (status != TOOL_DONE)
                return status;
        }
    }
    if (tool_given(t, "help"))
        return TOOL_DONE;
    if (t->operand_count < command->least)
        return missing_operand(t);
    if (command->most >= 0 && t->operand_count > command->most)
        return tool_usage(t, "unexpected argument \"%s\"", t->operands[command->most]);
    return TOOL_DONE;
}

void tool_free(tool *t)
{
    free(t->given);
    free(t->operands);
    t->given = NULL;
    t->operands = NULL;
}

/* --- values ------------------------------------------------------------------------------------------ */

bool tool_given(const tool *t, const char *name)
{
    return tool_nth(t, name, 0) != NULL;
}

const char *tool_nth(const tool *t, const char *name, int i)
{
    for (int k = 0; k < t->given_count; k++)
        if (strcmp(t->given[k].option->name, name) == 0 && i-- == 0)
            return t->given[k].text != NULL ? t->given[k].text : "";
    return NULL;
}

const char *tool_text(const tool *t, const char *name, const char *fallback)
{
    const char *text = fallback;
    for (int i = 0; tool_nth(t, name, i) != NULL; i++)
        text = tool_nth(t, name, i);
    return text;
}

bool tool_int(const tool *t, const char *name, int64_t *value, int64_t least, int64_t most)
{
    const char *text = tool_text(t, name, NULL);
    char *end;
    if (text == NULL)
        return true;
    errno = 0;
    const long long n = strtoll(text, &end, 10);
    if (end == text || *end != '\0' || errno != 0 || n < least || n > most) {
        tool_usage(t, "--%s is \"%s\", want a whole number from %lld to %lld", name, text, (long long)least,
                   (long long)most);
        return false;
    }
    *value = n;
    return true;
}

bool tool_real(const tool *t, const char *name, double *value, double least, double most)
{
    const char *text = tool_text(t, name, NULL);
    char *end;
    if (text == NULL)
        return true;
    const double x = strtod(text, &end); /* this program never leaves the C locale */
    if (end == text || *end != '\0' || !(x >= least && x <= most)) {
        tool_usage(t, "--%s is \"%s\", want a number from %g to %g", name, text, least, most);
        return false;
    }
    *value = x;
    return true;
}

bool tool_choice(const tool *t, const char *name, const char *const *choices, int count, int *value)
{
    const char *text = tool_text(t, name, NULL);
    char all[256] = "";
    if (text == NULL)
        return true;
    for (int i = 0; i < count; i++) {
        if (strcmp(text, choices[i]) == 0) {
            *value = i;
            return true;
        }
        snprintf(all + strlen(all), sizeof(all) - strlen(all), "%s%s", i > 0 ? ", " : "", choices[i]);
    }
    const char *near = tool_nearest(text, choices, count);
    if (near != NULL)
        tool_usage(t, "--%s is \"%s\", want one of %s; did you mean %s?", name, text, all, near);
    else
        tool_usage(t, "--%s is \"%s\", want one of %s", name, text, all);
    return false;
}

/* --- help -------------------------------------------------------------------------------------------- */

static void help_option(FILE *out, const tool_option *o)
{
    char left[64];
    if (o->letter != 0)
        snprintf(left, sizeof(left), "-%c, --%s%s%s", o->letter, o->name, o->value != NULL ? " " : "",
                 o->value != NULL ? o->value : "");
    else
        snprintf(left, sizeof(left), "    --%s%s%s", o->name, o->value != NULL ? " " : "",
                 o->value != NULL ? o->value : "");
    fprintf(out, "  %-30s %s\n", left, o->help);
}

void tool_help(FILE *out, const tool_command *command)
{
    const bool has_operands = command->operands[0] != '\0';
    fprintf(out, "usage: physad %s%s%s [options]\n\n%s\n", command->name, has_operands ? " " : "", command->operands,
            command->summary);
    if (command->details != NULL)
        fprintf(out, "\n%s\n", command->details);
    fprintf(out, "\noptions:\n");
    for (int i = 0; i < command->option_count; i++)
        help_option(out, &command->options[i]);
    for (int i = 0; i < TOOL_COUNT(COMMON) && command->computes; i++)
        help_option(out, &COMMON[i]);
    help_option(out, &HELP);
}
