// A TCP server for frames: four bytes of length, big-endian, then so many bytes; each is answered by one frame. A
// thread a connection; their number, a frame's size and the memory of all frames together are bounded, and a peer that
// stops in the middle of a frame is hung up on. A peer that is merely quiet is kept: TCP's keep-alive finds the dead
// ones.
//
//   FrameServer server("source 'Flume'", {.bind = "0.0.0.0", .port = 4141, .ports = 3}, answer);
//   server.Start();   // listens in the background; a taken port is tried again
//
// Thread rule: Start, Stop and the destructor on one thread; the rest from any. `answer` is called from many threads at
// once, and not after Stop has returned.
// Errors: none is returned; problem() says what is wrong now.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include "absl/status/statusor.h"
#include "executor/connectors/flume/incidents.h"
#include "executor/connectors/flume/peer_stream.h"

namespace millrace {

class FrameServer {
 public:
  struct Options {
    std::string bind = "127.0.0.1";
    std::uint16_t port = 0;   // 0: any free one
    std::uint16_t ports = 1;  // the first free one of so many
    std::uint32_t max_connections = 64;
    std::uint32_t max_frame_bytes = 16'384'000;
    std::uint64_t max_held_bytes = std::uint64_t{128} << 20;  // frames of all connections; at least one fits
    std::chrono::milliseconds frame_timeout{60'000};          // from a frame's first byte to its last
    std::shared_ptr<const TlsServer> tls = nullptr;
  };
  // The answer's bytes, or why the connection is closed without one: InvalidArgument is a malformed frame and counted.
  using Answer = std::function<absl::StatusOr<std::string>(const PeerStream& peer, std::string_view frame)>;

  static constexpr std::string_view kMalformed = "malformed frame";
  static constexpr std::string_view kOversized = "frame too large";
  static constexpr std::string_view kTooMany = "too many connections";
  static constexpr std::string_view kStalled = "stalled connection";
  static constexpr std::string_view kTls = "no TLS";
  static constexpr std::string_view kBroken = "broken connection";

  FrameServer(std::string where, Options options, Answer answer);
  ~FrameServer() { Stop(); }
  FrameServer(const FrameServer&) = delete;
  FrameServer& operator=(const FrameServer&) = delete;

  // ResourceExhausted when the process has no descriptors left.
  absl::Status Start();
  // Takes no more frames; those that are being answered are answered first.
  void Stop();
  // The same, from a connection's thread, and without waiting for the end.
  void BeginStop();

  std::uint16_t port() const { return port_; }  // 0 while it does not listen
  std::size_t connections() const;
  std::uint64_t frames() const { return frames_; }  // that came whole
  const Incidents& incidents() const { return incidents_; }
  std::string problem() const;

 private:
  struct Connection {
    std::thread thread;
    std::atomic<bool> ended = false;
  };
  void Run();
  absl::StatusOr<Fd> Listen();
  absl::StatusOr<Fd> ListenOn(std::uint16_t port);
  void AcceptAll(const Fd& listener);
  void Take(Fd fd, std::string peer);
  void Serve(Fd fd, const std::string& peer);
  absl::Status ServeFrame(PeerStream& stream, std::string& buffer);
  void NoteEnd(const std::string& peer, const absl::Status& why);
  void JoinEnded();
  bool WaitStop(std::chrono::milliseconds time);  // true: stopping
  bool TakeRoom(std::uint64_t bytes);             // waits for it; false: stopping
  void GiveRoom(std::uint64_t bytes);
  void SetDown(std::string why);

  const std::string where_;
  const Options options_;
  const Answer answer_;
  Incidents incidents_;
  Fd stop_;   // eventfd: readable once stopping
  Fd ended_;  // eventfd: readable when a connection has ended
  std::atomic<std::uint16_t> port_ = 0;
  std::atomic<std::uint64_t> frames_ = 0;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::list<Connection> connections_;
  std::uint64_t held_bytes_ = 0;
  std::string down_;
  bool stopping_ = false;

  std::thread thread_;
};

}  // namespace millrace
