#ifndef EIGENSTREAM_DRAW_HPP
#define EIGENSTREAM_DRAW_HPP

// All of draw/.
#include "eigenstream/draw/drawing.hpp"
#include "eigenstream/draw/glyphs.hpp"
#include "eigenstream/draw/timeline.hpp"

#endif  // EIGENSTREAM_DRAW_HPP
