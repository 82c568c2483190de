# How a target of ours is declared. Include paths start at the top of the tree ("engine/base/result.h").

include(GoogleTest)

# glovebox_library(NAME SOURCES... [LINK targets...])
function(glovebox_library name)
  cmake_parse_arguments(ARG "" "" "LINK" ${ARGN})
  add_library(${name} STATIC ${ARG_UNPARSED_ARGUMENTS})
  target_include_directories(${name} PUBLIC ${PROJECT_SOURCE_DIR})
  target_link_libraries(${name} PRIVATE glovebox_options PUBLIC ${ARG_LINK})
endfunction()

# glovebox_program(NAME SOURCES... [LINK targets...])
function(glovebox_program name)
  cmake_parse_arguments(ARG "" "" "LINK" ${ARGN})
  add_executable(${name} ${ARG_UNPARSED_ARGUMENTS})
  target_link_libraries(${name} PRIVATE glovebox_options ${ARG_LINK})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin)
endfunction()

# glovebox_test(NAME SOURCES... [LINK targets...] [TIER fast|ci|long] [TIMEOUT seconds])
# A GoogleTest binary; each case becomes a ctest case that carries the label of its tier.
# Tiers: fast (2 minutes in all), ci (35 minutes from a cold clone on two cores), long (by command).
function(glovebox_test name)
  cmake_parse_arguments(ARG "" "TIER;TIMEOUT" "LINK" ${ARGN})
  if(NOT ARG_TIER)
    set(ARG_TIER fast)
  endif()
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 120)
  endif()
  add_executable(${name} ${ARG_UNPARSED_ARGUMENTS})
  target_link_libraries(${name} PRIVATE glovebox_options ${ARG_LINK} GTest::gmock GTest::gtest_main)
  target_compile_options(${name} PRIVATE -O0)  # the code under test keeps its own options
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
  gtest_discover_tests(${name} DISCOVERY_TIMEOUT 60
    PROPERTIES LABELS ${ARG_TIER} TIMEOUT ${ARG_TIMEOUT})
endfunction()

# glovebox_script_test(NAME COMMAND... [TIER ..] [TIMEOUT ..]): any command; exit 0 passes.
function(glovebox_script_test name)
  cmake_parse_arguments(ARG "" "TIER;TIMEOUT" "COMMAND" ${ARGN})
  if(NOT ARG_TIER)
    set(ARG_TIER fast)
  endif()
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 120)
  endif()
  add_test(NAME ${name} COMMAND ${ARG_COMMAND})
  set_tests_properties(${name} PROPERTIES LABELS ${ARG_TIER} TIMEOUT ${ARG_TIMEOUT})
endfunction()
