// FormatError: a record that is not what its reader was told to expect. Thrown out of a job's function it makes the
// record a bad one (see <millrace/bad_records.h>); what() is the reason that is told of it:
//
//   field user.age, at byte 17: a whole number from 0 to 255 is needed, and there is 300
//
// Plain data. What was found is cut to 40 bytes.
#pragma once

#include <cstddef>
#include <limits>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace millrace {

class FormatError : public std::runtime_error {
 public:
  FormatError(std::string field, std::size_t offset, const std::string& reason)
      : std::runtime_error((field.empty() ? "" : "field " + field + ", ") + "at byte " + std::to_string(offset) + ": " +
                           reason),
        field_(std::move(field)),
        offset_(offset) {}

  const std::string& field() const { return field_; }  // "user.tags[2]"; empty: the record as a whole
  std::size_t offset() const { return offset_; }       // in the record, in bytes

 private:
  std::string field_;
  std::size_t offset_;
};

namespace detail {

// Where a reader is in nested values. Lives on the stack, so that it costs nothing until there is an error.
struct FieldPath {
  const FieldPath* parent = nullptr;
  std::string_view name = {};
  std::size_t index = 0;  // of an element, when there is no name

  std::string Text() const {
    if (parent == nullptr) return std::string(name);
    std::string text = parent->Text();
    if (name.data() == nullptr) return text + '[' + std::to_string(index) + ']';
    return text.empty() ? std::string(name) : text + '.' + std::string(name);
  }
};

// What was found, for an error's text: short, and on one line whatever it is.
inline std::string Found(std::string_view bytes) {
  constexpr std::size_t kLongest = 40;
  while (!bytes.empty() && (bytes.back() == ' ' || bytes.back() == '\n' || bytes.back() == '\r'))
    bytes.remove_suffix(1);
  if (bytes.empty()) return "nothing";
  std::string text;
  for (const char c : bytes.substr(0, kLongest)) {
    text += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
  }
  while (bytes.size() > kLongest && !text.empty() && (text.back() & 0x80) != 0) text.pop_back();  // no half characters
  return bytes.size() > kLongest ? text + "..." : text;
}

// "a whole number from 0 to 255"
template <class T>
std::string IntegerWanted() {
  return "a whole number from " + std::to_string(std::numeric_limits<T>::min()) + " to " +
         std::to_string(std::numeric_limits<T>::max());
}

}  // namespace detail
}  // namespace millrace
