// Keyed state: operators that remember something of each key from batch to batch.
#pragma once

#include "millrace/window_dstream.h"

namespace millrace {

template <class T>
class StatefulOperations : public WindowOperations<T> {
 public:
  using WindowOperations<T>::WindowOperations;
};

}  // namespace millrace
