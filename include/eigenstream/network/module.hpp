#ifndef EIGENSTREAM_NETWORK_MODULE_HPP
#define EIGENSTREAM_NETWORK_MODULE_HPP

#include <string>   // names
#include <utility>  // forward
#include <vector>   // what is inside

#include "eigenstream/network/any_layer.hpp"
#include "eigenstream/window/window_net.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// A network over whole windows, built at run time, with the modules it was built from.
struct WindowModule {
  std::string type;
  std::string path;
  WindowNet<float> net;
  std::vector<WindowModule> children;
};

/// A network built at run time, with the modules it was built from.
struct Module {
  std::string type;
  std::string path;
  AnyLayer<float> layer;
  std::vector<Module> children;
  std::vector<WindowModule> windows;  ///< what a Windowed runs
};

/// What a factory gives back: the layer, and the modules inside it if it is a container.
struct Built {
  template <class L>
    requires(!std::is_same_v<std::remove_cvref_t<L>, Built>)
  Built(L&& layer_, std::vector<Module> children_ = {}, std::vector<WindowModule> windows_ = {})
      : layer(std::forward<L>(layer_)), children(std::move(children_)), windows(std::move(windows_)) {}
  AnyLayer<float> layer;
  std::vector<Module> children;
  std::vector<WindowModule> windows;
};
/// The same of a module that runs over whole windows.
struct BuiltWindow {
  WindowNet<float> net;
  std::vector<WindowModule> children = {};
};

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_NETWORK_MODULE_HPP
