#ifndef EIGENSTREAM_WINDOW_BIDIRECTIONAL_HPP
#define EIGENSTREAM_WINDOW_BIDIRECTIONAL_HPP

#include "eigenstream/window/rearrange.hpp"
#include "eigenstream/window/window_net.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// A layer over a window forwards and another one backwards, their channels one after the other.
/// Shapes   window (C,T) -> (R + R',T)
/// Errors   when it is put over a window: Error if the layers cannot take it
/// Source   torch: bidirectional=True of recurrent layers
template <class T>
WindowNet<T> bidirectional(const WindowNet<T>& forwards, const WindowNet<T>& backwards) {
  return WindowNet<T>::parallel(Reduce::concat, {forwards, {Reverse<T>(), backwards, Reverse<T>()}});
}

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_WINDOW_BIDIRECTIONAL_HPP
