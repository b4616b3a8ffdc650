# flashlight_translate(TARGET t SOURCES file.cpp ... [OPTIONS option ...])
#
# Adds the C++ files to the target as what flashlight-translate makes of them. Where the project has enabled the language
# CUDA, nvcc compiles them, with kernels for CUDA tensors on a GPU; otherwise the C++ compiler does, and CUDA tensors live
# on the emulated device. Call it in the folder that made the target, after its include folders and definitions are known
# or before: they are read when the build files are written. With CUDA the target links cuBLASLt if it calls it. OPTIONS
# go to flashlight-translate (--dtypes fp32, ...).
function(flashlight_translate)
  cmake_parse_arguments(PARSE_ARGV 0 ARG "" "TARGET" "SOURCES;OPTIONS")
  if(NOT TARGET "${ARG_TARGET}" OR NOT ARG_SOURCES OR ARG_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "flashlight_translate(TARGET <target> SOURCES <file.cpp>... [OPTIONS <option>...])")
  endif()
  set(includes $<TARGET_PROPERTY:${ARG_TARGET},INCLUDE_DIRECTORIES>)
  set(definitions $<TARGET_PROPERTY:${ARG_TARGET},COMPILE_DEFINITIONS>)

  foreach(source ${ARG_SOURCES})
    get_filename_component(source ${source} ABSOLUTE)
    get_filename_component(stem ${source} NAME_WLE)
    set(folder ${CMAKE_CURRENT_BINARY_DIR}/${ARG_TARGET}.translated)
    file(MAKE_DIRECTORY ${folder})
    set(emitted ${folder}/${stem}.cu)
    get_property(known TARGET ${ARG_TARGET} PROPERTY FLASHLIGHT_EMITTED)
    if(emitted IN_LIST known)
      message(FATAL_ERROR "flashlight_translate: two sources of ${ARG_TARGET} are called ${stem}")
    endif()
    set_property(TARGET ${ARG_TARGET} APPEND PROPERTY FLASHLIGHT_EMITTED ${emitted})
    add_custom_command(
      OUTPUT ${emitted}
      COMMAND Flashlight::flashlight-translate ${source} -o ${emitted} -MD -MF ${emitted}.d ${ARG_OPTIONS} --
              -std=c++20 "$<$<BOOL:${includes}>:-I$<JOIN:${includes},;-I>>" "$<$<BOOL:${definitions}>:-D$<JOIN:${definitions},;-D>>"
      DEPENDS Flashlight::flashlight-translate ${source}
      DEPFILE ${emitted}.d
      COMMENT "Translating ${stem}"
      COMMAND_EXPAND_LISTS
      VERBATIM)
    # The folder of the source stays where its own includes are looked for.
    get_filename_component(beside ${source} DIRECTORY)
    set_property(SOURCE ${emitted} APPEND PROPERTY INCLUDE_DIRECTORIES ${beside})
    if(CMAKE_CUDA_COMPILER)
      set_property(SOURCE ${emitted} PROPERTY LANGUAGE CUDA)
      set_property(SOURCE ${emitted} APPEND PROPERTY COMPILE_OPTIONS -std=c++20)
    else()
      set_property(SOURCE ${emitted} PROPERTY LANGUAGE CXX)
      set_property(SOURCE ${emitted} APPEND PROPERTY COMPILE_OPTIONS -x c++)
    endif()
    target_sources(${ARG_TARGET} PRIVATE ${emitted})
  endforeach()
  target_link_libraries(${ARG_TARGET} PRIVATE Flashlight::flashlight)
  if(CMAKE_CUDA_COMPILER)  # what matrix products are made by, where an emitted file has any
    find_package(CUDAToolkit REQUIRED)
    target_link_libraries(${ARG_TARGET} PRIVATE -Wl,--as-needed CUDA::cublasLt)
  endif()
endfunction()
