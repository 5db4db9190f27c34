#include "executor/state/state_file.h"

#include <xxhash.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

namespace millrace {
namespace {

static_assert(std::endian::native == std::endian::little, "state files are stored little endian");

constexpr std::string_view kMagic = "MRSTATE1";
constexpr std::size_t kHeaderBytes = 16;
constexpr std::uint32_t kEntries = 1;
constexpr std::uint32_t kTrailer = 2;
constexpr std::size_t kMaxBlockBytes = kStateBlockBytes + kMaxStateKeyBytes + kMaxStateValueBytes + 64;
// What is read at once: a block and some of the next.
constexpr std::size_t kReadBytes = 2 * kStateBlockBytes;

struct BlockHeader {
  std::uint32_t length;
  std::uint32_t kind;
  std::uint64_t checksum;
};
static_assert(sizeof(BlockHeader) == kHeaderBytes);

// Seeded, so that a block that stands elsewhere, or is taken for another kind, does not match.
std::uint64_t Checksum(std::string_view payload, std::uint32_t kind, std::uint64_t offset) {
  return XXH3_64bits_withSeed(payload.data(), payload.size(), offset << 8 | kind);
}

std::uint64_t Chain(std::uint64_t so_far, std::uint64_t checksum) {
  return XXH3_64bits_withSeed(&checksum, sizeof checksum, so_far);
}

std::string TrailerText(const StateFileTotals& totals, std::uint64_t checksum) {
  const std::uint64_t numbers[] = {totals.entries, totals.deleted, totals.key_bytes, totals.value_bytes, checksum};
  return std::string(reinterpret_cast<const char*>(numbers), sizeof numbers);
}

void AppendVarint(std::uint64_t value, std::string& out) {
  while (value >= 0x80) {
    out.push_back(static_cast<char>(value | 0x80));
    value >>= 7;
  }
  out.push_back(static_cast<char>(value));
}

bool TakeVarint(std::string_view& from, std::uint64_t& value) {
  value = 0;
  for (unsigned shift = 0; shift < 35 && !from.empty(); shift += 7) {
    const auto byte = static_cast<unsigned char>(from.front());
    from.remove_prefix(1);
    value |= std::uint64_t{byte & 0x7fU} << shift;
    if (byte < 0x80) return true;
  }
  return false;
}

std::size_t SharedBytes(std::string_view a, std::string_view b) {
  const std::size_t most = std::min(a.size(), b.size());
  return static_cast<std::size_t>(std::mismatch(a.begin(), a.begin() + most, b.begin()).first - a.begin());
}

}  // namespace

absl::StatusOr<std::unique_ptr<StateFileWriter>> StateFileWriter::Make(CheckpointStore& store,
                                                                       const std::string& name) {
  MR_ASSIGN_OR_RETURN(auto file, store.Put(name));
  auto writer = std::unique_ptr<StateFileWriter>(new StateFileWriter(std::move(file)));
  MR_RETURN_IF_ERROR(writer->file_->Append(kMagic));
  writer->totals_.bytes = kMagic.size();
  writer->block_.assign(kHeaderBytes, '\0');
  return writer;
}

absl::Status StateFileWriter::AddEntry(std::string_view key, std::string_view value, bool deleted) {
  MR_CHECK(totals_.entries == 0 || key > last_key_);
  MR_CHECK(key.size() <= kMaxStateKeyBytes && value.size() <= kMaxStateValueBytes);
  const std::size_t shared = block_.size() == kHeaderBytes ? 0 : SharedBytes(last_key_, key);
  AppendVarint(shared, block_);
  AppendVarint(key.size() - shared, block_);
  AppendVarint(deleted ? 0 : value.size() + 1, block_);
  block_.append(key.substr(shared));
  block_.append(value);
  last_key_ = key;
  ++totals_.entries;
  totals_.deleted += deleted ? 1 : 0;
  totals_.key_bytes += key.size();
  totals_.value_bytes += value.size();
  return block_.size() < kStateBlockBytes ? absl::OkStatus() : WriteBlock(kEntries);
}

absl::Status StateFileWriter::WriteBlock(std::uint32_t kind) {
  const std::string_view payload = std::string_view(block_).substr(kHeaderBytes);
  const BlockHeader header{static_cast<std::uint32_t>(payload.size()), kind, Checksum(payload, kind, totals_.bytes)};
  std::memcpy(block_.data(), &header, sizeof header);
  MR_RETURN_IF_ERROR(file_->Append(block_));
  checksum_ = Chain(checksum_, header.checksum);
  totals_.bytes += block_.size();
  // An unusually large entry must not hold its memory for ever.
  if (block_.capacity() > 4 * kStateBlockBytes) block_ = std::string();
  block_.assign(kHeaderBytes, '\0');
  return absl::OkStatus();
}

absl::StatusOr<StateFileTotals> StateFileWriter::Finish() {
  if (block_.size() > kHeaderBytes) MR_RETURN_IF_ERROR(WriteBlock(kEntries));
  block_.append(TrailerText(totals_, checksum_));
  MR_RETURN_IF_ERROR(WriteBlock(kTrailer));
  MR_RETURN_IF_ERROR(file_->Commit());
  return totals_;
}

absl::StatusOr<std::unique_ptr<StateFileReader>> StateFileReader::Open(CheckpointStore& store,
                                                                       const std::string& name) {
  MR_ASSIGN_OR_RETURN(auto file, store.Open(name));
  auto reader = std::unique_ptr<StateFileReader>(new StateFileReader(std::move(file), store.Locate(name)));
  MR_RETURN_IF_ERROR(reader->Fill(kMagic.size()));
  if (std::string_view(reader->buffer_).substr(0, reader->end_).substr(0, kMagic.size()) != kMagic)
    return reader->Damaged("it does not begin as one");
  reader->begin_ = kMagic.size();
  reader->totals_.bytes = kMagic.size();
  return reader;
}

absl::Status StateFileReader::Damaged(std::string_view how) const {
  return DataLoss("state file ", where_, " is damaged: ", how, " (near offset ", block_offset_, ")");
}

// Until there are so many bytes unused in the buffer, or the file has ended. The buffer grows with what really comes,
// since a damaged length may be any.
absl::Status StateFileReader::Fill(std::size_t bytes) {
  if (end_ - begin_ >= bytes) return absl::OkStatus();
  if (begin_ > 0) std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
  end_ -= std::exchange(begin_, 0);
  if (buffer_.size() > 4 * kReadBytes && bytes <= kReadBytes && end_ <= kReadBytes) {
    buffer_.resize(kReadBytes);
    buffer_.shrink_to_fit();
  }
  while (end_ < bytes) {
    if (buffer_.size() - end_ < kStateBlockBytes) buffer_.resize(std::max(kReadBytes, 2 * buffer_.size()));
    MR_ASSIGN_OR_RETURN(const std::size_t n, file_->Read(std::span(buffer_.data() + end_, buffer_.size() - end_)));
    if (n == 0) break;
    end_ += n;
  }
  return absl::OkStatus();
}

absl::Status StateFileReader::ReadBlock() {
  block_offset_ = totals_.bytes;
  MR_RETURN_IF_ERROR(Fill(kHeaderBytes));
  if (end_ - begin_ < kHeaderBytes) return Damaged("it is cut off");
  BlockHeader header;
  std::memcpy(&header, buffer_.data() + begin_, sizeof header);
  if (header.length > kMaxBlockBytes) return Damaged("a block's length cannot be");
  MR_RETURN_IF_ERROR(Fill(kHeaderBytes + header.length));
  if (end_ - begin_ < kHeaderBytes + header.length) return Damaged("it is cut off");
  const std::string_view payload(buffer_.data() + begin_ + kHeaderBytes, header.length);
  if (Checksum(payload, header.kind, block_offset_) != header.checksum)
    return Damaged("a block does not match its checksum");
  begin_ += kHeaderBytes + header.length;
  totals_.bytes += kHeaderBytes + header.length;
  if (header.kind == kTrailer) return CheckTrailer(payload);
  if (header.kind != kEntries || payload.empty()) return Damaged("a block is of no known kind");
  checksum_ = Chain(checksum_, header.checksum);
  block_ = payload;
  first_of_block_ = true;
  return absl::OkStatus();
}

absl::Status StateFileReader::CheckTrailer(std::string_view payload) {
  if (payload != TrailerText(totals_, checksum_)) return Damaged("its trailer counts something else than it holds");
  MR_RETURN_IF_ERROR(Fill(1));
  if (end_ > begin_) return Damaged("something follows its trailer");
  ended_ = true;
  return absl::OkStatus();
}

absl::StatusOr<bool> StateFileReader::Next() {
  if (block_.empty()) {
    if (!ended_) MR_RETURN_IF_ERROR(ReadBlock());
    if (ended_) return false;
  }
  MR_RETURN_IF_ERROR(ParseEntry());
  return true;
}

// A block whose checksum is right can only be wrong when it was written wrong; it is refused all the same.
absl::Status StateFileReader::ParseEntry() {
  std::uint64_t shared = 0;
  std::uint64_t rest = 0;
  std::uint64_t value = 0;
  if (!TakeVarint(block_, shared) || !TakeVarint(block_, rest) || !TakeVarint(block_, value) ||
      shared > (first_of_block_ ? 0 : current_key_.size()) || rest > block_.size() ||
      (value > 0 && value - 1 > block_.size() - rest)) {
    return Damaged("an entry does not fit its block");
  }
  const std::string_view suffix = block_.substr(0, rest);
  // Of two keys the greater is the one whose first other byte is.
  const bool ascends =
      totals_.entries == 0 ||
      (first_of_block_ ? suffix > current_key_ : suffix > std::string_view(current_key_).substr(shared));
  if (!ascends) return Damaged("its keys do not ascend");
  current_key_.resize(shared);
  current_key_.append(suffix);
  deleted_ = value == 0;
  value_ = deleted_ ? std::string_view() : block_.substr(rest, value - 1);
  key_ = current_key_;
  block_.remove_prefix(rest + value_.size());
  first_of_block_ = false;
  ++totals_.entries;
  totals_.deleted += deleted_ ? 1 : 0;
  totals_.key_bytes += key_.size();
  totals_.value_bytes += value_.size();
  return absl::OkStatus();
}

}  // namespace millrace
