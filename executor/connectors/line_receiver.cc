#include "executor/connectors/line_receiver.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>

#include "common/status.h"

namespace millrace {
namespace {

constexpr std::size_t kMaxHeldBytes = 32 * 1024 * 1024;
constexpr std::size_t kReadBytes = 256 * 1024;
constexpr int kConnectTimeoutMs = 5'000;
constexpr std::chrono::milliseconds kFirstPause{100};
constexpr std::chrono::milliseconds kLastPause{5'000};

std::string Reason(int error) { return std::generic_category().message(error); }

}  // namespace

absl::StatusOr<std::unique_ptr<LineReceiver>> LineReceiver::Start(std::string host, std::string port,
                                                                  std::size_t max_line_bytes) {
  const int wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (wake < 0) return ErrnoStatus(errno, Concat("socket ", host, ":", port, ": no descriptor for its reader"));
  return std::unique_ptr<LineReceiver>(new LineReceiver(std::move(host), std::move(port), max_line_bytes, wake));
}

LineReceiver::LineReceiver(std::string host, std::string port, std::size_t max_line_bytes, int wake)
    : host_(std::move(host)), port_(std::move(port)), max_line_bytes_(max_line_bytes), wake_(wake) {
  thread_ = std::thread([this] { Run(); });
}

LineReceiver::~LineReceiver() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  const std::uint64_t one = 1;
  MR_CHECK(write(wake_, &one, sizeof one) == sizeof one);
  thread_.join();
  close(wake_);
}

bool LineReceiver::stopping() const {
  std::lock_guard lock(mutex_);
  return stopping_;
}

void LineReceiver::SetDown(std::string why) {
  std::lock_guard lock(mutex_);
  down_ = std::move(why);
}

std::string LineReceiver::problem() const {
  std::lock_guard lock(mutex_);
  std::string out;
  if (!down_.empty()) out = Concat(host_, ":", port_, ": ", down_, "; trying again");
  if (cut_lines_ > 0) {
    out += Concat(out.empty() ? "" : "; ", cut_lines_, " lines were longer than ", max_line_bytes_,
                  " bytes and were cut (option max_line_bytes)");
  }
  return out;
}

std::vector<LineSlice> LineReceiver::Take(std::uint64_t limit) {
  std::vector<LineSlice> taken;
  std::lock_guard lock(mutex_);
  std::uint64_t left = limit == 0 ? ~0ULL : limit;
  while (left > 0 && !held_.empty()) {
    LineSlice& front = held_.front();
    const std::size_t n = std::min<std::uint64_t>(left, front.count);
    taken.push_back({front.block, front.first, n});
    front.first += n;
    front.count -= n;
    left -= n;
    if (front.count > 0) break;
    held_bytes_ -= front.block->memory();
    held_.pop_front();
  }
  changed_.notify_all();
  return taken;
}

void LineReceiver::Run() {
  auto pause = kFirstPause;
  while (!stopping()) {
    const int fd = Connect();
    if (fd >= 0) {
      SetDown("");
      const auto since = std::chrono::steady_clock::now();
      const std::string why = Receive(fd);
      close(fd);
      // A server that accepts and hangs up at once must not be dialled in a tight loop.
      if (std::chrono::steady_clock::now() - since > kLastPause) pause = kFirstPause;
      SetDown(why);
    }
    Pause(pause);
    pause = std::min(pause * 2, kLastPause);
  }
}

void LineReceiver::Pause(std::chrono::milliseconds time) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, time, [this] { return stopping_; });
}

bool LineReceiver::WaitReady(int fd, short events, int timeout_ms) {
  std::array<pollfd, 2> polled = {{{fd, events, 0}, {wake_, POLLIN, 0}}};
  int n = 0;
  do n = poll(polled.data(), polled.size(), timeout_ms);
  while (n < 0 && errno == EINTR);
  return n > 0 && polled[1].revents == 0;
}

int LineReceiver::Connect() {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  // A name that does not resolve costs the resolver's own timeout; a numeric address costs nothing.
  if (const int error = getaddrinfo(host_.c_str(), port_.c_str(), &hints, &list); error != 0) {
    SetDown(Concat("cannot resolve the name: ", std::string_view(gai_strerror(error))));
    return -1;
  }
  std::string why = "no address";
  int connected = -1;
  for (addrinfo* a = list; a != nullptr && connected < 0 && !stopping(); a = a->ai_next) {
    const int fd = socket(a->ai_family, a->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, a->ai_protocol);
    if (fd < 0) {
      why = Reason(errno);
      continue;
    }
    if (connect(fd, a->ai_addr, a->ai_addrlen) == 0 || (errno == EINPROGRESS && AwaitConnected(fd, why))) {
      connected = fd;
      continue;
    }
    if (errno != EINPROGRESS && errno != 0) why = Reason(errno);
    close(fd);
  }
  freeaddrinfo(list);
  if (connected < 0) SetDown(Concat("cannot connect: ", why));
  return connected;
}

bool LineReceiver::AwaitConnected(int fd, std::string& why) {
  int error = ETIMEDOUT;
  if (WaitReady(fd, POLLOUT, kConnectTimeoutMs)) {
    socklen_t size = sizeof error;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
  }
  why = Reason(error);
  errno = 0;  // `why` is known
  return error == 0;
}

std::string LineReceiver::Receive(int fd) {
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);  // a peer that vanished is noticed in the end
  std::string buffer(kReadBytes, '\0');
  std::string why;
  while (true) {
    if (!WaitReady(fd, POLLIN, -1)) return "stopped";
    const ssize_t n = read(fd, buffer.data(), buffer.size());
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (n <= 0) {
      why = n == 0 ? "the server closed the connection" : Concat("connection lost: ", Reason(errno));
      break;
    }
    AddBytes(std::string_view(buffer).substr(0, static_cast<std::size_t>(n)));
    Publish();
  }
  // The last line may lack its newline; it is a line all the same.
  if (block_.text.size() > line_begin_ || cutting_) EndLine();
  Publish();
  return why;
}

void LineReceiver::AddBytes(std::string_view bytes) {
  while (!bytes.empty()) {
    const std::size_t newline = bytes.find('\n');
    AddPiece(bytes.substr(0, newline));
    if (newline == std::string_view::npos) return;
    EndLine();
    bytes.remove_prefix(newline + 1);
  }
}

void LineReceiver::AddPiece(std::string_view piece) {
  const std::size_t room = max_line_bytes_ - (block_.text.size() - line_begin_);
  if (piece.size() > room) cutting_ = true;
  block_.text.append(piece.substr(0, room));
}

void LineReceiver::EndLine() {
  std::size_t size = block_.text.size() - line_begin_;
  if (!cutting_ && size > 0 && block_.text.back() == '\r') --size;
  block_.lines.push_back({static_cast<std::uint32_t>(line_begin_), static_cast<std::uint32_t>(size)});
  line_begin_ = block_.text.size();
  if (cutting_) {
    cutting_ = false;
    std::lock_guard lock(mutex_);
    ++cut_lines_;
  }
}

void LineReceiver::Publish() {
  if (block_.lines.empty()) return;
  // The beginning of an unfinished line stays here for the next block.
  std::string rest = block_.text.substr(line_begin_);
  block_.text.resize(line_begin_);
  auto whole = std::make_shared<const LineBlock>(std::move(block_));
  block_ = LineBlock();
  block_.text = std::move(rest);
  line_begin_ = 0;

  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return held_bytes_ < kMaxHeldBytes || stopping_; });
  held_bytes_ += whole->memory();
  const std::size_t count = whole->lines.size();
  held_.push_back({std::move(whole), 0, count});
}

}  // namespace millrace
