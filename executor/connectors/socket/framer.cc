#include "executor/connectors/socket/framer.h"

#include <algorithm>
#include <utility>

namespace millrace::sockets {

void Framer::Add(std::string_view bytes) {
  if (framing_.kind == Framing::Kind::kLength) {
    AddCounted(bytes);
  } else {
    AddDelimited(bytes);
  }
}

void Framer::AddDelimited(std::string_view bytes) {
  while (!bytes.empty()) {
    const std::size_t end = bytes.find(framing_.delimiter);
    AddPiece(bytes.substr(0, end));
    if (end == std::string_view::npos) return;
    EndRecord();
    bytes.remove_prefix(end + 1);
  }
}

void Framer::AddCounted(std::string_view bytes) {
  while (!bytes.empty()) {
    if (prefix_ < framing_.length_bytes) {
      left_ = left_ << 8 | static_cast<unsigned char>(bytes.front());
      bytes.remove_prefix(1);
      ++prefix_;
    } else {
      const std::string_view piece = bytes.substr(0, left_);
      AddPiece(piece);
      left_ -= piece.size();
      bytes.remove_prefix(piece.size());
    }
    if (prefix_ == framing_.length_bytes && left_ == 0) EndRecord();
  }
}

void Framer::AddPiece(std::string_view piece) {
  const std::size_t room = framing_.max_bytes - (block_.text.size() - begin_);
  if (piece.size() > room) over_ = true;
  block_.text.append(piece.substr(0, room));
}

void Framer::EndRecord() {
  if (over_) ++too_long_;
  if (over_ && framing_.drop_too_long) {
    block_.text.resize(begin_);
  } else {
    std::size_t size = block_.text.size() - begin_;
    if (framing_.kind == Framing::Kind::kNewline && !over_ && size > 0 && block_.text.back() == '\r') --size;
    block_.records.push_back({static_cast<std::uint32_t>(begin_), static_cast<std::uint32_t>(size)});
    begin_ = block_.text.size();
  }
  over_ = false;
  prefix_ = 0;
  left_ = 0;
}

std::shared_ptr<const RecordBlock> Framer::Take() {
  if (block_.records.empty()) return nullptr;
  RecordBlock rest;  // the beginning of the record at hand
  rest.text = block_.text.substr(begin_);
  block_.text.resize(begin_);
  begin_ = 0;
  return std::make_shared<const RecordBlock>(std::exchange(block_, std::move(rest)));
}

bool Framer::in_record() const { return block_.text.size() > begin_ || over_ || prefix_ > 0; }

void Framer::End(bool orderly) {
  if (!in_record()) return;
  if (orderly && framing_.kind != Framing::Kind::kLength) {
    EndRecord();
    return;
  }
  ++unfinished_;
  block_.text.resize(begin_);
  over_ = false;
  prefix_ = 0;
  left_ = 0;
}

}  // namespace millrace::sockets
