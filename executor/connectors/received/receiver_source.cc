#include "executor/connectors/received/receiver_source.h"

#include <algorithm>
#include <mutex>
#include <utility>

#include "common/status.h"
#include "executor/connectors/options.h"
#include "executor/connectors/received/logged_reader.h"
#include "executor/connectors/received/position.h"

namespace millrace {
namespace {

constexpr std::int64_t kListAgainMs = 60'000;

class ReceiverSource : public Source {
 public:
  ReceiverSource(std::string root, std::shared_ptr<CheckpointStore> storage, ReceiverSourceSettings settings)
      : root_(std::move(root)), storage_(std::move(storage)), settings_(std::move(settings)) {}

  absl::StatusOr<SplitList> ListSplits() override {
    SplitList list{{}, true};
    for (std::size_t i = 0; i < settings_.splits.size(); ++i)
      list.splits.push_back({settings_.splits[i], received::Position{Concat(root_, "/", i), 0, 0}.text()});
    return list;
  }

  absl::StatusOr<std::unique_ptr<SplitReader>> OpenSplit(const std::string& split, std::string_view start) override {
    if (std::ranges::find(settings_.splits, split) == settings_.splits.end())
      return InvalidArgument(settings_.where, ": there is no split '", split, "'; the job was made with other options");
    absl::StatusOr<received::Position> position = received::Position::Parse(start);
    if (!position.ok()) return Annotate(position.status(), settings_.where);
    MR_ASSIGN_OR_RETURN(std::unique_ptr<Receiver> receiver, settings_.make(split));
    auto problem = std::make_shared<ReceiverProblem>();
    {
      const std::lock_guard lock(mutex_);
      problems_[split] = problem;
    }
    return std::make_unique<LoggedReader>(Concat(settings_.where, " ", split), position->log, storage_,
                                          std::move(receiver), std::move(problem));
  }

  std::string Problem() const override {
    const std::lock_guard lock(mutex_);
    for (const auto& [split, held] : problems_) {
      if (const auto problem = held.lock()) {
        if (std::string text = problem->text(); !text.empty()) return text;
      }
    }
    return {};
  }

  std::int64_t discovery_interval_ms() const override { return kListAgainMs; }
  bool forgets() const override { return true; }

 private:
  const std::string root_;
  const std::shared_ptr<CheckpointStore> storage_;
  const ReceiverSourceSettings settings_;
  mutable std::mutex mutex_;
  std::map<std::string, std::weak_ptr<ReceiverProblem>> problems_;  // of the newest reader of each split
};

}  // namespace

absl::StatusOr<std::unique_ptr<Source>> MakeReceiverSource(const engine::OperatorDescription& description,
                                                           const SourceEnvironment& environment,
                                                           ReceiverSourceSettings settings) {
  settings.where = OperatorName("source", description);
  if (environment.storage.place.empty()) {
    return InvalidArgument(settings.where,
                           " keeps what it receives in the storage of checkpoints, and this runner has "
                           "none: set executor.checkpoint_dir to a folder that all executors share");
  }
  MR_ASSIGN_OR_RETURN(std::shared_ptr<CheckpointStore> storage, OpenCheckpointStore(environment.storage));
  return std::make_unique<ReceiverSource>(Concat("received/", environment.job_id, "/op", description.id),
                                          std::move(storage), std::move(settings));
}

}  // namespace millrace
