// Receives from one server for a reliable socket source: what was read is stored before more is read. What cannot be
// stored is kept and tried again, since the sender would not send it again.
//
// Memory: one block. See receiver.h for the thread rule.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>

#include "executor/connectors/receiver.h"
#include "executor/connectors/socket/settings.h"
#include "executor/connectors/socket/stream.h"

namespace millrace::sockets {

class SocketReceiver final : public Receiver {
 public:
  SocketReceiver(Settings settings, net::Endpoint endpoint)
      : settings_(std::move(settings)), endpoint_(std::move(endpoint)) {}
  ~SocketReceiver() override { Stop(); }

  absl::Status Start(ReceiverStore& store) override;
  void Stop() override;
  std::string Problem() const override;

 private:
  bool Keep(ReceiverStore& store, const RecordBlock& block);

  const Settings settings_;
  const net::Endpoint endpoint_;
  std::unique_ptr<SocketStream> stream_;

  mutable std::mutex mutex_;  // guards the next two
  std::condition_variable changed_;
  bool stopping_ = false;
  std::string unstored_;  // why nothing is stored now
};

}  // namespace millrace::sockets
