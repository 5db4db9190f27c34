// Event time: from a DStream to a stream whose records carry the time at which they happened.
#pragma once

#include "millrace/stateful_dstream.h"

namespace millrace {

template <class T>
class TimeOperations : public StatefulOperations<T> {
 public:
  using StatefulOperations<T>::StatefulOperations;
};

}  // namespace millrace
