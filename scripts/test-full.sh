# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# What scripts/test --full adds; sourced by it.

# GCC 12 lays frames that are kept after their return on 32 bytes, and 64-byte vectors in them crash: Clang looks for such uses below.
asan_options=detect_leaks=1:strict_string_checks=1:allocator_may_return_null=1
export ASAN_OPTIONS=$asan_options:detect_stack_use_after_return=0
export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
export LSAN_OPTIONS=suppressions=$PWD/tests/sanitizers/lsan.supp:print_suppressions=0

section "GCC, release, warnings fatal"
use_compiler gcc g++
if make_build "gcc release" build-full/gcc --buildtype=release -Db_ndebug=if-release -Dwerror=true -Dtests=enabled \
    -Dc_args=-Wno-error=format-truncation; then # a guess of the optimiser's, wrong where lengths are known to be short
    suite gcc-release build-full/gcc --suite unit
fi

section "Clang, warnings fatal"
use_compiler clang clang++
if make_build "clang" build-full/clang --buildtype=debugoptimized -Dwerror=true -Dtests=enabled; then
    suite clang build-full/clang --suite unit
fi

section "AddressSanitizer and UndefinedBehaviorSanitizer"
use_compiler gcc g++
if make_build "asan" build-full/asan --buildtype=debugoptimized -Db_sanitize=address,undefined -Dtests=enabled; then
    suite asan build-full/asan --suite unit --suite fuzz --timeout-multiplier 6
    check "Python under AddressSanitizer" quietly build-full/asan.log/python.txt env PHYSAD_ASAN_BUILD="$PWD/build-full/asan" \
        meson test -C "$test_build" --no-rebuild "python slow"
    for script in test_lua bad_calls; do # leaks too: the scripts close their state
        check "Lua under AddressSanitizer: $script" quietly "build-full/asan.log/lua-$script.txt" env \
            PHYSAD_LUA_PRELOAD="$(gcc -print-file-name=libasan.so)" LUA_PATH="$PWD/bindings/lua/?.lua" \
            LUA_CPATH="$PWD/build-full/asan/bindings/lua/?.so" \
            tests/bindings/lua/run_lua.sh lua5.4 "$PWD/tests/bindings/lua/$script.lua" "$PWD"
    done
fi

section "ThreadSanitizer"
# GCC's libgomp has no annotations and gives false reports: clang's libomp with its Archer tool has. oneDNN and OpenBLAS are built
# with libgomp, so what calls them is checked in a build without OpenMP of our own.
use_compiler clang clang++
export TSAN_OPTIONS=halt_on_error=1:ignore_noninstrumented_modules=1:suppressions=$PWD/tests/sanitizers/tsan.supp
archer=$(ls /usr/lib/llvm-*/lib/libarcher.so 2>/dev/null | tail -n 1)
if make_build "tsan" build-full/tsan --buildtype=debugoptimized -Db_sanitize=thread -Db_lundef=false -Dtests=enabled; then
    OMP_TOOL_LIBRARIES=$archer suite tsan build-full/tsan --suite unit --no-suite onednn --timeout-multiplier 10
fi
if make_build "tsan, serial" build-full/tsan-serial --buildtype=debugoptimized -Db_sanitize=thread -Db_lundef=false \
    -Dopenmp=disabled -Dapprox=disabled -Dtests=enabled; then # Debian's FAISS wants GCC's OpenMP
    OMP_NUM_THREADS=1 suite tsan-serial build-full/tsan-serial --suite unit --timeout-multiplier 10
fi

section "Valgrind"
# Valgrind knows no AVX-512: our kernels by mask, oneDNN and OpenBLAS by their own variables.
use_compiler gcc g++
if make_build "valgrind" build-full/valgrind --buildtype=debugoptimized -Dtests=enabled; then
    # Leaks are AddressSanitizer's part: in a child after fork() the parent's handles would count as lost.
    memcheck="valgrind --quiet --error-exitcode=99 --leak-check=no --suppressions=$PWD/tests/sanitizers/valgrind.supp"
    # libjpeg-turbo's assembly reads beyond what it was given and throws that away; its authors say to turn it off here.
    export ONEDNN_MAX_CPU_ISA=AVX2 OPENBLAS_CORETYPE=Haswell JSIMD_FORCENONE=1
    PHYSAD_TEST_CPU_DISABLE=all suite valgrind-c build-full/valgrind --suite unit --no-suite slow --no-suite heavy --timeout-multiplier 60 --wrap "$memcheck"
    PHYSAD_TEST_CPU_DISABLE=avx512 suite valgrind-avx2 build-full/valgrind --suite unit --no-suite slow --no-suite heavy --timeout-multiplier 60 --wrap "$memcheck"
    unset ONEDNN_MAX_CPU_ISA OPENBLAS_CORETYPE JSIMD_FORCENONE
fi

section "ARM kernels under QEMU"
arm_status=0
quietly build-full/arm.log/checkasm.txt tests/checkasm/arm.sh "$test_build" || arm_status=$?
case $arm_status in
0) echo "pass ARM kernels" >>"$results/checks.txt" ;;
77) echo "skip ARM kernels: no cross compiler or no QEMU" >>"$results/checks.txt" ;;
*) check "ARM kernels" false ;;
esac

section "Every combination of the options"
for openmp in enabled disabled; do
    for video in enabled disabled; do
        for approx in enabled disabled; do
            name="openmp=$openmp video=$video approx=$approx"
            note "$name"
            make_build "$name" build-full/option --buildtype=debug -Dopenmp=$openmp -Dvideo=$video -Dapprox=$approx \
                -Dtests=disabled -Dwerror=true
        done
    done
done

section "LuaJIT"
if make_build "luajit" build-full/luajit --buildtype=release -Dluajit=enabled -Dpython=disabled -Dtests=enabled; then
    suite luajit build-full/luajit lua "lua bad calls"
fi

section "As a rock"
# In a clone, as LuaRocks' users have it; the tests then load the module from where LuaRocks put it.
as_rock() {
    local clone=$PWD/build-full/rock-clone tree=$PWD/build-full/rock log=build-full/rock.log
    rm -rf "$clone" "$tree"
    git clone -q . "$clone" || return 1
    (cd "$clone" && luarocks --lua-version 5.4 --tree "$tree" make bindings/lua/physad-0.1.0-1.rockspec) >"$log" 2>&1 || return 1
    LUA_PATH="$tree/share/lua/5.4/?.lua" LUA_CPATH="$tree/lib/lua/5.4/?.so" \
        tests/bindings/lua/run_lua.sh lua5.4 "$PWD/tests/bindings/lua/test_lua.lua" >>"$log" 2>&1 && "$tree/bin/physad" info >>"$log"
}
check "rock" as_rock

section "As a subproject"
as_subproject() {
    rm -rf build-full/parent
    mkdir -p build-full/parent/subprojects
    ln -s "$PWD" build-full/parent/subprojects/physad
    cp tests/installed/subproject.build build-full/parent/meson.build
    cp examples/hello.c build-full/parent/
    quietly build-full/subproject.log/setup.txt meson setup build-full/parent/build build-full/parent -Dphysad:tests=disabled &&
        quietly build-full/subproject.log/build.txt ninja -C build-full/parent/build
}
check "subproject" as_subproject

section "As a static library"
as_static() {
    local dir=build-full/static stage=$PWD/build-full/stage
    configure "$dir" -Ddefault_library=static -Dtests=disabled -Dprefix="$stage" && build "$dir" || return 1
    rm -rf "$stage"
    quietly "$dir.log/install.txt" meson install -C "$dir" --quiet || return 1
    local pc
    pc=$(dirname "$(find "$stage" -name physad.pc)")
    # shellcheck disable=SC2046
    quietly "$dir.log/link.txt" gcc examples/hello.c $(PKG_CONFIG_PATH=$pc pkg-config --cflags --libs physad) -o "$dir/hello" &&
        quietly "$dir.log/hello.txt" "$dir/hello" && ! ldd "$dir/hello" | grep -q libphysad
}
check "static library" as_static

section "Fuzzing"
use_compiler clang clang++
export ASAN_OPTIONS=$asan_options:detect_stack_use_after_return=1
if make_build "fuzz" build-full/fuzz --buildtype=debugoptimized -Dfuzz=true -Db_sanitize=address,undefined -Db_lundef=false \
    -Dtests=enabled -Dopenmp=disabled; then
    for target in build-full/fuzz/tests/fuzz/fuzz_*; do
        [ -f "$target" ] && [ -x "$target" ] || continue
        name=$(basename "$target")
        work=$(mktemp -d)
        note "$name, ${PHYSAD_FUZZ_SECONDS:-60} s"
        check "$name" quietly "build-full/fuzz.log/$name.txt" "$target" -max_total_time="${PHYSAD_FUZZ_SECONDS:-60}" -rss_limit_mb=2048 \
            -timeout=20 -artifact_prefix="$PWD/build-full/fuzz.log/" "$work" "tests/fuzz/corpus/${name#fuzz_}"
        rm -rf "$work"
    done
fi
use_compiler gcc g++
