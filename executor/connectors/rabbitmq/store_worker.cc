#include "executor/connectors/rabbitmq/store_worker.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "common/status.h"

namespace millrace::rabbitmq {
namespace {
constexpr std::chrono::milliseconds kFirstPause{100};
constexpr std::chrono::milliseconds kLastPause{5'000};
}  // namespace

StoreWorker::StoreWorker(ReceiverStore& store, std::string queue, int wake_fd)
    : store_(store), queue_(std::move(queue)), wake_fd_(wake_fd) {
  thread_ = std::thread([this] { Run(); });
}

StoreWorker::~StoreWorker() {
  {
    std::lock_guard lock(mutex_);
    ending_ = true;
    abandoned_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

bool StoreWorker::idle() const {
  std::lock_guard lock(mutex_);
  return state_ == State::kIdle;
}

void StoreWorker::Give(DeliveryBatch& batch) {
  {
    std::lock_guard lock(mutex_);
    MR_CHECK(state_ == State::kIdle);
    std::swap(batch_, batch);
    state_ = State::kStoring;
    abandoned_ = false;
  }
  changed_.notify_all();
}

std::optional<StoreResult> StoreWorker::TakeResult() {
  std::lock_guard lock(mutex_);
  if (state_ != State::kDone) return std::nullopt;
  state_ = State::kIdle;
  batch_.Clear();
  return std::move(result_);
}

void StoreWorker::Abandon() {
  {
    std::lock_guard lock(mutex_);
    abandoned_ = true;
  }
  changed_.notify_all();
}

std::optional<StoreResult> StoreWorker::Finish() {
  {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return state_ != State::kStoring; });
  }
  return TakeResult();
}

std::string StoreWorker::problem() const {
  std::lock_guard lock(mutex_);
  return problem_;
}

void StoreWorker::Run() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return ending_ || state_ == State::kStoring; });
    if (state_ != State::kStoring) return;
    lock.unlock();
    StoreResult result = StoreBatch();
    lock.lock();
    result_ = std::move(result);
    state_ = State::kDone;
    changed_.notify_all();
    const std::uint64_t one = 1;
    MR_CHECK(write(wake_fd_, &one, sizeof one) == sizeof one);
  }
}

StoreResult StoreWorker::StoreBatch() {
  StoreResult result;
  records_ = batch_.Records(queue_);
  result.status = StoreRange(0, records_.size(), result);
  return result;
}

// One record that is too large has the whole call refused: it is found by halves.
absl::Status StoreWorker::StoreRange(std::size_t begin, std::size_t end, StoreResult& result) {
  absl::Status status = StoreAgain(records_.subspan(begin, end - begin));
  if (status.ok()) result.last_tag = batch_.tag(end - 1);
  if (!absl::IsInvalidArgument(status)) return status;
  if (end - begin == 1) {
    result.refused.push_back(batch_.tag(begin));
    result.refusal = Message(status);
    return absl::OkStatus();
  }
  const std::size_t middle = begin + (end - begin) / 2;
  MR_RETURN_IF_ERROR(StoreRange(begin, middle, result));
  return StoreRange(middle, end, result);
}

absl::Status StoreWorker::StoreAgain(std::span<const ReceivedRecord> records) {
  for (auto pause = kFirstPause;; pause = std::min(pause * 2, kLastPause)) {
    absl::Status status = store_.Store(records);
    const bool failed = absl::IsUnavailable(status) || absl::IsResourceExhausted(status);
    std::unique_lock lock(mutex_);
    problem_ = failed ? Message(status) : std::string();
    if (!failed) return status;
    if (changed_.wait_for(lock, pause, [this] { return abandoned_; })) return status;
  }
}

}  // namespace millrace::rabbitmq
