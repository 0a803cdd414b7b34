#include <eigenstream.hpp>
#include <eigenstream/names.hpp>

#include "odr.hpp"

int main() { return seen_by_other() == Seen{&eigenstream::Dynamic, &eigenstream::check<int>} ? 0 : 1; }
