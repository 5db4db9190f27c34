#include "executor/connectors/cassandra/frame.h"

#include "common/status.h"
#include "executor/connectors/cassandra/wire.h"

namespace millrace::cassandra {
namespace {

constexpr std::uint8_t kResponseBit = 0x80;
constexpr std::uint8_t kCompressed = 0x01;
constexpr std::uint8_t kTracing = 0x02;
constexpr std::uint8_t kCustomPayload = 0x04;
constexpr std::uint8_t kWarning = 0x08;

bool IsResponse(std::uint8_t opcode) {
  switch (static_cast<Opcode>(opcode)) {
    case Opcode::kError:
    case Opcode::kReady:
    case Opcode::kAuthenticate:
    case Opcode::kSupported:
    case Opcode::kResult:
    case Opcode::kEvent:
    case Opcode::kAuthChallenge:
    case Opcode::kAuthSuccess:
      return true;
    default:
      return false;
  }
}

// A body may begin with things that nobody asked for.
absl::StatusOr<std::string> StripPrefixes(std::uint8_t flags, std::string_view body) {
  WireReader in(body);
  if ((flags & kTracing) != 0) in.Raw(16);
  if ((flags & kWarning) != 0) {
    for (int n = in.Short(); n > 0 && !in.failed(); --n) in.String();
  }
  if ((flags & kCustomPayload) != 0) {
    for (int n = in.Short(); n > 0 && !in.failed(); --n) {
      in.String();
      in.Bytes();
    }
  }
  if (in.failed()) return DataLoss("the server sent a malformed frame: its warnings or payload end after the frame");
  return std::string(body.substr(body.size() - in.left()));
}

}  // namespace

void AppendFrame(std::string& out, std::int16_t stream, Opcode opcode, std::string_view body) {
  WireWriter header;
  header.Byte(kProtocolVersion)
      .Byte(0)
      .Short(static_cast<std::uint16_t>(stream))
      .Byte(static_cast<std::uint8_t>(opcode));
  header.Int(static_cast<std::int32_t>(body.size()));
  out += header.bytes();
  out += body;
}

absl::StatusOr<std::optional<Frame>> FrameCutter::Next() {
  const std::string_view bytes = std::string_view(held_).substr(at_);
  WireReader in(bytes);
  const bool has_version = !bytes.empty();
  const std::uint8_t version = in.Byte();
  if (has_version && (version & kResponseBit) == 0) {
    return DataLoss("the server does not speak the CQL native protocol (first byte ", static_cast<int>(version),
                    "); is the port right, and does it need TLS?");
  }
  const std::uint8_t flags = in.Byte();
  const auto stream = static_cast<std::int16_t>(in.Short());
  const std::uint8_t opcode = in.Byte();
  const std::int32_t size = in.Int();
  if (in.failed()) {  // not even a header
    held_.erase(0, at_);
    at_ = 0;
    return std::optional<Frame>();
  }
  if (!IsResponse(opcode)) {
    return DataLoss("the server sent a malformed frame: opcode ", static_cast<int>(opcode), " is no response");
  }
  if (size < 0 || static_cast<std::size_t>(size) > kMaxFrameBytes) {
    return DataLoss("the server sent a malformed frame: its length ", size, " is not from 0 to ", kMaxFrameBytes);
  }
  // A server that does not know our version answers with an error in its own; of other answers we know nothing.
  if ((version & 0x7f) != kProtocolVersion && static_cast<Opcode>(opcode) != Opcode::kError) {
    return DataLoss("the server sent a malformed frame: protocol version ", version & 0x7f, " where ",
                    static_cast<int>(kProtocolVersion), " was asked for");
  }
  if ((flags & kCompressed) != 0) return DataLoss("the server sent a compressed frame, which was not asked for");
  if (in.left() < static_cast<std::size_t>(size)) {
    held_.erase(0, at_);
    at_ = 0;
    return std::optional<Frame>();
  }
  MR_ASSIGN_OR_RETURN(std::string body, StripPrefixes(flags, in.Raw(static_cast<std::size_t>(size))));
  at_ += kFrameHeaderBytes + static_cast<std::size_t>(size);
  return std::optional<Frame>(Frame{stream, static_cast<Opcode>(opcode), std::move(body)});
}

}  // namespace millrace::cassandra
