#include "executor/connectors/text_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "common/status.h"
#include "executor/connectors/options.h"

namespace millrace {
namespace {

constexpr int kMaxDepth = 64;
constexpr std::string_view kHex = "0123456789ABCDEF";

// Length of the UTF-8 character at the front of `text`, 0 if there is none. Overlong forms and surrogates do not pass.
std::size_t Utf8Length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return 1;
  const std::size_t size = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() < size) return 0;
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
  }
  const unsigned char second = byte(1);
  if ((lead == 0xE0 && second < 0xA0) || (lead == 0xED && second > 0x9F)) return 0;
  if ((lead == 0xF0 && second < 0x90) || (lead == 0xF4 && second > 0x8F)) return 0;
  return size;
}

std::string Escape(std::string_view raw) {
  std::string out;
  while (!raw.empty()) {
    const auto byte = static_cast<unsigned char>(raw[0]);
    const std::size_t length = Utf8Length(raw);
    if (length == 0 || byte < 0x20 || byte == 0x7F || byte == '%') {
      out += {'%', kHex[byte >> 4], kHex[byte & 15]};
      raw.remove_prefix(1);
    } else {
      out.append(raw.substr(0, length));
      raw.remove_prefix(length);
    }
  }
  return out;
}

bool Unescape(std::string_view text, std::string& raw) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      raw.push_back(text[i]);
      continue;
    }
    if (i + 2 >= text.size()) return false;
    const std::size_t high = kHex.find(text[i + 1]);
    const std::size_t low = kHex.find(text[i + 2]);
    if (high == std::string_view::npos || low == std::string_view::npos) return false;
    raw.push_back(static_cast<char>(high * 16 + low));
    i += 2;
  }
  return true;
}

struct CloseDirectory {
  void operator()(DIR* directory) const { closedir(directory); }
};

absl::Status Walk(const std::string& root, const std::string& relative, const std::string& pattern, int depth,
                  std::vector<TextFile>& files) {
  const std::string path = relative.empty() ? root : Concat(root, "/", relative);
  std::unique_ptr<DIR, CloseDirectory> directory(opendir(path.c_str()));
  if (directory == nullptr) {
    // A folder below the root may go away while we look; the root may not.
    if (!relative.empty() && errno == ENOENT) return absl::OkStatus();
    if (errno == ENOENT)
      return NotFound("directory '", path, "' does not exist on this node; create it or correct the option directory");
    if (errno == ENOTDIR) return NotFound("'", path, "' is not a directory; correct the option directory");
    return ErrnoStatus(errno, Concat("listing directory '", path, "'"));
  }
  while (true) {
    errno = 0;
    const dirent* entry = readdir(directory.get());
    if (entry == nullptr) {
      return errno == 0 ? absl::OkStatus() : ErrnoStatus(errno, Concat("listing directory '", path, "'"));
    }
    const std::string name = entry->d_name;
    if (name.starts_with('.') || name.starts_with('_')) continue;
    struct stat info {};
    if (fstatat(dirfd(directory.get()), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) continue;  // just deleted
    std::string child = relative.empty() ? name : Concat(relative, "/", name);
    if (S_ISDIR(info.st_mode) && depth < kMaxDepth) {
      MR_RETURN_IF_ERROR(Walk(root, child, pattern, depth + 1, files));
    } else if (S_ISREG(info.st_mode) && fnmatch(pattern.c_str(), name.c_str(), 0) == 0) {
      files.push_back({std::move(child), info.st_ino});
    }
  }
}

}  // namespace

absl::StatusOr<std::vector<TextFile>> ListTextFiles(const std::string& directory, const std::string& pattern) {
  std::vector<TextFile> files;
  MR_RETURN_IF_ERROR(Walk(directory, "", pattern, 0, files));
  std::sort(files.begin(), files.end(), [](const TextFile& a, const TextFile& b) { return a.path < b.path; });
  return files;
}

std::string SplitName(const TextFile& file) { return Concat(Escape(file.path), "#", file.identity); }

absl::StatusOr<TextFile> ParseSplitName(std::string_view split) {
  TextFile file;
  const std::size_t hash = split.rfind('#');
  if (hash == std::string_view::npos || hash == 0 || !ParseNumber(split.substr(hash + 1), file.identity) ||
      !Unescape(split.substr(0, hash), file.path)) {
    return InvalidArgument("files: '", split, "' is not a split name; they look like 'part-1.txt#123456'");
  }
  return file;
}

}  // namespace millrace
