#include "executor/connectors/socket/socket_receiver.h"

#include <algorithm>
#include <chrono>
#include <vector>

#include "common/log.h"
#include "common/status.h"

namespace millrace::sockets {
namespace {

constexpr std::chrono::milliseconds kFirstPause{100};
constexpr std::chrono::milliseconds kLastPause{5'000};

}  // namespace

absl::Status SocketReceiver::Start(ReceiverStore& store) {
  MR_ASSIGN_OR_RETURN(auto stream,
                      SocketStream::Start(settings_, endpoint_, [this, &store](std::shared_ptr<const RecordBlock> b) {
                        return Keep(store, *b);
                      }));
  const std::lock_guard lock(mutex_);
  stream_ = std::move(stream);
  return absl::OkStatus();
}

void SocketReceiver::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (stream_ != nullptr) stream_->Stop();
}

std::string SocketReceiver::Problem() const {
  const std::lock_guard lock(mutex_);
  if (!unstored_.empty()) return unstored_;
  return stream_ == nullptr ? std::string() : stream_->problem();
}

bool SocketReceiver::Keep(ReceiverStore& store, const RecordBlock& block) {
  std::vector<ReceivedRecord> records(block.records.size());
  const std::string name = endpoint_.Name();
  for (std::size_t i = 0; i < records.size(); ++i) records[i].value = block.at(i);
  for (auto pause = kFirstPause;; pause = std::min(pause * 2, kLastPause)) {
    const absl::Status status = store.Store(records);
    std::unique_lock lock(mutex_);
    const bool ended = absl::IsAborted(status) || absl::IsCancelled(status);
    unstored_ = status.ok() || ended
                    ? std::string()
                    : Concat("socket ", name, ": nothing is received: ", Message(status), "; trying again");
    if (status.ok()) return true;
    if (!ended) changed_.wait_for(lock, pause, [this] { return stopping_; });
    if (!ended && !stopping_) continue;
    log::Warn("socket: records that had been read are not stored, and lost",
              {{"server", name}, {"records", std::to_string(records.size())}, {"why", Message(status)}});
    return false;
  }
}

}  // namespace millrace::sockets
