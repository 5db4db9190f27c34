// One call of a Client: its context, known to the client while it runs so that Cancel reaches it. Only client/lib
// includes this header.
#pragma once

#include <mutex>

#include "client/lib/client.h"

namespace millrace {

class Client::Call {
 public:
  explicit Call(Client& client) : client_(client) {
    const std::lock_guard lock(client_.mutex_);
    client_.running_.insert(&context_);
    if (client_.cancelled_) context_.TryCancel();
  }
  ~Call() {
    const std::lock_guard lock(client_.mutex_);
    client_.running_.erase(&context_);
  }
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  void LimitTime(Time deadline) {
    context_.set_deadline(std::chrono::system_clock::now() + (deadline - std::chrono::steady_clock::now()));
  }
  grpc::ClientContext* context() { return &context_; }

 private:
  Client& client_;
  grpc::ClientContext context_;
};

}  // namespace millrace
