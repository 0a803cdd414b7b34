#include <eigenstream.hpp>
#include <eigenstream/names.hpp>

#include "odr.hpp"

Seen seen_by_other() { return {&eigenstream::Dynamic, &eigenstream::check<int>}; }
