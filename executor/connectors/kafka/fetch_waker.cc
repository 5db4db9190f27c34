#include "executor/connectors/kafka/fetch_waker.h"

namespace millrace::kafka {
namespace {

constexpr int kTimeoutMs = 1'000;

}  // namespace

FetchWaker::FetchWaker(std::shared_ptr<Client> client) : client_(std::move(client)), thread_([this] { Run(); }) {}

FetchWaker::~FetchWaker() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void FetchWaker::Wake(const std::string& topic, std::int32_t partition) {
  {
    std::lock_guard lock(mutex_);
    asked_.emplace(topic, partition);
  }
  changed_.notify_all();
}

void FetchWaker::Run() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return stopping_ || !asked_.empty(); });
    if (stopping_) return;
    const auto [topic, partition] = *asked_.begin();
    asked_.erase(asked_.begin());
    lock.unlock();
    std::int64_t low = 0;
    std::int64_t high = 0;
    // The answer is not wanted, and a failure is librdkafka's to report.
    (void)rd_kafka_query_watermark_offsets(client_->handle(), topic.c_str(), partition, &low, &high, kTimeoutMs);
    lock.lock();
  }
}

}  // namespace millrace::kafka
