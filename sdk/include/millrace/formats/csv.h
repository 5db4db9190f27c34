// CSV records as structs and back. Which column is which field says a header, or the struct's list of fields.
//
//   struct Trade { std::string symbol; double price; std::optional<std::int64_t> size; };
//   MILLRACE_FIELDS(Trade, symbol, price, size)                                 // see fields.h
//   const millrace::Csv<Trade> csv({.delimiter = ';'}, "size;symbol;venue;price");
//   auto trades = lines.Filter([csv](std::string_view line) { return !csv.IsHeader(line); })
//                     .Map([csv](std::string_view line) { return csv.Parse(line); });
//   trades.ToFiles({.directory = d}, [csv](const Trade& trade) { return csv.Line(trade); });
//
// Types: text, bool (true, false, 1, 0), integers (in their range), float, double, enums (by name or number), and
// optional of them: an empty field without quotes is no value. A std::string_view is a view into the record; text with
// doubled quotes has no such place: there it is an error, and std::string is right for every text. A record has as many
// fields as there are columns; with refuse_unknown = false it may have more.
//
// Errors: FormatError from Parse and Line, which makes a bad record; std::invalid_argument for a header without a field
// that the struct needs. Needs no library. Immutable: any thread; a copy costs a few words a column.
#pragma once

#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "millrace/formats/csv_fields.h"
#include "millrace/formats/fields.h"
#include "millrace/formats/format_error.h"
#include "millrace/internal/std_types.h"

namespace millrace {
namespace detail {

template <class T>
inline constexpr bool kNoCsv = false;

[[noreturn]] inline void FailCsv(const CsvField& field, std::string_view name, const std::string& wanted) {
  throw FormatError(std::string(name), field.offset, wanted + " is needed, and there is " + Found(field.text));
}

template <class T>
void ReadCsvNumber(const CsvField& field, T& into, std::string_view name) {
  const char* const end = field.text.data() + field.text.size();
  const auto result = std::from_chars(field.text.data(), end, into);
  bool bad = result.ec != std::errc() || result.ptr != end;
  if constexpr (std::is_floating_point_v<T>) {
    bad = bad || !std::isfinite(into);
    if (bad) FailCsv(field, name, "a number");
  } else {
    if (bad) FailCsv(field, name, IntegerWanted<T>());
  }
}

template <class T>
void ReadCsv(const CsvField& field, T& into, std::string_view name, char quote) {
  if constexpr (std::is_same_v<T, std::string>) {
    into = field.Unescaped(quote);
  } else if constexpr (std::is_same_v<T, std::string_view>) {
    if (field.doubled) {
      FailCsv(field, name, "text without doubled quotes (or a member of type std::string instead of std::string_view)");
    }
    into = field.text;
  } else if constexpr (std::is_same_v<T, bool>) {
    const bool yes = field.text == "true" || field.text == "1";
    if (!yes && field.text != "false" && field.text != "0") FailCsv(field, name, "true, false, 1 or 0");
    into = yes;
  } else if constexpr (std::is_arithmetic_v<T>) {
    ReadCsvNumber(field, into, name);
  } else if constexpr (HasEnumNames<T>) {
    std::string wanted = "one of";
    for (const EnumName<T>& one : MillraceNames(static_cast<const T*>(nullptr))) {
      if (field.text == one.name) {
        into = one.value;
        return;
      }
    }
    for (const EnumName<T>& one : MillraceNames(static_cast<const T*>(nullptr))) wanted += ' ' + std::string(one.name);
    FailCsv(field, name, wanted);
  } else if constexpr (std::is_enum_v<T>) {
    std::underlying_type_t<T> number{};
    ReadCsvNumber(field, number, name);
    into = static_cast<T>(number);
  } else if constexpr (kIsOptional<T>) {
    if (field.text.empty() && !field.quoted) {
      into.reset();
    } else {
      ReadCsv(field, into.emplace(), name, quote);
    }
  } else {
    static_assert(kNoCsv<T>,
                  "a CSV field is text, a number, bool, an enum, or an optional of these: list only such members with "
                  "MILLRACE_FIELDS");
  }
}

template <class T>
void WriteCsv(std::string& out, const T& value, const CsvOptions& options, bool quoted) {
  if constexpr (std::is_convertible_v<const T&, std::string_view>) {
    AppendCsvField(out, value, options, quoted && std::string_view(value).empty());
  } else if constexpr (std::is_same_v<T, bool>) {
    out += value ? "true" : "false";
  } else if constexpr (std::is_arithmetic_v<T>) {
    if constexpr (std::is_floating_point_v<T>) {
      if (!std::isfinite(value)) throw FormatError("", 0, "there is no CSV number for " + std::to_string(value));
    }
    char digits[64];
    const auto end = std::is_same_v<T, char> ? std::to_chars(digits, digits + sizeof digits, static_cast<int>(value))
                                             : std::to_chars(digits, digits + sizeof digits, value);
    AppendCsvField(out, std::string_view(digits, static_cast<std::size_t>(end.ptr - digits)), options);
  } else if constexpr (HasEnumNames<T>) {
    const std::string_view name = NameOfEnum(value);
    if (name.data() == nullptr) throw FormatError("", 0, "an enum has a value without a name in MILLRACE_ENUM");
    AppendCsvField(out, name, options);
  } else if constexpr (std::is_enum_v<T>) {
    WriteCsv(out, static_cast<std::underlying_type_t<T>>(value), options, quoted);
  } else if constexpr (kIsOptional<T>) {
    if (value.has_value()) WriteCsv(out, *value, options, true);
  } else {
    static_assert(kNoCsv<T>,
                  "a CSV field is text, a number, bool, an enum, or an optional of these: list only such members with "
                  "MILLRACE_FIELDS");
  }
}

}  // namespace detail

template <class T>
class Csv {
  static_assert(HasFields<T>,
                "Csv reads a struct whose fields are listed: write MILLRACE_FIELDS(Type, member, ...) beside the "
                "struct; see <millrace/formats/fields.h>");

 public:
  // The columns are the struct's fields, in the order of their list.
  explicit Csv(const CsvOptions& options = {}) : options_(options) {
    std::apply([&](const auto&... field) { (AddColumn(field.name), ...); }, detail::kFieldsOf<T>);
    for (std::size_t i = 0; i < detail::kFieldCount<T>; ++i) column_field_.push_back(i);
  }

  // The columns are those of the header; of no interest are those that the struct does not have. Fields that are
  // optional or Defaulted() need no column.
  Csv(const CsvOptions& options, std::string_view header) : options_(options) {
    std::array<bool, detail::kFieldCount<T> + 1> seen = {};
    ForEachCsvField(header, options_, [&](std::size_t, const CsvField& column) {
      const std::string name = column.Unescaped(options_.quote);
      AddColumn(name);
      std::size_t field = detail::kFieldCount<T>;
      detail::ForEachFieldIndex<T>([&](auto index) {
        if (std::get<index>(detail::kFieldsOf<T>).name == name) field = index;
      });
      if (seen[field] && field < detail::kFieldCount<T>) {
        throw std::invalid_argument("the CSV header names the column " + name + " twice");
      }
      seen[field] = true;
      column_field_.push_back(field);
    });
    detail::ForEachFieldIndex<T>([&](auto index) {
      const auto& field = std::get<index>(detail::kFieldsOf<T>);
      if (seen[index] || field.defaulted || detail::kIsOptional<Member<index>>) return;
      throw std::invalid_argument("the CSV header has no column " + std::string(field.name) +
                                  "; name it there, or make the field optional");
    });
  }

  bool IsHeader(std::string_view record) const {
    if (record.ends_with('\n')) record.remove_suffix(1);
    if (record.ends_with('\r')) record.remove_suffix(1);
    return record == header_;
  }
  const std::string& Header() const { return header_; }

  T Parse(std::string_view record) const {
    T value{};
    Parse(record, value);
    return value;
  }
  void Parse(std::string_view record, T& into) const {
    std::size_t count = 0;
    ForEachCsvField(record, options_, [&](std::size_t column, const CsvField& text) {
      count = column + 1;
      if (column >= column_field_.size()) {
        if (options_.refuse_unknown) throw FormatError("", text.offset, Counts(" or more", count));
        return;
      }
      detail::ForEachFieldIndex<T>([&](auto index) {
        if (index != column_field_[column]) return;
        const auto& field = std::get<index>(detail::kFieldsOf<T>);
        detail::ReadCsv(text, into.*(field.member), field.name, options_.quote);
      });
    });
    if (count < column_field_.size()) throw FormatError("", record.size(), Counts("", count));
  }

  // Without a line end. Columns that the struct does not have are empty.
  std::string Line(const T& value) const {
    std::string out;
    Append(out, value);
    return out;
  }
  void Append(std::string& out, const T& value) const {
    for (std::size_t column = 0; column < column_field_.size(); ++column) {
      if (column > 0) out += options_.delimiter;
      detail::ForEachFieldIndex<T>([&](auto index) {
        if (index != column_field_[column]) return;
        detail::WriteCsv(out, value.*(std::get<index>(detail::kFieldsOf<T>).member), options_, false);
      });
    }
  }

 private:
  template <std::size_t I>
  using Member = std::remove_cvref_t<decltype(std::declval<T>().*(std::get<I>(detail::kFieldsOf<T>).member))>;

  void AddColumn(std::string_view name) {
    if (columns_++ > 0) header_ += options_.delimiter;
    AppendCsvField(header_, name, options_);
  }
  std::string Counts(std::string_view more, std::size_t count) const {
    return std::to_string(column_field_.size()) + " fields are needed, and there are " + std::to_string(count) +
           std::string(more);
  }

  CsvOptions options_;
  std::string header_;
  std::size_t columns_ = 0;
  std::vector<std::size_t> column_field_;  // kFieldCount: of no interest
};

// With commas, in the order of the struct's fields.
template <class T>
T ParseCsv(std::string_view record) {
  static const Csv<T> standard;
  return standard.Parse(record);
}

}  // namespace millrace
