#ifndef EIGENSTREAM_ANALYSIS_DRAWING_HPP
#define EIGENSTREAM_ANALYSIS_DRAWING_HPP

// Where this was until 0.2; it goes with 0.3.
#include "eigenstream/draw/drawing.hpp"

#endif  // EIGENSTREAM_ANALYSIS_DRAWING_HPP
