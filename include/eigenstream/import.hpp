#ifndef EIGENSTREAM_IMPORT_HPP
#define EIGENSTREAM_IMPORT_HPP

// All of import/.
#include "eigenstream/import/graph_description.hpp"
#include "eigenstream/import/import_options.hpp"

#endif  // EIGENSTREAM_IMPORT_HPP
