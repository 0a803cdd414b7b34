#ifndef EIGENSTREAM_TESTS_SUPPORT_PCH_HPP
#define EIGENSTREAM_TESTS_SUPPORT_PCH_HPP

// Precompiled for all tests: large and never edited. Do not rely on it: each test includes what it uses.
#include <Eigen/Core>
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <functional>
#include <limits>
#include <memory>
#include <random>
#include <sstream>
#include <string>
#include <thread>
#include <tuple>
#include <type_traits>
#include <unsupported/Eigen/CXX11/Tensor>
#include <utility>
#include <vector>

#include "support/catch.hpp"

#endif  // EIGENSTREAM_TESTS_SUPPORT_PCH_HPP
