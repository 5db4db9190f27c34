# millrace_add_job(NAME SOURCES … [LINK …]): a job library, NAME.so, from sources of which one has a MILLRACE_JOB.
# Only the entry point is visible in it. Missing symbols fail the link here and not the load on some node. Without a
# build type it is optimised with -O2: an unoptimised job is many times slower.
function(millrace_add_job name)
  cmake_parse_arguments(PARSE_ARGV 1 A "" "" "SOURCES;LINK")
  if(NOT A_SOURCES)
    message(FATAL_ERROR "millrace_add_job(${name}): no SOURCES; write millrace_add_job(${name} SOURCES ${name}.cc)")
  endif()
  if(A_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "millrace_add_job(${name}): '${A_UNPARSED_ARGUMENTS}' is not understood; it takes SOURCES and LINK")
  endif()
  add_library(${name} MODULE ${A_SOURCES})
  target_link_libraries(${name} PRIVATE Millrace::sdk ${A_LINK})
  set_target_properties(${name} PROPERTIES PREFIX "" SUFFIX ".so"
    CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
  target_link_options(${name} PRIVATE -Wl,-z,defs)
  get_property(multi_config GLOBAL PROPERTY GENERATOR_IS_MULTI_CONFIG)
  if(NOT multi_config AND NOT CMAKE_BUILD_TYPE)
    target_compile_options(${name} PRIVATE -O2)
  endif()
endfunction()
