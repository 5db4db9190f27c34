#include "executor/connectors/text_files_source.h"

#include <algorithm>
#include <array>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "executor/connectors/files/directory_store.h"
#include "executor/connectors/files/inflated_bytes.h"
#include "executor/connectors/files/s3_place.h"
#include "executor/connectors/files/s3_store.h"
#include "executor/connectors/options.h"
#include "executor/connectors/text_file_reader.h"
#include "executor/connectors/text_files.h"

namespace millrace {
namespace {

constexpr std::array<std::string_view, 9> kNames = {
    "directory",       "pattern",     "bounded",   "discovery_interval_ms",
    "ignore_suffixes", "s3_endpoint", "s3_region", "s3_credentials_file",
    "s3_ca_file"};

class TextFilesSource : public Source {
 public:
  struct Settings {
    std::vector<std::string> ignored;  // ends of names
    bool bounded = false;
    std::int64_t interval_ms = 0;
  };
  TextFilesSource(std::unique_ptr<FileStore> store, Settings settings)
      : store_(std::move(store)), settings_(std::move(settings)) {}

  absl::StatusOr<SplitList> ListSplits() override {
    if (settings_.bounded && first_list_.has_value()) return *first_list_;
    auto files = store_->List();
    {
      std::lock_guard lock(mutex_);
      problem_ = files.ok() ? std::string() : Message(files.status());
    }
    if (!files.ok()) return files.status();
    SplitList list;
    for (const TextFile& file : *files) {
      if (!Ignored(file.path)) list.splits.push_back({SplitName(file), "0"});
    }
    list.complete = settings_.bounded;
    if (settings_.bounded) first_list_ = list;
    return list;
  }

  absl::StatusOr<std::unique_ptr<SplitReader>> OpenSplit(const std::string& split, std::string_view start) override {
    MR_ASSIGN_OR_RETURN(TextFile file, ParseSplitName(split));
    std::uint64_t position = 0;
    if (!ParseNumber(start, position)) {
      return InvalidArgument("files split ", split, ": start '", start, "' is not a number");
    }
    const std::string name = store_->Locate(file);
    std::unique_ptr<FileBytes> bytes = store_->Open(file);
    if (const FileCodec codec = CodecOf(file.path); codec != FileCodec::kNone)
      bytes = std::make_unique<InflatedBytes>(std::move(bytes), codec, name);
    return std::make_unique<TextFileReader>(std::move(bytes), file.path, name);
  }

  std::string Problem() const override {
    std::lock_guard lock(mutex_);
    return problem_;
  }
  std::int64_t discovery_interval_ms() const override { return settings_.interval_ms; }

 private:
  bool Ignored(std::string_view path) const {
    return std::any_of(settings_.ignored.begin(), settings_.ignored.end(),
                       [&](const std::string& suffix) { return path.ends_with(suffix); });
  }

  const std::unique_ptr<FileStore> store_;
  const Settings settings_;
  std::optional<SplitList> first_list_;  // bounded: files that come later do not belong to it
  mutable std::mutex mutex_;
  std::string problem_;
};

absl::StatusOr<std::unique_ptr<FileStore>> OpenStore(const OptionReader& options, const std::string& directory,
                                                     const std::string& pattern) {
  if (!IsS3Url(directory)) return std::make_unique<DirectoryStore>(directory, pattern);
  MR_ASSIGN_OR_RETURN(S3Place place, ReadS3Place(options, "directory", directory));
  return std::make_unique<S3Store>(std::move(place.client), std::move(place.url), pattern);
}

std::vector<std::string> SplitWords(std::string_view text) {
  std::vector<std::string> words;
  while (!text.empty()) {
    const std::size_t comma = std::min(text.find(','), text.size());
    if (comma > 0) words.emplace_back(text.substr(0, comma));
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  return words;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Source>> MakeTextFilesSource(const engine::OperatorDescription& description,
                                                            const SourceEnvironment& /*environment*/) {
  OptionReader options("source", description, kNames);
  MR_RETURN_IF_ERROR(options.CheckNames());
  MR_ASSIGN_OR_RETURN(std::string directory, options.Required("directory"));
  while (directory.size() > 1 && directory.ends_with('/')) directory.pop_back();
  const std::string pattern = options.Text("pattern", "*");
  if (pattern.empty()) return options.Bad("pattern", "must not be empty; '*' takes every file");
  MR_ASSIGN_OR_RETURN(const bool bounded, options.Bool("bounded", false));
  MR_ASSIGN_OR_RETURN(const std::uint64_t interval, options.Number("discovery_interval_ms", 1'000, 10, 86'400'000));
  MR_ASSIGN_OR_RETURN(std::unique_ptr<FileStore> store, OpenStore(options, directory, pattern));
  TextFilesSource::Settings settings{SplitWords(options.Text("ignore_suffixes", "")), bounded,
                                     static_cast<std::int64_t>(interval)};
  return std::make_unique<TextFilesSource>(std::move(store), std::move(settings));
}

}  // namespace millrace
