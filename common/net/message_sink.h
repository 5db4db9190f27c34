// Where messages of one kind go: a stream to a client, or a callback in the same process.
#pragma once

#include <grpcpp/support/status.h>

namespace millrace {

template <class Out>
class MessageSink {
 public:
  virtual ~MessageSink() = default;
  virtual void Send(Out message) = 0;
  virtual void Close(grpc::Status status) = 0;
};

}  // namespace millrace
