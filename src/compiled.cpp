// What eigenstream::compiled holds: the functions of the headers that are no templates and large, with every layer that they
// build, compiled once. Programs that link it see their declarations only.

#include "eigenstream/network/load_model.hpp"
