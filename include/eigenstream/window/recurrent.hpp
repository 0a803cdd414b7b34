#ifndef EIGENSTREAM_WINDOW_RECURRENT_HPP
#define EIGENSTREAM_WINDOW_RECURRENT_HPP

// Where this was until 0.2; it goes with 0.3.
#include "eigenstream/compose/bidirectional.hpp"
#include "eigenstream/layer/recurrent.hpp"

#endif  // EIGENSTREAM_WINDOW_RECURRENT_HPP
