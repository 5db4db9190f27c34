// Prints the rows of Print as they come: a heading for each batch and sink, then at most as many rows as it shows.
#pragma once

#include <cstdint>

#include "common/net/message_sink.h"
#include "millrace/v1/control.pb.h"

namespace millrace {

// One thread at a time.
class RowPrinter final : public MessageSink<v1::JobEvent> {
 public:
  void Send(v1::JobEvent event) override;
  void Close(grpc::Status) override {}

 private:
  std::uint64_t batch_ = 0;
  std::uint32_t sink_ = 0;
  std::uint32_t printed_ = 0;
};

}  // namespace millrace
