#include "executor/connectors/flume/frame_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>

#include "common/log.h"
#include "common/status.h"

namespace millrace {
namespace {

constexpr std::chrono::milliseconds kFirstPause{100};
constexpr std::chrono::milliseconds kLastPause{5'000};
constexpr std::chrono::seconds kWriteTimeout{10};
constexpr std::size_t kKeptBufferBytes = 1 << 20;
constexpr int kBacklog = 64;
constexpr std::uint32_t kTlsHello = 0x1603;  // how a TLS connection begins

void Raise(const Fd& event) {
  const std::uint64_t one = 1;
  MR_CHECK(write(event.get(), &one, sizeof one) == sizeof one);
}

std::string AddressOf(const sockaddr_storage& from) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (from.ss_family == AF_INET6) {
    sockaddr_in6 address{};
    std::memcpy(&address, &from, sizeof address);
    inet_ntop(AF_INET6, &address.sin6_addr, text.data(), text.size());
    return Concat("[", text.data(), "]:", ntohs(address.sin6_port));
  }
  sockaddr_in address{};
  std::memcpy(&address, &from, sizeof address);
  inet_ntop(AF_INET, &address.sin_addr, text.data(), text.size());
  return Concat(text.data(), ":", ntohs(address.sin_port));
}

// The family and address of `bind`, which was checked when the options were read.
socklen_t MakeAddress(const std::string& bind, std::uint16_t port, sockaddr_storage& out) {
  std::memset(&out, 0, sizeof out);
  sockaddr_in6 six{};
  if (inet_pton(AF_INET6, bind.c_str(), &six.sin6_addr) == 1) {
    six.sin6_family = AF_INET6;
    six.sin6_port = htons(port);
    std::memcpy(&out, &six, sizeof six);
    return sizeof six;
  }
  sockaddr_in four{};
  four.sin_family = AF_INET;
  four.sin_port = htons(port);
  inet_pton(AF_INET, bind.c_str(), &four.sin_addr);
  std::memcpy(&out, &four, sizeof four);
  return sizeof four;
}

// A peer whose machine is gone is noticed after about two minutes.
void SetSocketOptions(int fd) {
  const int on = 1, idle = 60, interval = 15, probes = 4;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
  setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof interval);
  setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
}

}  // namespace

FrameServer::FrameServer(std::string where, Options options, Answer answer)
    : where_(std::move(where)), options_(std::move(options)), answer_(std::move(answer)), incidents_(where_) {}

absl::Status FrameServer::Start() {
  stop_ = Fd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  ended_ = Fd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!stop_.valid() || !ended_.valid()) return ResourceExhausted(where_, ": no descriptor is left for its server");
  thread_ = std::thread([this] { Run(); });
  return absl::OkStatus();
}

void FrameServer::BeginStop() {
  {
    std::lock_guard lock(mutex_);
    if (stopping_) return;
    stopping_ = true;
  }
  changed_.notify_all();
  Raise(stop_);
}

void FrameServer::Stop() {
  if (!thread_.joinable()) return;
  BeginStop();
  thread_.join();
}

std::size_t FrameServer::connections() const {
  std::lock_guard lock(mutex_);
  return static_cast<std::size_t>(
      std::count_if(connections_.begin(), connections_.end(), [](const Connection& c) { return !c.ended; }));
}

std::string FrameServer::problem() const {
  std::string out;
  {
    std::lock_guard lock(mutex_);
    out = down_;
  }
  const std::string incidents = incidents_.text();
  if (!out.empty() && !incidents.empty()) out += "; ";
  return out + incidents;
}

void FrameServer::SetDown(std::string why) {
  std::lock_guard lock(mutex_);
  down_ = std::move(why);
}

bool FrameServer::WaitStop(std::chrono::milliseconds time) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, time, [this] { return stopping_; });
}

absl::StatusOr<Fd> FrameServer::ListenOn(std::uint16_t port) {
  sockaddr_storage address;
  const socklen_t size = MakeAddress(options_.bind, port, address);
  const std::string what = Concat("cannot listen on ", options_.bind, ":", port);
  Fd fd(socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return ErrnoStatus(errno, what);
  const int on = 1;
  setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);  // connections of a runner that died may linger
  if (bind(fd.get(), reinterpret_cast<sockaddr*>(&address), size) != 0) return ErrnoStatus(errno, what);
  if (listen(fd.get(), kBacklog) != 0) return ErrnoStatus(errno, what);
  socklen_t got = sizeof address;
  if (getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &got) != 0) return ErrnoStatus(errno, what);
  port_ = ntohs(address.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6&>(address).sin6_port
                                              : reinterpret_cast<sockaddr_in&>(address).sin_port);
  return fd;
}

absl::StatusOr<Fd> FrameServer::Listen() {
  absl::Status why;
  for (std::uint32_t i = 0; i < options_.ports; ++i) {
    auto fd = ListenOn(static_cast<std::uint16_t>(options_.port + i));
    if (fd.ok()) return fd;
    why = fd.status();
  }
  return why;
}

void FrameServer::Run() {
  auto pause = kFirstPause;
  absl::StatusOr<Fd> listener = Listen();
  while (!listener.ok()) {
    SetDown(Concat(Message(listener.status()),
                   options_.ports > 1 ? Concat(", nor on the ", options_.ports - 1, " ports before it") : "",
                   "; trying again. Options bind, port and ports say where"));
    if (WaitStop(pause)) return;
    pause = std::min(pause * 2, kLastPause);
    listener = Listen();
  }
  SetDown("");
  log::Info(Concat(where_, " listens"), {{"address", Concat(options_.bind, ":", port())}});
  while (true) {
    std::array<pollfd, 3> polled = {
        {{listener->get(), POLLIN, 0}, {stop_.get(), POLLIN, 0}, {ended_.get(), POLLIN, 0}}};
    if (poll(polled.data(), polled.size(), -1) < 0) continue;
    if (polled[1].revents != 0) break;
    if (polled[2].revents != 0) JoinEnded();
    if (polled[0].revents != 0) AcceptAll(*listener);
  }
  listener->Reset();
  port_ = 0;
  std::list<Connection> rest;
  {
    std::lock_guard lock(mutex_);
    rest.swap(connections_);
  }
  for (Connection& connection : rest) connection.thread.join();
}

void FrameServer::AcceptAll(const Fd& listener) {
  while (true) {
    sockaddr_storage from;
    socklen_t size = sizeof from;
    Fd fd(accept4(listener.get(), reinterpret_cast<sockaddr*>(&from), &size, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (fd.valid()) {
      Take(std::move(fd), AddressOf(from));
      continue;
    }
    if (errno == EINTR || errno == ECONNABORTED) continue;
    if (errno == EAGAIN) return;
    // Out of descriptors or memory: the peer stays in the queue meanwhile.
    incidents_.Note(kTooMany, Message(ErrnoStatus(errno, "accept")));
    WaitStop(kFirstPause);
    return;
  }
}

void FrameServer::Take(Fd fd, std::string peer) {
  SetSocketOptions(fd.get());
  std::unique_lock lock(mutex_);
  if (connections_.size() >= options_.max_connections) {
    lock.unlock();
    JoinEnded();
    lock.lock();
  }
  if (connections_.size() >= options_.max_connections) {
    lock.unlock();
    incidents_.Note(kTooMany, Concat(peer, " was refused, as ", options_.max_connections,
                                     " are open already (option max_connections)"));
    return;
  }
  Connection& connection = connections_.emplace_back();
  try {
    connection.thread = std::thread([this, &connection, fd = std::move(fd), peer]() mutable {
      Serve(std::move(fd), peer);
      connection.ended = true;
      Raise(ended_);
    });
  } catch (const std::system_error& error) {
    connections_.pop_back();
    lock.unlock();
    incidents_.Note(kTooMany, Concat(peer, " was refused: no thread could be made for it: ", error.what()));
  }
}

void FrameServer::JoinEnded() {
  std::uint64_t count = 0;
  MR_CHECK(read(ended_.get(), &count, sizeof count) == sizeof count || errno == EAGAIN);
  std::list<Connection> ended;
  {
    std::lock_guard lock(mutex_);
    for (auto at = connections_.begin(); at != connections_.end();) {
      const auto next = std::next(at);
      if (at->ended) ended.splice(ended.end(), connections_, at);
      at = next;
    }
  }
  for (Connection& connection : ended) connection.thread.join();
}

void FrameServer::Serve(Fd fd, const std::string& peer) {
  // OpenSSL writes without MSG_NOSIGNAL; a peer that hung up must be an error of this call and no signal.
  sigset_t pipe;
  sigemptyset(&pipe);
  sigaddset(&pipe, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &pipe, nullptr);

  auto stream = PeerStream::Open(std::move(fd), peer, stop_.get(), options_.tls);
  absl::Status status = stream.status();
  std::string buffer;
  while (status.ok() && !WaitStop(std::chrono::milliseconds(0))) {
    status = ServeFrame(**stream, buffer);
    if (buffer.capacity() > kKeptBufferBytes) buffer = std::string();
  }
  NoteEnd(peer, status);
}

absl::Status FrameServer::ServeFrame(PeerStream& stream, std::string& buffer) {
  std::array<char, 4> head;
  MR_RETURN_IF_ERROR(stream.Read(head.data(), 1, PeerStream::kNever));
  const auto deadline = std::chrono::steady_clock::now() + options_.frame_timeout;
  absl::Status status = stream.Read(head.data() + 1, head.size() - 1, deadline);
  if (status.code() == absl::StatusCode::kOutOfRange) return Unavailable("the peer hung up in the middle of a frame");
  MR_RETURN_IF_ERROR(status);
  std::uint32_t size = 0;
  std::memcpy(&size, head.data(), sizeof size);
  size = ntohl(size);
  if (size > options_.max_frame_bytes) {
    if (size >> 16 == kTlsHello) return PermissionDenied("the peer speaks TLS, and no certificate is set here");
    return ResourceExhausted("a frame of ", size, " bytes was announced, ", options_.max_frame_bytes,
                             " are allowed (option max_frame_bytes), or what was sent is no frame");
  }
  if (!TakeRoom(size)) return MakeStatus(absl::StatusCode::kCancelled, "stopped");
  buffer.resize(size);
  // The wait for room was not the peer's fault.
  status = stream.Read(buffer.data(), size, std::chrono::steady_clock::now() + options_.frame_timeout);
  if (status.code() == absl::StatusCode::kOutOfRange) {
    status = Unavailable("the peer hung up in the middle of a frame");
  }
  if (!status.ok()) {
    GiveRoom(size);
    return status;
  }
  ++frames_;
  absl::StatusOr<std::string> answer = answer_(stream, buffer);
  GiveRoom(size);
  MR_RETURN_IF_ERROR(answer.status());
  const std::uint32_t length = htonl(static_cast<std::uint32_t>(answer->size()));
  std::string framed(reinterpret_cast<const char*>(&length), sizeof length);
  framed += *answer;
  return stream.Write(framed, std::chrono::steady_clock::now() + kWriteTimeout);
}

void FrameServer::NoteEnd(const std::string& peer, const absl::Status& why) {
  std::string_view kind;
  switch (why.code()) {
    case absl::StatusCode::kOk:
    case absl::StatusCode::kOutOfRange:
    case absl::StatusCode::kCancelled:
    case absl::StatusCode::kAborted:
      return;
    case absl::StatusCode::kInvalidArgument:
      kind = kMalformed;
      break;
    case absl::StatusCode::kResourceExhausted:
      kind = kOversized;
      break;
    case absl::StatusCode::kDeadlineExceeded:
      kind = kStalled;
      break;
    case absl::StatusCode::kPermissionDenied:
      kind = kTls;
      break;
    default:
      kind = kBroken;
      break;
  }
  incidents_.Note(kind, Concat(peer, ": ", Message(why)));
}

bool FrameServer::TakeRoom(std::uint64_t bytes) {
  std::unique_lock lock(mutex_);
  // One frame always fits, so that a small bound stops nobody for ever.
  changed_.wait(lock, [&] { return stopping_ || held_bytes_ == 0 || held_bytes_ + bytes <= options_.max_held_bytes; });
  if (stopping_) return false;
  held_bytes_ += bytes;
  return true;
}

void FrameServer::GiveRoom(std::uint64_t bytes) {
  {
    std::lock_guard lock(mutex_);
    held_bytes_ -= bytes;
  }
  changed_.notify_all();
}

}  // namespace millrace
