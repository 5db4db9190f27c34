#include <algorithm>

#include "executor/connectors/sink.h"

namespace millrace {
namespace {

constexpr std::size_t kBlockBytes = 64 * 1024;

}  // namespace

std::string_view RowBuffer::Copy(std::string_view text) {
  if (text.empty()) return std::string_view("", 0);
  // A block never grows past the capacity it was made with, so views into it stay good.
  if (arena_.empty() || arena_.back().capacity() - arena_.back().size() < text.size()) {
    arena_.emplace_back().reserve(std::max(kBlockBytes, text.size()));
  }
  std::string& block = arena_.back();
  const std::size_t at = block.size();
  block.append(text);
  return std::string_view(block).substr(at);
}

void RowBuffer::Append(std::span<const engine::SinkRow> rows) {
  for (const engine::SinkRow& row : rows) {
    rows_.push_back({row.has_key ? Copy(row.key) : std::string_view(), Copy(row.value), row.has_key});
    bytes_ += row.value.size() + (row.has_key ? row.key.size() : 0);
  }
}

}  // namespace millrace
