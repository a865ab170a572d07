# Twenty of the ROS wheels export include folders of the machine that built them, which CMake
# refuses ("includes non-existent path"). Given as CMAKE_PROJECT_INCLUDE, this drops what does not
# exist from every imported target, and the package's own CMakeLists.txt stays stock ROS.
cmake_language(DEFER CALL drop_missing_includes)

function(drop_missing_includes)
  get_property(targets DIRECTORY PROPERTY IMPORTED_TARGETS)
  foreach(target ${targets})
    get_target_property(folders ${target} INTERFACE_INCLUDE_DIRECTORIES)
    if(NOT folders)
      continue()
    endif()
    set(kept "")
    foreach(folder ${folders})
      if(folder MATCHES "^\\$<" OR EXISTS "${folder}")
        list(APPEND kept "${folder}")
      endif()
    endforeach()
    set_target_properties(${target} PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "${kept}")
  endforeach()
endfunction()
