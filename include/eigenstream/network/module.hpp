#ifndef EIGENSTREAM_NETWORK_MODULE_HPP
#define EIGENSTREAM_NETWORK_MODULE_HPP

#include <string>   // names
#include <utility>  // forward
#include <vector>   // what is inside

#include "eigenstream/network/any_layer.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// A network built at run time, with the modules it was built from.
struct Module {
  std::string type;
  std::string path;
  AnyLayer<float> layer;
  std::vector<Module> children;
};

/// What a factory gives back: the layer, and the modules inside it if it is a container.
struct Built {
  template <class L>
    requires(!std::is_same_v<std::remove_cvref_t<L>, Built>)
  Built(L&& layer_, std::vector<Module> children_ = {})
      : layer(std::forward<L>(layer_)), children(std::move(children_)) {}
  AnyLayer<float> layer;
  std::vector<Module> children;
};

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_NETWORK_MODULE_HPP
