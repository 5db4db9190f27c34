// Records that arrived together on one connection: their bytes, and where each is in them. Immutable once shared.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::sockets {

struct RecordBlock {
  struct Place {
    std::uint32_t begin;
    std::uint32_t size;
  };
  std::string text;
  std::vector<Place> records;

  std::string_view at(std::size_t i) const { return std::string_view(text).substr(records[i].begin, records[i].size); }
  std::size_t memory() const { return text.capacity() + records.capacity() * sizeof(Place) + sizeof(RecordBlock); }
};

// Records [first, first + count) of a block.
struct RecordSlice {
  std::shared_ptr<const RecordBlock> block;
  std::size_t first = 0;
  std::size_t count = 0;
};

}  // namespace millrace::sockets
