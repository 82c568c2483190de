# The language, the warnings, the sanitizers and the one switch of the interpreter's dispatch.

set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

# Development builds optimise what guests wait for (engine/ adds -O2) and compile the rest quickly; line tables are kept
# for backtraces. `release` is -O2 throughout.
set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O1 -g1")
set(CMAKE_C_FLAGS_RELWITHDEBINFO "-O1 -g1")
set(CMAKE_CXX_FLAGS_RELEASE "-O2")
set(CMAKE_C_FLAGS_RELEASE "-O2")

set(GLOVEBOX_SANITIZE "" CACHE STRING "Sanitizers for everything of ours: address, undefined, fuzzer-no-link")
set(GLOVEBOX_DISPATCH "auto" CACHE STRING
    "Dispatch of the interpreter: auto, tail (guaranteed tail calls, Clang only), loop")
set_property(CACHE GLOVEBOX_DISPATCH PROPERTY STRINGS auto tail loop)

find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_C_COMPILER_LAUNCHER ${CCACHE})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
endif()

# Flags of our own targets; what others generated (protobuf) takes none of them.
add_library(glovebox_options INTERFACE)
target_compile_options(glovebox_options INTERFACE
  -Wall -Wextra -Wpedantic -Werror -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual -Wcast-align
  -Wno-unused-parameter -fno-omit-frame-pointer -fstack-protector-strong)
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  target_compile_options(glovebox_options INTERFACE -Wthread-safety -Wimplicit-fallthrough)
  # Debug data in the same form for gdb 13 and binutils 2.40.
  add_link_options(-fuse-ld=lld-19)
endif()

if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # __m128i as a template argument loses its may_alias, which nobody relies on.
  target_compile_options(glovebox_options INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-Wno-ignored-attributes>)
endif()

# Sanitizers cover the whole link, also generated code, so that containers cross the border safely.
if(GLOVEBOX_SANITIZE)
  add_compile_options(-fsanitize=${GLOVEBOX_SANITIZE} -fno-sanitize-recover=all)
  # What is added to guest addresses may be less than zero (engine/memory/host_place.h): base + address wraps around.
  if(GLOVEBOX_SANITIZE MATCHES undefined)
    add_compile_options(-fno-sanitize=pointer-overflow)
  endif()
  add_link_options(-fsanitize=${GLOVEBOX_SANITIZE})
endif()

# Guaranteed tail calls exist with Clang when it optimises and no sanitizer wants a frame.
if(GLOVEBOX_DISPATCH STREQUAL "auto")
  if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang" AND NOT GLOVEBOX_SANITIZE
     AND NOT CMAKE_BUILD_TYPE STREQUAL "Debug")
    set(GLOVEBOX_DISPATCH_CHOSEN tail)
  else()
    set(GLOVEBOX_DISPATCH_CHOSEN loop)
  endif()
else()
  set(GLOVEBOX_DISPATCH_CHOSEN ${GLOVEBOX_DISPATCH})
endif()
message(STATUS "Glovebox dispatch: ${GLOVEBOX_DISPATCH_CHOSEN}")
