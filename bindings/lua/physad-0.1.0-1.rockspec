-- SPDX-License-Identifier: Apache-2.0
rockspec_format = "3.0"
package = "physad"
version = "0.1.0-1"
source = { url = "." } -- `luarocks make bindings/lua/physad-0.1.0-1.rockspec` in a checkout
description = {
  summary = "Tells whether a thing is defective by comparing it with how normal things look and behave",
  license = "Apache-2.0",
}
dependencies = { "lua >= 5.4, < 5.5" }
build_dependencies = {}
external_dependencies = { JANSSON = { header = "jansson.h" }, DNNL = { header = "oneapi/dnnl/dnnl.h" } }
build = {
  type = "command",
  -- The library is linked into the module, so that the rock is whole wherever LuaRocks puts it.
  build_command = "rm -rf build-rock && meson setup build-rock --buildtype=release --default-library=static -Dlua=enabled -Dpython=disabled "
    .. "-Dtests=disabled && ninja -C build-rock tools/physad bindings/lua/physad/core.so",
  install_command = "mkdir -p $(LIBDIR)/physad $(LUADIR) $(BINDIR) && cp build-rock/bindings/lua/physad/core.so $(LIBDIR)/physad/ "
    .. "&& cp bindings/lua/physad.lua $(LUADIR)/ && cp build-rock/tools/physad $(BINDIR)/",
}
deploy = { wrap_bin_scripts = false } -- the command is no script of Lua's
