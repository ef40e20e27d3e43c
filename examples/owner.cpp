// SPDX-License-Identifier: Apache-2.0
// The handles in C++: std::unique_ptr frees them, an exception carries the message.
//
//   c++ -std=c++17 owner.cpp $(pkg-config --cflags --libs physad) -o owner && ./owner
#include <physad/physad.h>

#include <cstdio>
#include <exception>
#include <memory>
#include <stdexcept>

namespace
{

struct Free {
    void operator()(physad_context *p) const
    {
        physad_context_free(p);
    }
};
using Context = std::unique_ptr<physad_context, Free>;

void check(physad_status status)
{
    if (status != PHYSAD_OK)
        throw std::runtime_error(physad_last_error());
}

Context make_context(std::int32_t threads)
{
    physad_context_options options = PHYSAD_CONTEXT_OPTIONS_INIT;
    options.threads = threads;
    physad_context *ctx = nullptr;
    check(physad_context_new(&ctx, &options));
    return Context(ctx);
}

} // namespace

int main()
{
    try {
        const Context ctx = make_context(2);
        std::printf("%d threads\n", static_cast<int>(physad_context_threads(ctx.get())));
        make_context(-1); // is refused, and the message says why
    } catch (const std::exception &e) {
        std::printf("as it should be: %s\n", e.what());
        return 0;
    }
    return 1;
}
