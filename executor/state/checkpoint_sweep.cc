#include "executor/state/checkpoint_sweep.h"

#include <charconv>
#include <utility>
#include <vector>

namespace millrace {
namespace {

// Takes "LETTER DIGITS -" from the front.
std::optional<std::uint64_t> TakeNumber(std::string_view& text, char letter) {
  if (text.empty() || text.front() != letter) return std::nullopt;
  std::uint64_t number = 0;
  const char* end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data() + 1, end, number);
  if (error != std::errc() || at == end || *at != '-') return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(at + 1 - text.data()));
  return number;
}

}  // namespace

std::optional<std::uint64_t> BatchOfStateFile(std::string_view name) {
  if (!name.ends_with(".base") && !name.ends_with(".delta")) return std::nullopt;
  const std::size_t slash = name.rfind('/');
  if (slash == std::string_view::npos) return std::nullopt;
  name.remove_prefix(slash + 1);
  if (!TakeNumber(name, 's') || !TakeNumber(name, 'p')) return std::nullopt;
  return TakeNumber(name, 'b');
}

absl::StatusOr<SweepResult> SweepCheckpoints(CheckpointStore& store, const SweepRequest& request) {
  MR_RETURN_IF_ERROR(CheckCheckpointName(request.job_id));
  MR_ASSIGN_OR_RETURN(const std::vector<CheckpointEntry> entries, store.List(request.job_id + "/"));
  SweepResult result;
  absl::Status first;
  for (const CheckpointEntry& entry : entries) {
    const std::optional<std::uint64_t> batch = BatchOfStateFile(entry.name);
    if (!batch || *batch > request.through_batch || request.keep.contains(entry.name)) continue;
    absl::Status status = store.Delete(entry.name);
    if (status.ok()) {
      ++result.files;
      result.bytes += entry.bytes;
    } else if (first.ok()) {
      first = std::move(status);
    }
  }
  MR_RETURN_IF_ERROR(first);
  return result;
}

}  // namespace millrace
