#ifndef EIGENSTREAM_SERVE_HPP
#define EIGENSTREAM_SERVE_HPP

// All of serve/.
#include "eigenstream/serve/batcher.hpp"
#include "eigenstream/serve/stream_pool.hpp"

#endif  // EIGENSTREAM_SERVE_HPP
