#ifndef EIGENSTREAM_NETWORK_BUILTIN_REGISTRY_HPP
#define EIGENSTREAM_NETWORK_BUILTIN_REGISTRY_HPP

#include "eigenstream/network/registry.hpp"
#if EIGENSTREAM_DEFINITIONS
#include "eigenstream/network/types/attention.hpp"
#include "eigenstream/network/types/audio.hpp"
#include "eigenstream/network/types/containers.hpp"
#include "eigenstream/network/types/convolution.hpp"
#include "eigenstream/network/types/normalisation.hpp"
#include "eigenstream/network/types/pointwise.hpp"
#include "eigenstream/network/types/pooling.hpp"
#include "eigenstream/network/types/recurrent.hpp"
#include "eigenstream/network/types/running.hpp"
#include "eigenstream/network/types/windows.hpp"
#endif

EIGENSTREAM_BEGIN_NAMESPACE

/// A registry with every module type that model files may hold; docs/types.md lists them.
EIGENSTREAM_LINKAGE Registry builtin_registry();

#if EIGENSTREAM_DEFINITIONS
EIGENSTREAM_LINKAGE Registry builtin_registry() {
  if (const detail::OtherWidth* const other = detail::other_width()) return other->builtin_registry();
  Registry registry;
  detail::add_containers_types(registry);
  detail::add_convolution_types(registry);
  detail::add_pooling_types(registry);
  detail::add_normalisation_types(registry);
  detail::add_pointwise_types(registry);
  detail::add_recurrent_types(registry);
  detail::add_running_types(registry);
  detail::add_attention_types(registry);
  detail::add_windows_types(registry);
  detail::add_audio_types(registry);
  return registry;
}
#endif

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_NETWORK_BUILTIN_REGISTRY_HPP
