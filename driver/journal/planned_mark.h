// How far a journal has promised: the newest batch whose plan was made durable in it, in a file of sixteen bytes beside
// it. A plan that is durable is acted upon, so a journal that ends with an older one has lost its end, and what came
// out of the lost batches cannot be repeated.
//
// The file is written after the journal's sync, and not synced itself: it outlives the process, and after a power cut
// it is at worst older than the truth, which accuses nobody. One thread. Errors are told in the log and else ignored:
// the journal alone is enough as long as it is whole.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "common/io/file.h"

namespace millrace {

class PlannedMark {
 public:
  explicit PlannedMark(std::string path) : path_(std::move(path)) {}
  // Nothing happens when it is not newer than the last.
  void Note(std::uint64_t batch);

 private:
  const std::string path_;
  std::optional<Fd> file_;
  std::uint64_t noted_ = 0;
};

// Nothing when there is no such file, or it is damaged itself.
std::optional<std::uint64_t> ReadPlannedMark(const std::string& path);

std::string PlannedMarkPath(const std::string& journal_path);

}  // namespace millrace
