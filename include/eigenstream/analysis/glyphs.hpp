#ifndef EIGENSTREAM_ANALYSIS_GLYPHS_HPP
#define EIGENSTREAM_ANALYSIS_GLYPHS_HPP

// Where this was until 0.2; it goes with 0.3.
#include "eigenstream/draw/glyphs.hpp"

#endif  // EIGENSTREAM_ANALYSIS_GLYPHS_HPP
