#ifndef EIGENSTREAM_DRAW_HPP
#define EIGENSTREAM_DRAW_HPP

// All of draw/.
#include "eigenstream/draw/drawing.hpp"
#include "eigenstream/draw/glyphs.hpp"

#endif  // EIGENSTREAM_DRAW_HPP
