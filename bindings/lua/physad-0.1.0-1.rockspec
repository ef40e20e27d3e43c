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
  build_command = "meson setup build-rock --buildtype=release --prefix=$(PREFIX) -Dlua=enabled -Dpython=disabled -Dtests=disabled "
    .. "&& ninja -C build-rock",
  -- The module finds the library by its run path; LuaRocks' own folders are those of the rock.
  install_command = "meson install -C build-rock && mkdir -p $(LIBDIR)/physad $(LUADIR) "
    .. "&& cp build-rock/bindings/lua/physad/core.so $(LIBDIR)/physad/ && cp bindings/lua/physad.lua $(LUADIR)/",
}
