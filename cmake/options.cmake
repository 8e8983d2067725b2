# How everything is compiled. The compiler is chosen by ./x (newest packaged clang); see docs/HACKING.md.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_CXX_SCAN_FOR_MODULES OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

set(STRATA_SANITIZE "" CACHE STRING "Sanitizers for -fsanitize=, comma-separated")
option(STRATA_FUZZ "Build the libFuzzer targets" OFF)

if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  message(FATAL_ERROR "Strata is built with clang (22, 19 or 18); g++-12 miscompiles coroutine code it depends on.")
endif()

# -O2 with frame pointers: profiles of the shipped binary are readable, at no cost that we could measure.
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -g1 -fno-omit-frame-pointer")
set(CMAKE_CXX_FLAGS_DEBUG "-O1 -g1 -fno-omit-frame-pointer -D_GLIBCXX_ASSERTIONS")
add_compile_options(-Wall -Wextra -Wshadow -Wnon-virtual-dtor -Wno-missing-field-initializers -fstack-protector-strong)
if(CMAKE_BUILD_TYPE STREQUAL "Release")
  add_compile_definitions(_FORTIFY_SOURCE=2)
endif()

if(STRATA_SANITIZE)
  add_compile_options(-fsanitize=${STRATA_SANITIZE} -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${STRATA_SANITIZE})
endif()

# Coverage for the fuzzers comes from everything that they call, not from their own file alone.
if(STRATA_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
  add_link_options(-fsanitize=fuzzer-no-link)
endif()

# ./x names the linker that belongs to the compiler, where one is installed.
set(STRATA_LINKER "" CACHE FILEPATH "The linker to use; empty: the compiler's choice")
if(STRATA_LINKER)
  add_link_options(--ld-path=${STRATA_LINKER})
endif()

# Half of the time of a sanitizer build went into reading the same headers. ./x turns it on; without it a file says for
# itself what it needs, so it is off where a build is not for a whole tree (and one build of CI, the release, stays so).
option(STRATA_PRECOMPILE "Precompile headers" OFF)

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE_PROGRAM})
  set(CMAKE_C_COMPILER_LAUNCHER ${CCACHE_PROGRAM})
endif()
