// Frames of the CQL native protocol, version 4: nine bytes of header, then a body. What arrives is cut into frames here
// and nowhere else; a header that is wrong or too long ends the connection.
//
//   std::string out;  AppendFrame(out, stream, Opcode::kQuery, body);
//   FrameCutter in;  in.Add(bytes);  MR_ASSIGN_OR_RETURN(auto frame, in.Next());  // nullopt: needs more
//
// Thread rule: one thread. A frame owns its body.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace millrace::cassandra {

enum class Opcode : std::uint8_t {
  kError = 0x00,
  kStartup = 0x01,
  kReady = 0x02,
  kAuthenticate = 0x03,
  kOptions = 0x05,
  kSupported = 0x06,
  kQuery = 0x07,
  kResult = 0x08,
  kPrepare = 0x09,
  kExecute = 0x0a,
  kRegister = 0x0b,
  kEvent = 0x0c,
  kBatch = 0x0d,
  kAuthChallenge = 0x0e,
  kAuthResponse = 0x0f,
  kAuthSuccess = 0x10,
};

inline constexpr std::size_t kFrameHeaderBytes = 9;
inline constexpr std::uint8_t kProtocolVersion = 4;
// The protocol allows 256 MiB; nothing that this client asks for comes near to this.
inline constexpr std::size_t kMaxFrameBytes = 32 * 1024 * 1024;

struct Frame {
  std::int16_t stream = 0;
  Opcode opcode = Opcode::kError;
  std::string body;  // after tracing id, warnings and custom payload, which are dropped
};

void AppendFrame(std::string& out, std::int16_t stream, Opcode opcode, std::string_view body);

class FrameCutter {
 public:
  void Add(std::string_view bytes) { held_ += bytes; }
  // The next whole frame; nullopt when there is none yet. DataLoss when the bytes are no frame of a server: the
  // connection is then of no use any more.
  absl::StatusOr<std::optional<Frame>> Next();

 private:
  std::string held_;
  std::size_t at_ = 0;  // what is before it has been given
};

}  // namespace millrace::cassandra
