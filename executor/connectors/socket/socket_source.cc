#include "executor/connectors/socket/socket_source.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <utility>

#include "common/status.h"
#include "executor/connectors/options.h"
#include "executor/connectors/received/receiver_source.h"
#include "executor/connectors/socket/held_reader.h"
#include "executor/connectors/socket/settings.h"
#include "executor/connectors/socket/socket_receiver.h"

namespace millrace {
namespace {

using sockets::RecordBlock;
using sockets::RecordQueue;
using sockets::Settings;
using sockets::SocketStream;

absl::StatusOr<net::Endpoint> HostOf(const Settings& settings, std::string_view split) {
  for (const net::Endpoint& host : settings.hosts) {
    if (host.Name() == split) return host;
  }
  return InvalidArgument("socket: there is no server '", split, "' in the option hosts; the job was made with others");
}

class SocketSource : public Source {
 public:
  explicit SocketSource(Settings settings) : settings_(std::move(settings)) {}

  absl::StatusOr<SplitList> ListSplits() override {
    SplitList list{{}, true};
    for (const net::Endpoint& host : settings_.hosts) list.splits.push_back({host.Name(), "0"});
    return list;
  }

  absl::StatusOr<std::unique_ptr<SplitReader>> OpenSplit(const std::string& split, std::string_view start) override {
    MR_ASSIGN_OR_RETURN(const net::Endpoint host, HostOf(settings_, split));
    std::uint64_t position = 0;
    if (!ParseNumber(start, position)) {
      return InvalidArgument("socket ", split, ": start '", start, "' is not a number");
    }
    auto queue = std::make_shared<RecordQueue>();
    const auto give = [queue](std::shared_ptr<const RecordBlock> block) {
      queue->Push(std::move(block));
      return true;
    };
    MR_ASSIGN_OR_RETURN(std::shared_ptr<SocketStream> stream, SocketStream::Start(settings_, host, give));
    {
      const std::lock_guard lock(mutex_);
      streams_[split] = stream;
    }
    return std::make_unique<sockets::HeldReader>(split, std::move(queue), std::move(stream), position);
  }

  std::string Problem() const override {
    const std::lock_guard lock(mutex_);
    std::string all;
    for (const auto& [split, held] : streams_) {
      const auto stream = held.lock();
      const std::string problem = stream == nullptr ? std::string() : stream->problem();
      if (!problem.empty()) all += Concat(all.empty() ? "" : "; ", problem);
    }
    return all;
  }

  std::int64_t discovery_interval_ms() const override { return 60'000; }

 private:
  const Settings settings_;
  mutable std::mutex mutex_;
  std::map<std::string, std::weak_ptr<SocketStream>> streams_;  // of the newest reader of each split, which owns it
};

}  // namespace

absl::StatusOr<std::unique_ptr<Source>> MakeSocketSource(const engine::OperatorDescription& description,
                                                         const SourceEnvironment& environment) {
  MR_ASSIGN_OR_RETURN(Settings settings, sockets::ReadSettings(description));
  if (!settings.reliable) return std::make_unique<SocketSource>(std::move(settings));
  ReceiverSourceSettings receivers;
  for (const net::Endpoint& host : settings.hosts) receivers.splits.push_back(host.Name());
  receivers.make = [settings](const std::string& split) -> absl::StatusOr<std::unique_ptr<Receiver>> {
    MR_ASSIGN_OR_RETURN(net::Endpoint host, HostOf(settings, split));
    return std::make_unique<sockets::SocketReceiver>(settings, std::move(host));
  };
  return MakeReceiverSource(description, environment, std::move(receivers));
}

}  // namespace millrace
