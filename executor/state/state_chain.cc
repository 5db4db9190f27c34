#include "executor/state/state_chain.h"

#include <utility>

#include "executor/state/state_file.h"

namespace millrace {
namespace {

// A file that is whole is not enough: it must be the one that the checkpoint means.
class ChainFile final : public EntryCursor {
 public:
  ChainFile(std::unique_ptr<StateFileReader> reader, StateFile expected, std::string where)
      : reader_(std::move(reader)), expected_(std::move(expected)), where_(std::move(where)) {}

  absl::StatusOr<bool> Next() override {
    MR_ASSIGN_OR_RETURN(const bool more, reader_->Next());
    if (!more) {
      MR_RETURN_IF_ERROR(Check());
      return false;
    }
    key_ = reader_->key();
    value_ = reader_->value();
    deleted_ = reader_->deleted();
    return true;
  }

 private:
  absl::Status Check() const {
    const StateFileTotals& totals = reader_->totals();
    if (totals.bytes == expected_.bytes && totals.entries == expected_.entries) return absl::OkStatus();
    return DataLoss("state file ", where_, " is whole, but not the one of the checkpoint: it has ", totals.entries,
                    " entries in ", totals.bytes, " bytes, the checkpoint's had ", expected_.entries, " in ",
                    expected_.bytes);
  }

  const std::unique_ptr<StateFileReader> reader_;
  const StateFile expected_;
  const std::string where_;
};

absl::Status ReadThrough(CheckpointStore& store, const StateFile& file) {
  MR_ASSIGN_OR_RETURN(auto reader, StateFileReader::Open(store, file.name));
  ChainFile entries(std::move(reader), file, store.Locate(file.name));
  while (true) {
    MR_ASSIGN_OR_RETURN(const bool more, entries.Next());
    if (!more) return absl::OkStatus();
  }
}

}  // namespace

std::string StatePlaces::NewName(TaskKey task, std::uint64_t batch, bool base) {
  return Concat(job_id, "/s", task.stage, "-p", task.partition, "-b", batch, "-", unique, "-", next_file++,
                base ? ".base" : ".delta");
}

absl::StatusOr<std::vector<DamagedFile>> FindDamaged(CheckpointStore& store, const StateChain& chain) {
  std::vector<DamagedFile> damaged;
  std::size_t missing = 0;
  for (const StateFile& file : chain) {
    const absl::Status status = ReadThrough(store, file);
    if (status.ok()) continue;
    if (!absl::IsDataLoss(status) && !absl::IsNotFound(status)) return status;
    missing += absl::IsNotFound(status) ? 1 : 0;
    damaged.push_back({file.name, Message(status)});
  }
  if (missing == 0 || missing < chain.size()) return damaged;
  const std::string folder = chain.front().name.substr(0, chain.front().name.find('/') + 1);
  MR_ASSIGN_OR_RETURN(const std::vector<CheckpointEntry> beside, store.List(folder));
  if (!beside.empty()) return damaged;
  return Unavailable("there is nothing at all in ", store.Locate(folder),
                     ": is the place of the checkpoints the same everywhere, and mounted?");
}

absl::StatusOr<std::vector<std::unique_ptr<EntryCursor>>> OpenChain(CheckpointStore& store, const StateChain& chain) {
  std::vector<std::unique_ptr<EntryCursor>> runs;
  for (const StateFile& file : chain) {
    if (file.base != runs.empty()) {
      return InvalidArgument("state file ", store.Locate(file.name),
                             runs.empty() ? " is no base, but the first of " : " is a base, but not the first of ",
                             chain.size(), " files of a checkpoint");
    }
    MR_ASSIGN_OR_RETURN(auto reader, StateFileReader::Open(store, file.name));
    runs.push_back(std::make_unique<ChainFile>(std::move(reader), file, store.Locate(file.name)));
  }
  return runs;
}

}  // namespace millrace
