#ifndef EIGENSTREAM_IMPORT_HPP
#define EIGENSTREAM_IMPORT_HPP

// All of import/.
#include "eigenstream/import/graph_description.hpp"
#include "eigenstream/import/import_options.hpp"
#include "eigenstream/import/onnx_array.hpp"
#include "eigenstream/import/onnx_builder.hpp"
#include "eigenstream/import/onnx_file.hpp"
#include "eigenstream/import/onnx_layers.hpp"
#include "eigenstream/import/onnx_layout.hpp"
#include "eigenstream/import/onnx_maker.hpp"
#include "eigenstream/import/onnx_move.hpp"
#include "eigenstream/import/onnx_node.hpp"
#include "eigenstream/import/onnx_patterns.hpp"
#include "eigenstream/import/onnx_recurrent.hpp"
#include "eigenstream/import/onnx_shape.hpp"
#include "eigenstream/import/onnx_sliding.hpp"
#include "eigenstream/import/onnx_stream.hpp"
#include "eigenstream/import/onnx_trace.hpp"

#endif  // EIGENSTREAM_IMPORT_HPP
