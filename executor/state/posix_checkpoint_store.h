// A folder as a checkpoint store. When a cluster has several machines, the folder is one that all of them mount (NFS,
// CephFS, …): a partition is restored wherever it goes.
//
// Files are written to ROOT/.tmp, synced, and moved to their names; so a reader never sees half of one, also after a
// power cut. Thread rule and errors: checkpoint_store.h.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "executor/state/checkpoint_store.h"

namespace millrace {

struct PosixCheckpointStoreOptions {
  std::string root;     // made when it is not there, with its parents
  bool durable = true;  // false: for what need not survive a power cut
};

class PosixCheckpointStore final : public CheckpointStore {
 public:
  static absl::StatusOr<std::unique_ptr<PosixCheckpointStore>> Make(PosixCheckpointStoreOptions options);

  absl::StatusOr<std::unique_ptr<CheckpointWriter>> Put(const std::string& name) override;
  absl::StatusOr<std::unique_ptr<CheckpointReader>> Open(const std::string& name) override;
  absl::Status Delete(const std::string& name) override;
  absl::StatusOr<std::vector<CheckpointEntry>> List(const std::string& prefix) override;
  absl::Status RemoveAbandoned() override;
  std::string Locate(const std::string& name) const override;

 private:
  explicit PosixCheckpointStore(PosixCheckpointStoreOptions options);

  const PosixCheckpointStoreOptions options_;
  const std::string temporaries_;
  const std::string unique_;  // tells our temporaries from those of other processes
  std::atomic<std::uint64_t> next_temporary_{0};
};

}  // namespace millrace
