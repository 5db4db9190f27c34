#include "executor/connectors/text_files_source.h"

#include <array>
#include <mutex>
#include <optional>

#include "executor/connectors/options.h"
#include "executor/connectors/text_file_reader.h"
#include "executor/connectors/text_files.h"

namespace millrace {
namespace {

constexpr std::array<std::string_view, 4> kNames = {"directory", "pattern", "bounded", "discovery_interval_ms"};

class TextFilesSource : public Source {
 public:
  TextFilesSource(std::string directory, std::string pattern, bool bounded, std::int64_t interval_ms)
      : directory_(std::move(directory)), pattern_(std::move(pattern)), bounded_(bounded), interval_ms_(interval_ms) {}

  absl::StatusOr<SplitList> ListSplits() override {
    if (bounded_ && first_list_.has_value()) return *first_list_;
    auto files = ListTextFiles(directory_, pattern_);
    {
      std::lock_guard lock(mutex_);
      problem_ = files.ok() ? std::string() : Message(files.status());
    }
    if (!files.ok()) return files.status();
    SplitList list;
    for (const TextFile& file : *files) list.splits.push_back({SplitName(file), "0"});
    list.complete = bounded_;
    if (bounded_) first_list_ = list;
    return list;
  }

  absl::StatusOr<std::unique_ptr<SplitReader>> OpenSplit(const std::string& split, std::string_view start) override {
    MR_ASSIGN_OR_RETURN(TextFile file, ParseSplitName(split));
    std::uint64_t position = 0;
    if (!ParseNumber(start, position)) {
      return InvalidArgument("files split ", split, ": start '", start, "' is not a number");
    }
    return std::make_unique<TextFileReader>(directory_, std::move(file));
  }

  std::string Problem() const override {
    std::lock_guard lock(mutex_);
    return problem_;
  }
  std::int64_t discovery_interval_ms() const override { return interval_ms_; }

 private:
  const std::string directory_;
  const std::string pattern_;
  const bool bounded_;
  const std::int64_t interval_ms_;
  std::optional<SplitList> first_list_;  // bounded: files that come later do not belong to it
  mutable std::mutex mutex_;
  std::string problem_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Source>> MakeTextFilesSource(const engine::OperatorDescription& description,
                                                            const std::string& /*job_id*/) {
  OptionReader options("source", description, kNames);
  MR_RETURN_IF_ERROR(options.CheckNames());
  MR_ASSIGN_OR_RETURN(std::string directory, options.Required("directory"));
  while (directory.size() > 1 && directory.ends_with('/')) directory.pop_back();
  const std::string pattern = options.Text("pattern", "*");
  if (pattern.empty()) return options.Bad("pattern", "must not be empty; '*' takes every file");
  MR_ASSIGN_OR_RETURN(const bool bounded, options.Bool("bounded", false));
  MR_ASSIGN_OR_RETURN(const std::uint64_t interval, options.Number("discovery_interval_ms", 1'000, 10, 86'400'000));
  return std::make_unique<TextFilesSource>(std::move(directory), pattern, bounded, static_cast<std::int64_t>(interval));
}

}  // namespace millrace
