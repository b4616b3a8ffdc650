# What `cmake --install` puts in place: headers, one library, the translator, and the package that find_package(Flashlight)
# reads. Included last, when every target is known.
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

# Users link this one library: tensors, the host side of emitted files, the emulated device.
add_library(flashlight STATIC
  $<TARGET_OBJECTS:flashlight_tensor> $<TARGET_OBJECTS:flashlight_runtime> $<TARGET_OBJECTS:flashlight_emulator>)
add_library(Flashlight::flashlight ALIAS flashlight)
set_target_properties(flashlight PROPERTIES LINKER_LANGUAGE CXX)
target_include_directories(flashlight INTERFACE
  $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
target_compile_features(flashlight INTERFACE cxx_std_20)
find_package(Boost 1.74 REQUIRED COMPONENTS context)
target_link_libraries(flashlight INTERFACE Boost::context)

install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/flashlight TYPE INCLUDE)
set(targets flashlight)
if(TARGET flashlight-translate)
  list(APPEND targets flashlight-translate)
endif()
install(TARGETS ${targets} EXPORT FlashlightTargets)

set(package ${CMAKE_INSTALL_LIBDIR}/cmake/Flashlight)
install(EXPORT FlashlightTargets NAMESPACE Flashlight:: DESTINATION ${package})
configure_package_config_file(
  ${PROJECT_SOURCE_DIR}/cmake/FlashlightConfig.cmake.in ${PROJECT_BINARY_DIR}/FlashlightConfig.cmake
  INSTALL_DESTINATION ${package})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/FlashlightConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/FlashlightConfig.cmake ${PROJECT_BINARY_DIR}/FlashlightConfigVersion.cmake
  ${PROJECT_SOURCE_DIR}/cmake/FlashlightTranslate.cmake DESTINATION ${package})
