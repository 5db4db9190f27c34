#include "executor/connectors/flume/thrift_call.h"

#include <thrift/TConfiguration.h>
#include <thrift/TOutput.h>
#include <thrift/protocol/TBinaryProtocol.h>
#include <thrift/protocol/TCompactProtocol.h>
#include <thrift/transport/TBufferTransports.h>

#include <exception>
#include <memory>
#include <vector>

#include "common/status.h"
#include "flume_wire/ThriftSourceProtocol.h"

namespace millrace {
namespace {

using apache::thrift::TConfiguration;
using apache::thrift::protocol::TBinaryProtocolT;
using apache::thrift::protocol::TCompactProtocolT;
using apache::thrift::protocol::TProtocol;
using apache::thrift::transport::TMemoryBuffer;

constexpr unsigned char kCompactMark = 0x82;
constexpr unsigned char kBinaryMark = 0x80;
constexpr std::size_t kAnswerBytes = 64;
constexpr std::size_t kMessageRoom = 1024;  // an answer's bound, for frames that are tiny

class Handler : public flume_wire::ThriftSourceProtocolIf {
 public:
  explicit Handler(const HandleEvents& handle) : handle_(handle) {}
  flume_wire::Status::type append(const flume_wire::ThriftFlumeEvent& event) override { return Handle({&event, 1}); }
  flume_wire::Status::type appendBatch(const std::vector<flume_wire::ThriftFlumeEvent>& events) override {
    return Handle(events);
  }
  bool called() const { return called_; }
  const absl::Status& status() const { return status_; }

 private:
  flume_wire::Status::type Handle(std::span<const flume_wire::ThriftFlumeEvent> events) {
    called_ = true;
    if (!events.empty()) status_ = handle_(events);
    return status_.ok() ? flume_wire::Status::OK : flume_wire::Status::FAILED;
  }
  const HandleEvents& handle_;
  bool called_ = false;
  absl::Status status_;
};

// The most that a length in a frame may claim: memory is taken for it before the bytes are looked for.
struct Bounds {
  std::int32_t text = 0;
  std::int32_t events = 0;
};

// Null when the first byte is of neither encoding.
std::shared_ptr<TProtocol> ProtocolOf(unsigned char mark, std::shared_ptr<TMemoryBuffer> buffer, Bounds bounds) {
  if (mark == kCompactMark) {
    return std::make_shared<TCompactProtocolT<TMemoryBuffer>>(std::move(buffer), bounds.text, bounds.events);
  }
  if (mark == kBinaryMark) {
    return std::make_shared<TBinaryProtocolT<TMemoryBuffer>>(std::move(buffer), bounds.text, bounds.events, true, true);
  }
  return nullptr;
}

// The library prints what peers do wrong; here that is counted, and logged with a bound.
void SilenceThrift() {
  static const bool kOnce = [] {
    apache::thrift::GlobalOutput.setOutputFunction([](const char*) {});
    return true;
  }();
  (void)kOnce;
}

}  // namespace

absl::StatusOr<std::string> AnswerCall(std::string_view frame, std::uint32_t max_events, const HandleEvents& handle) {
  SilenceThrift();
  if (frame.empty()) return InvalidArgument("it is empty");
  const auto mark = static_cast<unsigned char>(frame.front());
  const Bounds bounds{static_cast<std::int32_t>(frame.size()), static_cast<std::int32_t>(max_events)};
  // What a length claims can be no more than the frame holds.
  auto config = std::make_shared<TConfiguration>(static_cast<int>(frame.size() + kMessageRoom));
  // Observed, not copied, and only read.
  auto* bytes = reinterpret_cast<std::uint8_t*>(const_cast<char*>(frame.data()));
  auto in =
      std::make_shared<TMemoryBuffer>(bytes, static_cast<std::uint32_t>(frame.size()), TMemoryBuffer::OBSERVE, config);
  auto out = std::make_shared<TMemoryBuffer>(static_cast<std::uint32_t>(kAnswerBytes));
  auto decoder = ProtocolOf(mark, std::move(in), bounds);
  if (decoder == nullptr) {
    return InvalidArgument(
        "it is no Thrift call in the compact or the binary encoding; only a sink of type thrift may "
        "send here");
  }
  auto handler = std::make_shared<Handler>(handle);
  flume_wire::ThriftSourceProtocolProcessor processor(handler);
  try {
    processor.process(std::move(decoder), ProtocolOf(mark, out, bounds), nullptr);
  } catch (const std::exception& error) {
    return InvalidArgument("it cannot be decoded: ", error.what());
  }
  if (!handler->called()) return InvalidArgument("it calls neither append nor appendBatch with what these take");
  if (absl::IsAborted(handler->status()) || absl::IsCancelled(handler->status())) return handler->status();
  return out->getBufferAsString();
}

}  // namespace millrace
