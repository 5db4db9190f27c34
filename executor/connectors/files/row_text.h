// The rows of a batch as the lines of a file: its value, or key, TAB, value; compressed if wanted.
//
//   RowText text(rows, FileCodec::kGzip);
//   for (std::string piece; text.Next(piece);) …write it…
//
// The same rows give the same bytes. One thread at a time; the rows outlive it.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "executor/connectors/files/inflated_bytes.h"
#include "millrace/engine.h"

namespace millrace {

class Deflater {
 public:
  virtual ~Deflater() = default;
  // Appends to `out` what comes of `in`; with `last` also what was kept back, and the end.
  virtual void Deflate(std::string_view in, bool last, std::string& out) = 0;
};

class RowText {
 public:
  RowText(std::span<const engine::SinkRow> rows, FileCodec codec);
  // The next piece, about 256 KiB of lines; false behind the end.
  bool Next(std::string& piece);

 private:
  std::span<const engine::SinkRow> rows_;
  std::unique_ptr<Deflater> deflater_;  // null: lines as they are
  std::string lines_;
  bool ended_ = false;
};

}  // namespace millrace
