// The fields of one CSV record, as RFC 4180 has it, with other delimiters and quotes by option. For csv.h; of use on
// its own where a struct would be too much:
//
//   millrace::ForEachCsvField(line, {.delimiter = ';'}, [&](std::size_t index, const millrace::CsvField& field) { … });
//
// A field in quotes may hold delimiters, line ends and doubled quotes; a quote anywhere else is an error. One line end
// at the end of the record (\n or \r\n) is not part of it. An empty record has one empty field. Errors: FormatError.
// Nothing is allocated. Any thread.
#pragma once

#include <algorithm>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>

#include "millrace/formats/format_error.h"

namespace millrace {

struct CsvOptions {
  char delimiter = ',';
  char quote = '"';
  bool trim = false;           // blanks and tabs around fields, outside of quotes, do not count
  bool refuse_unknown = true;  // for structs: more fields than columns is an error
};

struct CsvField {
  std::string_view text;  // inside of the quotes; doubled quotes as they are
  bool quoted = false;
  bool doubled = false;  // there are doubled quotes in the text
  std::size_t offset = 0;

  std::string Unescaped(char quote) const {
    if (!doubled) return std::string(text);
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
      out += text[i];
      if (text[i] == quote) ++i;  // its double
    }
    return out;
  }
};

namespace detail {

class CsvCursor {
 public:
  CsvCursor(std::string_view record, const CsvOptions& options) : record_(record), options_(options) {
    const auto is_end = [](char c) { return c == '\n' || c == '\r' || c == '\0'; };
    if (options.delimiter == options.quote || is_end(options.delimiter) || is_end(options.quote)) {
      throw std::invalid_argument("CSV needs a delimiter and a quote that differ and are no line ends");
    }
    if (record_.ends_with('\n')) record_.remove_suffix(1);
    if (record_.ends_with('\r')) record_.remove_suffix(1);
  }

  // False: there are no more.
  bool Next(CsvField& field) {
    if (done_) return false;
    if (options_.trim) SkipBlanks();
    field = {};
    if (at_ < record_.size() && record_[at_] == options_.quote) {
      Quoted(field);
    } else {
      Plain(field);
    }
    done_ = at_ >= record_.size();
    ++at_;  // the delimiter
    return true;
  }

 private:
  static bool IsBlank(char c) { return c == ' ' || c == '\t'; }
  // A delimiter is never trimmed, not even a tab.
  void SkipBlanks() {
    while (at_ < record_.size() && IsBlank(record_[at_]) && record_[at_] != options_.delimiter) ++at_;
  }

  void Plain(CsvField& field) {
    const std::size_t end = std::min(record_.find(options_.delimiter, at_), record_.size());
    field.offset = at_;
    field.text = record_.substr(at_, end - at_);
    if (const std::size_t bad = field.text.find(options_.quote); bad != std::string_view::npos) {
      throw FormatError("", at_ + bad, "a quote inside of a field that does not begin with one: " + Found(field.text));
    }
    if (const std::size_t bad = field.text.find_first_of("\r\n"); bad != std::string_view::npos) {
      throw FormatError("", at_ + bad, "a line end outside of quotes: a record is one line");
    }
    if (options_.trim) {
      while (!field.text.empty() && IsBlank(field.text.back())) field.text.remove_suffix(1);
    }
    at_ = end;
  }

  void Quoted(CsvField& field) {
    const std::size_t begin = ++at_;
    field.quoted = true;
    field.offset = begin - 1;
    while (true) {
      const std::size_t quote = record_.find(options_.quote, at_);
      if (quote == std::string_view::npos) {
        throw FormatError("", begin - 1,
                          "a field begins with a quote and has none at its end: " + Found(record_.substr(begin - 1)));
      }
      at_ = quote + 1;
      if (at_ >= record_.size() || record_[at_] != options_.quote) break;
      field.doubled = true;
      ++at_;
    }
    field.text = record_.substr(begin, at_ - 1 - begin);
    if (options_.trim) SkipBlanks();
    if (at_ < record_.size() && record_[at_] != options_.delimiter) {
      throw FormatError("", at_, "a quoted field goes on after its end: " + Found(record_.substr(at_)));
    }
  }

  std::string_view record_;
  const CsvOptions& options_;
  std::size_t at_ = 0;
  bool done_ = false;
};

}  // namespace detail

template <class F>
void ForEachCsvField(std::string_view record, const CsvOptions& options, const F& f) {
  detail::CsvCursor cursor(record, options);
  CsvField field;
  for (std::size_t index = 0; cursor.Next(field); ++index) f(index, field);
}

// Adds one field in the form that reads back as the same text. `quoted`: also when there is no need.
inline void AppendCsvField(std::string& out, std::string_view text, const CsvOptions& options = {},
                           bool quoted = false) {
  const auto special = [&](char c) { return c == options.delimiter || c == options.quote || c == '\r' || c == '\n'; };
  const auto blank = [](char c) { return c == ' ' || c == '\t'; };
  if (!quoted && std::none_of(text.begin(), text.end(), special) &&
      (text.empty() || (!blank(text.front()) && !blank(text.back())))) {
    out += text;
    return;
  }
  out += options.quote;
  for (const char c : text) {
    if (c == options.quote) out += c;
    out += c;
  }
  out += options.quote;
}

}  // namespace millrace
