# Read by ctest before it runs: `program` is a GoogleTest program, and each of its suites a test. A process a case took
# half of the time of all tests under sanitizers: a process begins in 70 ms, most cases end in less. With
# STRATA_TEST_BY_CASE in the environment each case is a test nevertheless, for ctest -R to choose from. What the cases of
# a suite came to is written into STRATA_TEST_RESULTS, a directory, where that is set.
if(NOT EXISTS "${program}")
  add_test("${name}_NOT_BUILT" "${name}_NOT_BUILT")
  return()
endif()
execute_process(COMMAND "${program}" --gtest_list_tests OUTPUT_VARIABLE listed RESULT_VARIABLE code TIMEOUT 120)
if(NOT code EQUAL 0)
  message(FATAL_ERROR "${program} does not list its tests: ${code}")
endif()
# Nothing but names is read: semicolons and brackets of parameters would be taken for lists.
string(REGEX REPLACE " +#[^\n]*" "" listed "${listed}")
string(REGEX MATCHALL "[^\n]+" lines "${listed}")

function(strata_add test filter)
  set(options)
  if(DEFINED ENV{STRATA_TEST_RESULTS})
    string(REPLACE "/" "-" file "${test}")
    set(options "--gtest_output=xml:$ENV{STRATA_TEST_RESULTS}/${name}@${file}.xml")
  endif()
  add_test("${test}" "${program}" "--gtest_filter=${filter}" ${options})
  set_tests_properties("${test}" PROPERTIES WORKING_DIRECTORY "${directory}")
endfunction()

set(suite)
foreach(line IN LISTS lines)
  if(line MATCHES "^[A-Za-z0-9_/]+\\.$")
    set(suite "${line}")
    if(NOT DEFINED ENV{STRATA_TEST_BY_CASE})
      string(REGEX REPLACE "\\.$" "" test "${suite}")
      strata_add("${test}" "${suite}*")
    endif()
  elseif(line MATCHES "^  ([A-Za-z0-9_/]+)$" AND DEFINED ENV{STRATA_TEST_BY_CASE})
    strata_add("${suite}${CMAKE_MATCH_1}" "${suite}${CMAKE_MATCH_1}")
  endif()
endforeach()
