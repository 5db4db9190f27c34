#include "executor/connectors/cassandra/result.h"

#include "common/status.h"
#include "executor/connectors/cassandra/wire.h"

namespace millrace::cassandra {
namespace {

constexpr std::int32_t kRowsKind = 2;
constexpr std::int32_t kPreparedKind = 4;
constexpr std::int32_t kGlobalTableSpec = 1;
constexpr std::int32_t kHasMorePages = 2;
constexpr std::int32_t kNoMetadata = 4;
constexpr int kMaxTypeDepth = 16;
constexpr std::int32_t kMaxColumns = 65'536;

absl::Status Malformed(std::string_view what) { return DataLoss("the server sent a malformed result: ", what); }

// A type is skipped: who asks knows it.
void SkipType(WireReader& in, int depth) {
  if (depth > kMaxTypeDepth) return in.Fail();
  switch (in.Short()) {
    case 0x0000:  // custom
      in.String();
      return;
    case 0x0020:  // list
    case 0x0022:  // set
      return SkipType(in, depth + 1);
    case 0x0021:  // map
      SkipType(in, depth + 1);
      return SkipType(in, depth + 1);
    case 0x0030: {  // user-defined
      in.String();
      in.String();
      for (int n = in.Short(); n > 0 && !in.failed(); --n) {
        in.String();
        SkipType(in, depth + 1);
      }
      return;
    }
    case 0x0031:  // tuple
      for (int n = in.Short(); n > 0 && !in.failed(); --n) SkipType(in, depth + 1);
      return;
    default:
      return;
  }
}

absl::Status ReadMetadata(WireReader& in, RowSet& out, std::int32_t& count) {
  const std::int32_t flags = in.Int();
  count = in.Int();
  if (in.failed() || count < 0 || count > kMaxColumns) return Malformed("a number of columns that cannot be");
  if ((flags & kHasMorePages) != 0) out.paging_state = in.Bytes().value_or("");
  if ((flags & kNoMetadata) != 0) return absl::OkStatus();
  if ((flags & kGlobalTableSpec) != 0) {
    in.String();
    in.String();
  }
  for (std::int32_t i = 0; i < count && !in.failed(); ++i) {
    if ((flags & kGlobalTableSpec) == 0) {
      in.String();
      in.String();
    }
    out.columns.emplace_back(in.String());
    SkipType(in, 0);
  }
  return in.failed() ? Malformed("its columns are cut off") : absl::OkStatus();
}

std::optional<std::size_t> IndexOf(const std::vector<std::string>& columns, std::string_view name) {
  for (std::size_t i = 0; i < columns.size(); ++i) {
    if (columns[i] == name) return i;
  }
  return std::nullopt;
}

}  // namespace

std::string_view RowSet::Text(const ResultRow& row, std::string_view column) const {
  const auto at = IndexOf(columns, column);
  if (!at || *at >= row.size() || !row[*at]) return {};
  return *row[*at];
}

std::int64_t RowSet::Number(const ResultRow& row, std::string_view column) const {
  WireReader in(Text(row, column));
  switch (in.left()) {
    case 1:
      return static_cast<std::int8_t>(in.Byte());
    case 2:
      return static_cast<std::int16_t>(in.Short());
    case 4:
      return in.Int();
    case 8:
      return in.Long();
    default:
      return 0;
  }
}

std::vector<std::string> RowSet::Texts(const ResultRow& row, std::string_view column) const {
  WireReader in(Text(row, column));
  std::vector<std::string> texts;
  if (in.left() == 0) return texts;
  for (std::int32_t n = in.Int(); n > 0 && !in.failed(); --n) texts.emplace_back(in.Bytes().value_or(""));
  if (in.failed()) texts.clear();
  return texts;
}

absl::StatusOr<RowSet> ParseRows(std::string_view body) {
  WireReader in(body);
  const std::int32_t kind = in.Int();
  RowSet out;
  if (in.failed()) return Malformed("it is empty");
  if (kind != kRowsKind) return out;
  std::int32_t columns = 0;
  MR_RETURN_IF_ERROR(ReadMetadata(in, out, columns));
  const std::int32_t rows = in.Int();
  // A cell takes four bytes at least: what is claimed must fit what is here before anything is reserved for it.
  const auto cells = static_cast<std::uint64_t>(rows < 0 ? 0 : rows) * static_cast<std::uint64_t>(columns);
  if (in.failed() || rows < 0 || cells * 4 > in.left() || (columns == 0 && rows > 0)) {
    return Malformed("it is shorter than its rows");
  }
  out.rows.resize(static_cast<std::size_t>(rows));
  for (ResultRow& row : out.rows) {
    row.reserve(static_cast<std::size_t>(columns));
    for (std::int32_t c = 0; c < columns && !in.failed(); ++c) {
      const auto bytes = in.Bytes();
      row.push_back(bytes ? Cell(std::string(*bytes)) : Cell());
    }
  }
  if (in.failed()) return Malformed("its rows are cut off");
  return out;
}

absl::StatusOr<std::string> ParsePrepared(std::string_view body) {
  WireReader in(body);
  if (in.Int() != kPreparedKind) return Malformed("the answer to PREPARE is none");
  std::string id(in.ShortBytes());
  if (in.failed() || id.empty()) return Malformed("a prepared statement without an id");
  return id;
}

}  // namespace millrace::cassandra
