#ifndef EIGENSTREAM_CORE_HPP
#define EIGENSTREAM_CORE_HPP

// All of core/.
#include "eigenstream/core/check.hpp"
#include "eigenstream/core/description.hpp"
#include "eigenstream/core/facts.hpp"
#include "eigenstream/core/fingerprint.hpp"
#include "eigenstream/core/frame_count.hpp"
#include "eigenstream/core/frame_shape.hpp"
#include "eigenstream/core/frames.hpp"
#include "eigenstream/core/layer.hpp"
#include "eigenstream/core/network_control.hpp"
#include "eigenstream/core/network_input.hpp"
#include "eigenstream/core/network_output.hpp"
#include "eigenstream/core/padding.hpp"
#include "eigenstream/core/per_axis.hpp"
#include "eigenstream/core/rate.hpp"
#include "eigenstream/core/scratch.hpp"
#include "eigenstream/core/state.hpp"
#include "eigenstream/core/state_block.hpp"
#include "eigenstream/core/state_codec.hpp"
#include "eigenstream/core/state_map.hpp"
#include "eigenstream/core/stateless_layer.hpp"
#include "eigenstream/core/timing.hpp"
#include "eigenstream/core/timing_builder.hpp"
#include "eigenstream/core/timing_stage.hpp"
#include "eigenstream/core/value_graph.hpp"
#include "eigenstream/core/weights.hpp"

#endif  // EIGENSTREAM_CORE_HPP
