// Places for tests to write to: a directory of their own, and a disk that is really small. Both vanish with their
// object.
#pragma once

#include <sys/mount.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>

namespace millrace::testing {

class ScratchDirectory {
 public:
  ScratchDirectory() {
    std::string name = (std::filesystem::temp_directory_path() / "millrace-test-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) std::abort();
    path_ = name;
  }
  ~ScratchDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;

  const std::string& path() const { return path_; }
  std::string operator/(std::string_view name) const { return path_ + "/" + std::string(name); }

 private:
  std::string path_;
};

// A tmpfs of a few pages. Mounting needs root: a test asks mounted() and skips itself by name.
class SmallDisk {
 public:
  explicit SmallDisk(std::size_t bytes) {
    const std::string options = "mode=0700,size=" + std::to_string(bytes);
    mounted_ = ::mount("tmpfs", directory_.path().c_str(), "tmpfs", 0, options.c_str()) == 0;
  }
  ~SmallDisk() {
    if (mounted_) ::umount2(directory_.path().c_str(), MNT_DETACH);
  }

  bool mounted() const { return mounted_; }
  const std::string& path() const { return directory_.path(); }
  std::string operator/(std::string_view name) const { return directory_ / name; }

  // Takes all space but about `leave` bytes, into a file that Release removes.
  void Fill(std::size_t leave) const {
    const auto free = std::filesystem::space(path()).available;
    if (free <= leave) return;
    std::FILE* file = std::fopen(filler().c_str(), "wb");
    const std::string data(free - leave, 'x');
    std::fwrite(data.data(), 1, data.size(), file);
    std::fclose(file);
  }
  void Release() const { std::filesystem::remove(filler()); }

 private:
  std::string filler() const { return directory_ / "filler"; }
  ScratchDirectory directory_;
  bool mounted_ = false;
};

}  // namespace millrace::testing
