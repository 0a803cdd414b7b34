// What eigenstream::compiled holds: the functions of the headers that are no templates and large, and the layers of floats,
// compiled once. Programs that link it see their declarations only.

#include "eigenstream/network/load_model.hpp"
