#include "executor/connectors/received/entry.h"

#include <xxhash.h>

#include <bit>
#include <cstring>
#include <utility>

#include "common/status.h"

namespace millrace::received {
namespace {

static_assert(std::endian::native == std::endian::little);

constexpr std::string_view kMagic = "MRE1";
constexpr std::size_t kChecked = kMagic.size() + sizeof(std::uint64_t);  // where the checked part begins
constexpr std::size_t kRecordBytes = 5 * sizeof(std::uint32_t) + sizeof(std::int64_t);
constexpr std::size_t kHeaderBytes = 2 * sizeof(std::uint32_t);
constexpr std::int64_t kPositionsPerEntry = std::int64_t{1} << 24;

template <class Number>
void Append(std::string& out, Number number) {
  out.append(reinterpret_cast<const char*>(&number), sizeof number);
}
void AppendSize(std::string& out, std::string_view text) { Append(out, static_cast<std::uint32_t>(text.size())); }

class Cursor {
 public:
  explicit Cursor(std::string_view bytes) : rest_(bytes) {}
  template <class Number>
  bool Take(Number& number) {
    if (rest_.size() < sizeof number) return false;
    std::memcpy(&number, rest_.data(), sizeof number);
    rest_.remove_prefix(sizeof number);
    return true;
  }
  bool TakeText(std::uint32_t size, std::string_view& text) {
    if (rest_.size() < size) return false;
    text = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return true;
  }
  std::size_t left() const { return rest_.size(); }

 private:
  std::string_view rest_;
};

}  // namespace

std::size_t EncodedBytes(const ReceivedRecord& record) {
  std::size_t bytes = kRecordBytes + record.key.size() + record.value.size() + record.topic.size() + record.id.size();
  for (const engine::Header& header : record.headers) bytes += kHeaderBytes + header.name.size() + header.value.size();
  return bytes;
}

std::string EncodeEntry(std::uint64_t writer, std::span<const ReceivedRecord* const> records) {
  std::size_t bytes = kChecked + sizeof writer + sizeof(std::uint32_t);
  for (const ReceivedRecord* record : records) bytes += EncodedBytes(*record);
  std::string out;
  out.reserve(bytes);
  out += kMagic;
  Append(out, std::uint64_t{0});  // the checksum's place
  Append(out, writer);
  Append(out, static_cast<std::uint32_t>(records.size()));
  for (const ReceivedRecord* record : records) {
    for (const std::string_view text : {record->key, record->value, record->topic, record->id}) AppendSize(out, text);
    Append(out, record->timestamp_us);
    Append(out, static_cast<std::uint32_t>(record->headers.size()));
    for (const std::string_view text : {record->key, record->value, record->topic, record->id}) out += text;
    for (const engine::Header& header : record->headers) {
      AppendSize(out, header.name);
      AppendSize(out, header.value);
      out += header.name;
      out += header.value;
    }
  }
  const std::uint64_t sum = XXH3_64bits(out.data() + kChecked, out.size() - kChecked);
  std::memcpy(out.data() + kMagic.size(), &sum, sizeof sum);
  return out;
}

absl::StatusOr<std::shared_ptr<const Entry>> Entry::Parse(const std::string& file, std::uint64_t number,
                                                          std::string bytes) {
  auto entry = std::shared_ptr<Entry>(new Entry(std::move(bytes)));
  if (!entry->Read(number)) {
    return DataLoss(file, ", ", entry->bytes_.size(),
                    " bytes, is damaged: what a receiver had stored there is gone. "
                    "Look at the storage; if the records cannot be had again, submit the job anew");
  }
  return entry;
}

bool Entry::Read(std::uint64_t number) {
  Cursor in(bytes_);
  std::string_view magic;
  std::uint64_t sum = 0;
  std::uint32_t count = 0;
  if (!in.TakeText(kMagic.size(), magic) || magic != kMagic || !in.Take(sum)) return false;
  if (XXH3_64bits(bytes_.data() + kChecked, bytes_.size() - kChecked) != sum) return false;
  if (!in.Take(writer_) || !in.Take(count) || count > in.left() / kRecordBytes) return false;
  std::vector<std::size_t> first_header;
  records_.reserve(count);
  for (std::uint32_t i = 0; i < count; ++i) {
    engine::SourceRecord& record = records_.emplace_back();
    std::uint32_t key = 0, value = 0, topic = 0, id = 0;
    std::string_view id_text;
    if (!in.Take(key) || !in.Take(value) || !in.Take(topic) || !in.Take(id) || !in.Take(record.timestamp_us) ||
        !in.Take(record.header_count) || !in.TakeText(key, record.key) || !in.TakeText(value, record.value) ||
        !in.TakeText(topic, record.topic) || !in.TakeText(id, id_text))
      return false;
    record.position = static_cast<std::int64_t>(number) * kPositionsPerEntry + i;
    if (!id_text.empty()) ids_.push_back(id_text);
    first_header.push_back(headers_.size());
    for (std::uint32_t h = 0; h < record.header_count; ++h) {
      std::uint32_t name = 0, text = 0;
      engine::Header& header = headers_.emplace_back();
      if (!in.Take(name) || !in.Take(text) || !in.TakeText(name, header.name) || !in.TakeText(text, header.value))
        return false;
    }
  }
  for (std::uint32_t i = 0; i < count; ++i) records_[i].headers = headers_.data() + first_header[i];
  return in.left() == 0;
}

}  // namespace millrace::received
