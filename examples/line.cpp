// SPDX-License-Identifier: Apache-2.0
// An inspection program on a line in C++: handles are owned by std::unique_ptr, an exception carries the message,
// frames lie in memory and are not copied, and several lines share one detector.
//
//   c++ -std=c++17 line.cpp $(pkg-config --cflags --libs physad) -pthread -o line && ./line [MODEL]
//
// Without a model it learns from frames of its own, so that it can be tried. With real weights leave the option
// `weights` out.
#include <physad/physad.h>

#include <cstdint>
#include <cstdio>
#include <exception>
#include <future>
#include <memory>
#include <stdexcept>
#include <vector>

namespace
{

constexpr std::int64_t height = 128, width = 128;
constexpr int frames = 8;

struct Free {
    void operator()(physad_context *p) const { physad_context_free(p); }
    void operator()(physad_dataset *p) const { physad_dataset_free(p); }
    void operator()(physad_detector *p) const { physad_detector_free(p); }
    void operator()(physad_result *p) const { physad_result_free(p); }
};
template <typename T> using Owner = std::unique_ptr<T, Free>;

void check(physad_status status)
{
    if (status != PHYSAD_OK)
        throw std::runtime_error(physad_last_error());
}

// Stands for the camera's driver. Every fourth part has a dark hole.
std::vector<std::uint8_t> grab(int number)
{
    std::vector<std::uint8_t> pixels(static_cast<std::size_t>(height * width));
    for (std::int64_t y = 0; y < height; y++)
        for (std::int64_t x = 0; x < width; x++) {
            const bool hole = number % 4 == 3 && (y - 64) * (y - 64) + (x - 64) * (x - 64) < 100;
            pixels[static_cast<std::size_t>(y * width + x)] =
                static_cast<std::uint8_t>(hole ? 10 : 120 + (x * 7 + y * 3 + number) % 16);
        }
    return pixels;
}

Owner<physad_detector> learn(physad_context *ctx)
{
    physad_dataset *made = nullptr;
    physad_detector *unfitted = nullptr;
    check(physad_dataset_new(&made, ctx));
    const Owner<physad_dataset> normal(made);
    for (int i = 0; i < 24; i++) {
        std::vector<std::uint8_t> pixels = grab(i + i / 3); // all but every fourth
        const physad_view photo = physad_view_gray8(pixels.data(), height, width, width);
        physad_item item = PHYSAD_ITEM_INIT;
        item.photo = &photo;
        item.flags = PHYSAD_ITEM_COPY;
        check(physad_dataset_add(normal.get(), &item));
    }
    check(physad_detector_new(&unfitted, ctx, "patchcore"));
    Owner<physad_detector> detector(unfitted);
    check(physad_detector_set(detector.get(), "weights", "random:1"));
    check(physad_detector_set(detector.get(), "input", "96"));
    check(physad_detector_set(detector.get(), "calibration", "0.4"));
    check(physad_detector_set(detector.get(), "alpha", "0.1"));
    check(physad_detector_fit(detector.get(), normal.get(), nullptr));
    return detector;
}

// One line of several: a detector may score in any number of threads.
int inspect(const physad_detector *detector, int first)
{
    int odd = 0;
    for (int i = first; i < first + frames; i++) {
        std::vector<std::uint8_t> pixels = grab(i);
        const physad_view frame = physad_view_gray8(pixels.data(), height, width, width);
        physad_result *made = nullptr;
        check(physad_detector_score(detector, &frame, &made));
        const Owner<physad_result> result(made);
        odd += physad_result_is_anomalous(result.get()) == 1;
    }
    return odd;
}

} // namespace

int main(int argc, char **argv)
{
    try {
        physad_context *made = nullptr;
        check(physad_context_new(&made, nullptr));
        const Owner<physad_context> ctx(made);
        Owner<physad_detector> detector;
        if (argc > 1) {
            physad_detector *loaded = nullptr;
            check(physad_detector_load(&loaded, ctx.get(), argv[1]));
            detector.reset(loaded);
            physad_threshold limit = PHYSAD_THRESHOLD_INIT;
            check(physad_detector_threshold(loaded, &limit)); // without one every part would pass
        } else {
            detector = learn(ctx.get());
        }
        std::future<int> other = std::async(std::launch::async, inspect, detector.get(), frames);
        const int here = inspect(detector.get(), 0);
        std::printf("%d and %d of %d put aside\n", here, other.get(), frames);
    } catch (const std::exception &e) {
        std::fprintf(stderr, "line: %s\n", e.what());
        return 1;
    }
    return 0;
}
