// A table with aligned columns and two spaces between them, the same on a terminal and in a pipe.
//
//   Table table({{"ID"}, {"RECORDS", Align::kRight}});
//   table.Add({job.id(), Count(job.records())});
//   std::fputs(table.Text().c_str(), stdout);
//
// A value; one thread at a time. Cells are made printable, so that no name can break a line.
#pragma once

#include <string>
#include <vector>

namespace millrace::cli {

enum class Align { kLeft, kRight };

class Table {
 public:
  struct Column {
    std::string title;
    Align align = Align::kLeft;
  };
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

  // As many cells as columns. An empty cell becomes "-".
  void Add(std::vector<std::string> cells);
  std::string Text() const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace millrace::cli
