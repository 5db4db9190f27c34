// The files under a directory, as splits: which there are, what they are called, and how a name leads back to a file.
//
// A split is "<relative path>#<identity>": the inode, or what an object store has in its place, keeps apart two files
// that had the same name one after the other; the time of change plays no part. In the name, '%', control characters
// and whatever is not UTF-8 are written as %XX, since split names travel as UTF-8.
//
// Pure functions but for ListTextFiles, which reads directories. Any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace millrace {

struct TextFile {
  std::string path;            // relative to the directory, as the file system spells it
  std::uint64_t identity = 0;  // an inode, or a hash of an object's tag
};

// Regular files under `directory`, at any depth, whose name matches the shell pattern; sorted by path. Names that begin
// with '.' or '_' are skipped, files and folders both; links are not followed. NotFound when the directory is not
// there.
absl::StatusOr<std::vector<TextFile>> ListTextFiles(const std::string& directory, const std::string& pattern);

std::string SplitName(const TextFile& file);
absl::StatusOr<TextFile> ParseSplitName(std::string_view split);

}  // namespace millrace
