#ifndef EIGENSTREAM_ANALYSIS_HPP
#define EIGENSTREAM_ANALYSIS_HPP

// All of analysis/.
#include "eigenstream/analysis/dependency_matrix.hpp"

#endif  // EIGENSTREAM_ANALYSIS_HPP
