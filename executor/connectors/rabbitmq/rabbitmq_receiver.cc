#include "executor/connectors/rabbitmq/rabbitmq_receiver.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "common/log.h"
#include "common/status.h"

namespace millrace::rabbitmq {
namespace {

constexpr std::chrono::milliseconds kFirstPause{100};
constexpr std::chrono::milliseconds kLastPause{5'000};
constexpr int kTickMs = 250;  // heartbeats are looked after this often

}  // namespace

RabbitMqReceiver::RabbitMqReceiver(ConnectionOptions connection, ConsumerOptions options, std::string name)
    : connection_(std::move(connection)), options_(std::move(options)), name_(std::move(name)) {}

RabbitMqReceiver::~RabbitMqReceiver() {
  Stop();
  if (wake_ >= 0) close(wake_);
}

absl::Status RabbitMqReceiver::Start(ReceiverStore& store) {
  wake_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (wake_ < 0)
    return ErrnoStatus(errno, Concat("rabbitmq queue '", options_.queue, "': no descriptor for its reader"));
  thread_ = std::thread([this, &store] { Run(store); });
  return absl::OkStatus();
}

void RabbitMqReceiver::Stop() {
  if (!thread_.joinable()) return;
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  const std::uint64_t one = 1;
  MR_CHECK(write(wake_, &one, sizeof one) == sizeof one);
  thread_.join();
  SetDown("");
}

bool RabbitMqReceiver::stopping() const {
  std::lock_guard lock(mutex_);
  return stopping_;
}

void RabbitMqReceiver::SetDown(std::string why) {
  std::lock_guard lock(mutex_);
  down_ = std::move(why);
}

std::string RabbitMqReceiver::Problem() const {
  std::lock_guard lock(mutex_);
  std::string out;
  const auto add = [&](std::string_view text) { out += Concat(out.empty() ? "" : "; ", text); };
  if (!down_.empty()) add(Concat(down_, "; trying again"));
  if (worker_ != nullptr) {
    if (const std::string why = worker_->problem(); !why.empty()) add(Concat("nothing is received: ", why));
  }
  if (rejected_ > 0) {
    add(Concat(rejected_, " messages of queue '", options_.queue, "' were rejected (", rejected_why_,
               "); they are in its dead letter exchange, if it has one"));
  }
  return out;
}

void RabbitMqReceiver::Run(ReceiverStore& store) {
  StoreWorker worker(store, options_.queue, wake_);
  {
    std::lock_guard lock(mutex_);
    worker_ = &worker;
  }
  auto pause = kFirstPause;
  while (!stopping() && !ended_) {
    const auto since = std::chrono::steady_clock::now();
    absl::Status status;
    if (auto consumer = Consumer::Open(connection_, options_, name_); consumer.ok()) {
      SetDown("");
      status = Serve(**consumer, worker);
    } else {
      status = consumer.status();
    }
    if (status.ok()) continue;
    SetDown(Message(status));
    log::Warn("rabbitmq: not receiving", {{"queue", options_.queue}, {"why", Message(status)}});
    // A server that accepts and hangs up at once must not be dialled in a tight loop.
    if (std::chrono::steady_clock::now() - since > kLastPause) pause = kFirstPause;
    Pause(pause);
    pause = std::min(pause * 2, kLastPause);
  }
  std::lock_guard lock(mutex_);
  worker_ = nullptr;
}

void RabbitMqReceiver::Pause(std::chrono::milliseconds time) const {
  const auto until = std::chrono::steady_clock::now() + time;
  while (!stopping()) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
    if (left.count() <= 0) return;
    pollfd polled{wake_, POLLIN, 0};
    poll(&polled, 1, static_cast<int>(left.count()));
    ReadWake();
  }
}

void RabbitMqReceiver::ReadWake() const {
  std::uint64_t count = 0;
  [[maybe_unused]] const ssize_t n = read(wake_, &count, sizeof count);  // nothing there is as good
}

absl::Status RabbitMqReceiver::Serve(Consumer& consumer, StoreWorker& worker) {
  DeliveryBatch collecting;
  // What the worker has from an earlier connection cannot be acknowledged on this one.
  bool foreign = !worker.idle();
  std::uint64_t too_large = 0;
  while (true) {
    if (stopping()) {
      if (!foreign) Leave(consumer, worker);
      return absl::OkStatus();
    }
    absl::Status status = consumer.Collect(collecting, worker.idle());
    if (status.ok()) {
      if (auto stored = worker.TakeResult()) {
        if (!foreign) status = Settle(consumer, *stored);
        foreign = false;
      }
    }
    if (const auto now = consumer.too_large(); now > too_large) {
      NoteRejected(now - too_large, Concat("larger than max_message_bytes, ", options_.max_message_bytes));
      too_large = now;
    }
    if (!status.ok()) {
      worker.Abandon();
      return status;
    }
    if (ended_) return absl::OkStatus();
    if (!collecting.empty() && !consumer.in_message() && worker.idle()) worker.Give(collecting);
    consumer.Await(wake_, kTickMs);
    ReadWake();
  }
}

absl::Status RabbitMqReceiver::Settle(Consumer& consumer, const StoreResult& stored) {
  if (absl::IsAborted(stored.status) || absl::IsCancelled(stored.status)) {
    log::Info("rabbitmq: this receiver ends", {{"queue", options_.queue}, {"why", Message(stored.status)}});
    ended_ = true;
    return absl::OkStatus();
  }
  // Hanging up is what gives the messages back to the server.
  if (!stored.status.ok()) return Annotate(stored.status, "queue '", options_.queue, "': storing failed");
  for (const std::uint64_t tag : stored.refused) MR_RETURN_IF_ERROR(consumer.Reject(tag));
  if (!stored.refused.empty()) NoteRejected(stored.refused.size(), stored.refusal);
  return stored.last_tag == 0 ? absl::OkStatus() : consumer.Acknowledge(stored.last_tag);
}

// What is being stored is acknowledged still: that spares the next owner its repetition.
void RabbitMqReceiver::Leave(Consumer& consumer, StoreWorker& worker) {
  worker.Abandon();
  const auto stored = worker.Finish();
  if (!stored) return;
  if (const absl::Status status = Settle(consumer, *stored); !status.ok()) {
    log::Info("rabbitmq: the last messages come again", {{"queue", options_.queue}, {"why", Message(status)}});
  }
}

void RabbitMqReceiver::NoteRejected(std::uint64_t count, std::string why) {
  std::lock_guard lock(mutex_);
  rejected_ += count;
  rejected_why_ = std::move(why);
}

}  // namespace millrace::rabbitmq
