#ifndef EIGENSTREAM_TESTS_SUPPORT_CATCH_HPP
#define EIGENSTREAM_TESTS_SUPPORT_CATCH_HPP

// Catch2, version 2 or 3. Catch::Approx, generators, matchers and TEMPLATE_TEST_CASE are there with both.
#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
#else
#include <catch2/catch.hpp>
#endif

#endif  // EIGENSTREAM_TESTS_SUPPORT_CATCH_HPP
