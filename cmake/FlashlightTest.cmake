# flashlight_test(NAME n SOURCES ... LIBS ... [READS_TREE ...] [LABEL l] [TIMEOUT s]): one GoogleTest executable, labelled
# with its folder. READS_TREE: those of the sources that open files of the project; they alone see FLASHLIGHT_SOURCE_DIR, so
# that objects of the others are the same in every checkout and a compiler cache can share them.
include(GoogleTest)
function(flashlight_test)
  cmake_parse_arguments(ARG "" "NAME;LABEL;TIMEOUT" "SOURCES;LIBS;READS_TREE" ${ARGN})
  if(NOT ARG_LABEL)
    get_filename_component(ARG_LABEL ${CMAKE_CURRENT_SOURCE_DIR} NAME)
  endif()
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 300)
  endif()
  add_executable(${ARG_NAME} ${ARG_SOURCES})
  target_link_libraries(${ARG_NAME} PRIVATE ${ARG_LIBS} GTest::gtest GTest::gtest_main)
  if(ARG_READS_TREE)
    set_property(SOURCE ${ARG_READS_TREE} APPEND PROPERTY
                 COMPILE_DEFINITIONS FLASHLIGHT_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
  endif()
  gtest_discover_tests(${ARG_NAME} DISCOVERY_TIMEOUT 60 PROPERTIES LABELS ${ARG_LABEL} TIMEOUT ${ARG_TIMEOUT})
endfunction()
