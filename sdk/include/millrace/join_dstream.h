// Joins of DStreams: two streams of one batch by key, and a stream with a slowly changing table.
#pragma once

#include "millrace/pair_dstream.h"

namespace millrace {

template <class T>
class JoinOperations : public PairOperations<T> {
 public:
  using PairOperations<T>::PairOperations;
};

}  // namespace millrace
