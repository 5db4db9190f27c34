#include "driver/journal/planned_mark.h"

#include <fcntl.h>
#include <xxhash.h>

#include <array>
#include <cstring>

#include "common/log.h"
#include "common/status.h"

namespace millrace {
namespace {

constexpr std::size_t kBytes = 16;

std::array<char, kBytes> Encode(std::uint64_t batch) {
  std::array<char, kBytes> bytes;
  const std::uint64_t check = XXH3_64bits(&batch, sizeof batch);
  std::memcpy(bytes.data(), &batch, sizeof batch);
  std::memcpy(bytes.data() + sizeof batch, &check, sizeof check);
  return bytes;
}

}  // namespace

std::string PlannedMarkPath(const std::string& journal_path) { return journal_path + ".planned"; }

void PlannedMark::Note(std::uint64_t batch) {
  if (batch <= noted_) return;
  noted_ = batch;
  const auto write = [&]() -> absl::Status {
    if (!file_) {
      MR_ASSIGN_OR_RETURN(Fd file, OpenFile(path_, O_WRONLY | O_CREAT));
      file_ = std::move(file);
    }
    const auto bytes = Encode(batch);
    return WriteAt(*file_, std::string_view(bytes.data(), bytes.size()), 0, path_);
  };
  if (const absl::Status status = write(); !status.ok())
    log::Warn("the journal's mark is not written", {{"file", path_}, {"error", Message(status)}});
}

std::optional<std::uint64_t> ReadPlannedMark(const std::string& path) {
  const auto bytes = ReadFile(path, kBytes);
  if (!bytes.ok() || bytes->size() != kBytes) return std::nullopt;
  std::uint64_t batch = 0;
  std::memcpy(&batch, bytes->data(), sizeof batch);
  const auto good = Encode(batch);
  if (std::memcmp(good.data(), bytes->data(), kBytes) != 0) return std::nullopt;
  return batch;
}

}  // namespace millrace
