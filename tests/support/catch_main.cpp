// Compiled only with a Catch2 version 2 that brings no library with a main.
#define CATCH_CONFIG_MAIN
#include <catch2/catch.hpp>
