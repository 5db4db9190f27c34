// The sources of a job in this runner: one Source per operator, one reader per split that is ours, and the listing of
// splits when the driver has asked this runner for it.
#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "common/dataflow/messages.h"
#include "executor/connectors/source.h"

namespace millrace {

class SourceHost {
 public:
  using OnSplits = std::function<void(SplitReport report)>;  // on a thread of the host's

  // InvalidArgument when an option is wrong.
  static absl::StatusOr<std::unique_ptr<SourceHost>> Make(const engine::GraphDescription& graph,
                                                          const SourceEnvironment& environment, OnSplits on_splits);
  ~SourceHost();

  // Both on workers, one at a time for a split. Unavailable: try again later.
  absl::StatusOr<ClosedRange> Close(const SplitKey& split, std::string_view start, std::uint64_t max_records);
  absl::StatusOr<std::unique_ptr<RecordBatch>> Read(const Range& range);
  // Gives what closes the split's reader: it may wait for the upstream, so it is for a worker. Should the split be
  // asked for again before, that closes it first.
  std::function<void()> Release(const SplitKey& split);
  // From the next Close on the split's receiver receives nothing more. Returns at once.
  void Drain(const SplitKey& split);
  // On a worker as well: waits for the reader.
  void Forget(const SplitKey& split, std::string_view end);
  bool replayable(std::uint32_t source) const { return sources_.at(source).replayable; }
  // Whether Forget does anything.
  bool forgets(std::uint32_t source) const {
    const Entry& entry = sources_.at(source);
    return !entry.replayable || entry.source->forgets();
  }

  // How many records of a range may be taken before it is cut; 0: none.
  std::uint64_t early_limit(std::uint32_t source) const { return sources_.at(source).source->early_limit(); }

  // Lists the splits of these sources, now and from then on, and stops listing those of others. Returns at once.
  // `resumed`: those of them that the job has listed before.
  void Enumerate(const std::vector<std::uint32_t>& sources, const std::vector<std::uint32_t>& resumed);
  // (operator, text) of what is wrong now.
  std::vector<std::pair<std::uint32_t, std::string>> Problems() const;

 private:
  struct Reader {
    std::mutex mutex;
    std::unique_ptr<SplitReader> reader;
    std::shared_ptr<Reader> before;  // of the same split, released; closed before this one opens
    void Close() {
      std::lock_guard lock(mutex);
      reader.reset();
    }
  };
  struct Entry {
    std::unique_ptr<Source> source;
    bool replayable = true;
    std::thread lister;
    // Guarded by mutex_.
    bool listing = false;
    bool asked = false;    // to list at once
    bool resumed = false;  // the job has listed it before
  };

  explicit SourceHost(OnSplits on_splits) : on_splits_(std::move(on_splits)) {}
  std::shared_ptr<Reader> ReaderOf(const SplitKey& split);
  absl::Status Open(Reader& reader, const SplitKey& split, std::string_view start);
  void List(std::uint32_t op, Entry& entry);
  std::optional<std::chrono::milliseconds> ListOnce(std::uint32_t op, Source& source);

  const OnSplits on_splits_;
  std::map<std::uint32_t, Entry> sources_;  // fixed after Make
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  std::map<SplitKey, std::shared_ptr<Reader>> readers_;
  std::map<SplitKey, std::weak_ptr<Reader>> released_;  // whose closing may still be under way
  std::set<SplitKey> draining_;
};

}  // namespace millrace
