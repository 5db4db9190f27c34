// As much of the ELF format as it takes to find one section of a shared library in memory and to read notes out of it.
// Views point into the image, which must outlive them. No offset or count of the image is believed before it is
// compared with the image's size. Plain data, no state.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "common/status.h"

namespace millrace {

class ElfImage {
 public:
  // InvalidArgument unless it is a whole 64-bit little-endian shared library for this machine's architecture.
  static absl::StatusOr<ElfImage> Parse(std::string_view image);

  // The bytes of the first section of that name; none when there is none. InvalidArgument when the section table leads
  // nowhere.
  absl::StatusOr<std::optional<std::string_view>> Section(std::string_view name) const;

 private:
  explicit ElfImage(std::string_view image) : image_(image) {}
  std::string_view image_;
};

struct ElfNote {
  std::string_view owner;
  std::uint32_t type = 0;
  std::string_view description;
};

// None when an entry does not fit.
std::optional<std::vector<ElfNote>> ParseNotes(std::string_view section);

}  // namespace millrace
