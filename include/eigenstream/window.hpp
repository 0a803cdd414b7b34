#ifndef EIGENSTREAM_WINDOW_HPP
#define EIGENSTREAM_WINDOW_HPP

// All of window/.
#include "eigenstream/window/adaptive_pool1d.hpp"
#include "eigenstream/window/bidirectional.hpp"
#include "eigenstream/window/group_norm.hpp"
#include "eigenstream/window/online_averager.hpp"
#include "eigenstream/window/overlap_add.hpp"
#include "eigenstream/window/rearrange.hpp"
#include "eigenstream/window/snapshotter.hpp"
#include "eigenstream/window/unfold_windows.hpp"
#include "eigenstream/window/window_layer.hpp"
#include "eigenstream/window/window_net.hpp"
#include "eigenstream/window/windowed.hpp"

#endif  // EIGENSTREAM_WINDOW_HPP
