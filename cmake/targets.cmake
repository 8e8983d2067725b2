set(strata_standard_headers algorithm array atomic chrono condition_variable cstdint cstring deque functional list map
    memory mutex optional set span string string_view thread unordered_map utility variant vector fmt/format.h)

# Where precompiling is on: the standard library's headers and others, written as after #include <.
function(strata_precompile name)
  if(NOT STRATA_PRECOMPILE)
    return()
  endif()
  set(headers ${strata_standard_headers} ${ARGN})
  list(TRANSFORM headers PREPEND "<")
  list(TRANSFORM headers APPEND ">")
  target_precompile_headers(${name} PRIVATE ${headers})
  # The same bytes from the same headers, so that ccache knows it again.
  target_compile_options(${name} PRIVATE "SHELL:-Xclang -fno-pch-timestamp")
endfunction()

# strata_library(name DEPENDS targets... [PRECOMPILE headers...]): a static library from the folder's *.cpp but main.cpp,
# and a test program <name>_test from its *_test.cpp, registered with ctest case by case. PRECOMPILE: what most of its
# files include and takes long to read.
function(strata_library name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "DEPENDS;TEST_DEPENDS;PRECOMPILE")
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  set(tests ${sources})
  list(FILTER sources EXCLUDE REGEX "(_test|/main)\\.cpp$")
  list(FILTER tests INCLUDE REGEX "_test\\.cpp$")
  add_library(${name} STATIC ${sources})
  target_include_directories(${name} PUBLIC ${PROJECT_SOURCE_DIR}/src)
  target_link_libraries(${name} PUBLIC ${arg_DEPENDS})
  # Below a handful of files precompiling costs what it saves.
  list(LENGTH sources count)
  if(count GREATER 4)
    strata_precompile(${name} ${arg_PRECOMPILE})
  endif()
  if(tests)
    strata_test(${name}_test SOURCES ${tests} DEPENDS ${name} ${arg_TEST_DEPENDS})
    list(LENGTH tests count)
    if(count GREATER 4)
      strata_precompile(${name}_test gtest/gtest.h gmock/gmock.h ${arg_PRECOMPILE})
    endif()
  endif()
endfunction()

# What ./x test builds: `tests` under sanitizers, `release_tests` in the release, `fuzzers` where they exist.
add_custom_target(tests)
add_custom_target(release_tests)
add_custom_target(fuzzers)

include(GoogleTest)

# strata_test(name [RELEASE] SOURCES files... DEPENDS targets...): a GoogleTest program. Each of its cases is a ctest
# case that may run beside any other; with RELEASE the program is one case, labelled so: it lives from the speed of the
# release build, and ./x test runs it there alone.
function(strata_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "RELEASE" "" "SOURCES;DEPENDS")
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE ${arg_DEPENDS} GTest::gmock GTest::gtest GTest::gtest_main)
  # A test's own code is long and runs once: under sanitizers half of all compile time went into optimising it.
  if(STRATA_SANITIZE)
    target_compile_options(${name} PRIVATE -O0)
  endif()
  if(arg_RELEASE)
    add_dependencies(release_tests ${name})
    add_test(NAME ${name} COMMAND ${name})
    set_tests_properties(${name} PROPERTIES LABELS release)
  else()
    add_dependencies(tests ${name})
    gtest_discover_tests(${name} DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT 60)
  endif()
endfunction()

# strata_fuzz(name SOURCES files... DEPENDS targets...): a libFuzzer program fuzz/<name>, in the presets that build
# them. Its seeds are in tests/fuzz/corpus/<name without fuzz_>.
function(strata_fuzz name)
  if(NOT STRATA_FUZZ)
    return()
  endif()
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;DEPENDS")
  add_executable(${name} ${arg_SOURCES})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/fuzz)
  target_link_options(${name} PRIVATE -fsanitize=fuzzer)
  target_link_libraries(${name} PRIVATE ${arg_DEPENDS})
  add_dependencies(fuzzers ${name})
endfunction()
