#ifndef EIGENSTREAM_WINDOW_HPP
#define EIGENSTREAM_WINDOW_HPP

// All of window/.
#include "eigenstream/window/online_averager.hpp"
#include "eigenstream/window/overlap_add.hpp"
#include "eigenstream/window/snapshotter.hpp"
#include "eigenstream/window/unfold_windows.hpp"
#include "eigenstream/window/windowed.hpp"

#endif  // EIGENSTREAM_WINDOW_HPP
