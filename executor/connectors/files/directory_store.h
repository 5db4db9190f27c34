// The files under a directory; see text_files.h for which they are and what they are called.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "executor/connectors/files/file_store.h"

namespace millrace {

class DirectoryStore final : public FileStore {
 public:
  DirectoryStore(std::string directory, std::string pattern)
      : directory_(std::move(directory)), pattern_(std::move(pattern)) {}

  absl::StatusOr<std::vector<TextFile>> List() override { return ListTextFiles(directory_, pattern_); }
  std::unique_ptr<FileBytes> Open(const TextFile& file) override;
  std::string Locate(const TextFile& file) const override { return directory_ + "/" + file.path; }

 private:
  const std::string directory_;
  const std::string pattern_;
};

}  // namespace millrace
