// Cuts a stream of bytes into records: at a byte, or by lengths that stand before them.
//
//   Framer framer(settings.framing);
//   framer.Add(bytes);                       // as they come, in any pieces
//   if (auto block = framer.Take()) …        // whole records so far
//   framer.End(true);                        // the connection's end; the next bytes are of another
//
// Holds what was not taken, and at most max_bytes of the record at hand. One thread at a time. A record that is too
// long is no error: it is cut or dropped, and counted.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "executor/connectors/socket/record_block.h"

namespace millrace::sockets {

struct Framing {
  enum class Kind { kNewline, kDelimiter, kLength };
  Kind kind = Kind::kNewline;
  char delimiter = '\n';
  unsigned length_bytes = 0;  // 1, 2 or 4, big endian
  std::size_t max_bytes = 1 << 20;
  bool drop_too_long = false;  // else they are cut
};

class Framer {
 public:
  explicit Framer(const Framing& framing) : framing_(framing) {}

  void Add(std::string_view bytes);
  // Null when there is none.
  std::shared_ptr<const RecordBlock> Take();
  // `orderly`: the sender had said that it is done. Then bytes after the last delimiter are a record; else what is left
  // is a part of one, and goes.
  void End(bool orderly);

  std::size_t bytes() const { return begin_; }  // of whole records
  std::uint64_t too_long() const { return too_long_; }
  std::uint64_t unfinished() const { return unfinished_; }  // parts that went

 private:
  void AddDelimited(std::string_view bytes);
  void AddCounted(std::string_view bytes);
  void AddPiece(std::string_view piece);  // of the record at hand
  void EndRecord();
  bool in_record() const;

  const Framing framing_;
  RecordBlock block_;
  std::size_t begin_ = 0;   // of the record at hand
  bool over_ = false;       // it is too long; what comes of it is skipped
  unsigned prefix_ = 0;     // bytes of the length that have come
  std::uint64_t left_ = 0;  // the length so far, and then how much of the record is to come
  std::uint64_t too_long_ = 0;
  std::uint64_t unfinished_ = 0;
};

}  // namespace millrace::sockets
