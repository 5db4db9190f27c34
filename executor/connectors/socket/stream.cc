#include "executor/connectors/socket/stream.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "common/log.h"
#include "common/status.h"

namespace millrace::sockets {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kBlockBytes = std::size_t{1} << 20;
constexpr std::chrono::milliseconds kFirstPause{100};
constexpr std::chrono::milliseconds kLastPause{5'000};
constexpr std::chrono::milliseconds kLongestRest{200};  // a sender may be faster than we are
constexpr int kKeepaliveProbes = 3;

enum class Wake { kData, kStop, kSilence };

// `until` max(): for ever.
Wake AwaitData(int fd, int wake, Clock::time_point until) {
  std::array<pollfd, 2> polled = {{{fd, POLLIN, 0}, {wake, POLLIN, 0}}};
  for (;;) {
    int timeout = -1;
    if (until != Clock::time_point::max()) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now());
      timeout = static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 3'600'000));
    }
    const int n = poll(polled.data(), polled.size(), timeout);
    if (polled[1].revents != 0 && n > 0) return Wake::kStop;
    if (n > 0) return Wake::kData;
    if (n == 0 && Clock::now() >= until) return Wake::kSilence;
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<SocketStream>> SocketStream::Start(Settings settings, net::Endpoint endpoint,
                                                                  Give give) {
  const int wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (wake < 0) return ErrnoStatus(errno, Concat("socket ", endpoint.Name(), ": no descriptor for its reader"));
  return std::unique_ptr<SocketStream>(
      new SocketStream(std::move(settings), std::move(endpoint), std::move(give), wake));
}

SocketStream::SocketStream(Settings settings, net::Endpoint endpoint, Give give, int wake)
    : settings_(std::move(settings)),
      endpoint_(std::move(endpoint)),
      give_(std::move(give)),
      wake_(wake),
      framer_(settings_.framing) {
  thread_ = std::thread([this] { Run(); });
}

SocketStream::~SocketStream() {
  Stop();
  close(wake_);
}

void SocketStream::Stop() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  const std::uint64_t one = 1;
  MR_CHECK(write(wake_, &one, sizeof one) == sizeof one);
  thread_.join();
  SetDown("");
}

bool SocketStream::stopping() const {
  const std::lock_guard lock(mutex_);
  return stopping_;
}

void SocketStream::SetDown(std::string why) {
  const std::lock_guard lock(mutex_);
  down_ = std::move(why);
}

std::string SocketStream::problem() const {
  const std::lock_guard lock(mutex_);
  std::string out;
  const auto add = [&](std::string_view text) { out += Concat(out.empty() ? "" : "; ", text); };
  if (!down_.empty()) add(Concat(down_, "; trying again"));
  if (too_long_ > 0) {
    add(Concat("socket ", endpoint_.Name(), ": ", too_long_, " records were longer than ", settings_.framing.max_bytes,
               " bytes and were ", settings_.framing.drop_too_long ? "dropped" : "cut", " (option max_record_bytes",
               settings_.framing.kind == Framing::Kind::kLength ? "; is the framing that of the server?)" : ")"));
  }
  if (unfinished_ > 0) {
    add(Concat("socket ", endpoint_.Name(), ": ", unfinished_,
               " records were cut off by the end of a connection and left out"));
  }
  return out;
}

void SocketStream::Run() {
  auto pause = kFirstPause;
  for (;;) {
    const auto since = Clock::now();
    const absl::Status status = Serve();
    if (status.ok() || stopping()) return;
    // A server that accepts and hangs up at once must not be dialled in a tight loop.
    if (Clock::now() - since > settings_.connect_timeout + kLastPause) pause = kFirstPause;
    SetDown(Message(status));
    log::Warn("socket: not receiving", {{"server", endpoint_.Name()}, {"why", Message(status)}});
    Pause(pause);
    pause = std::min(pause * 2, kLastPause);
  }
}

void SocketStream::Pause(std::chrono::milliseconds time) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, time, [this] { return stopping_; });
}

// The files of TLS are read for each connection: certificates may be renewed while a job runs.
absl::StatusOr<std::unique_ptr<net::Channel>> SocketStream::Connect() const {
  std::unique_ptr<net::TlsContext> tls;
  if (settings_.tls) {
    MR_ASSIGN_OR_RETURN(tls, net::TlsContext::Make(Concat("socket ", endpoint_.Name()), settings_.tls_options));
  }
  MR_ASSIGN_OR_RETURN(auto channel, net::Channel::Connect({"socket", "hosts", endpoint_}, tls.get(),
                                                          {Clock::now() + settings_.connect_timeout, wake_}));
  SetKeepalive(channel->fd());
  return channel;
}

// We send nothing, so nothing but this tells us that the other machine is gone.
void SocketStream::SetKeepalive(int fd) const {
  const int on = settings_.keepalive.count() > 0 ? 1 : 0;
  setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  if (on == 0) return;
  const int idle = static_cast<int>(std::chrono::ceil<std::chrono::seconds>(settings_.keepalive).count());
  const int interval = std::max(1, idle / kKeepaliveProbes);
  setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
  setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof interval);
  setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &kKeepaliveProbes, sizeof kKeepaliveProbes);
}

// One connection, to its end.
absl::Status SocketStream::Serve() {
  MR_ASSIGN_OR_RETURN(const std::unique_ptr<net::Channel> channel, Connect());
  if (!silent_) SetDown("");  // the machine of a program that hangs takes calls all the same
  return Receive(*channel);
}

absl::Status SocketStream::Receive(net::Channel& channel) {
  const bool times_out = settings_.idle_timeout.count() > 0;
  for (;;) {
    if (absl::Status status = ReadSome(channel); !status.ok()) {
      framer_.End(channel.ended());
      return Publish() ? status : absl::OkStatus();
    }
    if (!Publish()) return absl::OkStatus();
    if (!dry_ && !stopping()) continue;
    const auto until = times_out ? Clock::now() + settings_.idle_timeout : Clock::time_point::max();
    switch (AwaitData(channel.fd(), wake_, until)) {
      case Wake::kData:
        break;
      case Wake::kStop:
        ReceiveRest(channel);
        return absl::OkStatus();
      case Wake::kSilence:
        framer_.End(false);
        Publish();
        silent_ = true;
        return Unavailable("socket ", endpoint_.Name(), ": nothing has come for ", settings_.idle_timeout.count(),
                           " ms, so it was hung up (option idle_timeout); is the server alive, and has it anything to "
                           "send?");
    }
  }
}

absl::Status SocketStream::ReadSome(net::Channel& channel) {
  dry_ = false;
  while (framer_.bytes() < kBlockBytes) {
    buffer_.clear();
    MR_ASSIGN_OR_RETURN(const std::size_t n, channel.Read(buffer_));
    if (n == 0) {
      dry_ = true;
      break;
    }
    framer_.Add(buffer_);
    if (std::exchange(silent_, false)) SetDown("");
  }
  return absl::OkStatus();
}

// What the sender takes for received, and we have not read yet. A record without its end is none.
void SocketStream::ReceiveRest(net::Channel& channel) {
  const auto deadline = Clock::now() + kLongestRest;
  do {
    const bool alive = ReadSome(channel).ok();
    if (!Publish() || !alive || dry_) return;
  } while (Clock::now() < deadline);
}

bool SocketStream::Publish() {
  {
    const std::lock_guard lock(mutex_);
    too_long_ = framer_.too_long();
    unfinished_ = framer_.unfinished();
  }
  if (!wanted_) return false;
  if (auto block = framer_.Take()) wanted_ = give_(std::move(block));
  return wanted_;
}

}  // namespace millrace::sockets
