// The records of one server: a thread that keeps a connection to it, cuts what comes into records and gives them away,
// in blocks. While a block is being given nothing more is read, so that TCP pushes back on the sender.
//
//   MR_ASSIGN_OR_RETURN(auto stream, SocketStream::Start(settings, endpoint, [&](auto block) { return Keep(block); }));
//
// Thread rule: Stop on one thread at a time, problem on any; `give` is called on the stream's own thread, which ends in
// Stop: whoever lets it wait ends that wait first. Errors: a connection that is refused, lost or silent is made again
// with growing waits, and told by problem(), with the server, the cause and a remedy.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "executor/connectors/net/channel.h"
#include "executor/connectors/socket/framer.h"
#include "executor/connectors/socket/settings.h"

namespace millrace::sockets {

class SocketStream {
 public:
  // False: nothing more is wanted; the stream hangs up and ends.
  using Give = std::function<bool(std::shared_ptr<const RecordBlock>)>;

  // Begins to connect in the background. ResourceExhausted when the process is out of descriptors.
  static absl::StatusOr<std::unique_ptr<SocketStream>> Start(Settings settings, net::Endpoint endpoint, Give give);
  ~SocketStream();
  SocketStream(const SocketStream&) = delete;
  SocketStream& operator=(const SocketStream&) = delete;

  // Takes in and gives what has reached this machine, and hangs up. May be called again.
  void Stop();
  std::string problem() const;  // empty when well

 private:
  SocketStream(Settings settings, net::Endpoint endpoint, Give give, int wake);
  void Run();
  absl::Status Serve();  // OK: the stream is at its end
  absl::StatusOr<std::unique_ptr<net::Channel>> Connect() const;
  void SetKeepalive(int fd) const;
  absl::Status Receive(net::Channel& channel);
  absl::Status ReadSome(net::Channel& channel);  // what is there, or as much as makes a block
  void ReceiveRest(net::Channel& channel);
  bool Publish();
  void Pause(std::chrono::milliseconds time);
  void SetDown(std::string why);
  bool stopping() const;

  const Settings settings_;
  const net::Endpoint endpoint_;
  const Give give_;
  const int wake_;  // eventfd: readable once stopping

  // The thread's.
  bool silent_ = false;  // the last connection ended because nothing came, and nothing has come since
  Framer framer_;
  std::string buffer_;
  bool dry_ = false;    // the last read found nothing more
  bool wanted_ = true;  // as give_ says

  mutable std::mutex mutex_;  // guards all below
  std::condition_variable changed_;
  std::uint64_t too_long_ = 0;
  std::uint64_t unfinished_ = 0;
  std::string down_;
  bool stopping_ = false;

  std::thread thread_;
};

}  // namespace millrace::sockets
