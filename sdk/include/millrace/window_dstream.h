// Windows over batches: what the last so many batches hold, every so often.
#pragma once

#include "millrace/join_dstream.h"

namespace millrace {

template <class T>
class WindowOperations : public JoinOperations<T> {
 public:
  using JoinOperations<T>::JoinOperations;
};

}  // namespace millrace
