// How many requests may be in flight: grows by about one for each full window that is answered, is halved when the
// server says that it is overloaded or too slow. What was sent before a cut may report overload too; it does not cut
// again.
//
// Pure; one thread.
#pragma once

#include <algorithm>
#include <cstdint>

namespace millrace::cassandra {

class RequestWindow {
 public:
  explicit RequestWindow(std::uint32_t max) : max_(std::max(max, 1U)), size_(std::min(kFirst, max_)) {}

  std::uint32_t size() const { return size_; }
  std::uint64_t cuts() const { return cuts_; }

  // Of each request: a number that Overloaded wants back.
  std::uint64_t Sent() { return cuts_; }
  void Answered() {
    if (++answered_ < size_) return;
    answered_ = 0;
    size_ = std::min(size_ + std::max(size_ / 8, 1U), max_);
  }
  void Overloaded(std::uint64_t sent) {
    if (sent != cuts_) return;
    ++cuts_;
    answered_ = 0;
    size_ = std::max(size_ / 2, 1U);
  }

 private:
  static constexpr std::uint32_t kFirst = 32;
  const std::uint32_t max_;
  std::uint32_t size_;
  std::uint32_t answered_ = 0;
  std::uint64_t cuts_ = 0;
};

}  // namespace millrace::cassandra
