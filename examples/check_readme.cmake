# cmake -DREADME=... -DSOURCE=... -P check_readme.cmake: the code in the README is the example, to the letter.
file(READ "${README}" readme)
file(READ "${SOURCE}" source)
string(FIND "${readme}" "```cpp\n${source}```" place)
if(place EQUAL -1)
  message(FATAL_ERROR "${README} does not show ${SOURCE} as it is")
endif()
