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

# A test that begins a thread belongs under the sanitizer for races.
function(strata_check_one_thread)
  foreach(test ${ARGN})
    file(STRINGS ${test} threads REGEX "std::(jthread|thread|async)|on_thread|_thread\\.h")
    if(threads)
      message(FATAL_ERROR "${test} begins a thread: its library is no longer ONE_THREAD")
    endif()
  endforeach()
endfunction()

# strata_library(name DEPENDS targets... [GLUE] [ONE_THREAD] [PRECOMPILE headers...]): a static library from the folder's
# *.cpp but main.cpp, and a test program <name>_test from its *_test.cpp, registered with ctest suite by suite.
#   GLUE        it calls others more than it computes: in the build for races it is not optimised, which took half the time
#               of compiling it.
#   ONE_THREAD  its tests begin no thread, so the build for races has nothing to find in them and leaves them out.
#   PRECOMPILE  what most of its files include and takes long to read.
function(strata_library name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "GLUE;ONE_THREAD" "" "DEPENDS;TEST_DEPENDS;PRECOMPILE")
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  set(tests ${sources})
  list(FILTER sources EXCLUDE REGEX "(_test|/main)\\.cpp$")
  list(FILTER tests INCLUDE REGEX "_test\\.cpp$")
  add_library(${name} STATIC ${sources})
  target_include_directories(${name} PUBLIC ${PROJECT_SOURCE_DIR}/src)
  target_link_libraries(${name} PUBLIC ${arg_DEPENDS})
  if(arg_GLUE AND STRATA_SANITIZE STREQUAL "thread")
    target_compile_options(${name} PRIVATE -O0)
  endif()
  # Below a handful of files precompiling costs what it saves.
  list(LENGTH sources count)
  if(count GREATER 4)
    strata_precompile(${name} ${arg_PRECOMPILE})
  endif()
  if(arg_ONE_THREAD)
    strata_check_one_thread(${tests})
    if(STRATA_SANITIZE STREQUAL "thread")
      set(tests)
    endif()
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

# strata_test(name [RELEASE] SOURCES files... DEPENDS targets...): a GoogleTest program. Each of its suites is a test of
# ctest (suites.cmake) that may run beside any other; with RELEASE the program is one test, labelled so: it lives from the
# speed of the release build, and ./x test runs it there alone.
function(strata_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "RELEASE" "" "SOURCES;DEPENDS")
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE ${arg_DEPENDS} GTest::gmock GTest::gtest GTest::gtest_main)
  # A test's own code is long and runs once: under sanitizers half of all compile time went into optimising it.
  if(STRATA_SANITIZE)
    target_compile_options(${name} PRIVATE -O0)
  endif()
  # Nor do fuzzers learn anything from where a test has been.
  if(STRATA_FUZZ)
    target_compile_options(${name} PRIVATE -fno-sanitize=fuzzer-no-link)
  endif()
  if(arg_RELEASE)
    add_dependencies(release_tests ${name})
    add_test(NAME ${name} COMMAND ${name})
    set_tests_properties(${name} PROPERTIES LABELS release)
  else()
    add_dependencies(tests ${name})
    set(suites ${CMAKE_CURRENT_BINARY_DIR}/${name}_suites.cmake)
    file(GENERATE OUTPUT ${suites} CONTENT "set(name ${name})\nset(program $<TARGET_FILE:${name}>)
set(directory ${CMAKE_CURRENT_BINARY_DIR})\ninclude(${PROJECT_SOURCE_DIR}/cmake/suites.cmake)\n")
    set_property(DIRECTORY APPEND PROPERTY TEST_INCLUDE_FILES ${suites})
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
