#ifndef EIGENSTREAM_ANALYSIS_HPP
#define EIGENSTREAM_ANALYSIS_HPP

// All of analysis/.
#include "eigenstream/analysis/callable.hpp"
#include "eigenstream/analysis/compare.hpp"
#include "eigenstream/analysis/dependency.hpp"
#include "eigenstream/analysis/dependency_matrix.hpp"
#include "eigenstream/analysis/plot.hpp"
#include "eigenstream/analysis/verify_streaming.hpp"

#endif  // EIGENSTREAM_ANALYSIS_HPP
