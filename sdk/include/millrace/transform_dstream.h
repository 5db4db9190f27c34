// Whole batches at once: Transform and its kin.
#pragma once

#include "millrace/event_time_dstream.h"

namespace millrace {

template <class T>
class TransformOperations : public TimeOperations<T> {
 public:
  using TimeOperations<T>::TimeOperations;
};

}  // namespace millrace
