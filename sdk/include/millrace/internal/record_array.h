// A growable array of records in one piece of memory, for every record type: std::vector<bool> has no elements to point
// to, so it cannot be handed on as a span. Not copyable; one thread at a time.
#pragma once

#include <cstddef>
#include <memory>
#include <new>
#include <span>
#include <utility>

namespace millrace::detail {

template <class T>
class RecordArray {
 public:
  RecordArray() = default;
  RecordArray(const RecordArray&) = delete;
  RecordArray& operator=(const RecordArray&) = delete;
  ~RecordArray() { Release(); }

  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  std::span<const T> records() const { return {data_, size_}; }
  T& operator[](std::size_t i) { return data_[i]; }

  template <class... Args>
  void Emplace(Args&&... args) {
    if (size_ == capacity_) [[unlikely]]
      Reserve(capacity_ == 0 ? kFirstCapacity : capacity_ * 2);
    ::new (static_cast<void*>(data_ + size_)) T(std::forward<Args>(args)...);
    ++size_;
  }

  void Reserve(std::size_t capacity) {
    if (capacity <= capacity_) return;
    T* bigger = std::allocator<T>().allocate(capacity);
    try {
      std::uninitialized_move_n(data_, size_, bigger);
    } catch (...) {
      std::allocator<T>().deallocate(bigger, capacity);
      throw;
    }
    const std::size_t size = size_;
    Release();
    data_ = bigger;
    size_ = size;
    capacity_ = capacity;
  }

  // Ends the records and keeps the memory.
  void Clear() {
    std::destroy_n(data_, size_);
    size_ = 0;
  }

  // Ends the records after the first `size`.
  void Truncate(std::size_t size) {
    std::destroy_n(data_ + size, size_ - size);
    size_ = size;
  }

  // Ends the records and gives the memory back.
  void Release() {
    Clear();
    if (data_ != nullptr) std::allocator<T>().deallocate(data_, capacity_);
    data_ = nullptr;
    capacity_ = 0;
  }

 private:
  static constexpr std::size_t kFirstCapacity = 1024;  // a chunk

  T* data_ = nullptr;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

}  // namespace millrace::detail
